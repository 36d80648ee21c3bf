//! Finds what the history is made of: records of runs, documents of comparisons, and lines of an export.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::entry::{Entry, SCHEMA};
use crate::{
    compare::{self, Comparison},
    record::{self, Record},
};

/// The entries behind a path, each with what is wrong where it cannot be read: a run's folder or record, a comparison's folder or
/// document, a folder of such folders, or the lines of an export.
///
/// # Errors
/// When there is nothing at the path, or it cannot be looked into.
pub fn entries(path: &Path) -> Result<Box<dyn Iterator<Item = Result<Entry>>>> {
    if path.is_dir() {
        if is_document(path) {
            return Ok(Box::new(of_folder(path).into_iter()));
        }
        let mut folders: Vec<PathBuf> = fs::read_dir(path)
            .with_context(|| format!("{} cannot be read", path.display()))?
            .flatten()
            .map(|entry| entry.path())
            .filter(|folder| is_document(folder))
            .collect();
        folders.sort();
        return Ok(Box::new(folders.into_iter().flat_map(|folder| of_folder(&folder))));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    if path.file_name().is_some_and(|name| name == compare::FILE) {
        return Ok(Box::new(of_comparison(folder).into_iter()));
    }
    if path.extension().is_some_and(|end| end == "json") {
        return Ok(Box::new(std::iter::once(of_run(path))));
    }
    let file = File::open(path).with_context(|| {
        format!("{} cannot be read; give a run, a comparison, a folder of them or an export", path.display())
    })?;
    Ok(Box::new(lines(BufReader::new(file), path.display().to_string())))
}

/// The entries of an export, whose `name` stands in errors. Behind the first line that is none nothing is read.
pub fn lines(text: impl BufRead, name: String) -> impl Iterator<Item = Result<Entry>> {
    let mut is_broken = false;
    let lines = text.lines().enumerate().filter(|(_, line)| !matches!(line, Ok(line) if line.trim().is_empty()));
    lines.map_while(move |(number, line)| {
        let entry = (!is_broken).then(|| {
            line.context("it cannot be read")
                .and_then(|line| parse(&line))
                .with_context(|| format!("{name}, line {}", number + 1))
        })?;
        is_broken = entry.is_err();
        Some(entry)
    })
}

fn parse(line: &str) -> Result<Entry> {
    /// Only what every version has.
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    let version: Version = serde_json::from_str(line).context("it is no line of an export")?;
    if version.schema > SCHEMA {
        bail!("it has version {} and this program reads up to {SCHEMA}; update the checkout", version.schema);
    }
    serde_json::from_str(line).context("it is no line of an export")
}

fn is_document(folder: &Path) -> bool {
    folder.join(record::FILE).is_file() || folder.join(compare::FILE).is_file()
}

fn of_folder(folder: &Path) -> Vec<Result<Entry>> {
    if folder.join(compare::FILE).is_file() { of_comparison(folder) } else { vec![of_run(folder)] }
}

fn of_run(path: &Path) -> Result<Entry> {
    Entry::of_record(&Record::read(path)?).with_context(|| {
        format!("{} is part of a comparison; give the folder that has its {}", path.display(), compare::FILE)
    })
}

fn of_comparison(folder: &Path) -> Vec<Result<Entry>> {
    match Comparison::read(folder) {
        Ok(comparison) => of_head(&comparison, folder),
        Err(error) => vec![Err(error)],
    }
}

/// What a comparison, whose runs are in `folder`, tells of its head; nothing where that is no commit as people build it.
pub fn of_head(comparison: &Comparison, folder: &Path) -> Vec<Result<Entry>> {
    let head = &comparison.head;
    let Some(hash) = head.commit.as_deref().filter(|_| head.clean) else { return Vec::new() };
    comparison
        .runs
        .iter()
        // A second batch is of times.
        .filter(|run| !run.ends_with(compare::AGAIN))
        .filter_map(|run| Record::read(&folder.join(run)).map(|record| Entry::of_head(&record, hash)).transpose())
        .collect()
}
