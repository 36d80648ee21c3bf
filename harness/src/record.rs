//! The canonical record of a run: one versioned JSON document, from which everything else can be rendered again.
//!
//! It holds what was seen and nothing that was concluded; conclusions are `summary.rs`'s. Reading is strict about the
//! version, writing is whole or not at all. Read next: `summary.rs`, `host.rs`.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, Result, bail};
use probe::suite::Event;
pub use probe::{
    message::Ready,
    suite::{Case, Database, Depth, Failure, Goal, Placement, Plan, Reference, Role, Sample, Target, Verification},
};
use serde::{Deserialize, Serialize};

use crate::{build::Artifact, file, host::Host, run};

/// The version of the record that this program writes, and the newest that it reads.
pub const SCHEMA: u32 = 1;

/// The record's file name in a run's folder.
pub const FILE: &str = "run.json";

/// One run: all cases of one plan on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// Unique name, begins with the start time so that names sort by age.
    pub id: String,
    /// The suite that was run.
    pub suite: String,
    /// How far it came.
    pub status: Status,
    /// Start, RFC 3339, UTC.
    pub started: String,
    /// End, RFC 3339, UTC.
    pub finished: Option<String>,
    /// The command that repeats it.
    pub repeat: String,
    /// The commit that was built, if the tree is a git checkout.
    pub commit: Option<Commit>,
    /// The machine.
    pub host: Host,
    /// The build profile of the targets.
    pub profile: String,
    /// What was asked of the suite.
    pub plan: Plan,
    /// The binaries that ran, a line for each target.
    pub artifacts: Vec<Artifact>,
    /// What the suite set out to measure.
    pub cases: Vec<Case>,
    /// The ready line of each target.
    pub servers: BTreeMap<String, Ready>,
    /// What was checked before any timing.
    pub verifications: Vec<Verification>,
    /// What was measured, in order.
    pub samples: Vec<Sample>,
    /// What went wrong.
    pub failures: Vec<Failure>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// How far a run came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Under way, or its process was killed before it could say anything else.
    Running,
    /// To the end of its plan.
    Complete,
    /// Ended early; what was measured until then is there.
    Partial {
        /// Why.
        reason: String,
    },
}

/// The state of the tree that was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Full hash.
    pub hash: String,
    /// Whether files differed from it.
    pub dirty: bool,
}

impl Record {
    /// A record of a run that begins now, on this checkout; profile, artifacts and the command are to be filled in.
    #[must_use]
    pub fn begun(id: String, suite: &str, host: Host, plan: Plan) -> Self {
        Self {
            schema: SCHEMA,
            id,
            suite: suite.to_owned(),
            status: Status::Running,
            started: run::timestamp(SystemTime::now()),
            finished: None,
            repeat: String::new(),
            commit: run::commit(),
            host,
            profile: String::new(),
            plan,
            artifacts: Vec::new(),
            cases: Vec::new(),
            servers: BTreeMap::new(),
            verifications: Vec::new(),
            samples: Vec::new(),
            failures: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Takes in what a suite said.
    pub fn absorb(&mut self, event: &Event) {
        match event {
            Event::Planned { cases, .. } => self.cases.clone_from(cases),
            Event::Ready { target, ready } => {
                self.servers.insert(target.clone(), ready.clone());
            }
            Event::Verified(verification) => self.verifications.push(verification.clone()),
            Event::Sample(sample) => self.samples.push(sample.clone()),
            Event::Failed(failure) => self.failures.push(failure.clone()),
            Event::Note { text } => self.notes.push(text.clone()),
            Event::Step { .. } | Event::Finished => {}
        }
    }

    /// Writes the record into `folder` as [`FILE`]; a reader sees the old document or the new one, never a part.
    ///
    /// # Errors
    /// When the file cannot be written; what was there before is untouched then.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let mut text = serde_json::to_vec(self).context("the record cannot be put into JSON")?;
        text.push(b'\n');
        file::write_whole(&folder.join(FILE), &text)
    }

    /// Reads a record from a run's folder or from the document itself.
    ///
    /// # Errors
    /// When there is none, when it is cut short or damaged, or when a newer program wrote it.
    pub fn read(path: &Path) -> Result<Self> {
        let path = if path.is_dir() { path.join(FILE) } else { path.to_path_buf() };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                bail!("no run record at {}; `cargo xtask report --list` shows the runs that are here", path.display())
            }
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        Self::parse(&text).with_context(|| format!("{} is not a record that can be read", path.display()))
    }

    /// Reads a record from its text.
    ///
    /// # Errors
    /// As [`Record::read`].
    pub fn parse(text: &str) -> Result<Self> {
        /// Only what every version has.
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let version: Version = serde_json::from_str(text).map_err(|error| {
            if error.is_eof() {
                anyhow::anyhow!("the document ends in the middle (at {} bytes): it was cut short", text.len())
            } else {
                anyhow::anyhow!("the document is damaged or of another kind: {error}")
            }
        })?;
        if version.schema > SCHEMA {
            bail!(
                "it has version {} and this program reads up to {SCHEMA}; update the checkout and try again",
                version.schema
            );
        }
        serde_json::from_str(text).map_err(|error| anyhow::anyhow!("the document is damaged: {error}"))
    }
}

/// A run found in a folder of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The run's folder.
    pub folder: PathBuf,
    /// Its id: the folder's name.
    pub id: String,
}

/// The runs below `folder`, oldest first; a folder that does not exist holds none.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(folder: &Path) -> Result<Vec<Found>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", folder.display())),
    };
    let mut found = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        if folder.join(FILE).is_file() {
            let id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.push(Found { folder, id });
        }
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}
