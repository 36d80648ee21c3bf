//! From the record of experiments to the ledger's entries: for each input whether an optimisation pays.
//!
//! Pure. Each experiment is a comparison of its own, judged by the rules of `judge`: its claim is not another one's, so its
//! inputs are corrected for one another and for nothing else. How entries are shown is `reports`' business.

use probe::suite::Case;
use serde::{Deserialize, Serialize};

use crate::{
    judge::{self, Count, Evidence, History, Judgement, Row, Time, Verdict},
    record::Record,
};

/// What is timed: of an operation in process, or of a request over a socket. It decides, and counts explain.
const TIMES: [&str; 2] = ["ns_per_operation", "cpu_us_per_request"];

/// What becomes of a claim on one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The candidate takes less time.
    Pays,
    /// The difference is smaller than matters.
    None,
    /// The candidate takes more time.
    Costs,
    /// It cannot be told here.
    Unknown,
    /// There are no figures, or they are not to be believed.
    Broken,
}

impl Effect {
    /// As the ledger says it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Pays => "pays",
            Self::None => "no effect",
            Self::Costs => "costs",
            Self::Unknown => "cannot tell",
            Self::Broken => "broken",
        }
    }
}

/// A claim on one input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The case, with its claim.
    pub case: Case,
    /// What becomes of it.
    pub effect: Effect,
    /// Why, in words.
    pub reason: String,
    /// The metric that was timed.
    pub timed: String,
    /// The pairs of launches, where there are enough.
    pub time: Option<Time>,
    /// What was counted, by metric; only what is to be believed.
    pub counts: Vec<(String, Count)>,
}

/// The entries of a record, in its order. `again` is a second batch of launches of what had moved in the first.
#[must_use]
pub fn entries(first: &Record, again: Option<&Record>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for family in first.cases.chunk_by(|one, other| one.test == other.test) {
        let [one, other] = [Some(first), again].map(|record| record.map(|record| only(record, &family[0].test)));
        let first: Vec<&Record> = one.iter().collect();
        // What did not move has no second batch, and one without samples is no record to be judged.
        let again: Vec<&Record> = other.iter().filter(|again| !again.samples.is_empty()).collect();
        let judgement = judge::side_by_side(&first, &again, &History::new());
        entries.extend(family.iter().map(|case| entry(case, &judgement)));
    }
    entries
}

/// The ids of cases whose time has moved, so that a second batch has to confirm it.
#[must_use]
pub fn suspects(record: &Record) -> Vec<String> {
    let families = record.cases.chunk_by(|one, other| one.test == other.test);
    let own = families.map(|family| only(record, &family[0].test));
    own.flat_map(|own| judge::suspects(&[&own]).into_values().flatten()).collect()
}

/// The part of a record that is about one experiment: its cases, and the two targets that take part in them.
fn only(record: &Record, test: &str) -> Record {
    let mut own = record.clone();
    own.cases.retain(|case| case.test == test);
    own.plan.targets.retain(|target| own.cases.iter().any(|case| target.takes_part(case)));
    let is_own = |id: &str| own.cases.iter().any(|case| case.id == id);
    let takes_part = |name: &str| own.plan.targets.iter().any(|target| target.name == name);
    own.samples.retain(|sample| is_own(&sample.case));
    own.failures.retain(|failure| takes_part(&failure.target) && failure.case.as_deref().is_none_or(is_own));
    own.verifications.retain(|verification| verification.test == test);
    own
}

fn entry(case: &Case, judgement: &Judgement) -> Entry {
    let rows: Vec<&Row> = judgement.rows.iter().filter(|row| row.case == case.id).collect();
    let time = rows.iter().find(|row| TIMES.contains(&row.metric.as_str()));
    let counted = |row: &&Row| match &row.evidence {
        Some(Evidence::Count(count)) => Some((row.metric.clone(), count.clone())),
        _ => None,
    };
    let folded = rows.iter().find(|row| row.reason.contains("folded away"));
    let (effect, reason) = match (judgement.problems.first(), folded, time) {
        (Some(problem), ..) => (Effect::Broken, problem.clone()),
        (None, Some(row), _) => (Effect::Broken, row.reason.clone()),
        (None, None, Some(row)) => (effect(row.verdict), row.reason.clone()),
        (None, None, None) => (Effect::Unknown, "no times were taken".to_owned()),
    };
    Entry {
        case: case.clone(),
        effect,
        reason,
        timed: time.map(|row| row.metric.clone()).unwrap_or_default(),
        time: time.and_then(|row| match &row.evidence {
            Some(Evidence::Time(time)) => Some(time.clone()),
            _ => None,
        }),
        counts: rows.iter().filter_map(counted).collect(),
    }
}

fn effect(verdict: Verdict) -> Effect {
    match verdict {
        Verdict::Improvement => Effect::Pays,
        Verdict::Pass => Effect::None,
        Verdict::Regression => Effect::Costs,
        Verdict::Inconclusive => Effect::Unknown,
        Verdict::Broken => Effect::Broken,
    }
}

#[cfg(test)]
mod tests {
    use probe::suite::{Failure, Sample, Target};
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        host::Host,
        judge::{BASE, HEAD},
        record::SCHEMA,
    };

    /// A record of one experiment with these ratios of candidate to baseline, on an input each, in 14 rounds.
    fn record(ratios: &[f64]) -> Record {
        let mut random = fastrand::Rng::with_seed(5);
        let mut samples = Vec::new();
        for round in 0..14 {
            for (at, ratio) in ratios.iter().enumerate() {
                for (side, factor) in [(BASE, 1.0), (HEAD, *ratio)] {
                    let ns = 100.0 * factor * (1.0 + 0.003 * (random.f64() * 2.0 - 1.0));
                    samples.push(json!({"target": format!("experiment{side}"), "case": format!("trick-{at}"),
                        "round": round, "slot": u32::from((side == HEAD) == (round % 2 == 0)), "histograms": {},
                        "void": {}, "metrics": {"ns_per_operation": ns}}));
                }
            }
        }
        let target = |side: &str| {
            json!({"name": format!("experiment{side}"), "role": "framework", "command": ["x"], "serves": [],
                "control": true, "port": 0})
        };
        let case = |at: usize| json!({"id": format!("trick-{at}"), "test": "trick", "title": "", "connections": null, "depth": "quick"});
        let record = json!({
            "schema": SCHEMA, "id": "run", "suite": "experiments", "status": "complete",
            "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:01:00Z", "repeat": "", "commit": null,
            "host": Host::default(), "profile": "", "artifacts": [], "servers": {}, "verifications": [],
            "plan": {"folder": "", "targets": [target(BASE), target(HEAD)], "cases": [], "depth": "quick",
                "connections": [], "rounds": 14, "warmup_s": 0.1, "duration_s": 0.3, "open_duration_s": 0.1,
                "open_shares": [], "database": {"database": "sqlite"},
                "placement": {"server": [0], "generator": [1], "database": []}, "loadgen": "", "seeder": "", "seed": 1},
            "failures": [], "notes": [], "samples": samples,
            "cases": (0..ratios.len()).map(case).collect::<Vec<Value>>()
        });
        Record::parse(&record.to_string()).unwrap()
    }

    #[test]
    fn what_moves_in_two_batches_pays_or_costs_and_the_rest_has_no_effect() {
        let first = record(&[0.5, 1.3, 1.0]);
        assert_eq!(suspects(&first), ["trick-0", "trick-1"]);
        let effects = |again: Option<&Record>| -> Vec<Effect> {
            entries(&first, again).into_iter().map(|entry| entry.effect).collect()
        };
        assert_eq!(effects(Some(&first)), [Effect::Pays, Effect::Costs, Effect::None]);
        assert_eq!(effects(None), [Effect::Unknown, Effect::Unknown, Effect::None]);
    }

    #[test]
    fn what_was_folded_away_is_no_result() {
        let mut first = record(&[0.5, 1.0]);
        let mut counted =
            Sample { metrics: [("instructions_per_operation".to_owned(), 5.0)].into(), ..first.samples[0].clone() };
        counted.void.insert("instructions_per_operation".to_owned(), "it was folded away".to_owned());
        first.samples.push(counted);
        let entries = entries(&first, Some(&first));
        assert_eq!((entries[0].effect, entries[1].effect), (Effect::Broken, Effect::None));
        assert!(entries[0].reason.contains("folded away"), "{}", entries[0].reason);
    }

    /// Over sockets each experiment has two servers of its own, and a request is timed instead of an operation.
    #[test]
    fn servers_of_other_experiments_are_no_part_of_one() {
        let mut first = record(&[0.5, 1.0]);
        for (at, case) in first.cases.iter_mut().enumerate() {
            case.test = format!("knob-{at}");
        }
        let mut targets = Vec::new();
        for at in 0..2 {
            for target in &first.plan.targets {
                let name = target.name.replace("experiment", &format!("knob-{at}"));
                targets.push(Target { name, serves: vec![format!("knob-{at}")], ..target.clone() });
            }
        }
        first.plan.targets = targets;
        for sample in &mut first.samples {
            sample.target = sample.target.replace("experiment", &sample.case.replace("trick", "knob"));
            let figure = sample.metrics.remove("ns_per_operation").unwrap();
            sample.metrics.insert("cpu_us_per_request".to_owned(), figure);
        }
        let effects = |first: &Record| -> Vec<(Effect, String)> {
            entries(first, Some(first)).into_iter().map(|entry| (entry.effect, entry.timed)).collect()
        };
        let timed = || "cpu_us_per_request".to_owned();
        assert_eq!(effects(&first), [(Effect::Pays, timed()), (Effect::None, timed())]);
        // One that does not start breaks its own experiment and no other.
        first.failures.push(Failure {
            target: "knob-1@head".to_owned(),
            case: None,
            round: None,
            reason: "it did not start".to_owned(),
            stderr_tail: Vec::new(),
            disqualifies: false,
        });
        assert_eq!(effects(&first), [(Effect::Pays, timed()), (Effect::Broken, timed())]);
    }

    #[test]
    fn one_experiment_does_not_weaken_another() {
        // Forty inputs that did not move, in experiments of their own, beside one that did.
        let mut first = record(&[[0.9].as_slice(), &[1.0; 40]].concat());
        for case in &mut first.cases {
            case.test.clone_from(&case.id);
        }
        assert_eq!(entries(&first, Some(&first))[0].effect, Effect::Pays);
    }
}
