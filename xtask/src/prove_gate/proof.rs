//! What was proven, as a document and as a table.

use std::fmt::Write;

use anyhow::{Context, Result};
use harness::{
    compare::Comparison,
    judge::{Evidence, Verdict},
    run,
};
use serde::Serialize;

/// False alarms that a hundred rows may have.
const ALARMS_PER_HUNDRED: usize = 1;

/// The outcome of all trials.
#[derive(Debug, Serialize)]
pub(super) struct Proof {
    id: String,
    commit: String,
    started: String,
    pub(super) finished: String,
    /// Rows of two builds of one commit.
    pub(super) rows_judged: usize,
    /// Those of them that are times.
    times_judged: usize,
    /// Those that were called a regression or an improvement, in words.
    alarms: Vec<String>,
    /// Rows that could not be told.
    undecided: usize,
    pub(super) faults: Vec<Caught>,
    /// What was spoilt, and the exit code that it got.
    pub(super) spoilt: Vec<(String, u8)>,
    /// The largest effect that a comparison of two builds would have missed one time in ten.
    detectable_share: Option<f64>,
}

/// A fault, and whether it was seen.
#[derive(Debug, Serialize)]
pub(super) struct Caught {
    pub(super) fault: String,
    pub(super) about: String,
    pub(super) metric: String,
    pub(super) is_caught: bool,
    /// The change that was seen.
    pub(super) seen: Option<f64>,
    pub(super) unit: String,
    pub(super) reason: String,
}

impl Proof {
    pub(super) fn new(id: String, commit: String) -> Self {
        Self {
            id,
            commit,
            started: run::timestamp(std::time::SystemTime::now()),
            finished: String::new(),
            rows_judged: 0,
            times_judged: 0,
            alarms: Vec::new(),
            undecided: 0,
            faults: Vec::new(),
            spoilt: Vec::new(),
            detectable_share: None,
        }
    }

    /// Adds a comparison of two builds of one commit. Controls are one binary on both sides, and count as well.
    pub(super) fn add_alike(&mut self, comparison: &Comparison) -> Result<()> {
        let judgement =
            comparison.judgement.as_ref().context("two builds with functions in another order are the same")?;
        if !judgement.problems.is_empty() {
            anyhow::bail!("two builds of one commit could not be compared: {}", judgement.problems.join("; "));
        }
        for row in judgement.rows.iter().chain(&judgement.controls) {
            let Some(evidence) = &row.evidence else {
                self.undecided += 1;
                continue;
            };
            self.rows_judged += 1;
            self.times_judged += usize::from(matches!(evidence, Evidence::Time(_)));
            match row.verdict {
                Verdict::Regression | Verdict::Improvement => self.alarms.push(format!(
                    "{} {} {}: {} ({})",
                    row.target,
                    row.case,
                    row.metric,
                    row.verdict.word(),
                    row.reason
                )),
                Verdict::Inconclusive => self.undecided += 1,
                Verdict::Pass | Verdict::Broken => {}
            }
        }
        self.detectable_share = judgement.would_have_seen().into_iter().chain(self.detectable_share).reduce(f64::max);
        Ok(())
    }

    /// Whether all was as it should be.
    pub(super) fn holds(&self) -> bool {
        self.alarms.len() * 100 <= self.rows_judged * ALARMS_PER_HUNDRED
            && self.faults.iter().all(|fault| fault.is_caught)
            && self.spoilt.iter().all(|(_, code)| *code == Verdict::Broken.exit_code())
    }

    pub(super) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    pub(super) fn markdown(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let holds = if self.holds() { "The gate proves itself" } else { "The gate does not prove itself" };
        let _ = writeln!(out, "# {holds}\n\nCommit {}, {} to {}.\n", self.commit, self.started, self.finished);
        if self.rows_judged > 0 {
            let _ = writeln!(
                out,
                "Two builds of one commit, functions in another order: {} rows judged ({} times), {} false alarms, {} could not \
                 be told.",
                self.rows_judged,
                self.times_judged,
                self.alarms.len(),
                self.undecided
            );
            for alarm in &self.alarms {
                let _ = writeln!(out, "- false alarm: {alarm}");
            }
        }
        if !self.faults.is_empty() {
            let _ = writeln!(out, "\n| Fault | Meant to catch it | Caught | Seen | Why |\n|---|---|---|---:|---|");
            for fault in &self.faults {
                let seen = fault.seen.map_or_else(String::new, |seen| format!("{seen:+.3} {}", fault.unit));
                let caught = if fault.is_caught { "yes" } else { "**no**" };
                let _ = writeln!(
                    out,
                    "| {} | {} | {caught} | {} | {} |",
                    fault.about,
                    fault.metric,
                    seen.trim_end(),
                    fault.reason.replace('|', "\\|")
                );
            }
        }
        if !self.spoilt.is_empty() {
            let _ = writeln!(out, "\n| Spoilt | Exit code, which has to be 3 |\n|---|---:|");
            for (spoilt, code) in &self.spoilt {
                let _ = writeln!(out, "| {spoilt} | {code} |");
            }
        }
        if let Some(share) = self.detectable_share {
            let _ =
                writeln!(out, "\nThis machine today would have caught {:.1} % more CPU time a request.", share * 100.0);
        }
        out
    }
}
