//! What the history keeps of a run: its keys, and one figure for each target, case and metric.
//!
//! Pure: made of a record or of a comparison's head, the same each time. Keeping it is `store.rs`'s.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    host::Host,
    judge::{self, BASE, HEAD, Rule},
    record::{Commit, Record, Status},
    summary,
};

/// The version of an entry's line that this program writes, and the newest that it reads.
pub const SCHEMA: u32 = 1;

/// A run as the history knows it; one line of an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// Which run, of what, where.
    #[serde(flatten)]
    pub run: Run,
    /// Its figures, ordered by target, case and metric.
    pub figures: Vec<Figure>,
}

/// The keys of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The record's id.
    pub run: String,
    /// The suite.
    pub suite: String,
    /// Start, RFC 3339, UTC.
    pub started: String,
    /// End, RFC 3339, UTC.
    pub finished: Option<String>,
    /// Whether it came to the end of its plan.
    pub complete: bool,
    /// The commit that was built, if it is known.
    pub commit: Option<Commit>,
    /// The build profile of the targets.
    pub profile: String,
    /// [`machine`] of the host.
    pub machine: String,
    /// The machine, and its state when the run began.
    pub host: Host,
}

/// One metric of one target in one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The target.
    pub target: String,
    /// The case's id.
    pub case: String,
    /// The metric; its unit is in its name.
    pub metric: String,
    /// The median over the rounds whose figure is not void.
    pub value: f64,
    /// How many those are.
    pub rounds: u32,
}

impl Entry {
    /// A run that stands for itself; `None` for one half of which is another commit's, which only its comparison explains.
    #[must_use]
    pub fn of_record(record: &Record) -> Option<Self> {
        let has_sides =
            record.plan.targets.iter().any(|target| target.name.ends_with(BASE) || target.name.ends_with(HEAD));
        if has_sides {
            return None;
        }
        let figures =
            summary::medians(record).into_iter().map(|(place, value, rounds)| Figure::new(place, value, rounds));
        Some(Self { schema: SCHEMA, run: Run::of(record, record.commit.clone()), figures: ordered(figures.collect()) })
    }

    /// What a comparison counted of its head, the commit `hash`, in one of the runs that it rests on; `None` where that is nothing.
    /// Times of a comparison are worth something beside its base only.
    #[must_use]
    pub fn of_head(record: &Record, hash: &str) -> Option<Self> {
        let figures: Vec<Figure> = summary::medians(record)
            .into_iter()
            .filter(|((_, _, metric), ..)| matches!(judge::rule(metric), Some(Rule::Count { .. })))
            .filter_map(|((target, case, metric), value, rounds)| {
                Some(Figure::new((target.strip_suffix(HEAD)?.to_owned(), case, metric), value, rounds))
            })
            .collect();
        let run = Run::of(record, Some(Commit { hash: hash.to_owned(), dirty: false }));
        (!figures.is_empty()).then(|| Self { schema: SCHEMA, run, figures: ordered(figures) })
    }
}

impl Run {
    fn of(record: &Record, commit: Option<Commit>) -> Self {
        Self {
            run: record.id.clone(),
            suite: record.suite.clone(),
            started: record.started.clone(),
            finished: record.finished.clone(),
            complete: record.status == Status::Complete,
            commit,
            profile: record.profile.clone(),
            machine: machine(&record.host),
            host: record.host.clone(),
        }
    }
}

impl Figure {
    fn new((target, case, metric): (String, String, String), value: f64, rounds: u32) -> Self {
        Self { target, case, metric, value, rounds }
    }
}

/// The order of an entry's figures, which no database's collation has a say in.
pub(super) fn ordered(mut figures: Vec<Figure>) -> Vec<Figure> {
    figures.sort_by(|a, b| (&a.target, &a.case, &a.metric).cmp(&(&b.target, &b.case, &b.metric)));
    figures
}

/// A short key for the machines on which a count can be expected to be the same: CPU, microcode, cores, memory, kernel, C library
/// and compiler. What a machine is busy with is no part of it.
#[must_use]
pub fn machine(host: &Host) -> String {
    // Boots of one machine differ by what the kernel keeps for itself.
    let memory_gib = (host.memory_bytes + (1 << 29)) >> 30;
    let facts = [
        host.cpu_model.as_str(),
        &host.cpu_stepping,
        &host.microcode,
        &host.cpus.len().to_string(),
        &memory_gib.to_string(),
        &host.kernel,
        &host.libc,
        &host.rustc,
    ];
    Sha256::digest(facts.join("\n")).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_its_lasting_facts() {
        let host = Host { cpu_model: "X".into(), cpus: vec![0, 1], memory_bytes: 8 << 30, ..Host::default() };
        let key = machine(&host);
        assert_eq!(key.len(), 12);
        for (same, other) in [
            (true, Host { load_1m: 3.0, steal_share: 0.5, governor: "x".into(), ..host.clone() }),
            (true, Host { memory_bytes: (8 << 30) - (100 << 20), ..host.clone() }),
            (true, Host { cpus: vec![2, 3], ..host.clone() }),
            (false, Host { cpus: vec![0], ..host.clone() }),
            (false, Host { memory_bytes: 16 << 30, ..host.clone() }),
            (false, Host { microcode: "0x1".into(), ..host.clone() }),
            (false, Host { rustc: "rustc 1".into(), ..host.clone() }),
            (false, Host { kernel: "Linux 1".into(), ..host.clone() }),
        ] {
            assert_eq!(machine(&other) == key, same, "{other:?}");
        }
    }
}
