//! Whole records through the judge: what is called, what is not, and what is missing.

use serde_json::{Value, json};

use super::*;
use crate::{host::Host, record::SCHEMA};

/// A record of `armature` and the control `hyper` in the case `json`, `rounds` pairs; each figure is the base's CPU time a
/// request times a factor.
struct Fixture {
    rounds: u32,
    head: f64,
    control: f64,
    noise: f64,
}

const STEADY: Fixture = Fixture { rounds: 14, head: 1.0, control: 1.0, noise: 0.003 };

impl Fixture {
    fn json(&self) -> Value {
        let mut random = fastrand::Rng::with_seed(5);
        let lanes = [("armature", "framework", self.head), ("hyper", "control", self.control)];
        let mut samples = Vec::new();
        for round in 0..self.rounds {
            for (lane, _, factor) in lanes {
                for (side, factor) in [(BASE, 1.0), (HEAD, factor)] {
                    let cpu = 10.0 * factor * (1.0 + self.noise * (random.f64() * 2.0 - 1.0));
                    let slot = u32::from((side == HEAD) == (round % 2 == 0));
                    samples.push(
                        json!({"target": format!("{lane}{side}"), "case": "json", "round": round, "slot": slot,
                        "histograms": {}, "void": {}, "metrics": {
                            "cpu_us_per_request": cpu, "cpu_user_us_per_request": cpu * 0.25,
                            "cpu_system_us_per_request": cpu * 0.75, "server_cpu_share": 1.0,
                            "requests_per_s": 1e6 / cpu}}),
                    );
                }
            }
        }
        for (side, allocations) in [(BASE, 2.0), (HEAD, if self.head > 1.0 { 3.0 } else { 2.0 })] {
            for round in 0..2 {
                samples.push(json!({"target": format!("armature{side}"), "case": "json", "round": round, "slot": 0,
                    "histograms": {}, "void": {}, "metrics": {"allocations_per_request": allocations}}));
            }
        }
        let targets: Vec<Value> = lanes
            .iter()
            .flat_map(|(lane, role, _)| {
                [BASE, HEAD].map(|side| {
                    json!({"name": format!("{lane}{side}"), "role": role, "command": ["x"],
                    "serves": [], "control": true, "port": 0})
                })
            })
            .collect();
        json!({
            "schema": SCHEMA, "id": "run", "suite": "engine", "status": "complete", "started": "2026-01-01T00:00:00Z",
            "finished": "2026-01-01T00:01:00Z", "repeat": "", "commit": null, "host": Host::default(), "profile": "",
            "plan": {"folder": "", "targets": targets, "cases": [], "depth": "quick", "connections": [64],
                "rounds": self.rounds, "warmup_s": 0.1, "duration_s": 0.3, "open_duration_s": 0.1, "open_shares": [],
                "database": {"database": "sqlite"}, "placement": {"server": [0], "generator": [1], "database": []},
                "loadgen": "", "seeder": "", "seed": 1},
            "artifacts": [], "servers": {}, "verifications": [], "failures": [], "notes": [],
            "cases": [{"id": "json", "test": "json", "title": "", "connections": 64, "depth": "quick"}],
            "samples": samples
        })
    }

    fn record(&self) -> Record {
        Record::parse(&self.json().to_string()).unwrap()
    }
}

fn cpu(judgement: &Judgement) -> &Row {
    judgement.rows.iter().find(|row| row.metric == "cpu_us_per_request").unwrap()
}

#[test]
fn a_slower_head_is_called_in_two_batches_and_explained_by_its_counts() {
    let slower = Fixture { head: 1.05, ..STEADY }.record();
    let once = side_by_side(&[&slower], &[], &History::new());
    assert_eq!(cpu(&once).verdict, Verdict::Inconclusive, "{:?}", cpu(&once));
    assert_eq!(suspects(&[&slower])["engine"], BTreeSet::from(["json".to_owned()]));
    let twice = side_by_side(&[&slower], &[&slower], &History::new());
    let row = cpu(&twice);
    assert_eq!((twice.verdict, row.verdict), (Verdict::Regression, Verdict::Regression), "{twice:#?}");
    assert_eq!(row.explained_by, ["+1 allocations/request"]);
    assert!(twice.would_have_seen().unwrap() < 0.02);
}

#[test]
fn what_did_not_change_passes_and_a_restless_control_forbids_a_verdict() {
    let same = STEADY.record();
    let judgement = side_by_side(&[&same], &[], &History::new());
    assert_eq!((judgement.verdict, judgement.problems.as_slice()), (Verdict::Pass, &[][..]), "{judgement:#?}");
    assert!(suspects(&[&same]).is_empty());
    let restless = Fixture { head: 1.05, control: 1.05, ..STEADY }.record();
    let judgement = side_by_side(&[&restless], &[&restless], &History::new());
    let row = cpu(&judgement);
    assert_eq!(row.verdict, Verdict::Inconclusive, "{row:?}");
    assert!(row.reason.contains("control"), "{row:?}");
    // Its counts are another matter: nothing that moves a control moves them.
    assert_eq!(judgement.verdict, Verdict::Regression);
}

#[test]
fn noise_that_hides_the_margin_is_no_pass() {
    let noisy = Fixture { noise: 0.2, ..STEADY }.record();
    let judgement = side_by_side(&[&noisy], &[], &History::new());
    assert_eq!(judgement.verdict, Verdict::Inconclusive, "{judgement:#?}");
    assert!(cpu(&judgement).reason.contains("cannot tell on this machine"), "{judgement:#?}");
    let few = Fixture { rounds: 6, ..STEADY }.record();
    assert_eq!(side_by_side(&[&few], &[], &History::new()).verdict, Verdict::Inconclusive);
}

/// Nothing of this may ever be green.
#[test]
fn what_is_missing_or_cannot_be_is_broken() {
    type Spoil = fn(&mut Value);
    let spoilt: &[(&str, &str, Spoil)] = &[
        ("no samples", "measured nothing", |run| run["samples"] = json!([])),
        ("no targets", "nothing was compared", |run| run["plan"]["targets"] = json!([])),
        ("a target is missing", "armature@head has no figures in json", |run| {
            run["samples"].as_array_mut().unwrap().retain(|sample| sample["target"] != "armature@head");
        }),
        ("partial", "partial: killed", |run| run["status"] = json!({"partial": {"reason": "killed"}})),
        ("running", "never ended", |run| run["status"] = json!("running")),
        ("the clock went backwards", "ended before it began", |run| run["finished"] = json!("2025-12-31T23:59:59Z")),
        ("wrong answers", "answers json wrong", |run| {
            run["verifications"] =
                json!([{"target": "armature@head", "test": "json", "checks": [], "problems": ["status 404"]}]);
        }),
        ("a target died", "armature@head in json: died", |run| {
            run["failures"] = json!([{"target": "armature@head", "case": "json", "round": 3, "reason": "died",
                "stderr_tail": [], "disqualifies": false}]);
        }),
        ("another unit", "is no metric of this lab", |run| {
            for sample in run["samples"].as_array_mut().unwrap() {
                let metrics = sample["metrics"].as_object_mut().unwrap();
                if let Some(cpu) = metrics.remove("cpu_us_per_request") {
                    metrics.insert("cpu_ns_per_request".to_owned(), cpu);
                }
            }
        }),
        ("a unit swapped in one figure", "are the units right?", |run| {
            let metrics = &mut run["samples"][1]["metrics"];
            metrics["cpu_us_per_request"] = json!(metrics["cpu_us_per_request"].as_f64().unwrap() / 1e3);
        }),
        ("a unit swapped in all of them", "are the units right?", |run| {
            for name in ["cpu_us_per_request", "cpu_user_us_per_request", "cpu_system_us_per_request"] {
                let metrics = &mut run["samples"][1]["metrics"];
                metrics[name] = json!(metrics[name].as_f64().unwrap() * 1e3);
            }
        }),
        ("a unit swapped in the turns", "are the units right?", |run| {
            let sample = &mut run["samples"][1];
            let cpu = sample["metrics"]["cpu_us_per_request"].as_f64().unwrap();
            sample["turns"] = json!({"cpu_us_per_request": [cpu * 1e3, null, cpu * 1e3]});
        }),
        ("turns of a figure that is missing", "and none of the whole", |run| {
            run["samples"][1]["turns"] = json!({"open_latency_us_p50": [1.0]});
        }),
    ];
    for (name, expected, spoil) in spoilt {
        let mut run = STEADY.json();
        spoil(&mut run);
        let record = Record::parse(&run.to_string()).unwrap();
        let judgement = side_by_side(&[&record], &[], &History::new());
        assert_eq!(judgement.verdict.exit_code(), 3, "{name}: {judgement:#?}");
        assert!(
            judgement.problems.iter().any(|problem| problem.contains(expected)),
            "{name}: {:?}",
            judgement.problems
        );
    }
    assert_eq!(side_by_side(&[], &[], &History::new()).verdict, Verdict::Broken);
}

#[test]
fn a_case_that_only_the_head_serves_is_a_gap_and_no_pass() {
    let mut run = STEADY.json();
    run["cases"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "new", "test": "new", "title": "", "connections": 64, "depth": "quick"}));
    run["verifications"] = json!([
        {"target": "armature@base", "test": "new", "checks": [], "problems": ["status 404 instead of 200"]},
        {"target": "armature@head", "test": "new", "checks": [], "problems": []},
    ]);
    for target in run["plan"]["targets"].as_array_mut().unwrap() {
        if target["role"] == "control" {
            target["serves"] = json!(["json"]);
        }
    }
    let sample = |json: &Value| json["target"] == "armature@head" && json["metrics"]["cpu_us_per_request"].is_number();
    let mut new: Vec<Value> = run["samples"].as_array().unwrap().iter().filter(|json| sample(json)).cloned().collect();
    new.iter_mut().for_each(|sample| sample["case"] = json!("new"));
    run["samples"].as_array_mut().unwrap().extend(new);
    let record = Record::parse(&run.to_string()).unwrap();
    let judgement = side_by_side(&[&record], &[], &History::new());
    assert_eq!((judgement.verdict, judgement.gaps.len()), (Verdict::Inconclusive, 1), "{judgement:#?}");
    assert!(judgement.gaps[0].contains("armature@base does not serve new"), "{:?}", judgement.gaps);
}

#[test]
fn a_baseline_that_is_nothing_or_no_number_is_broken_for_times() {
    for bad in [0.0, -1.0] {
        let mut run = STEADY.json();
        run["samples"][0]["metrics"]["requests_per_s"] = json!(bad);
        run["samples"][0]["metrics"]["server_cpu_share"] = json!(0.0);
        let record = Record::parse(&run.to_string()).unwrap();
        let judgement = side_by_side(&[&record], &[], &History::new());
        assert_eq!(judgement.verdict, Verdict::Broken, "{bad}: {judgement:#?}");
    }
}

#[test]
fn separate_runs_are_compared_by_counts_on_one_machine_only() {
    let run = |allocations: f64, cpu_model: &str| {
        let mut run = STEADY.json();
        run["host"]["cpu_model"] = json!(cpu_model);
        for sample in run["samples"].as_array_mut().unwrap() {
            if let Some(figure) = sample["metrics"].get_mut("allocations_per_request") {
                *figure = json!(allocations);
            }
        }
        Record::parse(&run.to_string()).unwrap()
    };
    for (name, base, head, expected) in [
        ("the same", run(2.0, "a"), run(2.0, "a"), Verdict::Inconclusive),
        ("one more", run(2.0, "a"), run(3.0, "a"), Verdict::Regression),
        ("another machine", run(2.0, "a"), run(2.0, "b"), Verdict::Broken),
    ] {
        let judgement = across(&base, &head, &History::new());
        assert_eq!(judgement.verdict, expected, "{name}: {:?}", judgement.problems);
        let count = judgement.rows.iter().find(|row| row.metric == "allocations_per_request").unwrap();
        assert!(count.evidence.is_some() && count.decides, "{count:?}");
        assert!(cpu(&judgement).reason.contains("not measured side by side"));
    }
}
