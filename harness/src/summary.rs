//! From samples to what a report says: a median with its interval for each figure, and ratios paired by round.
//!
//! Pure: the same record gives the same summary, bit for bit, because the resampling is seeded by names. The arithmetic
//! is in `stats/`.

use std::collections::BTreeMap;

use probe::suite::{Role, Sample};
use serde::Serialize;

use crate::{
    metric::{self, Better},
    record::Record,
    stats::{self, Estimate},
};

/// What a record comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// One for each case, in the record's order.
    pub cases: Vec<CaseSummary>,
}

/// What one case comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseSummary {
    /// The case's id.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// One for each target that serves the case, in the plan's order, those without numbers included.
    pub rows: Vec<Row>,
}

/// What one target did in one case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The target.
    pub target: String,
    /// Its role.
    pub role: Role,
    /// Rounds with a sample.
    pub rounds: u32,
    /// Median over rounds and its 95 % interval, by metric.
    pub metrics: BTreeMap<String, Estimate>,
    /// For each other target of the case: the ratio of this row's figure to that target's, paired by round, by metric.
    pub ratios: BTreeMap<String, BTreeMap<String, Estimate>>,
    /// Metrics without a figure, with the reason (for example that the generator was the bottleneck).
    pub void: BTreeMap<String, String>,
    /// Rounds whose figure was declared void, by metric; the others' figures stand in `metrics`.
    pub void_rounds: BTreeMap<String, u32>,
    /// For void metrics of which more is better: what was reached nevertheless, which the target can do at least.
    pub bounds: BTreeMap<String, Estimate>,
    /// Why the row has no figures, or fewer rounds than planned.
    pub problems: Vec<String>,
}

/// Draws the conclusions from a record.
#[must_use]
pub fn summarise(record: &Record) -> Summary {
    let cases = record
        .cases
        .iter()
        .map(|case| {
            let rows = record
                .plan
                .targets
                .iter()
                .filter(|target| target.serves.is_empty() || target.serves.contains(&case.test))
                .map(|target| row(record, &case.id, &case.test, &target.name, target.role))
                .collect();
            CaseSummary { id: case.id.clone(), title: case.title.clone(), rows }
        })
        .collect();
    Summary { cases }
}

fn row(record: &Record, case: &str, test: &str, target: &str, role: Role) -> Row {
    let own = if disqualified(record, case, test, target) { Vec::new() } else { samples(record, case, target) };
    let mut row = Row {
        target: target.to_owned(),
        role,
        rounds: u32::try_from(own.len()).unwrap_or(u32::MAX),
        metrics: BTreeMap::new(),
        ratios: BTreeMap::new(),
        void: BTreeMap::new(),
        void_rounds: BTreeMap::new(),
        bounds: BTreeMap::new(),
        problems: problems(record, case, test, target),
    };
    for sample in &own {
        for (metric, reason) in &sample.void {
            row.void.insert(metric.clone(), reason.clone());
            *row.void_rounds.entry(metric.clone()).or_default() += 1;
        }
    }
    for metric in names(&own) {
        let values: Vec<f64> = own.iter().filter_map(|sample| usable(sample, &metric)).collect();
        if let Some(estimate) = stats::median_interval(&values, &format!("{case}/{target}/{metric}")) {
            row.void.remove(&metric);
            row.metrics.insert(metric, estimate);
        } else if let Some(bound) = bound(&own, &metric, &format!("{case}/{target}/{metric}")) {
            row.bounds.insert(metric, bound);
        }
    }
    for other in record.plan.targets.iter().filter(|other| other.name != target) {
        if disqualified(record, case, test, &other.name) {
            continue;
        }
        let theirs = samples(record, case, &other.name);
        let ratios = ratios(&own, &theirs, &format!("{case}/{target}/{}", other.name));
        if !ratios.is_empty() {
            row.ratios.insert(other.name.clone(), ratios);
        }
    }
    row
}

fn samples<'a>(record: &'a Record, case: &str, target: &str) -> Vec<&'a Sample> {
    record.samples.iter().filter(|sample| sample.case == case && sample.target == target).collect()
}

fn names(samples: &[&Sample]) -> Vec<String> {
    let mut names: Vec<String> = samples.iter().flat_map(|sample| sample.metrics.keys().cloned()).collect();
    names.sort();
    names.dedup();
    names
}

/// A figure that may be used: finite, and not declared void by the suite.
fn usable(sample: &Sample, metric: &str) -> Option<f64> {
    sample.metrics.get(metric).copied().filter(|value| value.is_finite() && !sample.void.contains_key(metric))
}

/// What a target reached in void rounds, where more is better: it can do at least that.
fn bound(samples: &[&Sample], metric: &str, seed: &str) -> Option<Estimate> {
    if metric::find(metric)?.better != Better::Higher {
        return None;
    }
    let reached: Vec<f64> = samples
        .iter()
        .filter_map(|sample| sample.metrics.get(metric).copied())
        .filter(|value| value.is_finite())
        .collect();
    stats::median_interval(&reached, seed)
}

/// Ratios paired by round: the median of the differences of logarithms, and its interval.
fn ratios(own: &[&Sample], theirs: &[&Sample], seed: &str) -> BTreeMap<String, Estimate> {
    let mut ratios = BTreeMap::new();
    for metric in names(own) {
        let differences: Vec<f64> = own
            .iter()
            .filter_map(|sample| {
                let pair = theirs.iter().find(|other| other.round == sample.round)?;
                let (mine, other) = (usable(sample, &metric)?, usable(pair, &metric)?);
                (mine > 0.0 && other > 0.0).then(|| mine.ln() - other.ln())
            })
            .collect();
        if let Some(estimate) = stats::median_interval(&differences, &format!("{seed}/{metric}")) {
            ratios.insert(metric, estimate.map(f64::exp));
        }
    }
    ratios
}

/// A target that answered wrong, before the load or during it, gets no number.
fn disqualified(record: &Record, case: &str, test: &str, target: &str) -> bool {
    record.verifications.iter().any(|check| check.target == target && check.test == test && !check.problems.is_empty())
        || record.failures.iter().any(|failure| {
            failure.disqualifies && failure.target == target && failure.case.as_deref().is_none_or(|id| id == case)
        })
}

fn problems(record: &Record, case: &str, test: &str, target: &str) -> Vec<String> {
    let verification = record
        .verifications
        .iter()
        .filter(|verification| verification.target == target && verification.test == test)
        .flat_map(|verification| verification.problems.iter().cloned());
    let failures = record
        .failures
        .iter()
        .filter(|failure| failure.target == target && failure.case.as_deref().is_none_or(|id| id == case))
        .map(|failure| failure.reason.clone());
    verification.chain(failures).collect()
}
