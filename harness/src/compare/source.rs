//! What a side of a comparison is named by: a run's record, a binary, or a commit.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{layout, record};

/// The name of a commit that was made of a tree with changes.
const UNCOMMITTED: &str = "the tree as it stands";

/// One side, as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A commit of this repository.
    Commit {
        /// What it was named by.
        name: String,
        /// Its full hash.
        hash: String,
    },
    /// A program that serves the contract.
    Binary(PathBuf),
    /// The record of a run that has ended.
    Record(PathBuf),
}

impl Source {
    /// Finds out what `text` names: a run's folder or document, else an executable file, else a commit.
    ///
    /// # Errors
    /// When it is none of them; the message says what was tried.
    pub fn named(text: &str) -> Result<Self> {
        let path = Path::new(text);
        if path.join(record::FILE).is_file() || (path.is_file() && path.extension().is_some_and(|end| end == "json")) {
            return Ok(Self::Record(path.to_path_buf()));
        }
        let of_a_run = layout::runs_folder()?.join(text);
        if !text.is_empty() && of_a_run.join(record::FILE).is_file() {
            return Ok(Self::Record(of_a_run));
        }
        if fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0) {
            return Ok(Self::Binary(path.canonicalize().with_context(|| format!("{text} has no place"))?));
        }
        match git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{text}^{{commit}}")], &[]) {
            Ok(hash) => Ok(Self::Commit { name: text.to_owned(), hash }),
            Err(_) => bail!(
                "`{text}` is no commit of this repository, no run and no program here; `git log --oneline` shows the \
                 commits, `cargo xtask report --list` the runs"
            ),
        }
    }

    /// The tree as it stands, uncommitted and new files included: the commit that is checked out if nothing differs from it, else
    /// one that is made of it, that no branch has, and for which neither the tree nor the index is touched.
    ///
    /// # Errors
    /// When this is no git repository, or it cannot be written to.
    pub fn tree() -> Result<Self> {
        let head = git(&["rev-parse", "--verify", "HEAD"], &[])?;
        if git(&["status", "--porcelain"], &[])?.is_empty() {
            return Ok(Self::Commit { name: "HEAD".to_owned(), hash: head });
        }
        let index = tempfile::NamedTempFile::new().context("no scratch file can be made")?;
        let own = layout::workspace_root()?.join(git(&["rev-parse", "--git-path", "index"], &[])?);
        fs::copy(&own, index.path()).with_context(|| format!("{} cannot be read", own.display()))?;
        let name = index.path().to_string_lossy().into_owned();
        let scratch: &[(&str, &str)] = &[
            ("GIT_INDEX_FILE", &name),
            ("GIT_AUTHOR_NAME", "armature lab"),
            ("GIT_AUTHOR_EMAIL", "lab@localhost"),
            ("GIT_COMMITTER_NAME", "armature lab"),
            ("GIT_COMMITTER_EMAIL", "lab@localhost"),
            // The same tree makes the same commit, whose binaries are there already.
            ("GIT_AUTHOR_DATE", "2000-01-01T00:00:00Z"),
            ("GIT_COMMITTER_DATE", "2000-01-01T00:00:00Z"),
        ];
        git(&["add", "--all"], scratch)?;
        let tree = git(&["write-tree"], scratch)?;
        let hash = git(&["commit-tree", &tree, "-p", &head, "-m", UNCOMMITTED], scratch)?;
        Ok(Self::Commit { name: UNCOMMITTED.to_owned(), hash })
    }

    /// What a change on this branch is compared with when nothing is named: where it left `main`, or the commit before if it is main's.
    ///
    /// # Errors
    /// When there is neither.
    pub fn default_base(head: &Self) -> Result<Self> {
        let checked_out = git(&["rev-parse", "--verify", "HEAD"], &[])?;
        for main in ["origin/main", "main"] {
            let Ok(hash) = git(&["merge-base", "HEAD", main], &[]) else { continue };
            // The tree as it stands is another commit, whose base is the one that is checked out.
            if hash != checked_out || head.commit() != Some(checked_out.as_str()) {
                return Ok(Self::Commit { name: format!("where this left {main}"), hash });
            }
        }
        Self::named("HEAD~1").context("there is nothing to compare with; name it with --base")
    }

    /// The commit's full hash, if it is one.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        match self {
            Self::Commit { hash, .. } => Some(hash),
            Self::Binary(_) | Self::Record(_) => None,
        }
    }

    /// Whether it is a commit of somebody's, and not one that was made of a tree with changes.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        matches!(self, Self::Commit { name, .. } if name != UNCOMMITTED)
    }

    /// How it is called in reports.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Commit { name, hash } if hash.starts_with(name) => hash[..12.min(hash.len())].to_owned(),
            Self::Commit { name, hash } => format!("{name} ({})", &hash[..12.min(hash.len())]),
            Self::Binary(path) | Self::Record(path) => path.display().to_string(),
        }
    }
}

/// Runs git in the workspace and returns what it printed.
pub(super) fn git(arguments: &[&str], environment: &[(&str, &str)]) -> Result<String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(layout::workspace_root()?).args(arguments).envs(environment.iter().copied());
    let output = command.output().context("git cannot be started; is it in PATH?")?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("git {} failed: {}", arguments.join(" "), told.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
