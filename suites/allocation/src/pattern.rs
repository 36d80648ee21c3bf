//! The patterns: which there are, and how one is counted, by launching the program of `../pattern/`.
//!
//! Its counting build tells allocations, the other one is counted under callgrind. Each count is taken twice.

use std::{collections::BTreeMap, path::PathBuf, thread, time::Duration};

use anyhow::Result;
use harness::count::{
    self,
    callgrind::{self, Parts},
};
use probe::{
    launch::{Launched, Program},
    message::Allocations,
    program::say,
    suite::{Case, Depth, Event, Plan, Sample, Target},
};

/// The cases: the family, the id and what it is.
const CASES: &[(&str, &str, &str)] = &[
    ("vec", "vec-64", "A vector of 64 B, byte by byte"),
    ("vec", "vec-1024", "A vector of 1 KiB, byte by byte"),
    ("vec", "vec-8192", "A vector of 8 KiB, byte by byte"),
    ("vec", "vec-65536", "A vector of 64 KiB, byte by byte"),
    ("string", "string-64", "A string of 64 B, character by character"),
    ("string", "string-1024", "A string of 1 KiB, character by character"),
    ("string", "string-8192", "A string of 8 KiB, character by character"),
    ("string", "string-65536", "A string of 64 KiB, character by character"),
    ("hash-map", "hash-map-16", "A hash map of 16 entries"),
    ("hash-map", "hash-map-1000", "A hash map of 1,000 entries"),
    ("pool", "pool-64", "8 buffers of 64 B, taken and given back"),
    ("pool", "pool-4096", "8 buffers of 4 KiB, taken and given back"),
    ("pool", "pool-threads-64", "8 buffers of 64 B, taken and given back by each of 4 threads"),
    ("pool", "pool-threads-4096", "8 buffers of 4 KiB, taken and given back by each of 4 threads"),
    ("arena", "arena-list-1000", "A list of 1,000 nodes, made, added up and taken down"),
    ("arena", "arena-tree-1000", "A tree of 1,000 nodes, made, added up and taken down"),
    ("pair", PAIR, "One block of 64 B, allocated and given back"),
];

/// The case that shows what counting itself costs.
const PAIR: &str = "pair-64";

/// What both counts of a case take, s; measured on two CPUs.
pub(crate) const EXPECTED_S: f64 = 1.0;

/// How long a launch may take; under valgrind everything takes some fifty times as long.
const PATIENCE: Duration = Duration::from_secs(120);

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let case = |(test, id, title): &(&str, &str, &str)| Case {
        id: (*id).to_owned(),
        test: (*test).to_owned(),
        title: (*title).to_owned(),
        connections: None,
        depth: Depth::Quick,
        counted: true,
        references: Vec::new(),
        claim: None,
    };
    CASES.iter().map(case).collect()
}

/// A way to do a case.
pub(crate) struct Pair<'a> {
    pub(crate) case: Case,
    target: &'a Target,
}

/// What the plan asks for, case by case. A target that says nothing of what it serves is a server.
pub(crate) fn pairs(plan: &Plan) -> Vec<Pair<'_>> {
    let mut pairs = Vec::new();
    for case in plan.chosen(cases()) {
        let targets = plan.targets.iter().filter(|target| target.serves.contains(&case.test));
        pairs.extend(targets.map(|target| Pair { case: case.clone(), target }));
    }
    pairs
}

/// Counts them all, saying on standard output what happens.
///
/// # Errors
/// When nobody listens.
pub(crate) fn run(plan: &Plan, pairs: &[Pair<'_>]) -> Result<()> {
    let has_valgrind = harness::build::find_program("valgrind").is_some();
    if !has_valgrind && !pairs.is_empty() {
        let text = "There is no valgrind: the instructions of an operation were not counted; sudo apt-get install -y \
                    valgrind";
        say(&Event::Note { text: text.to_owned() })?;
    }
    for Pair { case, target } in pairs {
        say(&Event::Step { label: format!("{} · {}", case.id, target.name), expected_s: EXPECTED_S })?;
        let once = |round| count(plan, case, target, round, has_valgrind);
        // Counts do not mind company, and two at a time take half as long.
        let [first, second] = thread::scope(|scope| {
            let second = scope.spawn(|| once(1));
            [once(0), second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))]
        });
        match (first, second) {
            (Ok(first), Ok(second)) => {
                for sample in count::agreed(first, second) {
                    say(&Event::Sample(sample))?;
                }
            }
            (Err(launched), _) | (_, Err(launched)) => {
                say(&Event::Failed(launched.failure(target, Some(case), None)))?;
            }
        }
        if case.id == PAIR && has_valgrind {
            match cost_of_counting(plan, case, target) {
                Ok(text) => say(&Event::Note { text })?,
                Err(launched) => say(&Event::Failed(launched.failure(target, Some(case), None)))?,
            }
        }
    }
    Ok(())
}

fn count(plan: &Plan, case: &Case, target: &Target, round: u32, has_valgrind: bool) -> Result<Sample, Launched> {
    let mut sample = Sample::of(target, case, round, 0);
    if !target.counting.is_empty() {
        sample.metrics = allocations(case, &target.counting)?;
    }
    if has_valgrind {
        let counted = instructions(plan, case, &target.command, round)?;
        sample.metrics.insert("instructions_per_operation".to_owned(), counted);
    }
    Ok(sample)
}

/// What one operation allocates, by the program's counting build.
fn allocations(case: &Case, command: &[String]) -> Result<BTreeMap<String, f64>, Launched> {
    let output = Program::new(command).arguments(arguments(case)).run(PATIENCE)?;
    let odd = || Launched::of(format!("{} said something else than its counts: {}", case.id, output.trim()));
    let said: serde_json::Value = serde_json::from_str(&output).map_err(|_| odd())?;
    let readings: [Allocations; 3] = serde_json::from_value(said["allocations"].clone()).map_err(|_| odd())?;
    let peak = said["peak_bytes"].as_f64().ok_or_else(odd)?;
    let each = |figure: fn(&Allocations) -> u64| {
        let [first, second, third] = [0, 1, 2].map(|at| figure(&readings[at]));
        Some(slope([second.checked_sub(first)?, third.checked_sub(second)?], case))
    };
    let back = || Launched::of(format!("{}: a counter went back: it wrapped or began anew", case.id));
    Ok(BTreeMap::from([
        ("allocations_per_operation".to_owned(), each(|reading| reading.calls).ok_or_else(back)?),
        ("allocated_bytes_per_operation".to_owned(), each(|reading| reading.bytes).ok_or_else(back)?),
        ("peak_live_bytes".to_owned(), peak),
    ]))
}

/// The instructions of one operation of this build.
fn instructions(plan: &Plan, case: &Case, command: &[String], round: u32) -> Result<f64, Launched> {
    let file: PathBuf = plan.folder.join(format!("pattern-{round}.out"));
    let mut words = callgrind::command(&file);
    words.extend(command.iter().cloned());
    Program::new(&words).arguments(arguments(case)).run(PATIENCE)?;
    let _ = std::fs::remove_file(&file);
    let parts = Parts::of(file).written().map_err(Launched::of)?;
    match parts[..] {
        [_, short, long, ..] => Ok(slope([short, long], case)),
        _ => Err(Launched::of(format!("callgrind wrote {} parts instead of three", parts.len()))),
    }
}

/// What one operation costs, from windows of N and of 3 N. Threads that are started in both may make it a little less than
/// nothing.
fn slope([short, long]: [u64; 2], case: &Case) -> f64 {
    (long as f64 - short as f64) / (2 * repetitions(case)) as f64
}

fn arguments(case: &Case) -> [String; 3] {
    [case.id.clone(), repetitions(case).to_string(), "1".to_owned()]
}

/// N: less for large work, which takes long under valgrind, and a multiple of the threads among which it is shared.
fn repetitions(case: &Case) -> u64 {
    let size: u64 = case.id.rsplit('-').next().and_then(|size| size.parse().ok()).unwrap_or(1);
    (65_536 / size.max(1)).clamp(16, 400) / 4 * 4
}

/// What a pair of an allocation and its end costs in the build that counts, and in the one that does not.
fn cost_of_counting(plan: &Plan, case: &Case, target: &Target) -> Result<String, Launched> {
    let plain = instructions(plan, case, &target.command, 0)?;
    let counting = instructions(plan, case, &target.counting, 0)?;
    Ok(format!(
        "Counting costs {:.0} instructions for each pair of an allocation and its end, {plain:.0} without and {counting:.0} \
         with it; builds that count are never timed, nor their instructions counted.",
        counting - plain
    ))
}
