//! Counts what a request costs in many cases from few launches: a server goes through case after case under one instrument.
//!
//! In each case it answers a warm-up, then N requests, then 3 N, one at a time on one connection. What is fixed, the readings
//! between them included, cancels out of the two windows. Everything is counted by two servers, and two counts that differ
//! are void. Nothing is timed. What is read is `count/instrument.rs`'s; what is sent is the suite's.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use anyhow::Result;
use probe::{
    load::Body,
    program::say,
    suite::{Case, Event, Failure, Plan, Sample, Target},
};

use crate::{
    count::{
        self,
        drive::Drive,
        instrument::{Instrument, Instrumented, Totals},
    },
    rounds::{self, Runner, VERIFY_S},
    subject::Verify,
    target::Trouble,
    trial::{Launch, Scenario},
};

/// N: a multiple of every batch and of every cycle of requests.
const REQUESTS: u64 = 480;

/// N where a request takes a database, and for long answers: enough for a mean, and not for minutes.
const REQUESTS_OF_A_ROW: u64 = 240;

/// The least N, for requests of many rows.
const REQUESTS_MIN: u64 = 24;

/// Rows that are read before the first count with a database: by then every connection of the server's has most pages in
/// its cache.
const ROWS_TO_WARM_UP: u64 = 2_000;

/// From here on an answer is long, bytes.
const LONG_ANSWER_BYTES: u64 = 16 * 1024;

/// One target under one instrument, through all cases that it serves.
struct Launches<'a> {
    target: &'a Target,
    instrument: Instrument,
    scenarios: Vec<&'a Scenario>,
}

/// What is going to be counted.
#[derive(Debug)]
pub struct Sweep {
    plan: Plan,
    scenarios: Vec<Scenario>,
    verify: Verify,
}

impl Sweep {
    /// A sweep of the plan's targets through these scenarios, or those of them that the plan names.
    #[must_use]
    pub fn new(plan: &Plan, scenarios: &[Scenario], verify: Verify) -> Self {
        // No latency is measured, so nobody's saturation rate is looked for; and each server is asked on one connection.
        let mut plan = Plan { open_shares: Vec::new(), connections: vec![1], ..plan.clone() };
        let scenarios = rounds::chosen(scenarios, &plan.connections, &plan.cases, plan.depth);
        plan.targets.retain(|target| scenarios.iter().any(|scenario| target.takes_part(&scenario.case)));
        Self { plan, scenarios, verify }
    }

    /// The cases, in order.
    #[must_use]
    pub fn cases(&self) -> Vec<Case> {
        self.scenarios.iter().map(|scenario| scenario.case.clone()).collect()
    }

    /// How many steps it will say, and how long it will take, s.
    #[must_use]
    pub fn expected(&self) -> (usize, f64) {
        let all = self.launches();
        let counted: usize = all.iter().map(|launches| 2 * launches.scenarios.len()).sum();
        let counted_s: f64 = all
            .iter()
            .map(|launches| {
                let (case_s, launch_s) = launches.instrument.expected_s();
                launch_s + case_s * launches.scenarios.len() as f64
            })
            .sum();
        let verified = self.plan.targets.len();
        (verified + counted, counted_s + VERIFY_S * (verified * self.scenarios.len()) as f64)
    }

    fn launches(&self) -> Vec<Launches<'_>> {
        let mut all = Vec::new();
        for instrument in Instrument::ALL {
            for target in &self.plan.targets {
                let scenarios: Vec<&Scenario> =
                    self.scenarios.iter().filter(|scenario| target.takes_part(&scenario.case)).collect();
                if !scenarios.is_empty() {
                    all.push(Launches { target, instrument, scenarios });
                }
            }
        }
        all
    }

    /// Counts, saying on standard output what happens. Answers are checked first: a server that answers wrong is not counted.
    ///
    /// # Errors
    /// When the database cannot be had, or nobody listens.
    pub fn run(&self) -> Result<()> {
        if self.plan.targets.is_empty() {
            return Ok(());
        }
        let database = rounds::provide(&self.plan, &self.scenarios)?;
        let url = database.as_ref().map(|database| database.url.clone());
        let mut runner = Runner::new(&self.plan, url.clone(), self.verify);
        let outcome = runner.verify_all(&self.scenarios).and_then(|()| self.count_all(url.as_deref(), &runner.out));
        if let Some(database) = database {
            database.stop();
        }
        outcome
    }

    fn count_all(&self, database: Option<&str>, out: &BTreeSet<(String, String)>) -> Result<()> {
        let mut said = BTreeSet::new();
        for launches in self.launches() {
            let obstacle = launches.instrument.obstacle(launches.target);
            let is_countable = obstacle.is_none();
            if let Some(text) = obstacle.or_else(|| launches.instrument.method())
                && said.insert(text.clone())
            {
                say(&Event::Note { text })?;
            }
            let counted = |scenario: &&Scenario| {
                is_countable && !out.contains(&(launches.target.name.clone(), scenario.case.id.clone()))
            };
            self.count_each(database, &launches, counted)?;
        }
        Ok(())
    }

    /// Has two servers go through the cases, each on a thread of its own, and says what both have shown.
    fn count_each(
        &self,
        database: Option<&str>,
        launches: &Launches<'_>,
        is_counted: impl Fn(&&Scenario) -> bool,
    ) -> Result<()> {
        // Two servers that wrote to one database at the same time would count how long each waits for the other.
        let turn = Mutex::new(());
        let counted: Vec<&Scenario> = launches.scenarios.iter().copied().filter(|it| is_counted(it)).collect();
        thread::scope(|scope| {
            let twins = [0, 1].map(|round| {
                let (sender, receiver) = mpsc::channel();
                let (counted, turn) = (&counted, &turn);
                scope.spawn(move || {
                    let mut twin = Twin { sweep: self, launches, database, round, running: None, is_warm: false };
                    for scenario in counted {
                        let _alone = scenario.database.then(|| turn.lock().unwrap_or_else(PoisonError::into_inner));
                        if sender.send(twin.count(scenario)).is_err() {
                            break;
                        }
                    }
                    twin.end();
                });
                receiver
            });
            for scenario in &launches.scenarios {
                let Launches { target, instrument, .. } = launches;
                let mut counted = Vec::new();
                for (number, twin) in twins.iter().enumerate() {
                    let words = instrument.words();
                    let label = format!("{} · {} · {words}, {} of 2", scenario.case.id, target.name, number + 1);
                    say(&Event::Step { label, expected_s: instrument.expected_s().0 / 2.0 })?;
                    // A twin that has gone has panicked, which the scope passes on.
                    counted.extend(is_counted(scenario).then(|| twin.recv().ok()).flatten());
                }
                if let Ok([first, second]) = <[_; 2]>::try_from(counted) {
                    tell(first, second)?;
                }
            }
            Ok(())
        })
    }
}

/// Says both counts of a case, or why there are none.
fn tell(first: Result<Sample, Failure>, second: Result<Sample, Failure>) -> Result<()> {
    match (first, second) {
        (Ok(first), Ok(second)) => {
            for sample in count::agreed(first, second) {
                say(&Event::Sample(sample))?;
            }
        }
        // Both have failed alike where both have.
        (Err(failure), _) | (_, Err(failure)) => say(&Event::Failed(failure))?,
    }
    Ok(())
}

/// One of the two servers that count the same.
struct Twin<'a> {
    sweep: &'a Sweep,
    launches: &'a Launches<'a>,
    database: Option<&'a str>,
    round: u32,
    running: Option<Instrumented>,
    /// Whether the server that is running has read what [`ROWS_TO_WARM_UP`] says.
    is_warm: bool,
}

impl Twin<'_> {
    /// The figures of a case. After a failure the next case gets a server of its own.
    fn count(&mut self, scenario: &Scenario) -> Result<Sample, Failure> {
        let (database, round) = (self.database, self.round);
        let target = self.launches.target;
        let launch = Launch { plan: &self.sweep.plan, database, target, scenario, round, slot: 0, rates: &[] };
        match self.figures(scenario) {
            Ok(figures) => {
                let metrics = figures.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect();
                Ok(Sample { metrics, ..launch.sample() })
            }
            Err(trouble) => {
                (self.running, self.is_warm) = (None, false);
                let words = self.launches.instrument.words();
                let reason = format!("{words} of target {} in {}: {}", target.name, scenario.case.id, trouble.reason);
                Err(launch.failure(reason, trouble.stderr_tail, false))
            }
        }
    }

    fn figures(&mut self, scenario: &Scenario) -> Result<Vec<(&'static str, f64)>, Trouble> {
        let Launches { target, instrument, .. } = self.launches;
        let running = match &mut self.running {
            Some(running) => running,
            None => self.running.insert(instrument.start(target, &self.sweep.plan, self.database, self.round)?),
        };
        let requests = requests(scenario) * instrument.requests_factor();
        let mut warm_up = requests;
        if scenario.database && !self.is_warm {
            warm_up = warm_up.max(ROWS_TO_WARM_UP / rows(scenario));
            self.is_warm = true;
        }
        let mut drive = Drive::new(running.server.address(), scenario);
        let mut window = |running: &mut Instrumented, requests| {
            drive.send(requests).map_err(|error| match running.server.is_running() {
                true => Trouble { reason: error.to_string(), stderr_tail: Vec::new() },
                false => running.server.trouble(),
            })?;
            running.read()
        };
        let totals = [window(running, warm_up)?, window(running, requests)?, window(running, 3 * requests)?];
        per_request(&totals, requests).map_err(|reason| Trouble { reason, stderr_tail: Vec::new() })
    }

    fn end(&mut self) {
        // It has told all there was; how it ends is `contract-tests`' business.
        let _ = self.running.take().map(Instrumented::stop);
    }
}

/// What one more request costs, from the totals before, between and after windows of N and 3 N requests.
fn per_request(totals: &[Totals; 3], requests: u64) -> Result<Vec<(&'static str, f64)>, String> {
    let [before, between, after] = totals;
    let of_each = before.iter().zip(between).zip(after);
    of_each
        .map(|(((metric, before), (_, between)), (_, after))| {
            let is_level = *metric == "live_bytes_per_request";
            let (short, long) = (between - before, after - between);
            if !is_level && (short < 0 || long < 0) {
                return Err(format!(
                    "its counter behind {metric} went back, from {before} over {between} to {after}: it wrapped or began \
                     anew, and its differences are no counts"
                ));
            }
            let figure = if is_level {
                (after - before) as f64 / (4 * requests) as f64
            } else {
                (long - short) as f64 / (2 * requests) as f64
            };
            Ok((*metric, figure))
        })
        .collect()
}

/// Rows in an answer, as far as the scenario tells; at least one.
fn rows(scenario: &Scenario) -> u64 {
    let rows = |body: &Body| match body {
        Body::JsonArray { count, .. } => u64::from(*count),
        _ => 1,
    };
    scenario.requests.iter().map(|request| rows(&request.expect.body)).max().unwrap_or(1).max(1)
}

/// N in a scenario.
fn requests(scenario: &Scenario) -> u64 {
    let is_long = |body: &Body| matches!(body, Body::Length { bytes } if *bytes >= LONG_ANSWER_BYTES);
    if scenario.database {
        (REQUESTS_OF_A_ROW / rows(scenario)).max(REQUESTS_MIN)
    } else if scenario.requests.iter().any(|request| is_long(&request.expect.body)) {
        REQUESTS_OF_A_ROW
    } else {
        REQUESTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fixed_cancels_out_and_a_counter_that_goes_back_is_no_count() {
        let totals = |metric, figures: [i128; 3]| figures.map(|figure| vec![(metric, figure)]);
        let max = i128::from(u64::MAX);
        for (metric, figures, expected) in [
            // 7 of each reading, 5 of each request.
            ("instructions_per_request", [900, 900 + 7 + 50, 900 + 14 + 200], Ok(5.0)),
            ("allocations_per_request", [max - 60, max - 50, max - 20], Ok(1.0)),
            ("allocations_per_request", [max - 5, 4, 34], Err(())),
            ("allocations_per_request", [max - 15, max - 5, 24], Err(())),
            ("live_bytes_per_request", [100, 60, 60], Ok(-1.0)),
            ("live_bytes_per_request", [100, 260, 740], Ok(16.0)),
        ] {
            let found = per_request(&totals(metric, figures), 10);
            let figure = found.as_ref().map(|figures| figures[0].1).map_err(|_| ());
            assert_eq!(figure, expected, "{metric} {figures:?}: {found:?}");
        }
    }
}
