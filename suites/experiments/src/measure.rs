//! One side of one experiment in this process: `measure base|head check ID… | time ID WARMUP_S WINDOW_S | repeat ID SCALE TIMES
//! | allocations ID`.
//!
//! Nothing is concluded here. `check` prints a line for each id, the others one figure. The suite starts them: `suite.rs`.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use probe::{leash, usage};

use crate::{
    catalogue,
    experiment::{Experiment, Input, Side},
    operation::{self, INPUTS, Operation},
};

/// The id of what measuring costs by itself. It has no case; counts are held against it.
pub(crate) const NOTHING: &str = "nothing";

/// Stretches that a window is divided into; their median is the launch's figure.
const STRETCHES: u32 = 20;

/// Operations over which allocations are counted: several passes, so that what is grown once shows as less than one.
const COUNTED: u64 = 100 * INPUTS as u64;

/// Does what the words after `measure` say.
pub(crate) fn main(words: &[String]) -> ExitCode {
    leash::hold();
    match measure(&words.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(figure) => {
            println!("{figure}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(words: &[&str]) -> Result<String, String> {
    let usage =
        || "usage: measure base|head check ID… | time ID WARMUP_S WINDOW_S | repeat ID SCALE TIMES | allocations ID";
    let [side, verb, rest @ ..] = words else { return Err(usage().to_owned()) };
    let side = Side::named(side).ok_or_else(|| usage().to_owned())?;
    match (*verb, rest) {
        ("check", ids) => Ok(check(ids)),
        ("time", [id, warmup_s, window_s]) => time(side, id, seconds(warmup_s)?, seconds(window_s)?),
        ("repeat", [id, scale, times]) => {
            let number = |word: &str| word.parse().map_err(|_| format!("{word} is no whole number"));
            let mut operation = made(side, id, number(scale)? as usize)?;
            counted(&mut *operation, number(times)?);
            // Taking down what was built for it is no part of what is counted, nor is it of a server's work.
            std::mem::forget(operation);
            Ok(String::new())
        }
        ("allocations", [id]) => allocations(made(side, id, 1)?),
        _ => Err(usage().to_owned()),
    }
}

/// What callgrind collects the instructions of (`count.rs`), so it stays a function of its own.
#[inline(never)]
fn counted(operation: &mut dyn Operation, times: u64) {
    operation.repeat(times);
}

/// Whether both sides of each id tell the same answers, whichever was asked: a line `ID` or `ID PROBLEM` each.
fn check(ids: &[&str]) -> String {
    let line = |id: &&str| match catalogue::find(id).map(|(experiment, input)| problem(experiment, input)) {
        Some(None) => (*id).to_owned(),
        Some(Some(problem)) => format!("{id} {problem}"),
        None => format!("{id} there is no such experiment"),
    };
    ids.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What is wrong with the answers of an experiment on an input.
pub(crate) fn problem(experiment: &Experiment, input: &Input) -> Option<String> {
    // At scale 2, so that the inputs of the larger count are checked as well.
    let [base, head] = [Side::Baseline, Side::Candidate].map(|side| (experiment.make)(side, input, 2).answers());
    let differs = base.iter().zip(&head).position(|(one, other)| one != other);
    match differs {
        Some(at) => Some(format!("input {at}: the baseline says {:?}, the candidate {:?}", base[at], head[at])),
        None if base.len() != head.len() => Some("the sides have not the same inputs".to_owned()),
        None => base.iter().all(String::is_empty).then(|| "neither side says anything".to_owned()),
    }
}

fn made(side: Side, id: &str, scale: usize) -> Result<Box<dyn Operation>, String> {
    if id == NOTHING {
        return Ok(operation::nothing(scale));
    }
    let (experiment, input) = catalogue::find(id).ok_or_else(|| format!("there is no {id}"))?;
    let mut operation = (experiment.make)(side, input, scale);
    // Done once for each input, so that nothing is done for the first time when it is measured.
    operation.answers();
    Ok(operation)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let duration = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.filter(|duration| !duration.is_zero()).ok_or_else(|| format!("{text} is no number of seconds"))
}

/// ns an operation: the median of the window's stretches, which have as many operations as the warm-up says.
fn time(side: Side, id: &str, warmup: Duration, window: Duration) -> Result<String, String> {
    let mut operation = made(side, id, 1)?;
    let (begun, mut pass, mut each) = (Instant::now(), INPUTS as u64, f64::MAX);
    while begun.elapsed() < warmup {
        let pass_begun = Instant::now();
        operation.repeat(pass);
        each = pass_begun.elapsed().as_secs_f64() / pass as f64;
        pass *= 2;
    }
    // The last pass is the longest, so that it tells best what one operation takes.
    let stretch = (window.as_secs_f64() / f64::from(STRETCHES) / each) as u64;
    let times = stretch.max(1).next_multiple_of(INPUTS as u64);
    let mut figures: Vec<f64> = (0..STRETCHES)
        .map(|_| {
            let begun = Instant::now();
            operation.repeat(times);
            begun.elapsed().as_secs_f64() * 1e9 / times as f64
        })
        .collect();
    figures.sort_unstable_by(f64::total_cmp);
    let middle = figures.len() / 2;
    Ok(f64::midpoint(figures[middle - 1], figures[middle]).to_string())
}

/// Blocks and bytes an operation asks for, as two figures; `Err` in a build that does not count.
fn allocations(mut operation: Box<dyn Operation>) -> Result<String, String> {
    let read = || usage::read().allocations.ok_or("this build does not count its allocations");
    // Reading allocates too, alike each time.
    let mut windows = [(0, 0); 2];
    for (window, times) in windows.iter_mut().zip([0, COUNTED]) {
        let before = read()?;
        operation.repeat(times);
        let after = read()?;
        *window = (after.calls - before.calls, after.bytes - before.bytes);
    }
    let [empty, full] = windows;
    let each = |empty: u64, full: u64| full.saturating_sub(empty) as f64 / COUNTED as f64;
    Ok(format!("{} {}", each(empty.0, full.0), each(empty.1, full.1)))
}
