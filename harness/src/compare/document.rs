//! The document of a comparison: what was compared, on which machine, and what was concluded.
//!
//! The runs that it rests on stand beside it, whole, so that the conclusion can be drawn again.

use std::{fs, path::Path, time::SystemTime};

use anyhow::{Context, Result, ensure};
use probe::suite::Family;
use serde::{Deserialize, Serialize};

use crate::{
    budget::Budgets,
    build::Artifact,
    file,
    host::Host,
    judge::{self, HEAD, History, Judgement, Series},
    record::Record,
    run,
};

/// The version of the document that this program writes.
pub const SCHEMA: u32 = 1;

/// The document's file name in a comparison's folder.
pub const FILE: &str = "comparison.json";

/// What the folder of a second batch of launches ends in.
pub const AGAIN: &str = "-again";

/// One comparison of a base and a head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// Unique name, begins with the start time.
    pub id: String,
    /// Start, RFC 3339, UTC.
    pub started: String,
    /// End, RFC 3339, UTC.
    pub finished: String,
    /// The command that repeats it.
    pub repeat: String,
    /// The machine.
    pub host: Host,
    /// What the head is compared with.
    pub base: SideFacts,
    /// What is judged.
    pub head: SideFacts,
    /// Whether the sides have the same binaries, so that nothing was run.
    pub identical: bool,
    /// Figures of earlier commits on this machine, which say how far a count has always wandered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Series>,
    /// What was concluded; `None` where nothing was run.
    pub judgement: Option<Judgement>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Folders of the runs that it rests on, relative to the document.
    pub runs: Vec<String>,
}

/// What a side was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SideFacts {
    /// What it was named by.
    pub label: String,
    /// Full hash of the commit, if it is one.
    pub commit: Option<String>,
    /// Whether it is that commit as people build it: nothing uncommitted, and no features, flags or arguments of its own.
    #[serde(default)]
    pub clean: bool,
    /// The binaries.
    pub artifacts: Vec<Artifact>,
}

impl Comparison {
    /// A comparison of two runs that have ended, each as its record tells it.
    #[must_use]
    pub fn of_records(base: Record, head: Record, judgement: Judgement, repeat: String) -> Self {
        let now = run::timestamp(SystemTime::now());
        let facts = |record: Record| SideFacts {
            label: format!("run {}", record.id),
            clean: record.commit.as_ref().is_some_and(|commit| !commit.dirty),
            commit: record.commit.map(|commit| commit.hash),
            artifacts: record.artifacts,
        };
        Self {
            schema: SCHEMA,
            id: run::new_id("compare", SystemTime::now()),
            started: now.clone(),
            finished: now,
            repeat,
            host: head.host.clone(),
            base: facts(base),
            head: facts(head),
            identical: false,
            earlier: Vec::new(),
            judgement: Some(judgement),
            notes: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Concludes from the runs in `folder`, and holds the head to its budgets where there are any. Run twice, it concludes the same.
    ///
    /// # Errors
    /// When one of the runs that the comparison rests on cannot be read.
    pub fn judge(&mut self, folder: &Path, budgets: Option<&Budgets>) -> Result<()> {
        let read = |name: &String| Record::read(&folder.join(name)).map(|record| (name.clone(), record));
        let records: Vec<(String, Record)> = self.runs.iter().map(read).collect::<Result<_>>()?;
        let batch = |again: bool| -> Vec<&Record> {
            records.iter().filter(|(name, _)| name.ends_with(AGAIN) == again).map(|(_, record)| record).collect()
        };
        let place = |series: &Series| (series.target.clone(), series.case.clone(), series.metric.clone());
        let history: History = self.earlier.iter().map(|series| (place(series), series.figures.clone())).collect();
        let mut judgement = judge::side_by_side(&batch(false), &batch(true), &history);
        for (_, record) in &records {
            judgement.add_problems(judge::other_machine(&self.host, &record.host));
            let said = record.notes.iter().filter(|note| !self.notes.contains(note)).cloned().collect::<Vec<_>>();
            self.notes.extend(said);
        }
        // What is only timed has no counts that a budget could be held against.
        for (_, record) in records.iter().filter(|(_, record)| record.plan.wants(Family::Counts)) {
            let Some(budgets) = budgets else { break };
            let (rows, notes) = budgets.judge(record, HEAD);
            judgement.add_budgets(rows);
            self.notes.extend(notes.into_iter().filter(|note| !self.notes.contains(note)).collect::<Vec<_>>());
        }
        self.judgement = Some(judgement);
        Ok(())
    }

    /// Reads the document of an earlier comparison.
    ///
    /// # Errors
    /// When there is none, or it is damaged or of a newer version.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let comparison: Self =
            serde_json::from_str(&text).with_context(|| format!("{} is no comparison", path.display()))?;
        ensure!(comparison.schema <= SCHEMA, "{} was written by a newer program", path.display());
        Ok(comparison)
    }

    /// Writes the document into `folder`, whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        file::write_whole(&folder.join(FILE), self.json()?.as_bytes())
    }

    /// The document's text.
    ///
    /// # Errors
    /// When it cannot be put into JSON.
    pub fn json(&self) -> Result<String> {
        let mut text = serde_json::to_string_pretty(self).context("the comparison cannot be put into JSON")?;
        text.push('\n');
        Ok(text)
    }
}
