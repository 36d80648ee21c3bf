//! The suite: from a plan to samples, by starting the program that measures, one launch a side.
//!
//! Answers are compared first; an experiment whose sides differ is not measured. Times come in rounds, sides in turn; counts
//! afterwards, in launches of their own. Nothing is measured in this process.

use std::{collections::BTreeSet, thread, time::Duration};

use anyhow::{Result, bail};
use probe::{
    folding::{self, Counts},
    launch::{Launched, Program, on},
    program::say,
    stability::Unstable,
    suite::{Case, Event, Family, Plan, Sample, Target, Verification},
};

use crate::{count, measure::NOTHING};

/// What is timed.
const TIME: &str = "ns_per_operation";

/// What a launch costs besides warm-up and window, s.
const LAUNCH_S: f64 = 0.03;

/// How long a launch may take beyond what was asked: the largest tables are built in seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the plan, saying on standard output what happens.
///
/// # Errors
/// When there is nothing to run, or nobody listens.
pub(crate) fn run(plan: &Plan, all: Vec<Case>) -> Result<()> {
    let cases = plan.chosen(all);
    if cases.is_empty() || plan.targets.is_empty() {
        bail!("the plan names no case or no target of this suite");
    }
    let rounds = if plan.wants(Family::Times) { plan.rounds } else { 0 };
    let wants_counts = plan.wants(Family::Counts);
    let obstacle = count::obstacle().filter(|_| wants_counts);
    let counted = |case: &&Case| wants_counts && obstacle.is_none() && case.counted;
    let launches = cases.len() * plan.targets.len() * rounds as usize;
    let counts = cases.iter().filter(counted).count() * plan.targets.len();
    let launch_s = plan.warmup_s + plan.duration_s + LAUNCH_S;
    say(&Event::Planned {
        steps: u32::try_from(plan.targets.len() + launches + counts)?,
        expected_s: launches as f64 * launch_s + counts as f64 * count::LAUNCHES_S,
        cases: cases.clone(),
    })?;
    let mut run = Run { plan, launch_s, out: BTreeSet::new() };
    run.verify(&cases)?;
    for round in 0..rounds {
        for case in &cases {
            run.time(case, round)?;
        }
    }
    if let Some(text) = &obstacle {
        say(&Event::Note { text: text.clone() })?;
    }
    run.count(&cases.iter().filter(counted).collect::<Vec<_>>())
}

struct Run<'a> {
    plan: &'a Plan,
    /// What a launch takes, s.
    launch_s: f64,
    /// Target and case that are not measured any more.
    out: BTreeSet<(String, String)>,
}

impl Run<'_> {
    /// Has the sides of each experiment compared.
    fn verify(&mut self, cases: &[Case]) -> Result<()> {
        for target in &self.plan.targets {
            say(&Event::Step { label: format!("verify {}", target.name), expected_s: cases.len() as f64 * 0.05 })?;
            let ids = cases.iter().map(|case| case.id.as_str());
            let checked = match Program::new(&target.command).arguments(["check"]).arguments(ids).run(PATIENCE) {
                Ok(output) => output,
                Err(launched) => {
                    self.out.extend(cases.iter().map(|case| (target.name.clone(), case.id.clone())));
                    say(&Event::Failed(launched.failure(target, None, None)))?;
                    continue;
                }
            };
            let said: Vec<(&str, &str)> =
                checked.lines().map(|line| line.split_once(' ').unwrap_or((line, ""))).collect();
            for family in cases.chunk_by(|one, other| one.test == other.test) {
                let mut problems = Vec::new();
                for case in family {
                    match said.iter().find(|(id, _)| *id == case.id) {
                        Some((_, "")) => continue,
                        Some((id, problem)) => problems.push(format!("{id}: {problem}")),
                        None => problems.push(format!("{}: it was not checked", case.id)),
                    }
                    self.out.insert((target.name.clone(), case.id.clone()));
                }
                say(&Event::Verified(Verification {
                    target: target.name.clone(),
                    test: family[0].test.clone(),
                    checks: vec!["baseline and candidate give the same answer to each input".to_owned()],
                    problems,
                }))?;
            }
        }
        Ok(())
    }

    /// One round of one case.
    fn time(&mut self, case: &Case, round: u32) -> Result<()> {
        let plan = self.plan;
        // Those with several threads need a CPU each.
        let p = &plan.placement;
        let cpus = if case.counted { p.server.clone() } else { [&p.server[..], &p.generator].concat() };
        for (slot, target) in plan.in_turn(case, round).into_iter().enumerate() {
            let label = format!("{} · {} · round {}", case.id, target.name, round + 1);
            say(&Event::Step { label, expected_s: self.launch_s })?;
            let key = (target.name.clone(), case.id.clone());
            if self.out.contains(&key) {
                continue;
            }
            match on(&cpus, || self.launch(target, &case.id)) {
                Ok(ns) => {
                    let mut sample = Sample::of(target, case, round, u32::try_from(slot)?);
                    sample.metrics.insert(TIME.to_owned(), ns);
                    say(&Event::Sample(sample))?;
                }
                Err(launched) => {
                    self.out.insert(key);
                    say(&Event::Failed(launched.failure(target, Some(case), Some(round))))?;
                }
            }
        }
        Ok(())
    }

    fn launch(&self, target: &Target, id: &str) -> Result<f64, Launched> {
        let seconds = [self.plan.warmup_s, self.plan.duration_s].map(|seconds| seconds.to_string());
        let output = Program::new(&target.command).arguments(["time", id]).arguments(seconds).run(PATIENCE)?;
        output.trim().parse().map_err(|_| Launched::of(format!("{id}: {output:?} is no time")))
    }

    /// Counts everything twice, and at twice its inputs.
    fn count(&mut self, cases: &[&Case]) -> Result<()> {
        let mut unstable = Unstable::default();
        let floor = match (cases.first(), self.plan.targets.first()) {
            (Some(_), Some(target)) => count::instructions(self.plan, target, NOTHING, 1, "floor").unwrap_or_default(),
            _ => return Ok(()),
        };
        for case in cases {
            for target in &self.plan.targets {
                say(&Event::Step {
                    label: format!("{} · {} · counts", case.id, target.name),
                    expected_s: count::LAUNCHES_S,
                })?;
                if self.out.contains(&(target.name.clone(), case.id.clone())) {
                    continue;
                }
                match self.counts(case, target, floor) {
                    Ok(samples) => {
                        for metric in samples[0].metrics.keys() {
                            let figures = [0, 1].map(|at: usize| samples[at].metrics[metric]);
                            unstable.compare(metric, &case.id, &target.name, figures);
                        }
                        samples.into_iter().try_for_each(|sample| say(&Event::Sample(sample)))?;
                    }
                    Err(launched) => say(&Event::Failed(launched.failure(target, Some(case), None)))?,
                }
            }
        }
        let reason = |_: &str| "Hash tables have seeds of their own in every launch.";
        unstable.notes(reason).into_iter().try_for_each(|text| say(&Event::Note { text }))?;
        Ok(())
    }

    /// Two samples of counts: those that must come out alike on one CPU, the larger one on the other meanwhile.
    fn counts(&self, case: &Case, target: &Target, floor: f64) -> Result<[Sample; 2], Launched> {
        let placement = &self.plan.placement;
        let count = |scale, name| count::instructions(self.plan, target, &case.id, scale, name);
        let (alike, doubled) = thread::scope(|scope| {
            let doubled = scope.spawn(|| on(&placement.generator, || count(2, "doubled")));
            let alike = on(&placement.server, || Ok([count(1, "first")?, count(1, "second")?]));
            (alike, doubled.join().unwrap_or_else(|_| Err(Launched::of("counting panicked".to_owned()))))
        });
        let counts = Counts { alike: alike?, doubled: doubled? };
        let mut samples = [0, 1].map(|round| Sample::of(target, case, round, 0));
        for (sample, figure) in samples.iter_mut().zip(counts.alike) {
            sample.metrics.insert(count::INSTRUCTIONS.to_owned(), figure);
            sample.void.extend(folding::doubt(counts, floor).map(|why| (count::INSTRUCTIONS.to_owned(), why)));
            if !target.counting.is_empty() {
                let blocks = count::allocations(target, &case.id)?;
                sample.metrics.extend(count::ALLOCATIONS.map(str::to_owned).into_iter().zip(blocks));
            }
        }
        Ok(samples)
    }
}
