//! The suite: from a plan to samples, by launching `bin/drop-time.rs`.
//!
//! A round launches every target in every case once, targets in turn; one launch is one sample. Nothing is measured in this
//! process. A launch in which a value was not dropped is a finding: the sample is told with its counts, the target named,
//! and the case is over for it.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Error, Result, bail};
use probe::{
    launch::{Launched, Program},
    program::say,
    suite::{Case, Event, Family, Plan, Sample, Target},
};

use crate::seen::Seen;

/// What a launch costs besides warm-up and window, s.
const LAUNCH_S: f64 = 0.2;

/// What a launch that stops a server takes, s: frameworks wait for their deadlines, of up to 5 s.
const DRAIN_S: f64 = 2.5;

/// How long a launch may take beyond what was asked: connections are opened and waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the plan, saying on standard output what happens.
///
/// # Errors
/// When there is nothing to run, or nobody listens.
pub fn run(plan: &Plan, all: Vec<Case>) -> Result<()> {
    plan.offered(Family::Times).map_err(Error::msg)?;
    let cases = plan.chosen(all);
    let launches: Vec<f64> =
        cases.iter().flat_map(|case| plan.in_turn(case, 0).into_iter().map(|_| launch_s(plan, case))).collect();
    if launches.is_empty() {
        bail!("the plan names no case or no target of this suite");
    }
    say(&Event::Planned {
        steps: u32::try_from(launches.len())? * plan.rounds,
        expected_s: launches.iter().sum::<f64>() * f64::from(plan.rounds),
        cases: cases.clone(),
    })?;
    let mut out = BTreeSet::new();
    for round in 0..plan.rounds {
        for case in &cases {
            for (slot, target) in plan.in_turn(case, round).into_iter().enumerate() {
                let label = format!("{} · {} · round {}", case.id, target.name, round + 1);
                say(&Event::Step { label, expected_s: launch_s(plan, case) })?;
                let key = (&target.name, &case.id);
                if out.contains(&key) {
                    continue;
                }
                if let Err(launched) = measure(plan, target, case, [round, u32::try_from(slot)?])? {
                    out.insert(key);
                    say(&Event::Failed(launched.failure(target, Some(case), Some(round))))?;
                }
            }
        }
    }
    Ok(())
}

fn launch_s(plan: &Plan, case: &Case) -> f64 {
    if case.test == "drain" { DRAIN_S } else { plan.warmup_s + plan.duration_s + LAUNCH_S }
}

/// One launch, told as a sample; an error inside if it saw nothing, or something that must not be.
fn measure(plan: &Plan, target: &Target, case: &Case, [round, slot]: [u32; 2]) -> Result<Result<(), Launched>> {
    let cpus = [&plan.placement.server, &plan.placement.generator];
    let program = Program::new(&target.command)
        .arguments([&case.id])
        .arguments([plan.warmup_s, plan.duration_s].map(|seconds| seconds.to_string()))
        .arguments(cpus.map(|cpus| cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",")));
    let output = match program.run(PATIENCE + Duration::from_secs_f64(plan.warmup_s + plan.duration_s)) {
        Ok(output) => output,
        Err(launched) => return Ok(Err(launched)),
    };
    let name = format!("target {} in {}", target.name, case.id);
    let Ok(seen) = serde_json::from_str::<Seen>(&output) else {
        let output: String = output.chars().take(200).collect();
        return Ok(Err(Launched::of(format!("{name} said something else than what it has seen: {output}"))));
    };
    let finding = seen.finding();
    let mut metrics = seen.metrics;
    metrics.insert("values_created".to_owned(), seen.created as f64);
    metrics.insert("values_dropped".to_owned(), seen.dropped as f64);
    say(&Event::Sample(Sample { metrics, histograms: seen.histograms, ..Sample::of(target, case, round, slot) }))?;
    Ok(match finding {
        Some(finding) => Err(Launched::of(format!("{name}: {finding}"))),
        None => Ok(()),
    })
}
