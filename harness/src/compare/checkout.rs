//! Builds a commit in a worktree of its own, with a target folder of its own, and keeps what came out.
//!
//! Both sides are built with the same flags, and their folders are called alike in what the compiler writes down (rustc's
//! `--remap-path-prefix`), so that the same source gives the same bytes. The folders stay for the next comparison; binaries are
//! kept by what they were made of, so that a base is built once.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::source::git;
use crate::{
    build::{Place, Request},
    layout,
};

/// Binaries that are kept; about half a gigabyte.
const KEPT_MAX: usize = 64;

/// The worktree of one side.
#[derive(Debug)]
pub(super) struct Checkout {
    place: Place,
    /// The commit it is to show; checked out when something has to be built.
    hash: String,
    /// The flags that make its binaries other ones.
    made_with: String,
    /// Whether it shows it already.
    is_there: bool,
}

impl Checkout {
    /// The worktree of `side`, `base` or `head`.
    pub(super) fn of(side: &str, hash: &str, flags: &[String]) -> Result<Self> {
        let folder = layout::target_folder()?.join("lab").join("compare").join(side);
        let (root, target) = (folder.join("tree"), folder.join("target"));
        let remap = [(&root, "/armature"), (&target, "/armature/target")]
            .map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()));
        let made_with = flags.join(" ");
        Ok(Self {
            place: Place { root, target, flags: remap.into(), program_flags: flags.to_vec() },
            hash: hash.to_owned(),
            made_with,
            is_there: false,
        })
    }

    /// Builds a package with one binary, after `say`, or finds that of an earlier call; returns a copy that later builds do not
    /// replace.
    pub(super) fn build(&mut self, request: &Request<'_>, rustc: &str, say: impl FnOnce()) -> Result<PathBuf> {
        let kept = kept(&self.hash, &self.made_with, request, rustc)?;
        if kept.is_file() {
            // It is young again, and outlives those that nobody asks for.
            let _ = fs::File::options().append(true).open(&kept).and_then(|file| file.set_modified(SystemTime::now()));
            return Ok(kept);
        }
        say();
        self.check_out()?;
        let built = request.build_at(&self.place)?;
        keep(&built, &kept)?;
        Ok(kept)
    }

    fn check_out(&mut self) -> Result<()> {
        if self.is_there {
            return Ok(());
        }
        let root = self.place.root.to_string_lossy().into_owned();
        let shows = |arguments: &[&str]| {
            let status = Command::new("git").arg("-C").arg(&root).args(arguments).output();
            status.is_ok_and(|output| output.status.success())
        };
        let switched = self.place.root.join(".git").exists()
            && shows(&["checkout", "--quiet", "--detach", "--force", &self.hash])
            && shows(&["clean", "-ffdq"]);
        if !switched {
            // There is none, or it is damaged, or it belongs to a checkout that is gone.
            if self.place.root.exists() {
                fs::remove_dir_all(&self.place.root).with_context(|| format!("{root} cannot be cleared"))?;
            }
            git(&["worktree", "prune"], &[])?;
            git(&["worktree", "add", "--force", "--detach", "--quiet", &root, &self.hash], &[])?;
        }
        self.is_there = true;
        Ok(())
    }
}

/// Where the binary of a commit is kept: under a name that everything it depends on goes into.
fn kept(hash: &str, made_with: &str, request: &Request<'_>, rustc: &str) -> Result<PathBuf> {
    let stacks = if request.stacks { " stacks" } else { "" };
    let flags = format!("{} {made_with}{stacks}", env::var("RUSTFLAGS").unwrap_or_default());
    let parts = [hash, request.package, request.binary, request.profile, &request.features.join(","), rustc, &flags];
    let key: String = Sha256::digest(parts.join("\n")).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(folder()?.join(format!("{}-{key}", request.binary)))
}

fn folder() -> Result<PathBuf> {
    Ok(layout::target_folder()?.join("lab").join("compare").join("binaries"))
}

fn keep(built: &Path, kept: &Path) -> Result<()> {
    let folder = folder()?;
    let draft = kept.with_extension("draft");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::copy(built, &draft))
        .and_then(|_| fs::rename(&draft, kept))
        .with_context(|| format!("{} cannot be kept as {}", built.display(), kept.display()))?;
    let mut all: Vec<(SystemTime, PathBuf)> = fs::read_dir(&folder)?
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    all.sort();
    for (_, oldest) in all.iter().take(all.len().saturating_sub(KEPT_MAX)) {
        if let Err(error) = fs::remove_file(oldest) {
            bail!("{} cannot be removed: {error}", oldest.display());
        }
    }
    Ok(())
}
