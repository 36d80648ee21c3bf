//! From samples to what a report says: a median with its interval for each figure, and ratios paired by round.
//!
//! Pure: the same record gives the same summary, bit for bit, because the resampling is seeded by names. The arithmetic
//! is in `stats/`.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZero,
    thread,
};

use probe::suite::{Case, Role, Sample};
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
    /// Metrics that only describe the conditions have none.
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

/// Draws the conclusions from a record, the cases shared out over this machine's CPUs.
#[must_use]
pub fn summarise(record: &Record) -> Summary {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = record.cases.len().div_ceil(threads).max(1);
    let cases = thread::scope(|scope| {
        let workers: Vec<_> = record
            .cases
            .chunks(share)
            .map(|cases| scope.spawn(|| cases.iter().map(|case| summarise_case(record, case)).collect::<Vec<_>>()))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    Summary { cases }
}

fn summarise_case(record: &Record, case: &Case) -> CaseSummary {
    let mut rows: Vec<Row> = record
        .plan
        .targets
        .iter()
        .filter(|target| target.serves.is_empty() || target.serves.contains(&case.test))
        .map(|target| row(record, &case.id, &case.test, &target.name, target.role))
        .collect();
    for first in 0..rows.len() {
        for second in first + 1..rows.len() {
            pair(record, case, &mut rows, first, second);
        }
    }
    CaseSummary { id: case.id.clone(), title: case.title.clone(), rows }
}

/// Enters the ratios of two rows into both. The second's are the first's turned over, so that the two never disagree.
fn pair(record: &Record, case: &Case, rows: &mut [Row], first: usize, second: usize) {
    let [one, other] = [first, second].map(|at| rows[at].target.clone());
    if [&one, &other].iter().any(|target| disqualified(record, &case.id, &case.test, target)) {
        return;
    }
    let [own, theirs] = [&one, &other].map(|target| samples(record, &case.id, target));
    let ratios = ratios(&own, &theirs, &format!("{}/{one}/{other}", case.id));
    if ratios.is_empty() {
        return;
    }
    let turned = ratios.iter().map(|(metric, ratio)| (metric.clone(), turned_over(ratio))).collect();
    rows[second].ratios.insert(one, turned);
    rows[first].ratios.insert(other, ratios);
}

fn turned_over(ratio: &Estimate) -> Estimate {
    Estimate { median: 1.0 / ratio.median, low: 1.0 / ratio.high, high: 1.0 / ratio.low, n: ratio.n }
}

fn row(record: &Record, case: &str, test: &str, target: &str, role: Role) -> Row {
    let own = if disqualified(record, case, test, target) { Vec::new() } else { samples(record, case, target) };
    // A round's counts are samples of their own.
    let rounds: BTreeSet<u32> = own.iter().map(|sample| sample.round).collect();
    let mut row = Row {
        target: target.to_owned(),
        role,
        rounds: u32::try_from(rounds.len()).unwrap_or(u32::MAX),
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
    row
}

/// What a figure is of: target, case and metric.
pub(crate) type Place = (String, String, String);

/// The median of each figure over the rounds in which it is not void, and the number of those rounds; without targets that
/// answered wrong.
pub(crate) fn medians(record: &Record) -> Vec<(Place, f64, u32)> {
    let mut medians = Vec::new();
    for case in &record.cases {
        let targets = record.plan.targets.iter().map(|target| &target.name);
        for target in targets.filter(|target| !disqualified(record, &case.id, &case.test, target)) {
            let own = samples(record, &case.id, target);
            for metric in names(&own) {
                let values: Vec<f64> = own.iter().filter_map(|sample| usable(sample, &metric)).collect();
                let Some(median) = stats::median(&values) else { continue };
                let rounds = u32::try_from(values.len()).unwrap_or(u32::MAX);
                medians.push(((target.clone(), case.id.clone(), metric), median, rounds));
            }
        }
    }
    medians
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
        if metric::find(&metric).is_some_and(|metric| metric.better == Better::Neither) {
            continue;
        }
        let differences: Vec<f64> = own
            .iter()
            .filter_map(|sample| {
                let mut pair = theirs.iter().filter(|other| other.round == sample.round);
                let (mine, other) = (usable(sample, &metric)?, pair.find_map(|other| usable(other, &metric))?);
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A record of one case, and of a sample for each `(target, round, requests_per_s, void)`.
    fn record(samples: &[(&str, u32, f64, bool)]) -> Record {
        let target = |name: &str| json!({"name": name, "role": "framework", "command": [name], "serves": [], "control": true, "port": 0});
        let samples: Vec<_> = samples
            .iter()
            .map(|(target, round, requests_per_s, void)| {
                let reasons = if *void { json!({"requests_per_s": "you measured the client"}) } else { json!({}) };
                json!({"target": target, "case": "json", "round": round, "slot": 0, "histograms": {}, "void": reasons,
                       "metrics": {"requests_per_s": requests_per_s, "open_rate_per_s": 500.0}})
            })
            .collect();
        let record = json!({
            "schema": crate::record::SCHEMA, "id": "x", "suite": "s", "status": "complete",
            "started": "", "finished": null, "repeat": "", "commit": null,
            "host": crate::host::Host::default(), "profile": "",
            "plan": {
                "folder": "", "targets": [target("a"), target("b")], "cases": [], "depth": "quick",
                "connections": [1], "rounds": 3, "warmup_s": 1.0, "duration_s": 1.0, "open_duration_s": 1.0,
                "open_shares": [0.5], "database": {"database": "sqlite"},
                "placement": {"server": [0], "generator": [1], "database": []},
                "loadgen": "", "seeder": "", "seed": 1
            },
            "artifacts": [], "servers": {}, "verifications": [], "failures": [], "notes": [],
            "cases": [{"id": "json", "test": "json", "title": "", "connections": 1, "depth": "quick"}],
            "samples": samples
        });
        Record::parse(&record.to_string()).expect("the test's own record can be read")
    }

    #[test]
    fn ratios_are_paired_by_round_and_turned_over_for_the_other_side() {
        let record = record(&[
            ("a", 0, 110.0, false),
            ("b", 0, 100.0, false),
            ("a", 1, 240.0, false),
            ("b", 1, 200.0, false),
            ("a", 2, 520.0, false),
            ("b", 2, 400.0, false),
            ("a", 3, 999.0, false),
        ]);
        let summary = summarise(&record);
        let [a, b] = summary.cases[0].rows.as_slice() else { panic!("{summary:?}") };
        let (ratio, turned) = (a.ratios["b"]["requests_per_s"], b.ratios["a"]["requests_per_s"]);
        assert_eq!(ratio.n, 3, "the round that only one has does not count");
        assert!((ratio.median - 1.2).abs() < 1e-12 && ratio.low >= 1.1 - 1e-12 && ratio.high <= 1.3 + 1e-12);
        assert_eq!((turned.median, turned.low, turned.high), (1.0 / ratio.median, 1.0 / ratio.high, 1.0 / ratio.low));
        assert!(!a.ratios["b"].contains_key("open_rate_per_s"), "a condition is not compared");
    }

    #[test]
    fn void_rounds_are_left_out_and_counted() {
        let summary = summarise(&record(&[("a", 0, 50.0, true), ("a", 1, 100.0, false), ("a", 2, 102.0, false)]));
        let row = &summary.cases[0].rows[0];
        assert_eq!((row.metrics["requests_per_s"].median, row.metrics["requests_per_s"].n), (101.0, 2));
        assert_eq!(row.void_rounds["requests_per_s"], 1);
        assert!(row.void.is_empty() && row.bounds.is_empty());
    }

    #[test]
    fn what_was_reached_in_void_rounds_is_a_bound_where_more_is_better() {
        let mut record = record(&[("a", 0, 50.0, true), ("a", 1, 60.0, true), ("a", 2, 70.0, true)]);
        for sample in &mut record.samples {
            sample.metrics.insert("open_latency_us_p50".to_owned(), 9.0);
            sample.void.insert("open_latency_us_p50".to_owned(), "late".to_owned());
        }
        let summary = summarise(&record);
        let row = &summary.cases[0].rows[0];
        assert_eq!(row.bounds["requests_per_s"].median, 60.0);
        assert!(!row.metrics.contains_key("requests_per_s") && row.void.len() == 2 && row.bounds.len() == 1);
    }
}
