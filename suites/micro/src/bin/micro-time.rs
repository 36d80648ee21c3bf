//! Measures the time of one operation on one target, with criterion; or checks operations, which comes before.
//!
//! `micro-time TARGET check ID…` prints a line for each id, `micro-time TARGET time ID WARMUP_S WINDOW_S FOLDER` leaves
//! criterion's files in the folder. Reading those is the suite's business: `../suite/time.rs`.

use std::{env, path::Path, process::ExitCode, time::Duration, time::Instant};

use criterion::Criterion;
use probe::leash;
use suite_micro::{suite::time, target, work::Work};

fn main() -> ExitCode {
    leash::hold();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [target, "check", ref ids @ ..] => check(target, ids),
        [target, "time", id, warmup_s, window_s, folder] => time(target, id, [warmup_s, window_s], Path::new(folder)),
        _ => Err("usage: micro-time TARGET check ID… | TARGET time ID WARMUP_S WINDOW_S FOLDER".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Does each operation once for each of its inputs, and prints what came of it.
fn check(target: &str, ids: &[&str]) -> Result<(), String> {
    for id in ids {
        let problem = operation(target, id).and_then(|mut operation| operation.check()).err();
        let checked = time::Checked { id: (*id).to_owned(), problem };
        println!("{}", serde_json::to_string(&checked).map_err(|error| error.to_string())?);
    }
    Ok(())
}

fn time(target: &str, id: &str, [warmup_s, window_s]: [&str; 2], folder: &Path) -> Result<(), String> {
    let mut operation = operation(target, id)?;
    operation.check()?;
    let seconds = |text: &str| {
        let duration = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        duration.filter(|duration| !duration.is_zero()).ok_or_else(|| format!("{text} is no number of seconds"))
    };
    let mut criterion = Criterion::default()
        .warm_up_time(seconds(warmup_s)?)
        .measurement_time(seconds(window_s)?)
        .sample_size(time::SAMPLES)
        .nresamples(time::RESAMPLES)
        .output_directory(folder)
        .without_plots();
    criterion.bench_function(time::NAME, |bencher| {
        bencher.iter_custom(|times| {
            let begun = Instant::now();
            operation.repeat(times);
            begun.elapsed()
        });
    });
    Ok(())
}

fn operation(target: &str, id: &str) -> Result<Box<dyn suite_micro::operation::Operation>, String> {
    let work = Work::named(id).ok_or_else(|| format!("there is no {id}"))?;
    target::operation(target, work, 1).ok_or_else(|| format!("{target} takes no part in {id}"))
}
