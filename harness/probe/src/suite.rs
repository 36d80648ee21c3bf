//! The words between the lab and a suite: a suite is a program that answers `list` and `run`.
//!
//! `list` prints one [`Case`] a line. `run` reads a [`Plan`] from the first line of its standard input and prints
//! [`Event`]s; it ends early, leaving no process behind, when its standard input closes.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

use crate::message::Ready;

/// One thing a suite can measure on one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Unique within the suite, for example `queries-20`; with several concurrency levels `queries-20@256`.
    pub id: String,
    /// The family it belongs to, for example `queries`; `--case` accepts either.
    pub test: String,
    /// One line for people.
    pub title: String,
    /// Connections held open, where the case is a load.
    pub connections: Option<u32>,
    /// The shortest kind of run that includes it.
    pub depth: Depth,
    /// Whether something is counted in it, which takes one more build of every target.
    #[serde(default)]
    pub counted: bool,
    /// Figures published by others for the same thing, for reports to show beside what was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// For an experiment: what is claimed, and what is held against what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// What an experiment is about: the sides of its comparison are the ways to do one thing on one input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What kind of optimisation it is.
    pub group: String,
    /// What is said of it, in one sentence.
    pub claim: String,
    /// Who says so.
    pub source: String,
    /// What is done without it: what a competent person writes.
    pub baseline: String,
    /// What is done with it.
    pub candidate: String,
    /// What both are done on.
    pub input: String,
}

/// A figure that others have published, and what is aimed at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// The metric that all of it is in.
    pub metric: String,
    /// As it was published, on its authors' machine.
    pub study: f64,
    /// The same code run again for this project, on a virtual machine of two cores.
    pub rerun: f64,
    /// What is aimed at there.
    pub goal: Goal,
}

/// What is aimed at in a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "goal", rename_all = "snake_case")]
pub enum Goal {
    /// At most so much.
    AtMost {
        /// In the unit of the reference's metric.
        figure: f64,
    },
    /// At most what another target shows in the same run.
    AtMostTarget {
        /// Its name.
        target: String,
    },
}

/// How much of a suite is run when no case is named; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// A first result.
    Quick,
    /// What a comparison rests on.
    Default,
    /// Everything.
    Full,
    /// What is run only when its name is given.
    Named,
}

/// What a suite is asked to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// A folder that the suite may write scratch files to; it exists.
    pub folder: PathBuf,
    /// The targets, in the order in which they are reported.
    pub targets: Vec<Target>,
    /// Families or ids of cases; empty means all that [`Plan::depth`] includes.
    pub cases: Vec<String>,
    /// Which cases are run when none is named.
    pub depth: Depth,
    /// Concurrency levels.
    pub connections: Vec<u32>,
    /// Rounds; each is a process launch of every target and case.
    pub rounds: u32,
    /// Load before each timed window, s.
    pub warmup_s: f64,
    /// Closed-loop window, s.
    pub duration_s: f64,
    /// Open-loop window, s.
    pub open_duration_s: f64,
    /// Open-loop rates as shares of the slowest framework's saturation rate.
    pub open_shares: Vec<f64>,
    /// Where the data is.
    pub database: Database,
    /// Which CPUs do what.
    pub placement: Placement,
    /// The load generator's binary; empty for a suite that sends nothing.
    pub loadgen: PathBuf,
    /// The binary that fills a database with the World and Fortune tables; empty for a suite that sends nothing.
    pub seeder: PathBuf,
    /// The binary that runs benchmarks under valgrind, for a suite in which targets are programs of benchmarks; empty
    /// otherwise.
    #[serde(default)]
    pub runner: PathBuf,
    /// Which of the two families of figures are wanted.
    #[serde(default)]
    pub only: Option<Family>,
    /// Where every launch is to be profiled in place of being timed: how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profiling: Option<Profiling>,
    /// Seed of every order and choice.
    pub seed: u64,
}

/// How launches are profiled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profiling {
    /// What is looked at.
    pub kind: ProfileKind,
    /// Samples in a second of CPU time, where CPU time is sampled.
    pub rate_hz: u32,
    /// Where the profiles are left; it exists.
    pub folder: PathBuf,
}

/// What a profile looks at, and by what means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileKind {
    /// CPU time, sampled by perf.
    CpuByPerf,
    /// CPU time, sampled by the probe within the process.
    CpuByProbe,
    /// Blocks and bytes that are allocated, by the build that counts them.
    Allocations,
    /// Instructions in user mode, under callgrind.
    Instructions,
}

/// The two families of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// What moves from launch to launch, and is measured in rounds.
    Times,
    /// What hardly moves, and is counted.
    Counts,
}

impl Plan {
    /// The cases of a suite that the plan asks for: those named by family or id, or all that its depth includes.
    #[must_use]
    pub fn chosen(&self, all: Vec<Case>) -> Vec<Case> {
        let is_wanted = |case: &Case| {
            if self.cases.is_empty() {
                case.depth <= self.depth
            } else {
                self.cases.iter().any(|name| *name == case.id || *name == case.test)
            }
        };
        all.into_iter().filter(is_wanted).collect()
    }

    /// The targets that take part in a case, in the order of this round: each pair of rounds begins with another one, and the
    /// second of a pair is the reverse of the first, so that what drifts with time favours nobody. The sides of a comparison
    /// (`NAME@base`, `NAME@head`) stay together.
    #[must_use]
    pub fn in_turn(&self, case: &Case, round: u32) -> Vec<&Target> {
        let taking_part: Vec<&Target> = self.targets.iter().filter(|target| target.takes_part(case)).collect();
        let mut lanes: Vec<&[&Target]> = taking_part.chunk_by(|one, other| one.lane() == other.lane()).collect();
        if !lanes.is_empty() {
            let first = self.seed.wrapping_add(u64::from(round / 2)) % lanes.len() as u64;
            lanes.rotate_left(first as usize);
        }
        let mut order = lanes.concat();
        if round % 2 == 1 {
            order.reverse();
        }
        order
    }

    /// Refuses a plan that wants only what a suite has none of.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn offered(&self, family: Family) -> Result<(), String> {
        let (has, wants) = match family {
            Family::Times => ("times", "counts"),
            Family::Counts => ("counts", "times"),
        };
        if self.wants(family) { Ok(()) } else { Err(format!("this suite has {has} only, and only {wants} are wanted")) }
    }

    /// Whether figures of this family are wanted.
    #[must_use]
    pub fn wants(&self, family: Family) -> bool {
        self.only.is_none_or(|only| only == family)
    }
}

/// A server under test, or a program of benchmarks, ready to be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its name in reports.
    pub name: String,
    /// What it is in the comparison.
    pub role: Role,
    /// Program and arguments. `{port}`, `{workers}`, `{database}` and `{pool}` are filled in for servers without a control channel.
    pub command: Vec<String>,
    /// The same for the build that counts: its allocations, or the instructions of its benchmarks. Empty where there is none.
    #[serde(default)]
    pub counting: Vec<String>,
    /// The families of cases it serves; empty means all.
    pub serves: Vec<String>,
    /// Whether it speaks the control channel.
    pub control: bool,
    /// The port of a server without a control channel; 0 lets the lab choose one and fill in `{port}`.
    pub port: u16,
}

impl Target {
    /// Its name without the side of a comparison that it stands on.
    #[must_use]
    pub fn lane(&self) -> &str {
        self.name.split('@').next().unwrap_or(&self.name)
    }

    /// Whether it is a side of a comparison.
    #[must_use]
    pub fn is_side(&self) -> bool {
        self.name.contains('@')
    }

    /// Whether it serves the family that a case belongs to.
    #[must_use]
    pub fn takes_part(&self, case: &Case) -> bool {
        self.serves.is_empty() || self.serves.contains(&case.test)
    }
}

/// What a target is in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// One of those that the comparison is about.
    Framework,
    /// A framework in another configuration, reported beside the others.
    Variant,
    /// A lane that shows what the layers below the frameworks cost.
    Control,
}

/// Where the World and Fortune tables are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "database", rename_all = "snake_case")]
pub enum Database {
    /// An SQLite file in the plan's folder, made anew.
    Sqlite,
    /// A PostgreSQL cluster in a temporary folder, started and stopped by the suite.
    PrivatePostgres,
    /// A PostgreSQL server that is there.
    PostgresUrl {
        /// `postgres://…`
        url: String,
    },
}

/// Which CPUs do what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// CPUs of the server; it gets one worker for each.
    pub server: Vec<usize>,
    /// CPUs of the load generator; it gets one thread for each.
    pub generator: Vec<usize>,
    /// CPUs of a private database.
    pub database: Vec<usize>,
}

/// What a running suite says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// What is going to happen; first.
    Planned {
        /// The cases, in order.
        cases: Vec<Case>,
        /// Steps in all; [`Event::Step`] counts them.
        steps: u32,
        /// How long it will take, s.
        expected_s: f64,
    },
    /// A step begins.
    Step {
        /// What it is, for a progress bar.
        label: String,
        /// How long it will take, s.
        expected_s: f64,
    },
    /// A target answered for the first time.
    Ready {
        /// The target.
        target: String,
        /// Its ready line.
        ready: Ready,
    },
    /// A target's answers were checked before any timing.
    Verified(Verification),
    /// One process launch was measured.
    Sample(Sample),
    /// A target or case ends here; what was measured stays.
    Failed(Failure),
    /// Something a reader of the report should know.
    Note {
        /// The sentence.
        text: String,
    },
    /// All is done; last.
    Finished,
}

/// The outcome of checking one family of cases on one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// The target.
    pub target: String,
    /// The family of cases.
    pub test: String,
    /// What was checked, in words.
    pub checks: Vec<String>,
    /// What was wrong; empty means that the target may be timed.
    pub problems: Vec<String>,
}

/// What one process launch showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The target.
    pub target: String,
    /// The case's id.
    pub case: String,
    /// The round, from 0.
    pub round: u32,
    /// The place in the round's order, from 0.
    pub slot: u32,
    /// Figures by metric name; units are in the names. What is not a finite number is `null` in JSON, and left out when
    /// it is read.
    #[serde(deserialize_with = "figures")]
    pub metrics: BTreeMap<String, f64>,
    /// HdrHistograms by name (µs, or ns or ps where the name ends so; base64 of V2 with deflate).
    pub histograms: BTreeMap<String, String>,
    /// Metrics that this sample must not be used for, with the reason in words.
    pub void: BTreeMap<String, String>,
    /// What was seen over the time of the launch: figures by name, with units in the names, each at its second.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub series: BTreeMap<String, Vec<[f64; 2]>>,
    /// Figures of the windows of a launch that took turns with others, by name, in order. The windows of the other launches in the
    /// same pair of rounds lie between them: at one place of these lists stands what was seen at about the same moment, or nothing where
    /// a window was too short for a figure.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub turns: BTreeMap<String, Vec<Option<f64>>>,
}

impl Sample {
    /// A launch of a target in a case, without figures yet.
    #[must_use]
    pub fn of(target: &Target, case: &Case, round: u32, slot: u32) -> Self {
        Self {
            target: target.name.clone(),
            case: case.id.clone(),
            round,
            slot,
            metrics: BTreeMap::new(),
            histograms: BTreeMap::new(),
            void: BTreeMap::new(),
            series: BTreeMap::new(),
            turns: BTreeMap::new(),
        }
    }
}

/// Why a target or case has no (further) numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The target.
    pub target: String,
    /// The case's id; `None` means the target as a whole.
    pub case: Option<String>,
    /// The round, from 0, where it happened in one.
    pub round: Option<u32>,
    /// What happened and what to do about it.
    pub reason: String,
    /// The last lines of the target's standard error.
    pub stderr_tail: Vec<String>,
    /// Whether figures measured before it count for nothing: a target that answered wrong gets no number.
    pub disqualifies: bool,
}

fn figures<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let figures = BTreeMap::<String, Option<f64>>::deserialize(deserializer)?;
    Ok(figures.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(targets: &str) -> Plan {
        let target = |name: char| serde_json::json!({"name": name, "role": "framework", "command": [], "serves": [], "control": false, "port": 0});
        let plan = serde_json::json!({
            "folder": "", "targets": targets.chars().map(target).collect::<Vec<_>>(), "cases": [], "depth": "quick",
            "connections": [], "rounds": 1, "warmup_s": 0.0, "duration_s": 0.0, "open_duration_s": 0.0,
            "open_shares": [], "database": {"database": "sqlite"}, "loadgen": "", "seeder": "", "seed": 0,
            "placement": {"server": [], "generator": [], "database": []},
        });
        serde_json::from_value(plan).unwrap()
    }

    fn case(id: &str, depth: Depth) -> Case {
        let test = id.split('-').next().unwrap().to_owned();
        let (connections, counted, references) = (None, false, Vec::new());
        Case { id: id.to_owned(), test, title: String::new(), connections, depth, counted, references, claim: None }
    }

    #[test]
    fn every_second_round_is_the_reverse_of_the_one_before() {
        let plan = plan("abc");
        for (round, expected) in [(0, "abc"), (1, "cba"), (2, "bca"), (3, "acb"), (4, "cab"), (6, "abc")] {
            let order = plan.in_turn(&case("json", Depth::Quick), round);
            assert_eq!(order.iter().map(|target| target.name.as_str()).collect::<String>(), expected, "round {round}");
        }
    }

    #[test]
    fn the_sides_of_a_comparison_stay_together_and_change_places() {
        let mut plan = plan("abcd");
        for (target, name) in plan.targets.iter_mut().zip(["x@base", "x@head", "y@base", "y@head"]) {
            target.name = name.to_owned();
        }
        for (round, expected) in [
            (0, ["x@base", "x@head", "y@base", "y@head"]),
            (1, ["y@head", "y@base", "x@head", "x@base"]),
            (2, ["y@base", "y@head", "x@base", "x@head"]),
        ] {
            let order: Vec<&str> =
                plan.in_turn(&case("json", Depth::Quick), round).iter().map(|target| target.name.as_str()).collect();
            assert_eq!(order, expected, "round {round}");
        }
    }

    #[test]
    fn a_target_that_does_not_serve_a_case_has_no_turn() {
        let mut plan = plan("ab");
        plan.targets[0].serves = vec!["route".to_owned()];
        let names = |id| -> Vec<&str> {
            plan.in_turn(&case(id, Depth::Quick), 0).iter().map(|target| target.name.as_str()).collect()
        };
        assert_eq!((names("route-10"), names("json-1")), (vec!["a", "b"], vec!["b"]));
    }

    #[test]
    fn what_a_suite_has_none_of_is_refused() {
        let mut plan = plan("a");
        for (only, family, offered) in [
            (None, Family::Times, true),
            (Some(Family::Times), Family::Times, true),
            (Some(Family::Counts), Family::Times, false),
            (Some(Family::Times), Family::Counts, false),
        ] {
            plan.only = only;
            assert_eq!(plan.offered(family).is_ok(), offered, "{only:?} of {family:?}");
        }
    }

    #[test]
    fn cases_are_chosen_by_name_or_by_depth() {
        let all = || vec![case("a-1", Depth::Quick), case("a-2", Depth::Default), case("b-1", Depth::Full)];
        let mut plan = plan("");
        for (names, depth, expected) in [
            (&[][..], Depth::Quick, &["a-1"][..]),
            (&[], Depth::Default, &["a-1", "a-2"]),
            (&[], Depth::Full, &["a-1", "a-2", "b-1"]),
            (&["a"], Depth::Quick, &["a-1", "a-2"]),
            (&["b-1"], Depth::Quick, &["b-1"]),
        ] {
            (plan.cases, plan.depth) = (names.iter().map(|name| (*name).to_owned()).collect(), depth);
            let chosen: Vec<String> = plan.chosen(all()).into_iter().map(|case| case.id).collect();
            assert_eq!(chosen, expected, "{names:?}, {depth:?}");
        }
    }
}
