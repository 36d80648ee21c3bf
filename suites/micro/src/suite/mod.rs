//! The suite: from a plan to samples, by starting the programs that measure.
//!
//! A round launches every target in every case once, targets in turn; one launch is one sample. Instructions are counted
//! afterwards, in launches of their own. Nothing is measured in this process. Read next: `time.rs`, `count.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
};

use anyhow::{Result, bail};
use probe::{
    folding::{self, Counts},
    launch::{Launched, Program, on},
    program::say,
    stability::Unstable,
    suite::{Case, Event, Family, Plan, Sample, Target, Verification},
};

pub mod count;
pub mod time;

/// Runs the plan, saying on standard output what happens.
///
/// # Errors
/// When there is nothing to run, or nobody listens.
pub fn run(plan: &Plan, all: Vec<Case>) -> Result<()> {
    let cases = plan.chosen(all);
    let pairs: Vec<(&Case, &Target)> = cases
        .iter()
        .flat_map(|case| plan.targets.iter().filter(|target| target.takes_part(case)).map(move |target| (case, target)))
        .collect();
    if pairs.is_empty() {
        bail!("the plan names no case or no target of this suite");
    }
    let obstacle = count::obstacle(plan);
    let wants_counts = plan.wants(Family::Counts);
    let counted = if wants_counts && obstacle.is_none() { pairs.len() } else { 0 };
    let rounds = if plan.wants(Family::Times) { plan.rounds } else { 0 };
    let launches = pairs.len() * rounds as usize;
    say(&Event::Planned {
        steps: u32::try_from(plan.targets.len() + launches + counted)?,
        expected_s: launches as f64 * time::launch_s(plan) + counted as f64 * count::LAUNCHES_S,
        cases: cases.clone(),
    })?;
    let mut run = Run { plan, out: BTreeSet::new() };
    run.verify(&cases)?;
    for round in 0..rounds {
        for case in &cases {
            run.time(case, round)?;
        }
    }
    match obstacle {
        _ if !wants_counts => {}
        Some(text) => say(&Event::Note { text })?,
        None => {
            say(&Event::Note { text: count::method() })?;
            run.count(&pairs)?;
        }
    }
    Ok(())
}

struct Run<'a> {
    plan: &'a Plan,
    /// Target and case that are not measured any more.
    out: BTreeSet<(String, String)>,
}

impl Run<'_> {
    /// Has each target do all its work once, and look at what comes out.
    fn verify(&mut self, cases: &[Case]) -> Result<()> {
        for target in &self.plan.targets {
            let own: Vec<&Case> = cases.iter().filter(|case| target.takes_part(case)).collect();
            let expected_s = own.len() as f64 * time::CHECK_S;
            say(&Event::Step { label: format!("verify {}", target.name), expected_s })?;
            let ids = own.iter().map(|case| case.id.as_str());
            let program = Program::new(&target.command).arguments(["check"]).arguments(ids);
            let checked = program.run(time::CHECK_PATIENCE).and_then(|output| {
                time::checked(&output).map_err(|line| {
                    Launched::of(format!("target {} said something that is no check: {line}", target.name))
                })
            });
            match checked {
                Ok(checked) => self.judge(target, &own, &checked)?,
                Err(launched) => {
                    self.out.extend(own.iter().map(|case| (target.name.clone(), case.id.clone())));
                    say(&Event::Failed(launched.failure(target, None, None)))?;
                }
            }
        }
        Ok(())
    }

    /// Tells of each family of cases whether it may be measured.
    fn judge(&mut self, target: &Target, cases: &[&Case], checked: &BTreeMap<String, Option<String>>) -> Result<()> {
        let mut families: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for case in cases {
            let problems = families.entry(&case.test).or_default();
            match checked.get(&case.id) {
                Some(None) => {}
                Some(Some(problem)) => problems.push(format!("{}: {problem}", case.id)),
                None => problems.push(format!("{}: it was not checked", case.id)),
            }
        }
        for (test, problems) in families {
            if !problems.is_empty() {
                let lost = cases.iter().filter(|case| case.test == test);
                self.out.extend(lost.map(|case| (target.name.clone(), case.id.clone())));
            }
            let checks = vec!["the output of each input is the one that it must have".to_owned()];
            let verification = Verification { target: target.name.clone(), test: test.to_owned(), checks, problems };
            say(&Event::Verified(verification))?;
        }
        Ok(())
    }

    /// One round of one case.
    fn time(&mut self, case: &Case, round: u32) -> Result<()> {
        for (slot, target) in self.plan.in_turn(case, round).into_iter().enumerate() {
            let label = format!("{} · {} · round {}", case.id, target.name, round + 1);
            say(&Event::Step { label, expected_s: time::launch_s(self.plan) })?;
            let key = (target.name.clone(), case.id.clone());
            if self.out.contains(&key) {
                continue;
            }
            let measured = on(&self.plan.placement.server, || time::measure(self.plan, target, &case.id));
            match measured {
                Ok(ns) => say(&Event::Sample(sample(target, case, round, u32::try_from(slot)?, time::METRIC, ns)))?,
                Err(launched) => {
                    self.out.insert(key);
                    say(&Event::Failed(launched.failure(target, Some(case), Some(round))))?;
                }
            }
        }
        Ok(())
    }

    /// Counts everything twice, and at twice its inputs.
    fn count(&mut self, pairs: &[(&Case, &Target)]) -> Result<()> {
        let counting = pairs.iter().find(|(_, target)| !target.counting.is_empty());
        let floor = counting.map(|(_, target)| count::instructions(self.plan, target, "nothing", 1, "floor"));
        let floor = floor.and_then(Result::ok).unwrap_or_default();
        let mut said = BTreeSet::new();
        let mut unstable = Unstable::default();
        for (case, target) in pairs {
            let label = format!("{} · {} · instructions", case.id, target.name);
            say(&Event::Step { label, expected_s: count::LAUNCHES_S })?;
            if target.counting.is_empty() && said.insert(&target.name) {
                let text =
                    format!("Target {} has no program that counts: its instructions were not counted.", target.name);
                say(&Event::Note { text })?;
            }
            if target.counting.is_empty() || self.out.contains(&(target.name.clone(), case.id.clone())) {
                continue;
            }
            match self.counts(case, target) {
                Ok(counts) => {
                    unstable.compare(count::METRIC, &case.id, &target.name, counts.alike);
                    for (round, figure) in counts.alike.into_iter().enumerate() {
                        let mut sample = sample(target, case, u32::try_from(round)?, 0, count::METRIC, figure);
                        sample.void.extend(folding::doubt(counts, floor).map(|why| (count::METRIC.to_owned(), why)));
                        say(&Event::Sample(sample))?;
                    }
                }
                Err(launched) => say(&Event::Failed(launched.failure(target, Some(case), None)))?,
            }
        }
        unstable.notes(count::movement).into_iter().try_for_each(|text| say(&Event::Note { text }))?;
        Ok(())
    }

    /// The launches of one count: those that must come out alike on one CPU, the largest one on the other meanwhile.
    fn counts(&self, case: &Case, target: &Target) -> Result<Counts, Launched> {
        let (plan, placement) = (self.plan, &self.plan.placement);
        let count = |scale, launch| count::instructions(plan, target, &case.id, scale, launch);
        let (alike, doubled) = thread::scope(|scope| {
            let doubled = scope.spawn(|| on(&placement.generator, || count(2, "doubled")));
            let alike = on(&placement.server, || Ok([count(1, "first")?, count(1, "second")?]));
            (alike, doubled.join().unwrap_or_else(|_| Err(Launched::of("counting panicked".to_owned()))))
        });
        Ok(Counts { alike: alike?, doubled: doubled? })
    }
}

fn sample(target: &Target, case: &Case, round: u32, slot: u32, metric: &str, figure: f64) -> Sample {
    let metrics = BTreeMap::from([(metric.to_owned(), figure)]);
    Sample { metrics, ..Sample::of(target, case, round, slot) }
}
