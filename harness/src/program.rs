//! The other side of `suite.rs`: what the main function of a suite does.
//!
//! A suite hands over its cases and what runs a plan; the command line, the plan on standard input, the events on
//! standard output and the end when standard input closes are the same for all.

use std::{
    io::{self, BufRead, Write},
    process::{self, ExitCode},
    thread,
};

use anyhow::{Context, Result, bail};
use probe::suite::{Case, Event, Plan};

/// Answers `list` with `cases` and `run` with `run`; `name` is the suite's, without `suite-`.
#[must_use]
pub fn main(name: &str, cases: &[Case], run: impl Fn(&Plan) -> Result<()>) -> ExitCode {
    let argument = std::env::args().nth(1);
    let outcome = match argument.as_deref() {
        Some("list") => list(cases),
        Some("run") => start_run(run),
        _ => {
            eprintln!(
                "The suite {name} of the Armature lab; `cargo xtask bench --suite {name}` drives it.\n\n\
                 Usage: suite-{name} list   print the cases, one JSON object a line\n\
                 \x20      suite-{name} run    read a plan from the first line of standard input and run it\n\n\
                 Example:\n  suite-{name} list"
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

fn list(cases: &[Case]) -> Result<()> {
    for case in cases {
        println!("{}", serde_json::to_string(case)?);
    }
    Ok(())
}

fn start_run(run: impl Fn(&Plan) -> Result<()>) -> Result<()> {
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
    run(&plan)?;
    say(&Event::Finished)
}

/// Prints an event; whoever listens reads line by line.
///
/// # Errors
/// When nobody listens.
pub fn say(event: &Event) -> Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line).and_then(|()| out.flush()).context("nobody listens on standard output")
}
