//! The files of the checkout as text: what git tracks, and what it would if it were added.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

/// Paths from the root, with `/` between folders, and the text of each file; `None` where it is not UTF-8.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    /// Reads the checkout at `root`.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let output = Command::new("git")
            .current_dir(root)
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()
            .context("git cannot be started; the checks read the list of files from it: apt-get install git")?;
        if !output.status.success() {
            bail!(
                "git ls-files failed in {}: {}; run this inside a clone",
                root.display(),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let mut files = BTreeMap::new();
        for path in String::from_utf8_lossy(&output.stdout).split_terminator('\0') {
            // A file that was deleted and not yet committed is still listed.
            if let Ok(content) = fs::read(root.join(path)) {
                files.insert(path.to_owned(), String::from_utf8(content).ok());
            }
        }
        Ok(Self { files })
    }

    /// A tree made up of these files.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned()))).collect() }
    }

    /// All paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Paths and texts of the files whose name ends so; with an empty ending, of all that are text.
    pub(super) fn texts(&self, ending: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.ends_with(ending))
            .filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// The text of one file; empty if it is not there.
    pub(super) fn text(&self, path: &str) -> &str {
        self.files.get(path).and_then(Option::as_deref).unwrap_or_default()
    }

    /// Whether there is a file, or a folder with files, of this path.
    pub(super) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.files.contains_key(path) || {
            let folder = format!("{path}/");
            self.files.range(folder.clone()..).next().is_some_and(|(found, _)| found.starts_with(&folder))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_their_folders_are_there_and_nothing_else() {
        let tree = Tree::of(&[("a/b.rs", ""), ("a-c", "")]);
        for (path, expected) in
            [("a", true), ("a/", true), ("a/b.rs", true), ("a-c", true), ("b.rs", false), ("a/b", false)]
        {
            assert_eq!(tree.has(path), expected, "{path}");
        }
    }

    #[test]
    fn a_checkout_is_read_with_new_files_and_without_ignored_ones() {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in [(".gitignore", "/out\n"), ("new.rs", "//! New.\n"), ("out/x.rs", "")] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        fs::write(folder.path().join("image.png"), [0x89, 0xff]).unwrap();
        assert!(Tree::read(folder.path()).is_err(), "a folder without git");
        let status = Command::new("git").args(["init", "--quiet"]).arg(folder.path()).status().unwrap();
        assert!(status.success());
        let tree = Tree::read(folder.path()).unwrap();
        assert_eq!(tree.paths().collect::<Vec<_>>(), [".gitignore", "image.png", "new.rs"]);
        assert_eq!(tree.texts("").count(), 2);
    }
}
