//! Decides whether a machine is fit to be measured on, and what to do about what is not.
//!
//! The readings are taken in `doctor/readings.rs`; here and in `doctor/machine.rs` and `doctor/tools.rs` pure
//! functions turn them into findings. Printing them is the command line's. Read next: `doctor/machine.rs`.

use serde::Serialize;

mod machine;
mod readings;
mod tools;

pub use readings::{HardwareCounters, Readings};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing to do.
    Ok,
    /// Numbers are valid; they would be steadier, or there would be more of them, with the cure.
    Advice,
    /// Times taken now would mislead, or could not be taken.
    Problem,
}

/// One thing that the doctor looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub subject: &'static str,
    /// How grave it is.
    pub level: Level,
    /// What was seen.
    pub reading: String,
    /// What that means for the numbers.
    pub meaning: String,
    /// What to do, with the exact command; none where all is well or nothing can be done.
    pub cure: Option<String>,
}

impl Finding {
    fn ok(subject: &'static str, reading: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self { subject, level: Level::Ok, reading: reading.into(), meaning: meaning.into(), cure: None }
    }

    fn advice(
        subject: &'static str,
        reading: impl Into<String>,
        meaning: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            subject,
            level: Level::Advice,
            reading: reading.into(),
            meaning: meaning.into(),
            cure: Some(cure.into()),
        }
    }

    fn problem(
        subject: &'static str,
        reading: impl Into<String>,
        meaning: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self { level: Level::Problem, ..Self::advice(subject, reading, meaning, cure) }
    }
}

/// What the readings mean, in the order in which a person should look at them.
#[must_use]
pub fn findings(readings: &Readings) -> Vec<Finding> {
    machine::DECISIONS.iter().chain(tools::DECISIONS).map(|decide| decide(readings)).collect()
}

/// Whether times may be taken: nothing is a problem. Counts need less and are not judged here.
#[must_use]
pub fn fit_to_time(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.level < Level::Problem)
}

/// A decision from readings to a finding.
type Decision = fn(&Readings) -> Finding;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;

    /// A quiet machine with everything installed.
    pub(super) fn fit() -> Readings {
        Readings {
            host: Host { cpus: vec![0, 1, 2, 3], kernel: "Linux 6.1.0".to_owned(), ..Host::default() },
            governors: vec!["performance".to_owned()],
            turbo: Some(false),
            shared_cores: false,
            quota_cpus: None,
            steal_share: 0.0,
            busy_share: 0.01,
            load_1m: 0.1,
            randomize_va_space: Some(2),
            perf_event_paranoid: Some(1),
            hardware_counters: HardwareCounters::Counted,
            huge_pages: Some("madvise".to_owned()),
            swap_used_bytes: 0,
            open_files_soft: 65_536,
            open_files_hard: 65_536,
            somaxconn: Some(4096),
            disk_free_bytes: Some(100 << 30),
            c_compiler: Some("/usr/bin/cc".into()),
            valgrind: Some("/usr/bin/valgrind".into()),
            strace: Some("/usr/bin/strace".into()),
            postgres: Some("/usr/lib/postgresql/15/bin".into()),
            wrk: Some("/usr/bin/wrk".into()),
        }
    }

    /// A subject, a change to the readings of a fit machine, and the level that the subject must then have.
    pub(super) type Row<'a> = (&'a str, fn(&mut Readings), Level);

    /// Turns each row's change loose on a fit machine; only the row's subject may change its level.
    pub(super) fn check(rows: &[Row<'_>]) {
        for (subject, change, level) in rows {
            let mut readings = fit();
            change(&mut readings);
            for finding in findings(&readings) {
                let expected = if finding.subject == *subject { *level } else { Level::Ok };
                assert_eq!(finding.level, expected, "{subject}: {finding:?}");
            }
            assert!(findings(&readings).iter().any(|finding| finding.subject == *subject), "{subject}");
        }
    }

    #[test]
    fn a_fit_machine_has_nothing_to_do() {
        let findings = findings(&fit());
        assert!(fit_to_time(&findings));
        for finding in findings {
            assert_eq!((finding.level, &finding.cure), (Level::Ok, &None), "{finding:?}");
        }
    }

    #[test]
    fn advice_leaves_a_machine_fit_and_a_problem_does_not() {
        let mut readings = fit();
        readings.valgrind = None;
        assert!(fit_to_time(&findings(&readings)));
        readings.host.cpus = vec![0];
        assert!(!fit_to_time(&findings(&readings)));
    }
}
