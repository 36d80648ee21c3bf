//! Drives the load generator, and measures one window on one server.

use std::{path::Path, time::Duration};

use anyhow::{Result, anyhow, bail};
use probe::{
    load::{Event, Go, Outcome, Plan},
    message::Counters,
};

use crate::{
    process::{Child, Silence, Start, describe},
    target::{Server, Trouble},
    witness::{Seen, Witness},
};

/// What one window showed, from both sides and from the database's.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// What the generator saw.
    pub outcome: Outcome,
    /// The server's counters when the window began; nothing was in flight then.
    pub before: Counters,
    /// The server's counters when every answer was in.
    pub after: Counters,
    /// What the database had seen at the same two moments, where that was asked for.
    pub seen: Option<Result<[Seen; 2], String>>,
}

/// Why a window has no figures.
#[derive(Debug)]
pub enum Failure {
    /// The server is to blame.
    Server(Trouble),
    /// The generator is.
    Generator(anyhow::Error),
}

/// Loads `server` with `plan` and reads its counters while nothing is in flight, before and after.
///
/// # Errors
/// When either process fails; whose fault it was is in the error.
pub fn window(
    loadgen: &Path,
    server: &mut Server,
    plan: &Plan,
    witness: Option<&Witness<'_>>,
) -> Result<Window, Failure> {
    let mut generator = Generator::start(loadgen, plan).map_err(Failure::Generator)?;
    if let Err(error) = generator.warm() {
        return Err(fault(server, error));
    }
    let before = server.quiesce().map_err(Failure::Server)?;
    let first = witness.map(|witness| witness.look(server, &before));
    let outcome = generator.go().map_err(|error| fault(server, error))?;
    let after = server.quiesce().map_err(Failure::Server)?;
    let last = witness.map(|witness| witness.look(server, &after));
    let seen = first
        .zip(last)
        .map(|(first, last)| first.and_then(|first| Ok([first, last?])).map_err(|error| format!("{error:#}")));
    Ok(Window { outcome, before, after, seen })
}

/// Loads `server` with `plan` and leaves its counters alone: reading them makes system calls, which would be counted too.
///
/// # Errors
/// As [`window`].
pub(crate) fn unread(loadgen: &Path, server: &mut Server, plan: &Plan) -> Result<Outcome, Failure> {
    let loaded = Generator::start(loadgen, plan).and_then(|mut generator| {
        generator.warm()?;
        generator.go()
    });
    loaded.map_err(|error| fault(server, error))
}

/// Whose fault an error is that the generator met.
fn fault(server: &mut Server, error: anyhow::Error) -> Failure {
    if server.is_running() { Failure::Generator(error) } else { Failure::Server(server.trouble()) }
}

/// The load generator at work on one plan.
struct Generator {
    child: Child,
    patience: Duration,
}

impl Generator {
    fn start(loadgen: &Path, plan: &Plan) -> Result<Self> {
        // The generator binds its threads itself; the process as a whole is kept off the server's CPUs too.
        let mut start = Start::new("loadgen", loadgen).arguments(["--plan"]);
        start.cpus = &plan.cpus;
        let mut child = start.spawn()?;
        child.say(plan)?;
        let patience = Duration::from_secs_f64(plan.warmup_s.max(plan.duration_s) + 2.0 * plan.timeout_s + 5.0);
        Ok(Self { child, patience })
    }

    fn warm(&mut self) -> Result<()> {
        match self.hear()? {
            Event::Warm => Ok(()),
            other => bail!("loadgen said {other:?} instead of that it is warm"),
        }
    }

    fn go(mut self) -> Result<Outcome> {
        self.child.say(&Go::Go)?;
        match self.hear()? {
            Event::Done(outcome) => {
                self.child.end(Duration::from_secs(1));
                Ok(outcome)
            }
            other => bail!("loadgen said {other:?} instead of its outcome"),
        }
    }

    fn hear(&mut self) -> Result<Event> {
        match self.child.hear(self.patience) {
            Ok(Event::Failed { message }) => bail!("the load could not be run: {message}"),
            Ok(event) => Ok(event),
            Err(Silence::Timeout) => bail!("loadgen said nothing for {:.0} s", self.patience.as_secs_f64()),
            Err(Silence::Garbage(line)) => bail!("loadgen said something that is not a message: {line:?}"),
            Err(Silence::Closed) => {
                let end = self.child.wait(Duration::from_secs(1)).map_or("closed its output".to_owned(), describe);
                Err(anyhow!("loadgen {end}: {}", self.child.stderr_tail().join(" / ")))
            }
        }
    }
}
