//! The history: an index of what runs have shown, by artifact, machine, case and metric, to ask what a figure used to be.
//!
//! Canonical are the records of runs and the documents of comparisons (`document.rs`); `entry.rs` is what is kept of them. The
//! store (`store.rs`) can be lost: it is made anew from them, or from an export. Read next: `entry.rs`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, Result};

mod document;
mod entry;
mod place;
mod store;

pub use document::{entries, lines, of_head};
pub use entry::{Entry, Figure, Run, SCHEMA, machine};
pub use place::{Place, VARIABLE};
pub use store::{Filter, Scope, Store};

use crate::{layout, run};

/// The folders that the history can be made of again: those of runs and comparisons.
///
/// # Errors
/// As [`layout::target_folder`].
pub fn sources() -> Result<Vec<PathBuf>> {
    Ok(vec![layout::runs_folder()?, layout::comparisons_folder()?])
}

/// Opens the history, and makes it where it is not there. A damaged file is moved aside, and the history made again of what is in
/// `sources`; `say` is told.
///
/// # Errors
/// When it can neither be opened nor made, or a newer program has made it.
pub fn open(place: &Place, sources: &[PathBuf], mut say: impl FnMut(&str)) -> Result<Store> {
    let cure = || format!("the history {place} cannot be opened; --history or {VARIABLE} names another");
    match place {
        Place::Server(_) => Store::connect(place).with_context(cure),
        Place::File(path) => open_file(place, path, sources, &mut say).with_context(cure),
    }
}

fn open_file(place: &Place, path: &Path, sources: &[PathBuf], say: &mut dyn FnMut(&str)) -> Result<Store> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    // Until this returns: of several processes one makes the tables, and one moves a damaged file aside.
    let lock = beside(path, "lock");
    let lock = File::options().write(true).create(true).truncate(false).open(&lock)?;
    lock.lock().context("it cannot be locked")?;
    let damage = if fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == 0) {
        "it is empty".to_owned()
    } else {
        match Store::connect(place) {
            Ok(store) => return Ok(store),
            Err(error) => store::damage(&error).ok_or(error)?,
        }
    };
    let aside = move_aside(path)?;
    let mut store = Store::connect(place)?;
    let (mut made, mut problems) = (0, Vec::new());
    for source in sources.iter().filter(|source| source.is_dir()) {
        for entry in entries(source)? {
            match entry {
                Ok(entry) => {
                    store.record(&entry)?;
                    made += 1;
                }
                Err(problem) => problems.push(format!("{problem:#}")),
            }
        }
    }
    say(&format!(
        "the history {place} was damaged ({damage}); it is kept as {}, and the history was made again of {made} runs in {}",
        aside.display(),
        sources.iter().map(|source| source.display().to_string()).collect::<Vec<_>>().join(" and ")
    ));
    for problem in problems {
        say(&format!("left out: {problem}"));
    }
    Ok(store)
}

/// Gives a damaged file, and what SQLite keeps beside it, a name that says so.
fn move_aside(path: &Path) -> Result<PathBuf> {
    let stamp = run::timestamp(SystemTime::now()).replace(':', "-");
    let free = |name: &PathBuf| !name.exists();
    let mut names = (0..).map(|attempt| match attempt {
        0 => beside(path, &format!("damaged-{stamp}")),
        _ => beside(path, &format!("damaged-{stamp}-{attempt}")),
    });
    let aside = names.find(free).context("no name is free for the damaged file")?;
    // The log first: it must never be replayed into the file that takes this one's place.
    for part in ["-wal", "-shm", ""] {
        let named = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(part);
            PathBuf::from(name)
        };
        let from = named(path);
        if from.exists() {
            fs::rename(&from, named(&aside)).with_context(|| format!("{} cannot be moved aside", from.display()))?;
        }
    }
    Ok(aside)
}

/// The path with one more ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}
