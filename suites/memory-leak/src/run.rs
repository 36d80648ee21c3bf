//! Runs a plan: every target under every kind of traffic that it serves, round by round, a launch each.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Error, Result, bail};
use harness::target::Trouble;
use probe::{
    program::say,
    suite::{Case, Event, Failure, Family, Plan, Sample, Target},
};

use crate::{
    kind::{self, Kind},
    shutdown, soak,
    traffic::Traffic,
    trial::{self, Outcome},
};

/// A target, and what is done to it.
struct Pair<'a> {
    case: Case,
    kind: Kind,
    target: &'a Target,
}

/// Runs the plan, saying on standard output what happens.
///
/// # Errors
/// When there is nothing to run, or nobody listens.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    plan.offered(Family::Counts).map_err(Error::msg)?;
    let pairs = pairs(plan);
    if pairs.is_empty() {
        bail!("the plan names no case or no target of this suite");
    }
    let mut cases: Vec<Case> = pairs.iter().map(|pair| pair.case.clone()).collect();
    cases.dedup();
    let rounds = plan.rounds as usize;
    let steps = rounds * pairs.iter().map(|pair| steps(pair.kind) as usize).sum::<usize>();
    let expected_s = f64::from(plan.rounds) * pairs.iter().map(|pair| expected_s(pair.kind, plan)).sum::<f64>();
    say(&Event::Planned { cases, steps: u32::try_from(steps)?, expected_s })?;
    let mut said = BTreeSet::new();
    let mut out = BTreeSet::new();
    for round in 0..plan.rounds {
        for pair in &pairs {
            let (target, case) = (&pair.target.name, &pair.case.id);
            if out.contains(&(target, case)) {
                continue;
            }
            match measure(pair, plan, round) {
                Ok(outcome) => tell(pair, round, outcome, &mut said)?,
                Err(trouble) => {
                    out.insert((target, case));
                    say(&Event::Failed(Failure {
                        target: target.clone(),
                        case: Some(case.clone()),
                        round: Some(round),
                        reason: format!("target {target} in case {case}: {}", trouble.reason),
                        stderr_tail: trouble.stderr_tail,
                        disqualifies: false,
                    }))?;
                }
            }
        }
    }
    Ok(())
}

/// What is measured, case by case. Counts do not depend on who went before, so the order is always the same.
fn pairs(plan: &Plan) -> Vec<Pair<'_>> {
    let chosen = plan.chosen(kind::cases());
    let mut pairs = Vec::new();
    for kind in Kind::all() {
        let case = kind.case();
        if chosen.contains(&case) {
            let targets = plan.targets.iter().filter(|target| target.control && target.takes_part(&case));
            pairs.extend(targets.map(|target| Pair { case: case.clone(), kind, target }));
        }
    }
    pairs
}

/// Steps that a launch is told in.
fn steps(kind: Kind) -> u32 {
    if kind == Kind::Soak { soak::STEPS } else { 1 }
}

/// How long a launch takes, s.
fn expected_s(kind: Kind, plan: &Plan) -> f64 {
    match kind {
        Kind::Cycles(Traffic::HeadTimeouts) => trial::TIMEOUTS_S,
        Kind::Cycles(_) => trial::EXPECTED_S,
        Kind::Shutdown => shutdown::EXPECTED_S,
        Kind::Soak => plan.duration_s,
    }
}

fn measure(pair: &Pair<'_>, plan: &Plan, round: u32) -> Result<Outcome, Trouble> {
    let (target, cpus) = (pair.target, &plan.placement.server);
    let step_s = expected_s(pair.kind, plan) / f64::from(steps(pair.kind));
    let label = format!("{} · {} · round {}", pair.case.id, target.name, round + 1);
    let step = |_| {
        say(&Event::Step { label: label.clone(), expected_s: step_s })
            .map_err(|error| Trouble { reason: error.to_string(), stderr_tail: Vec::new() })
    };
    match pair.kind {
        Kind::Cycles(traffic) => step(0).and_then(|()| trial::run(target, cpus, traffic)),
        Kind::Shutdown => step(0).and_then(|()| shutdown::run(target, cpus)),
        Kind::Soak => soak::run(target, cpus, Duration::from_secs_f64(plan.duration_s), step),
    }
}

/// A sentence about the resident memory of a soak.
fn resident(target: &str, metrics: &BTreeMap<String, f64>) -> Option<String> {
    let kib = |memory: &str, end: &str| Some(metrics.get(&format!("{memory}_growth_bytes_per_min{end}"))? / 1024.0);
    let growth = |memory: &str| {
        let (slope, low, high) = (kib(memory, "")?, kib(memory, "_low")?, kib(memory, "_high")?);
        Some(format!("{slope:.0} KiB a minute (95 % interval {low:.0} to {high:.0})"))
    };
    Some(format!("Resident memory of target {target}: RSS grew by {}, PSS by {}.", growth("rss")?, growth("pss")?))
}

fn tell(pair: &Pair<'_>, round: u32, outcome: Outcome, said: &mut BTreeSet<String>) -> Result<()> {
    let (target, case) = (&pair.target.name, &pair.case.id);
    // Each once: a leak is the same one in every round.
    if let Some(text) = outcome.leak(target, case)
        && said.insert(format!("{target} {case}"))
    {
        say(&Event::Note { text })?;
    }
    if let Some(text) = resident(target, &outcome.metrics) {
        say(&Event::Note { text })?;
    }
    if let Some(ready) = outcome.ready
        && said.insert(target.clone())
    {
        say(&Event::Ready { target: target.clone(), ready })?;
    }
    let figures = [
        ("leaked_bytes_per_request", outcome.bytes.slope),
        ("leaked_bytes_per_request_low", outcome.bytes.low),
        ("leaked_blocks_per_request", outcome.blocks.slope),
    ];
    let mut metrics = outcome.metrics;
    metrics.extend(figures.into_iter().map(|(name, figure)| (name.to_owned(), figure)));
    let series = outcome.series;
    say(&Event::Sample(Sample { metrics, series, ..Sample::of(pair.target, &pair.case, round, 0) }))?;
    Ok(())
}
