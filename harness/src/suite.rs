//! Meets suites: asks one for its cases, and runs one while listening to it.
//!
//! A suite is a program; what it says is `probe::suite`. Read next: `record.rs`.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, bail};
use probe::suite::{Case, Event, Plan};

use crate::process::{Child, Silence, Start, describe};

/// The cases that a suite knows.
///
/// # Errors
/// When the program does not answer as a suite does.
pub fn cases(program: &Path) -> Result<Vec<Case>> {
    let output = Command::new(program)
        .arg("list")
        .output()
        .with_context(|| format!("the suite {} cannot be started", program.display()))?;
    if !output.status.success() {
        bail!("the suite {} {}", program.display(), describe(output.status));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| {
            serde_json::from_str(line)
                .with_context(|| format!("the suite {} listed something else than a case: {line}", program.display()))
        })
        .collect()
}

/// A suite at work.
#[derive(Debug)]
pub struct Session {
    child: Child,
}

/// What came of listening for a while.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// The suite said something.
    Event(Box<Event>),
    /// Nothing yet.
    Nothing,
    /// It ended without [`Event::Finished`], or says things that are not events; a sentence for people.
    Broken(String),
}

impl Session {
    /// Starts the suite on a plan.
    ///
    /// # Errors
    /// When the program cannot be started or does not read.
    pub fn start(program: &Path, plan: &Plan) -> Result<Self> {
        let mut child = Start::new("the suite", program).arguments(["run"]).spawn()?;
        child.say(plan)?;
        Ok(Self { child })
    }

    /// Listens for at most `patience`.
    pub fn listen(&mut self, patience: Duration) -> Heard {
        match self.child.hear::<Event>(patience) {
            Ok(event) => Heard::Event(Box::new(event)),
            Err(Silence::Timeout) => Heard::Nothing,
            Err(Silence::Garbage(line)) => Heard::Broken(format!("the suite said something that is no event: {line}")),
            Err(Silence::Closed) => {
                let end = self.child.wait(Duration::from_secs(1)).map_or("closed its output".to_owned(), describe);
                Heard::Broken(format!("the suite {end}: {}", self.child.stderr_tail().join(" / ")))
            }
        }
    }

    /// Ends it, with all that it started: hangs up and waits for `patience`, then kills.
    pub fn end(mut self, patience: Duration) {
        self.child.end(patience);
    }
}
