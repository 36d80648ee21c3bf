//! The suite through its command line, against `keeper`, a server that keeps memory in known ways.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use harness::build::Request;
use probe::suite::{Case, Database, Depth, Event, Placement, Plan, Role, Sample, Target};

/// What the suite said of a server: the figures and the notes.
struct Said {
    samples: Vec<Sample>,
    notes: Vec<String>,
}

/// A server that tells its allocations in its one build.
fn target(name: &str, command: &[&str]) -> Target {
    Target {
        name: name.to_owned(),
        role: Role::Framework,
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        counting: Vec::new(),
        serves: Vec::new(),
        control: true,
        port: 0,
    }
}

fn keeper(pattern: &str) -> Target {
    let switch = format!("--{pattern}");
    let switch = (!pattern.is_empty()).then_some(switch.as_str());
    let words: Vec<&str> = [env!("CARGO_BIN_EXE_keeper")].into_iter().chain(switch).collect();
    target("keeper", &words)
}

fn run(target: Target, case: &str) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        folder: folder.path().to_path_buf(),
        targets: vec![target],
        cases: vec![case.to_owned()],
        depth: Depth::Quick,
        connections: vec![64],
        rounds: 1,
        warmup_s: 0.1,
        duration_s: 2.0,
        open_duration_s: 0.1,
        open_shares: Vec::new(),
        database: Database::Sqlite,
        placement: Placement::default(),
        loadgen: folder.path().join("none"),
        seeder: folder.path().join("none"),
        runner: folder.path().join("none"),
        profiling: None,
        only: None,
        seed: 1,
    };
    let mut suite = Command::new(env!("CARGO_BIN_EXE_suite-memory-leak"))
        .arg("run")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = suite.stdin.take().unwrap();
    writeln!(stdin, "{}", serde_json::to_string(&plan).unwrap()).unwrap();
    let mut said = Said { samples: Vec::new(), notes: Vec::new() };
    for line in BufReader::new(suite.stdout.take().unwrap()).lines() {
        match serde_json::from_str(&line.unwrap()).unwrap() {
            Event::Sample(sample) => said.samples.push(sample),
            Event::Note { text } => said.notes.push(text),
            Event::Failed(failure) => panic!("{failure:?}"),
            _ => {}
        }
    }
    // Its standard input is open until here: closing it would end the suite early.
    drop(stdin);
    assert!(suite.wait().unwrap().success());
    said
}

#[test]
fn what_keeps_growing_is_named_with_its_call_site_and_what_does_not_passes() {
    for (pattern, leak) in [
        ("", None),
        ("bounded-cache", None),
        ("weak-reference", None),
        ("unbounded-cache", Some("keep (suites/memory-leak/src/bin/keeper.rs:")),
        ("reference-cycle", Some("reference_cycle (suites/memory-leak/src/bin/keeper.rs:")),
    ] {
        let said = run(keeper(pattern), "keep-alive");
        let figures: &BTreeMap<String, f64> = &said.samples[0].metrics;
        assert_eq!(figures["leaked_bytes_per_request_low"] > 0.0, leak.is_some(), "{pattern}: {figures:?}");
        match leak {
            None => assert!(said.notes.is_empty(), "{pattern}: {:?}", said.notes),
            Some(site) => {
                let begin = "Target keeper leaks in case keep-alive: ";
                assert!(said.notes[0].starts_with(begin) && said.notes[0].contains(site), "{:?}", said.notes);
            }
        }
    }
}

/// The framework's own server with a leak of 16 bytes a request built in, and without.
#[test]
fn sixteen_bytes_a_request_are_found_in_a_real_server_by_their_line() {
    let folder = tempfile::tempdir().unwrap();
    // The clean build comes last, so that it is what lies where cargo puts it afterwards.
    let mut leaking = server(&folder.path().join("leaking"), &["count-allocations", "faults"]);
    leaking.command.push("--fault=leak".to_owned());
    let clean = server(&folder.path().join("clean"), &["count-allocations"]);
    let said = run(clean.clone(), "pipelined");
    assert!(
        said.notes.is_empty() && said.samples[0].metrics["leaked_bytes_per_request_low"] <= 0.0,
        "{:?}",
        said.notes
    );
    for case in ["head-timeouts", "shutdown"] {
        let said = run(clean.clone(), case);
        assert!(said.notes.is_empty() && said.samples[0].metrics["leaked_bytes_per_request_low"] <= 0.0, "{case}");
    }
    let said = run(leaking, "pipelined");
    let figures = &said.samples[0].metrics;
    assert_eq!((figures["leaked_bytes_per_request"], figures["leaked_blocks_per_request"]), (16.0, 1.0), "{figures:?}");
    let site = "come from happen (comparisons/armature/src/fault.rs:";
    assert!(said.notes[0].contains(site), "{:?}", said.notes);
}

#[test]
fn what_a_server_has_lost_when_it_is_stopped_under_load_is_found() {
    let said = run(keeper(""), "shutdown");
    assert!(
        said.notes.is_empty() && said.samples[0].metrics["leaked_bytes_per_request_low"] <= 0.0,
        "{:?}",
        said.notes
    );
    let said = run(keeper("reference-cycle"), "shutdown");
    // Ten requests of every connection are answered before the order, and 64 bytes are lost with each.
    assert!(said.samples[0].metrics["leaked_bytes_per_request_low"] >= 640.0, "{:?}", said.samples);
    let (begin, site) =
        ("Target keeper leaks in case shutdown: ", "reference_cycle (suites/memory-leak/src/bin/keeper.rs:");
    let note = &said.notes[0];
    assert!(note.starts_with(begin) && note.contains(" blocks a connection.") && note.contains(site), "{note}");
}

#[test]
fn a_soak_has_the_slopes_of_resident_memory_and_what_was_seen_of_it() {
    let mut target = keeper("unbounded-cache");
    target.serves = ["plaintext", "soak"].map(str::to_owned).into();
    let said = run(target, "soak");
    let sample = &said.samples[0];
    let figure = |name: &str| sample.metrics[name];
    for memory in ["rss_growth_bytes_per_min", "pss_growth_bytes_per_min"] {
        let [low, high] = ["low", "high"].map(|end| figure(&format!("{memory}_{end}")));
        assert!(low <= figure(memory) && figure(memory) <= high, "{:?}", sample.metrics);
    }
    assert!(figure("leaked_bytes_per_request_low") > 0.0 && said.notes[0].contains("leaks in case soak"));
    assert!(said.notes[1].starts_with("Resident memory of target keeper: RSS grew by "), "{:?}", said.notes);
    for memory in ["rss_bytes", "pss_bytes", "live_bytes"] {
        let points = &sample.series[memory];
        assert!(points.len() >= 3 && points.is_sorted_by(|[a, _], [b, _]| a < b), "{points:?}");
    }
}

/// A copy of target-armature, built with these features.
fn server(copy: &Path, features: &[&str]) -> Target {
    let built = Request { features, ..Request::new("target-armature", "light") }.build().unwrap();
    fs::copy(built, copy).unwrap();
    target("armature", &[copy.to_str().unwrap()])
}

/// Two blocks of 32 bytes: a pair of counts, a flag and a reference.
#[test]
fn the_figures_are_exact() {
    let said = run(keeper("reference-cycle"), "pipelined");
    let figures = &said.samples[0].metrics;
    let expected = [
        ("leaked_blocks_per_request", 2.0),
        ("leaked_bytes_per_request", 64.0),
        ("leaked_bytes_per_request_low", 64.0),
    ];
    assert_eq!(figures.clone().into_iter().collect::<Vec<_>>(), expected.map(|(name, value)| (name.to_owned(), value)));
}

#[test]
fn every_kind_of_traffic_is_listed_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_suite-memory-leak")).arg("list").output().unwrap();
    let cases: Vec<Case> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    assert!(ids.contains(&"keep-alive") && cases.iter().all(|case| case.counted), "{cases:?}");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), cases.len());
}
