//! Drives the load generator, and measures one window on one server.

use std::{path::Path, time::Duration};

use anyhow::{Result, anyhow, bail};
use probe::{
    load::{Errors, Event, Go, Health, Outcome, Plan},
    message::Counters,
};

use crate::{
    process::{Child, Silence, Start, describe},
    stats::{self, histogram},
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

impl Window {
    /// Several windows on one server as if they were one: what was counted is added up, histograms are merged, what lay between
    /// the windows is left out. What the database saw is that of each window, and of none of them together.
    ///
    /// # Errors
    /// When there is none, or a histogram cannot be read.
    pub(crate) fn joined(windows: &[Self]) -> Result<Self> {
        let [first, rest @ ..] = windows else { bail!("no window was taken") };
        if rest.is_empty() {
            return Ok(first.clone());
        }
        let outcomes = || windows.iter().map(|window| &window.outcome);
        let duration_s = outcomes().map(|outcome| outcome.duration_s).sum();
        let busy_s: f64 = outcomes().map(|outcome| outcome.health.cpu_share * outcome.duration_s).sum();
        let lags: Vec<f64> = outcomes().map(|outcome| outcome.health.send_lag_us_p99 as f64).collect();
        let due: Option<Vec<&str>> = outcomes().map(|outcome| outcome.histogram_due.as_deref()).collect();
        let outcome = Outcome {
            requests: outcomes().map(|outcome| outcome.requests).sum(),
            requests_total: outcomes().map(|outcome| outcome.requests_total).sum(),
            duration_s,
            bytes_read: outcomes().map(|outcome| outcome.bytes_read).sum(),
            connects: outcomes().map(|outcome| outcome.connects).sum(),
            errors: outcomes().map(|outcome| outcome.errors).fold(Errors::default(), Errors::plus),
            verified: outcomes().map(|outcome| outcome.verified).sum(),
            first_error: outcomes().find_map(|outcome| outcome.first_error.clone()),
            histogram_sent: merged(outcomes().map(|outcome| outcome.histogram_sent.as_str()))?,
            histogram_due: due.map(merged).transpose()?,
            health: Health {
                cpu_share: busy_s / duration_s,
                // Percentiles do not add up. One window of many in which the generator was held up spoils that one.
                send_lag_us_p99: stats::median(&lags).unwrap_or_default() as u64,
            },
        };
        let before = Counters::default();
        let after = windows.iter().fold(before, |sum, window| used(sum, &window.before, &window.after));
        Ok(Self { outcome, before, after, seen: None })
    }
}

/// `sum`, and what was used from `before` to `after`; memory as it was last.
fn used(sum: Counters, before: &Counters, after: &Counters) -> Counters {
    let add = |of: fn(&Counters) -> u64| of(&sum) + of(after).saturating_sub(of(before));
    Counters {
        cpu_user_us: add(|counters| counters.cpu_user_us),
        cpu_system_us: add(|counters| counters.cpu_system_us),
        context_switches_voluntary: add(|counters| counters.context_switches_voluntary),
        context_switches_involuntary: add(|counters| counters.context_switches_involuntary),
        ..*after
    }
}

fn merged<'a>(histograms: impl IntoIterator<Item = &'a str>) -> Result<String> {
    histogram::merge(histograms)?.map_or_else(|| bail!("no histogram was taken"), |sum| histogram::encode(&sum))
}

/// Why a window has no figures.
#[derive(Debug)]
pub enum Failure {
    /// The server is to blame.
    Server(Trouble),
    /// The generator is.
    Generator(anyhow::Error),
}

/// Loads `server` with `plan` for one window.
///
/// # Errors
/// As [`Load::window`].
pub fn window(
    loadgen: &Path,
    server: &mut Server,
    plan: &Plan,
    witness: Option<&Witness<'_>>,
) -> Result<Window, Failure> {
    Load::start(loadgen, server, plan)?.window(server, witness)
}

/// Loads `server` with `plan` and leaves its counters alone: reading them makes system calls, which would be counted too.
///
/// # Errors
/// As [`Load::window`].
pub(crate) fn unread(loadgen: &Path, server: &mut Server, plan: &Plan) -> Result<Outcome, Failure> {
    let mut load = Load::start(loadgen, server, plan)?;
    load.generator.go().map_err(|error| fault(server, error))
}

/// A generator that is connected to a server and has warmed it up: windows are taken of it one after the other.
#[derive(Debug)]
pub struct Load {
    generator: Generator,
    is_fresh: bool,
}

impl Load {
    /// Connects to `server`, and warms up.
    ///
    /// # Errors
    /// When either process fails; whose fault it was is in the error.
    pub fn start(loadgen: &Path, server: &mut Server, plan: &Plan) -> Result<Self, Failure> {
        let mut generator = Generator::start(loadgen, plan).map_err(Failure::Generator)?;
        generator.warm().map_err(|error| fault(server, error))?;
        Ok(Self { generator, is_fresh: true })
    }

    /// Takes a window: loads the server, and reads its counters while nothing is in flight, before and after.
    ///
    /// # Errors
    /// When either process fails; whose fault it was is in the error.
    pub fn window(&mut self, server: &mut Server, witness: Option<&Witness<'_>>) -> Result<Window, Failure> {
        // After an earlier window there is nothing to be waited for.
        let before = if self.is_fresh { server.quiesce() } else { server.counters() }.map_err(Failure::Server)?;
        self.is_fresh = false;
        let first = witness.map(|witness| witness.look(server, &before));
        let outcome = self.generator.go().map_err(|error| fault(server, error))?;
        let after = server.quiesce().map_err(Failure::Server)?;
        let last = witness.map(|witness| witness.look(server, &after));
        let seen = first
            .zip(last)
            .map(|(first, last)| first.and_then(|first| Ok([first, last?])).map_err(|error| format!("{error:#}")));
        Ok(Window { outcome, before, after, seen })
    }
}

/// Whose fault an error is that the generator met.
fn fault(server: &mut Server, error: anyhow::Error) -> Failure {
    if server.is_running() { Failure::Generator(error) } else { Failure::Server(server.trouble()) }
}

/// The load generator at work on one plan.
#[derive(Debug)]
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

    fn go(&mut self) -> Result<Outcome> {
        self.child.say(&Go::Go)?;
        match self.hear()? {
            Event::Done(outcome) => Ok(outcome),
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
