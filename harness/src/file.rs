//! Writes files whole: a reader, or a machine that loses power, finds the old content or the new, never a part.

use std::{
    fs::{File, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use anyhow::{Context, Result};

/// Replaces the file at `path`: written beside it, synced, renamed over it, and the folder synced (rename(2), fsync(2)).
///
/// # Errors
/// When any step fails, for example on a full disk; the old file is untouched then and nothing is left beside it.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let attempt = || -> std::io::Result<()> {
        let mut draft = tempfile::Builder::new().prefix(".draft-").permissions(readable()).tempfile_in(folder)?;
        draft.write_all(content)?;
        draft.as_file().sync_all()?;
        draft.persist(path)?;
        File::open(folder)?.sync_all()
    };
    attempt().with_context(|| {
        format!(
            "{} cannot be written; is the disk full, or the folder not writable? The old file is as it was",
            path.display()
        )
    })
}

/// What a file gets that a program simply creates: the umask takes away from it.
fn readable() -> Permissions {
    Permissions::from_mode(0o666)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_replaced_and_has_the_mode_of_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        fs::write(&plain, "").unwrap();
        for content in ["first", "second"] {
            write_whole(&ours, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&ours).unwrap(), content);
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
        assert!(write_whole(&plain.join("below-a-file"), b"x").is_err());
    }
}
