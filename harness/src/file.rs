//! Writes files whole: a reader, or a machine that loses power, finds the old content or the new, never a part.

use std::{fs::File, io::Write, path::Path};

use anyhow::{Context, Result};

/// Replaces the file at `path`: written beside it, synced, renamed over it, and the folder synced (rename(2), fsync(2)).
///
/// # Errors
/// When any step fails, for example on a full disk; the old file is untouched then and nothing is left beside it.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let attempt = || -> std::io::Result<()> {
        let mut draft = tempfile::Builder::new().prefix(".draft-").tempfile_in(folder)?;
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
