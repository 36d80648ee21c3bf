//! Runs a plan: every target under every kind of traffic that it serves, round by round, a launch each.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use probe::{
    program::say,
    suite::{Case, Event, Failure, Plan, Sample, Target},
};

use crate::{
    traffic::Traffic,
    trial::{self, Outcome},
};

/// A target under a kind of traffic.
struct Pair<'a> {
    case: Case,
    traffic: Traffic,
    target: &'a Target,
}

/// Runs the plan, saying on standard output what happens.
///
/// # Errors
/// When there is nothing to run, or nobody listens.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let pairs = pairs(plan);
    if pairs.is_empty() {
        bail!("the plan names no case or no target of this suite");
    }
    let mut cases: Vec<Case> = pairs.iter().map(|pair| pair.case.clone()).collect();
    cases.dedup();
    let launches = pairs.len() * plan.rounds as usize;
    let expected_s = launches as f64 * trial::EXPECTED_S;
    say(&Event::Planned { cases, steps: u32::try_from(launches)?, expected_s })?;
    let mut said = BTreeSet::new();
    let mut out = BTreeSet::new();
    for round in 0..plan.rounds {
        for pair in &pairs {
            let (target, case) = (&pair.target.name, &pair.case.id);
            let label = format!("{case} · {target} · round {}", round + 1);
            say(&Event::Step { label, expected_s: trial::EXPECTED_S })?;
            if out.contains(&(target, case)) {
                continue;
            }
            match trial::run(pair.target, &plan.placement.server, pair.traffic) {
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
    let mut pairs = Vec::new();
    for traffic in Traffic::ALL {
        let case = traffic.case();
        if !plan.cases.is_empty() && !plan.cases.iter().any(|name| *name == case.id || *name == case.test) {
            continue;
        }
        let targets = plan
            .targets
            .iter()
            .filter(|target| target.control && (target.serves.is_empty() || target.serves.contains(&case.test)));
        pairs.extend(targets.map(|target| Pair { case: case.clone(), traffic: *traffic, target }));
    }
    pairs
}

fn tell(pair: &Pair<'_>, round: u32, outcome: Outcome, said: &mut BTreeSet<String>) -> Result<()> {
    let (target, case) = (&pair.target.name, &pair.case.id);
    // Each once: a leak is the same one in every round.
    if let Some(text) = outcome.leak(target, case)
        && said.insert(format!("{target} {case}"))
    {
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
    say(&Event::Sample(Sample {
        target: target.clone(),
        case: case.clone(),
        round,
        slot: 0,
        metrics: figures.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect(),
        histograms: BTreeMap::new(),
        void: BTreeMap::new(),
    }))?;
    Ok(())
}
