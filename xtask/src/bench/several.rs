//! Several suites, one after the other: says beforehand how long they will take, and takes each one's failure for its own.
//!
//! How long is for each suite to say, from the plan that it would get; where an equal run stands in a record, it is what that
//! one took. Building is not in it: what has been built before is there at once.

use std::{
    path::Path,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use anyhow::Result;
use harness::{host::Host, layout, placement, run};
use probe::suite::Database;

use super::{BROKEN, Bench, FOUND, INTERRUPTED, prepare, progress::human, suite::Suite};

/// A suite, and what it says that it will do.
struct Expected {
    name: String,
    suite: Result<(Suite, Foreseen)>,
}

struct Foreseen {
    cases: usize,
    targets: usize,
    rounds: u32,
    seconds: f64,
    /// Whether an equal run is what the seconds are from.
    remembered: bool,
}

/// Runs the suites of these names.
pub(super) fn run(bench: &Bench, names: &[String], host: &Host, interrupted: &AtomicBool) -> Result<ExitCode> {
    let suites: Vec<Expected> = names.iter().map(|name| expect(bench, name, host)).collect();
    if interrupted.load(Ordering::Relaxed) {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let mut left_s: f64 = suites.iter().map(Expected::seconds).sum();
    println!("{}", table(&suites, left_s));
    if bench.list {
        let whole = suites.iter().all(|expected| expected.suite.is_ok());
        return Ok(ExitCode::from(if whole { 0 } else { BROKEN }));
    }
    let mut lines = Vec::new();
    let mut worst = 0;
    for (at, Expected { name, suite }) in suites.into_iter().enumerate() {
        if interrupted.load(Ordering::Relaxed) {
            worst = INTERRUPTED;
            break;
        }
        let begun = Instant::now();
        let seconds = suite.as_ref().map_or(0.0, |(_, foreseen)| foreseen.seconds);
        eprintln!(
            "Suite {} of {}, {name}: about {}; {} left in all",
            at + 1,
            names.len(),
            human(seconds),
            human(left_s)
        );
        left_s -= seconds;
        let measured = suite.and_then(|(suite, _)| {
            let out = bench.out.as_ref().map(|out| out.join(&suite.name));
            bench.one(&suite, host.clone(), out.as_deref(), interrupted)
        });
        let code = measured.unwrap_or_else(|error| {
            eprintln!("error: suite {name}: {error:#}");
            BROKEN
        });
        lines.push(format!("{name:<24} {:<28} {}", verdict(code), human(begun.elapsed().as_secs_f64())));
        worst = worse(worst, code);
    }
    println!("\n{}", lines.join("\n"));
    Ok(ExitCode::from(worst))
}

/// What a suite would do; nothing of it but its own program is built for that.
fn expect(bench: &Bench, name: &str, host: &Host) -> Expected {
    let foreseen = || -> Result<(Suite, Foreseen)> {
        let suite = Suite::find(name)?;
        let (_, chosen) = bench.entries(&suite)?;
        let prepared = prepare::unbuilt(&chosen, suite.is_counted(&bench.cases(), bench.effort().depth));
        let scratch = tempfile::tempdir()?;
        let placement = placement::split(&host.cpus, bench.database == Database::PrivatePostgres)?;
        let mut plan = bench.plan(&suite, &prepared, scratch.path(), placement);
        // No cluster is started for a question.
        plan.database = Database::Sqlite;
        let (cases, own) = run::foresee(&suite.program, &plan)?;
        let earlier = run::remember(&layout::runs_folder()?, &suite.name, &plan);
        let (targets, rounds) = (plan.targets.len(), plan.rounds);
        let seconds = earlier.unwrap_or(own);
        Ok((suite, Foreseen { cases, targets, rounds, seconds, remembered: earlier.is_some() }))
    };
    Expected { name: short(name), suite: foreseen() }
}

/// A suite's name, also of one that is named by its path.
fn short(name: &str) -> String {
    Path::new(name).file_stem().map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

impl Expected {
    fn seconds(&self) -> f64 {
        self.suite.as_ref().map_or(0.0, |(_, foreseen)| foreseen.seconds)
    }

    fn line(&self) -> String {
        let name = &self.name;
        match &self.suite {
            Ok((_, Foreseen { cases, targets, rounds, seconds, remembered })) => {
                let source = if *remembered { "as it took before" } else { "as the suite says" };
                let size = format!("{cases} cases × {targets} targets × {rounds} rounds");
                format!("{name:<24} {size:<42} about {:<8} {source}", human(*seconds))
            }
            Err(error) => format!("{name:<24} cannot be run: {error:#}"),
        }
    }
}

fn table(suites: &[Expected], seconds: f64) -> String {
    let lines: Vec<String> = suites.iter().map(Expected::line).collect();
    format!("{}\n{:<24} about {}, and what has to be built first", lines.join("\n"), "in all", human(seconds))
}

fn verdict(code: u8) -> &'static str {
    match code {
        0 => "measured",
        FOUND => "measured, with a leak",
        INTERRUPTED => "interrupted",
        _ => "not measured as a whole",
    }
}

/// The worse of two exit codes: an interruption, then what could not be measured, then what was found.
fn worse(one: u8, other: u8) -> u8 {
    // They are numbered in this order, and 2 is never a suite's.
    one.max(other)
}
