//! The way in for the lab: a [`Plan`] on standard input, [`Event`]s on standard output, as `probe::load` says it.
//! Standard input is the leash as well: when it closes, the lab is gone and the process ends at once.

use std::{
    io::{self, BufRead, Write},
    process::{self, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
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
    let has_result = Arc::new(AtomicBool::new(false));
    let listener_has_result = Arc::clone(&has_result);
    thread::spawn(move || listen(&go, &listener_has_result));
    let mut engine = match Engine::warm_up(load) {
        Ok(engine) => engine,
        Err(message) => return fail(message),
    };
    say(&Event::Warm);
    // The listener ends the process and not the channel.
    while gone.recv().is_ok() {
        has_result.store(false, Ordering::Relaxed);
        match engine.run() {
            Ok(outcome) => {
                has_result.store(true, Ordering::Relaxed);
                say(&Event::Done(outcome));
            }
            Err(message) => return fail(message),
        }
    }
    ExitCode::from(FAILED)
}

/// Reads what comes after the plan, for as long as the process lives. Whoever hangs up with a window's outcome in hand is content.
fn listen(go: &mpsc::Sender<()>, has_result: &AtomicBool) {
    for line in io::stdin().lock().lines() {
        match line.map(|line| serde_json::from_str(&line)) {
            Ok(Ok(Go::Go)) => {
                // A `go` that comes during a window is for the next one.
                let _ = go.send(());
            }
            Ok(Err(error)) => {
                refuse(&format!("not a command: {error}"));
                process::exit(i32::from(USAGE));
            }
            Err(_) => break,
        }
    }
    process::exit(if has_result.load(Ordering::Relaxed) { 0 } else { i32::from(FAILED) });
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
