//! The way in for the lab: a [`Plan`] on standard input, [`Event`]s on standard output, as `probe::load` says it.
//! Standard input is the leash as well: when it closes, the lab is gone and the process ends at once.

use std::{
    io::{self, BufRead, Write},
    process::{self, ExitCode},
    sync::mpsc,
    thread,
};

use probe::load::{Event, Go, Plan};

use crate::{FAILED, USAGE, engine::Engine, load::Load};

/// Runs the plan that standard input holds.
pub(crate) fn run() -> ExitCode {
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(0) => return refuse("standard input closed before a plan came; `loadgen --help` shows both ways in"),
        Ok(_) => {}
        Err(error) => return refuse(&format!("standard input: {error}")),
    }
    let load = serde_json::from_str::<Plan>(&line)
        .map_err(|error| format!("the first line is not a plan: {error}"))
        .and_then(|plan| Load::new(&plan).map_err(|error| format!("the plan cannot be run: {error}")));
    let load = match load {
        Ok(load) => load,
        Err(words) => return refuse(&words),
    };
    let (go, gone) = mpsc::channel();
    thread::spawn(move || listen(&go));
    let engine = match Engine::warm_up(load) {
        Ok(engine) => engine,
        Err(message) => return fail(message),
    };
    say(&Event::Warm);
    // The listener ends the process and not the channel, so there is nothing to do if receiving fails.
    if gone.recv().is_err() {
        return ExitCode::from(FAILED);
    }
    match engine.run() {
        Ok(outcome) => {
            say(&Event::Done(outcome));
            ExitCode::SUCCESS
        }
        Err(message) => fail(message),
    }
}

/// Reads what comes after the plan, for as long as the process lives.
fn listen(go: &mpsc::Sender<()>) {
    for line in io::stdin().lock().lines() {
        match line.map(|line| serde_json::from_str(&line)) {
            Ok(Ok(Go::Go)) => {
                // A second `go` finds the receiver gone and means nothing.
                let _ = go.send(());
            }
            Ok(Err(error)) => {
                refuse(&format!("not a command: {error}"));
                process::exit(i32::from(USAGE));
            }
            Err(_) => break,
        }
    }
    process::exit(i32::from(FAILED));
}

fn refuse(words: &str) -> ExitCode {
    eprintln!("loadgen: {words}");
    say(&Event::Failed { message: words.to_owned() });
    ExitCode::from(USAGE)
}

fn fail(message: String) -> ExitCode {
    say(&Event::Failed { message });
    ExitCode::from(FAILED)
}

/// Writes one line; a lab that no longer reads is a lab that is gone.
fn say(event: &Event) {
    let written = serde_json::to_string(event).map_err(io::Error::from).and_then(|line| {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()
    });
    if written.is_err() {
        process::exit(i32::from(FAILED));
    }
}
