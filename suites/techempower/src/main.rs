//! The TechEmpower tests as a suite: a program that answers `list` and `run` (see `probe::suite`).
//!
//! `scenario.rs` says what is sent, `verify.rs` what must come back before anything is timed, `round.rs` measures, and
//! `run.rs` puts them in order. It links no framework: servers are processes behind sockets.

use std::{
    io::{self, BufRead, Write},
    process::{self, ExitCode},
    thread,
};

use anyhow::{Context, Result, bail};
use probe::suite::{Event, Plan};

mod round;
mod run;
mod scenario;
mod verify;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1);
    let outcome = match argument.as_deref() {
        Some("list") => list(),
        Some("run") => start_run(),
        _ => {
            eprintln!(
                "The TechEmpower tests, a suite of the Armature lab; `cargo xtask bench --suite techempower` drives it.\n\n\
                 Usage: suite-techempower list   print the cases, one JSON object a line\n\
                 \x20      suite-techempower run    read a plan from the first line of standard input and run it\n\n\
                 Example:\n  suite-techempower list"
            );
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(3)
        }
    }
}

fn list() -> Result<()> {
    for scenario in scenario::all(&[scenario::CONNECTIONS]) {
        println!("{}", serde_json::to_string(&scenario.case)?);
    }
    Ok(())
}

fn start_run() -> Result<()> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("standard input cannot be read")?;
    if line.is_empty() {
        bail!("no plan came on standard input");
    }
    let plan: Plan = serde_json::from_str(&line).context("the first line of standard input is not a plan")?;
    // Whoever drives this suite ends it by closing its standard input. Every child asked the kernel to be killed
    // with this process, so ending is all there is to do.
    thread::spawn(|| {
        let mut rest = String::new();
        while io::stdin().lock().read_line(&mut rest).is_ok_and(|bytes| bytes > 0) {
            rest.clear();
        }
        process::exit(3);
    });
    run::run(&plan)?;
    say(&Event::Finished)
}

/// Prints an event; whoever listens reads line by line.
fn say(event: &Event) -> Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line).and_then(|()| out.flush()).context("nobody listens on standard output")
}
