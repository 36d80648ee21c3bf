//! Runs a plan of scenarios: provides the database, has every target verified, then measures round by round, targets
//! interleaved.
//!
//! A target that fails loses the case it failed in, or all of them if it does not even start; the others go on. What is
//! sent and what must come back is the suite's. Read next: `trial.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use anyhow::{Result, bail};
use probe::{
    descriptors,
    load::Mode,
    options::DATABASE_CONNECTIONS,
    program::say,
    stability::Unstable,
    suite::{Case, Depth, Event, Failure, Family, Plan, Profiling, Role, Sample, Target},
};

use crate::{
    count::{self, Count},
    database::{self, Demand, Provided},
    profile,
    subject::{self, Subject, Verify},
    target::{Server, Setup},
    trial::{self, Launch, Scenario, Trial},
};

/// What one launch costs besides its windows, s: start, connections, quiet moments, end. Measured on two CPUs: 432 steps
/// of 1.48 s of windows took 1.73 s each.
const LAUNCH_S: f64 = 0.2;

/// The sides of a comparison take turns of about this length in a closed loop, s: a shared machine changes its pace within a second.
const CLOSED_TURN_S: f64 = 0.05;

/// And of this length in an open loop, s: a percentile wants requests.
const OPEN_TURN_S: f64 = 0.1;

/// After each turn a server has to be still before its counters are read, s.
const STILL_S: f64 = 0.04;

/// What checking one target in one test takes, and finding its saturation rate, s.
pub(crate) const VERIFY_S: f64 = 0.5;

/// Picks the scenarios that a plan asks for: those named by family or id, or all that its depth includes.
///
/// `at_one_level` are the suite's scenarios without a concurrency level; those without connections of their own get
/// each of the plan's levels, which becomes part of the id where there are several.
#[must_use]
pub fn chosen(at_one_level: &[Scenario], connections: &[u32], names: &[String], depth: Depth) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for level in connections {
        for scenario in at_one_level {
            let mut scenario = scenario.clone();
            if scenario.case.connections.is_none() {
                scenario.case.connections = Some(*level);
                if connections.len() > 1 {
                    scenario.case.id = format!("{}@{level}", scenario.case.id);
                    scenario.case.title = format!("{}, {level} connections", scenario.case.title);
                }
            } else if level != &connections[0] {
                continue;
            }
            scenarios.push(scenario);
        }
    }
    let named = |case: &Case| {
        let id_without_level = case.id.split('@').next().unwrap_or(&case.id);
        names.iter().any(|name| *name == case.test || *name == case.id || name == id_without_level)
    };
    scenarios.retain(|scenario| if names.is_empty() { scenario.case.depth <= depth } else { named(&scenario.case) });
    scenarios
}

/// Runs the plan, saying on standard output what happens.
///
/// # Errors
/// When there is nothing to run, the database cannot be had, or nobody listens.
pub fn run(plan: &Plan, at_one_level: &[Scenario], verify: Verify) -> Result<()> {
    descriptors::raise();
    let mut scenarios = chosen(at_one_level, &plan.connections, &plan.cases, plan.depth);
    if scenarios.is_empty() || plan.targets.is_empty() {
        bail!("the plan names no case or no target of this suite");
    }
    let notes = fit_connections(&mut scenarios, descriptors::connections_max());
    let pairs = plan.targets.iter().flat_map(|target| scenarios.iter().map(move |case| (target, case)));
    let launches = pairs.filter(|(target, scenario)| target.takes_part(&scenario.case)).count();
    let counts = if plan.wants(Family::Counts) { counts(plan, &scenarios) } else { Vec::new() };
    let rounds = if plan.wants(Family::Times) { plan.rounds } else { 0 };
    let steps = u32::try_from(plan.targets.len() + launches * rounds as usize + counts.len())?;
    let timed_s = VERIFY_S * launches as f64 + f64::from(rounds) * launches as f64 * launch_s(plan);
    let expected_s = timed_s + counts.iter().map(|(.., count)| count.expected_s()).sum::<f64>();
    let cases = scenarios.iter().map(|scenario| scenario.case.clone()).collect();
    say(&Event::Planned { cases, steps, expected_s })?;
    for note in notes {
        say(&Event::Note { text: note })?;
    }
    let database = provide(plan, &scenarios)?;
    let url = database.as_ref().map(|database| database.url.clone());
    let mut runner = Runner::new(plan, url, verify);
    let outcome = runner.run(&scenarios, rounds).and_then(|()| runner.count_all(&counts));
    if let Some(database) = database {
        database.stop();
    }
    outcome
}

/// Takes as many connections as one process may hold where a scenario wants more, and says so.
fn fit_connections(scenarios: &mut [Scenario], most: u32) -> Vec<String> {
    let mut notes = Vec::new();
    for scenario in scenarios.iter_mut().filter(|scenario| scenario.case.connections > Some(most)) {
        let wanted = scenario.case.connections.replace(most).unwrap_or_default();
        notes.push(format!(
            "Case {}: {most} connections instead of {wanted}, because the limit of open files allows no more (ulimit -Hn).",
            scenario.case.id
        ));
    }
    notes
}

/// What is counted, in order.
fn counts<'a>(plan: &'a Plan, scenarios: &'a [Scenario]) -> Vec<(&'a Scenario, &'a Target, Count)> {
    let mut counts = Vec::new();
    for scenario in scenarios {
        for count in &scenario.counts {
            let targets = plan.targets.iter().filter(|target| target.takes_part(&scenario.case));
            counts.extend(targets.map(|target| (scenario, target, *count)));
        }
    }
    counts
}

/// The database, if any of the cases needs one.
pub(crate) fn provide(plan: &Plan, scenarios: &[Scenario]) -> Result<Option<Provided>> {
    if !scenarios.iter().any(|scenario| scenario.database) {
        return Ok(None);
    }
    say(&Event::Step { label: "preparing the database".to_owned(), expected_s: 0.0 })?;
    let cpus = &plan.placement.database;
    let provided = database::provide(&plan.database, &plan.folder, cpus, &plan.seeder, demand(plan, scenarios))?;
    say(&Event::Note { text: format!("Database: {}.", provided.description) })?;
    if plan.placement.database == plan.placement.generator && !plan.placement.database.is_empty() {
        say(&Event::Note {
            text:
                "The database shares the load generator's CPUs: on so few CPUs it may be what limits a database test."
                    .to_owned(),
        })?;
    }
    Ok(Some(provided))
}

/// A run under way.
pub(crate) struct Runner<'a> {
    plan: &'a Plan,
    verify: Verify,
    url: Option<String>,
    /// Target and case that are not measured any more.
    pub(crate) out: BTreeSet<(String, String)>,
    /// Targets whose queries cannot be counted.
    unseen: BTreeSet<String>,
    /// Saturation rate by case and target, requests/s, of frameworks only.
    rates: BTreeMap<String, Vec<f64>>,
}

impl<'a> Runner<'a> {
    /// A run that has not begun; `url` is where the database is.
    pub(crate) fn new(plan: &'a Plan, url: Option<String>, verify: Verify) -> Self {
        Self { plan, verify, url, out: BTreeSet::new(), unseen: BTreeSet::new(), rates: BTreeMap::new() }
    }

    fn run(&mut self, scenarios: &[Scenario], rounds: u32) -> Result<()> {
        self.verify_all(scenarios)?;
        // Of a comparison two rounds at once: base, head, head, base.
        let together = if self.plan.targets.iter().any(Target::is_side) { 2 } else { 1 };
        for first in (0..rounds).step_by(together as usize) {
            for scenario in scenarios {
                self.measure_all(first..rounds.min(first + together), scenario)?;
            }
        }
        Ok(())
    }

    /// Checks all tests of all targets.
    pub(crate) fn verify_all(&mut self, scenarios: &[Scenario]) -> Result<()> {
        for target in &self.plan.targets {
            say(&Event::Step {
                label: format!("verify {}", target.name),
                expected_s: VERIFY_S * scenarios.len() as f64,
            })?;
            self.verify(target, scenarios)?;
        }
        Ok(())
    }

    /// Checks all tests of a target, and finds where it saturates, in one launch for each size of its pool.
    fn verify(&mut self, target: &Target, scenarios: &[Scenario]) -> Result<()> {
        let url = self.url.clone();
        let database = url.as_deref().map(|url| (self.plan.seeder.as_path(), url));
        let mut running: Option<Server> = None;
        let mut pool = None;
        let mut verified = BTreeMap::<&str, bool>::new();
        for scenario in scenarios.iter().filter(|scenario| target.takes_part(&scenario.case)) {
            let key = (target.name.clone(), scenario.case.id.clone());
            if self.out.contains(&key) {
                continue;
            }
            // One that died under the brief load before is not to blame for the answers of this test yet.
            let mut server = match running.take() {
                Some(mut server) if pool == scenario.pool => server.is_running().then_some(server),
                other => other.map_or(Ok(()), subject::end).map(|()| None)?,
            };
            if server.is_none() {
                server = self.start(target, scenario, scenarios)?;
                pool = scenario.pool;
            }
            let Some(mut server) = server else { continue };
            if verified.is_empty() {
                subject::introduce(target, &server)?;
            }
            let test = scenario.case.test.as_str();
            if !verified.contains_key(test) {
                let mut subject = Subject::new(&target.name, &mut server, database.filter(|_| scenario.database));
                if scenario.queries.is_some() {
                    self.tell_unseen(&mut subject)?;
                }
                let verification = (self.verify)(&mut subject, test);
                verified.insert(test, verification.problems.is_empty());
                say(&Event::Verified(verification))?;
            }
            if verified.get(test) == Some(&true) {
                self.find_saturation(target, scenario, &mut server)?;
            } else {
                self.out.insert(key);
            }
            running = Some(server);
        }
        running.map_or(Ok(()), subject::end)
    }

    /// Says once of a target that its queries cannot be counted, and why.
    fn tell_unseen(&mut self, subject: &mut Subject<'_>) -> Result<()> {
        let Err(reason) = subject.seen().and_then(|seen| seen.statements) else { return Ok(()) };
        if !self.unseen.insert(subject.target.to_owned()) {
            return Ok(());
        }
        say(&Event::Note {
            text: format!(
                "The queries of target {} could not be verified at the database: {reason}. Its figures rest on its answers alone.",
                subject.target
            ),
        })?;
        Ok(())
    }

    /// Starts a target; one that does not start is out of all cases with this size of its pool.
    fn start(&mut self, target: &Target, scenario: &Scenario, scenarios: &[Scenario]) -> Result<Option<Server>> {
        let (cpus, database) = (&self.plan.placement.server, self.url.as_deref());
        let setup = Setup { cpus, database, pool: scenario.pool, slowdown: 1 };
        let trouble = match Server::start(target, &setup) {
            Ok(server) => return Ok(Some(server)),
            Err(trouble) => trouble,
        };
        let lost = scenarios.iter().filter(|other| other.pool == scenario.pool);
        self.out.extend(lost.map(|lost| (target.name.clone(), lost.case.id.clone())));
        say(&Event::Failed(Failure {
            target: target.name.clone(),
            case: scenario.pool.map(|_| scenario.case.id.clone()),
            round: None,
            reason: trouble.reason,
            stderr_tail: trouble.stderr_tail,
            disqualifies: false,
        }))?;
        Ok(None)
    }

    fn find_saturation(&mut self, target: &Target, scenario: &Scenario, server: &mut Server) -> Result<()> {
        if target.role != Role::Framework || self.plan.open_shares.is_empty() {
            return Ok(());
        }
        let launch = self.launch(target, scenario, 0, 0, &[]);
        // What fails here fails again, and is reported, when it is measured.
        if let Ok(rate) = trial::saturation(&launch, server) {
            self.rates.entry(scenario.case.id.clone()).or_default().push(rate);
        }
        Ok(())
    }

    /// These rounds of one case: every target once in each.
    fn measure_all(&mut self, rounds: Range<u32>, scenario: &Scenario) -> Result<()> {
        let rates = self.open_rates(scenario);
        for group in groups(self.plan, scenario, rounds) {
            let mut launches = Vec::new();
            for (round, slot, target) in group {
                let label = format!("{} · {} · round {}", scenario.case.id, target.name, round + 1);
                say(&Event::Step { label, expected_s: launch_s(self.plan) })?;
                if !self.out.contains(&(target.name.clone(), scenario.case.id.clone())) {
                    launches.push(self.launch(target, scenario, round, slot, &rates));
                }
            }
            let samples = match &self.plan.profiling {
                Some(profiling) => profiled(&launches, profiling),
                None => side_by_side(self.plan, &launches),
            };
            for (name, sample) in samples {
                match sample {
                    Ok(sample) => say(&Event::Sample(sample))?,
                    Err(failure) => {
                        // The other launch of a pair of rounds has failed for the same reason, or soon will.
                        if self.out.insert((name, scenario.case.id.clone())) {
                            say(&Event::Failed(failure))?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes the counts, in launches that are not timed. What cannot be counted here is said once, with the reason.
    fn count_all(&mut self, counts: &[(&Scenario, &Target, Count)]) -> Result<()> {
        let mut said = BTreeSet::new();
        let mut unstable = Unstable::default();
        for (scenario, target, count) in counts {
            let label = format!("{} · {} · {}", scenario.case.id, target.name, count.words());
            say(&Event::Step { label, expected_s: count.expected_s() })?;
            if self.out.contains(&(target.name.clone(), scenario.case.id.clone())) {
                continue;
            }
            let obstacle = count.obstacle(target);
            let countable = obstacle.is_none();
            if let Some(text) = obstacle.or_else(|| count.method())
                && said.insert(text.clone())
            {
                say(&Event::Note { text })?;
            }
            if !countable {
                continue;
            }
            match count::take(*count, &self.launch(target, scenario, 0, 0, &[])) {
                Ok([one, other]) => {
                    for (metric, figure) in &one.metrics {
                        let again = other.metrics.get(metric).copied().unwrap_or(f64::NAN);
                        unstable.compare(metric, &scenario.case.id, &target.name, [*figure, again]);
                    }
                    [one, other].into_iter().try_for_each(|sample| say(&Event::Sample(sample)))?;
                }
                Err(failure) => say(&Event::Failed(failure))?,
            }
        }
        unstable.notes(count::movement).into_iter().try_for_each(|text| say(&Event::Note { text }))?;
        Ok(())
    }

    /// The same absolute rates for all: shares of the slowest framework's saturation rate.
    fn open_rates(&self, scenario: &Scenario) -> Vec<f64> {
        let slowest = self.rates.get(&scenario.case.id).into_iter().flatten().copied().min_by(f64::total_cmp);
        // The pipelined test saturates at a rate that single requests cannot reach.
        let pipelining = f64::from(scenario.pipeline);
        slowest.map_or_else(Vec::new, |slowest| {
            self.plan.open_shares.iter().map(|share| (share * slowest / pipelining).max(1.0)).collect()
        })
    }

    fn launch<'b>(
        &'b self,
        target: &'b Target,
        scenario: &'b Scenario,
        round: u32,
        slot: u32,
        rates: &'b [f64],
    ) -> Launch<'b> {
        Launch { plan: self.plan, database: self.url.as_deref(), target, scenario, round, slot, rates }
    }
}

/// What the scenarios need of the database.
fn demand(plan: &Plan, scenarios: &[Scenario]) -> Demand {
    let pool = scenarios.iter().filter_map(|scenario| scenario.pool).max().unwrap_or(DATABASE_CONNECTIONS);
    let workers = u32::try_from(plan.placement.server.len()).unwrap_or(1).max(1);
    Demand {
        counted: scenarios.iter().any(|scenario| scenario.queries.is_some()),
        // A server that has just ended may hold its connections for a moment longer; and the lab looks on.
        connections: 2 * pool * workers + 16,
    }
}

/// A launch's round and its place there, with its target.
type Place<'a> = (u32, u32, &'a Target);

/// What is launched in these rounds, in order: what stands together runs at the same time and takes turns. Those are the sides of one
/// lane; any other target runs alone, and so does each that uses the database, which cannot tell who wants something of it.
fn groups<'a>(plan: &'a Plan, scenario: &Scenario, rounds: Range<u32>) -> Vec<Vec<Place<'a>>> {
    let mut groups: Vec<Vec<Place<'a>>> = Vec::new();
    for round in rounds {
        for (slot, target) in (0..).zip(plan.in_turn(&scenario.case, round)) {
            let takes_turns = |group: &&mut Vec<Place<'_>>| group[0].2.lane() == target.lane();
            let may = target.is_side() && !scenario.database;
            match groups.iter_mut().find(takes_turns).filter(|_| may) {
                Some(group) => group.push((round, slot, target)),
                None => groups.push(vec![(round, slot, target)]),
            }
        }
    }
    groups
}

/// Measures launches that run at the same time: one by itself in one window of each loop, several in many short ones that alternate
/// between them.
///
/// A shared machine is faster at one moment than at another. What is compared is what two launches show within a fraction of a
/// second, and the moments in which the machine was not itself are few among many.
fn side_by_side(plan: &Plan, launches: &[Launch<'_>]) -> Vec<(String, Result<Sample, Failure>)> {
    let mut trials: Vec<_> = launches.iter().map(|launch| Trial::start(*launch)).collect();
    let rates = launches.first().map_or(&[][..], |launch| launch.rates);
    let open = rates.iter().map(|rate_per_s| (Mode::Open { rate_per_s: *rate_per_s }, plan.open_duration_s));
    for (mode, duration_s) in std::iter::once((Mode::Closed, plan.duration_s)).chain(open) {
        let turn_s = if mode == Mode::Closed { CLOSED_TURN_S } else { OPEN_TURN_S };
        let turns = if launches.len() > 1 { (duration_s / turn_s).round().max(1.0) } else { 1.0 };
        each(trials.iter_mut(), |trial| trial.begin(mode, duration_s / turns));
        for turn in 0..turns as u32 {
            if turn % 2 == 0 {
                each(trials.iter_mut(), Trial::take);
            } else {
                each(trials.iter_mut().rev(), Trial::take);
            }
        }
    }
    let names = launches.iter().map(|launch| launch.target.name.clone());
    names.zip(trials.into_iter().map(|trial| trial.and_then(Trial::finish))).collect()
}

/// Profiles launches one after the other: nothing of another server's is to be in the way of a sampler.
fn profiled(launches: &[Launch<'_>], profiling: &Profiling) -> Vec<(String, Result<Sample, Failure>)> {
    launches.iter().map(|launch| (launch.target.name.clone(), profile::take(launch, profiling))).collect()
}

/// Does something with each that still runs; one that fails is left out from then on.
fn each<'a: 'b, 'b>(
    trials: impl Iterator<Item = &'b mut Result<Trial<'a>, Failure>>,
    step: impl Fn(&mut Trial<'a>) -> Result<(), Failure>,
) {
    for trial in trials {
        if let Ok(running) = trial
            && let Err(failure) = step(running)
        {
            *trial = Err(failure);
        }
    }
}

/// What one launch takes with its windows, s.
fn launch_s(plan: &Plan) -> f64 {
    let profiled = plan.profiling.as_ref().map_or(0.0, |_| plan.duration_s + profile::EXPECTED_S);
    let waits = |duration_s: f64, turn_s: f64| {
        let turns = if plan.targets.iter().any(Target::is_side) { (duration_s / turn_s).round() } else { 0.0 };
        duration_s + turns * STILL_S
    };
    let open = waits(plan.open_duration_s, OPEN_TURN_S) + plan.warmup_s / 4.0 + LAUNCH_S / 2.0;
    plan.warmup_s + waits(plan.duration_s, CLOSED_TURN_S) + profiled + plan.open_shares.len() as f64 * open + LAUNCH_S
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(connections: u32, database: bool) -> Scenario {
        let case = Case {
            id: "many".to_owned(),
            test: "plaintext".to_owned(),
            title: String::new(),
            connections: Some(connections),
            depth: Depth::Quick,
            counted: false,
            references: Vec::new(),
            claim: None,
        };
        Scenario {
            case,
            pipeline: 1,
            requests: Vec::new(),
            pick: probe::load::Pick::Cycle,
            reconnect_every: None,
            database,
            queries: None,
            pool: None,
            counts: Vec::new(),
        }
    }

    fn plan(targets: &[&str]) -> Plan {
        let targets: Vec<_> = targets
            .iter()
            .map(|name| {
                serde_json::json!({"name": name, "role": "framework", "command": ["x"], "serves": [],
                "control": true, "port": 0, "counting": []})
            })
            .collect();
        serde_json::from_value(serde_json::json!({
            "folder": "", "targets": targets, "cases": [], "depth": "quick", "connections": [], "rounds": 4, "warmup_s": 0.1,
            "duration_s": 0.3, "open_duration_s": 0.1, "open_shares": [], "database": {"database": "sqlite"},
            "placement": {"server": [0], "generator": [1], "database": []}, "loadgen": "", "seeder": "", "seed": 0
        }))
        .unwrap()
    }

    #[test]
    fn the_sides_of_a_lane_run_at_once_and_all_others_alone() {
        let sides = ["a@base", "a@head", "hyper@base", "hyper@head"];
        for (targets, database, rounds, expected) in [
            (&["a", "b"][..], false, 0..1, vec!["0a", "0b"]),
            (&["a", "b"], false, 1..2, vec!["1b", "1a"]),
            (
                &sides,
                false,
                0..2,
                vec!["0a@base 0a@head 1a@head 1a@base", "0hyper@base 0hyper@head 1hyper@head 1hyper@base"],
            ),
            (&sides[..2], false, 2..3, vec!["2a@base 2a@head"]),
            (&sides[..2], true, 0..2, vec!["0a@base", "0a@head", "1a@head", "1a@base"]),
        ] {
            let plan = plan(targets);
            let groups = groups(&plan, &scenario(64, database), rounds);
            let named = groups.iter().map(|group| {
                let places = group.iter().map(|(round, _, target)| format!("{round}{}", target.name));
                places.collect::<Vec<_>>().join(" ")
            });
            assert_eq!(named.collect::<Vec<_>>(), expected, "{targets:?}");
        }
    }

    #[test]
    fn connections_beyond_the_limit_are_left_out_and_told() {
        for (most, expected, notes) in [(4_000, 4_000, 0), (900, 900, 1)] {
            let mut scenarios = [scenario(4_000, false)];
            let said = fit_connections(&mut scenarios, most);
            assert_eq!((scenarios[0].case.connections, said.len()), (Some(expected), notes), "{said:?}");
        }
    }
}
