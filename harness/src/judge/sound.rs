//! What keeps a record from being judged: it is unfinished, empty, lacks a target, or says what cannot be.
//!
//! A gate that is green because nothing ran is worse than none; everything here ends in exit code 3.

use probe::suite::{Case, Sample, Verification};

use super::{BASE, HEAD};
use crate::{
    host::Host,
    metric,
    record::{Record, Status},
    stats,
};

/// How many times CPU time a request may differ from what the server's share of its CPUs makes of it. The two come from the same
/// counters, one over all requests and one over those in the window; a wrong unit is off by a thousand.
const CPU_AGREEMENT: f64 = 4.0;

/// What is wrong with a record, in sentences; nothing for one that can be judged.
#[must_use]
pub fn unsound(record: &Record) -> Vec<String> {
    let mut problems = Vec::new();
    match &record.status {
        Status::Complete => {}
        Status::Running => problems.push(format!("run {} never ended", record.id)),
        Status::Partial { reason } => problems.push(format!("run {} is partial: {reason}", record.id)),
    }
    if record.samples.is_empty() {
        problems.push(format!("run {} measured nothing", record.id));
        return problems;
    }
    if record.finished.as_ref().is_some_and(|finished| *finished < record.started) {
        problems.push(format!("run {} ended before it began: the clock was set back meanwhile", record.id));
    }
    for check in record.verifications.iter().filter(|check| !check.problems.is_empty() && !is_gap(record, check)) {
        problems.push(format!("{} answers {} wrong: {}", check.target, check.test, check.problems.join("; ")));
    }
    for failure in &record.failures {
        let case = failure.case.as_deref().map(|case| format!(" in {case}")).unwrap_or_default();
        problems.push(format!("{}{case}: {}", failure.target, failure.reason));
    }
    problems.extend(absent(record));
    let cpus = record.plan.placement.server.len().max(1);
    let mut unfit: Vec<String> = record.samples.iter().filter_map(|sample| unfit(sample, cpus)).collect();
    unfit.sort();
    unfit.dedup();
    problems.extend(unfit);
    problems
}

/// Cases that the head serves and the base does not yet, so that there is nothing to compare.
#[must_use]
pub(super) fn gaps(record: &Record) -> Vec<String> {
    let gaps = record.verifications.iter().filter(|check| is_gap(record, check));
    gaps.map(|check| format!("{} does not serve {}: {}", check.target, check.test, check.problems.join("; "))).collect()
}

/// Whether there is nothing to compare a lane with in a case.
pub(super) fn lacks_base(record: &Record, lane: &str, case: &Case) -> bool {
    let base = format!("{lane}{BASE}");
    record.verifications.iter().any(|check| check.target == base && check.test == case.test && is_gap(record, check))
}

/// Whether a wrong answer is the base's alone: the head may be what mends it, or what serves the case for the first time.
fn is_gap(record: &Record, check: &Verification) -> bool {
    let Some(lane) = check.target.strip_suffix(BASE) else { return false };
    let head = format!("{lane}{HEAD}");
    !check.problems.is_empty()
        && record
            .verifications
            .iter()
            .any(|other| other.target == head && other.test == check.test && other.problems.is_empty())
}

/// Targets without a sample in a case that they serve.
fn absent(record: &Record) -> Vec<String> {
    let measured =
        |target: &str, case: &str| record.samples.iter().any(|sample| sample.target == target && sample.case == case);
    let told = |target: &str| record.failures.iter().any(|failure| failure.target == target);
    record
        .plan
        .targets
        .iter()
        .filter(|target| !told(&target.name))
        .flat_map(|target| {
            let cases = record.cases.iter().filter(|case| target.takes_part(case));
            let is_told = |case: &&Case| {
                let wrong = |check: &&Verification| check.target == target.name && check.test == case.test;
                record.verifications.iter().find(wrong).is_some_and(|check| !check.problems.is_empty())
            };
            let absent: Vec<&str> = cases
                .filter(|case| !measured(&target.name, &case.id) && !is_told(case))
                .map(|case| case.id.as_str())
                .collect();
            (!absent.is_empty()).then(|| format!("{} has no figures in {}", target.name, absent.join(", ")))
        })
        .collect()
}

/// How many times the middle one of a launch's turns may differ from the figure of the whole launch, where that is about their mean.
const TURNS_AGREEMENT: f64 = 10.0;

/// The figures of which that is so. A percentile of all requests may lie anywhere above those of most turns: one stop of the machine is
/// in one of them.
const MEANS: &[&str] = &["cpu_us_per_request", "requests_per_s"];

/// Figures of turns that cannot be those of the launch.
fn unfit_turns(sample: &Sample) -> Option<String> {
    sample.turns.iter().find_map(|(name, turns)| {
        let (target, case) = (&sample.target, &sample.case);
        let Some(whole) = sample.metrics.get(name) else {
            return Some(format!("{target} in {case}: {name} of its turns, and none of the whole"));
        };
        let middle = stats::median(&turns.iter().copied().flatten().collect::<Vec<f64>>())?;
        let agrees = (1.0 / TURNS_AGREEMENT..TURNS_AGREEMENT).contains(&(middle / whole));
        (MEANS.contains(&name.as_str()) && !agrees).then(|| {
            format!("{target} in {case}: {name} is {whole:.3}, and {middle:.3} in its turns; are the units right?")
        })
    })
}

/// A sample that cannot be what it says: metrics that nobody knows, or units that contradict one another.
fn unfit(sample: &Sample, cpus: usize) -> Option<String> {
    if let Some(problem) = unfit_turns(sample) {
        return Some(problem);
    }
    if let Some(unknown) = sample.metrics.keys().find(|name| metric::find(name).is_none()) {
        return Some(format!("{} reports {unknown}, which is no metric of this lab", sample.target));
    }
    let figure = |name: &str| sample.metrics.get(name).copied();
    let cpu_us = figure("cpu_us_per_request")?;
    let parts_us = figure("cpu_user_us_per_request")? + figure("cpu_system_us_per_request")?;
    if (cpu_us - parts_us).abs() > 0.01 * cpu_us.abs().max(parts_us.abs()) {
        return Some(format!(
            "{} in {}: cpu_us_per_request is {cpu_us:.3} and its parts are {parts_us:.3} together; are the units right?",
            sample.target, sample.case
        ));
    }
    let (share, rate) = (figure("server_cpu_share")?, figure("requests_per_s")?);
    let by_request = cpu_us * rate / 1e6 / cpus as f64;
    let apart = by_request / share;
    (share > 0.01 && !(1.0 / CPU_AGREEMENT..CPU_AGREEMENT).contains(&apart)).then(|| {
        format!(
            "{} in {}: {cpu_us:.3} µs a request at {rate:.0} requests/s do not make a CPU share of {share:.3}; are the units right?",
            sample.target, sample.case
        )
    })
}

/// What makes figures incomparable: they were taken on different machines.
#[must_use]
pub fn other_machine(one: &Host, other: &Host) -> Vec<String> {
    let facts = [
        ("CPU", &one.cpu_model, &other.cpu_model),
        ("stepping", &one.cpu_stepping, &other.cpu_stepping),
        ("microcode", &one.microcode, &other.microcode),
        ("kernel", &one.kernel, &other.kernel),
        ("C library", &one.libc, &other.libc),
    ];
    let mut problems: Vec<String> = facts
        .into_iter()
        .filter(|(_, one, other)| one != other)
        .map(|(fact, one, other)| {
            format!("the figures are of different machines, whose {fact} is {one:?} and {other:?}")
        })
        .collect();
    if one.cpus.len() != other.cpus.len() {
        let (one, other) = (one.cpus.len(), other.cpus.len());
        problems.push(format!("the figures are of different machines, with {one} CPUs and {other}"));
    }
    problems
}
