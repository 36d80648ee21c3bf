//! Does one pattern again and again: `allocation-pattern WAY CASE REPETITIONS SCALE`.
//!
//! The work is done in two windows, of REPETITIONS and of three times as many; SCALE multiplies its size. Before, between and
//! after them the counters are read, which is where callgrind ends a part of its counts. What was read is printed as a line
//! of JSON: `{"allocations":[…],"peak_bytes":…}`, the totals at the three readings. The patterns are `pattern.rs`'s.

use std::{env, process::ExitCode};

use probe::{leash, usage};

mod pattern;

#[cfg(not(feature = "count-allocations"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(feature = "count-allocations")]
#[global_allocator]
static ALLOCATOR: probe::allocator::Counting<mimalloc::MiMalloc> = probe::allocator::Counting(mimalloc::MiMalloc);

fn main() -> ExitCode {
    leash::hold();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let told = match words[..] {
        [way, case, repetitions, scale] => match (repetitions.parse(), scale.parse()) {
            (Ok(repetitions), Ok(scale)) => look(way, case, repetitions, scale),
            _ => Err("REPETITIONS and SCALE are whole numbers".to_owned()),
        },
        _ => Err("usage: allocation-pattern WAY CASE REPETITIONS SCALE".to_owned()),
    };
    match told {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn look(way: &str, case: &str, repetitions: u64, scale: usize) -> Result<String, String> {
    let mut work = pattern::work(way, case, scale).ok_or_else(|| format!("{way} takes no part in {case}"))?;
    // What is made once and kept is made by then.
    work(repetitions);
    let peak = peak_of(|| work(1));
    let first = usage::read();
    work(repetitions);
    let second = usage::read();
    work(3 * repetitions);
    let third = usage::read();
    let allocations: Option<Vec<_>> = [first, second, third].iter().map(|read| read.allocations).collect();
    serde_json::to_string(&serde_json::json!({ "allocations": allocations, "peak_bytes": peak }))
        .map_err(|error| error.to_string())
}

/// The most bytes that are live at once in `act`, on top of those before; `None` in a build that does not count.
#[cfg(feature = "count-allocations")]
fn peak_of(act: impl FnOnce()) -> Option<u64> {
    probe::allocator::begin_peak();
    let before = probe::allocator::peak_bytes();
    act();
    Some(probe::allocator::peak_bytes() - before)
}

#[cfg(not(feature = "count-allocations"))]
fn peak_of(act: impl FnOnce()) -> Option<u64> {
    act();
    None
}
