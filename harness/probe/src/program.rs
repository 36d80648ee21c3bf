//! What the main function of a suite does: the command line, and the two ends of the conversation.
//!
//! A suite hands over its cases and what runs a plan; the command line, the plan on standard input, the events on
//! standard output and the end when standard input closes are the same for all. Read next: `suite.rs`, the words.

use std::{
    fmt::Display,
    io::{self, BufRead, Write},
    process::{self, ExitCode},
    thread,
};

use crate::suite::{Case, Event, Plan};

/// Answers `list` with `cases` and `run` with `run`; `name` is the suite's, without `suite-`.
#[must_use]
pub fn main<E: Display>(name: &str, cases: &[Case], run: impl Fn(&Plan) -> Result<(), E>) -> ExitCode {
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
            eprintln!("{error}");
            ExitCode::from(3)
        }
    }
}

fn list(cases: &[Case]) -> Result<(), String> {
    for case in cases {
        println!("{}", serde_json::to_string(case).map_err(|error| error.to_string())?);
    }
    Ok(())
}

fn start_run<E: Display>(run: impl Fn(&Plan) -> Result<(), E>) -> Result<(), String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| format!("standard input cannot be read: {error}"))?;
    if line.is_empty() {
        return Err("no plan came on standard input".to_owned());
    }
    let plan: Plan = serde_json::from_str(&line)
        .map_err(|error| format!("the first line of standard input is not a plan: {error}"))?;
    // Whoever drives this suite ends it by closing its standard input. Every child asked the kernel to be killed
    // with this process, so ending is all there is to do.
    thread::spawn(|| {
        let mut rest = String::new();
        while io::stdin().lock().read_line(&mut rest).is_ok_and(|bytes| bytes > 0) {
            rest.clear();
        }
        process::exit(3);
    });
    run(&plan).map_err(|error| format!("{error:#}"))?;
    say(&Event::Finished).map_err(|error| error.to_string())
}

/// Prints an event; whoever listens reads line by line.
///
/// # Errors
/// When nobody listens.
pub fn say(event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)
        .and_then(|()| out.flush())
        .map_err(|error| io::Error::other(format!("nobody listens on standard output: {error}")))
}
