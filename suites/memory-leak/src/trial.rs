//! One target under one kind of traffic: cycles, a reading of the live memory after each, and the verdict.
//!
//! The first cycles are warm-up: what is made once and kept is made by then. Where the memory grows over the cycles behind
//! them, as many follow, with every block remembered by where it comes from. What grows no further was something that fills
//! up; what does is a leak.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use harness::{
    stats::{self, Trend},
    target::{Server, Setup, Trouble},
};
use probe::{
    Ready,
    message::{Allocations, Site},
    suite::Target,
};

use crate::traffic::{Client, Traffic};

/// Cycles before the first reading that counts.
const WARM_UP_CYCLES: usize = 6;

/// Cycles that are looked at.
const CYCLES: usize = 16;

/// Watched cycles before the call sites are asked for the first time; they are compared with those at the end.
const CYCLES_BEFORE_SITES: usize = 4;

/// How many times longer a server may take to answer: finding the lines of its call sites takes it a while.
const SLOWDOWN: u32 = 6;

/// How long a trial takes, s, measured on two CPUs.
pub(crate) const EXPECTED_S: f64 = 2.0;

/// The same where each cycle waits for a deadline.
pub(crate) const TIMEOUTS_S: f64 = 6.5;

/// Call sites that are told.
const SITES_TOLD: usize = 3;

/// What a trial showed.
pub(crate) struct Outcome {
    pub(crate) ready: Option<Ready>,
    /// What growth is divided by, in a word.
    pub(crate) what: &'static str,
    /// Live bytes, per request.
    pub(crate) bytes: Trend,
    /// Live blocks, per request.
    pub(crate) blocks: Trend,
    /// Where what grew comes from, the largest first; empty when nothing leaks or the server cannot tell.
    pub(crate) grown: Vec<Site>,
    /// Further figures.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// What was seen over time.
    pub(crate) series: BTreeMap<String, Vec<[f64; 2]>>,
}

impl Outcome {
    pub(crate) fn new(bytes: Trend, blocks: Trend) -> Self {
        let (metrics, series) = (BTreeMap::new(), BTreeMap::new());
        Self { ready: None, what: "request", bytes, blocks, grown: Vec::new(), metrics, series }
    }

    /// Whether live memory grows.
    pub(crate) fn grows(&self) -> bool {
        self.bytes.grows() || self.blocks.grows()
    }

    /// A sentence about the leak, if it is one.
    pub(crate) fn leak(&self, target: &str, case: &str) -> Option<String> {
        if !self.grows() {
            return None;
        }
        let mut text = format!(
            "Target {target} leaks in case {case}: {:.2} bytes (95 % interval {:.2} to {:.2}) and {:.3} blocks a {}.",
            self.bytes.slope, self.bytes.low, self.bytes.high, self.blocks.slope, self.what
        );
        if self.grown.is_empty() {
            text.push_str(" It does not tell where they come from.");
        }
        for site in self.grown.iter().take(SITES_TOLD) {
            let calls = site.calls.join(", called by ");
            text.push_str(&format!(" {} bytes in {} blocks come from {calls}.", site.bytes, site.blocks));
        }
        Some(text)
    }
}

/// Runs cycles of one kind of traffic.
///
/// # Errors
/// When the server cannot be used, or tells no allocations.
pub(crate) fn run(target: &Target, cpus: &[usize], traffic: Traffic) -> Result<Outcome, Trouble> {
    let mut server = start(target, cpus, traffic.arguments())?;
    let ready = server.ready().cloned();
    let mut clients = [Client::new(server.address(), traffic)];
    cycles(&mut server, &mut clients, WARM_UP_CYCLES)?;
    let readings = cycles(&mut server, &mut clients, CYCLES)?;
    let (bytes, blocks) = trends(by_requests(readings, traffic.requests()));
    let mut outcome = Outcome { ready, ..Outcome::new(bytes, blocks) };
    if outcome.grows() {
        watch(&mut server, &mut clients, traffic.requests(), &mut outcome)?;
    }
    // Closed first: a server that drains may wait for its clients.
    drop(clients);
    server.stop()?;
    Ok(outcome)
}

/// Starts the build that counts, with further arguments.
///
/// # Errors
/// When the server cannot be used.
pub(crate) fn start(target: &Target, cpus: &[usize], arguments: &[&str]) -> Result<Server, Trouble> {
    // A server that tells its allocations in its one build needs no other.
    let mut command = if target.counting.is_empty() { target.command.clone() } else { target.counting.clone() };
    command.extend(arguments.iter().map(|word| (*word).to_owned()));
    // One worker, so that it does not depend on chance which of them makes what it makes once.
    let setup = Setup { cpus: &cpus[..cpus.len().min(1)], database: None, pool: None, slowdown: SLOWDOWN };
    Server::start(&Target { command, ..target.clone() }, &setup)
}

/// Looks at memory that has grown for as many cycles more, with every block remembered by where it comes from; what was
/// found before is replaced by what is found now.
///
/// # Errors
/// As [`cycles`].
pub(crate) fn watch(
    server: &mut Server,
    clients: &mut [Client],
    requests: usize,
    outcome: &mut Outcome,
) -> Result<(), Trouble> {
    let is_watched = server.watch()?;
    let mut readings = cycles(server, clients, CYCLES_BEFORE_SITES)?;
    let before = if is_watched { server.sites()? } else { Vec::new() };
    readings.extend(cycles(server, clients, CYCLES)?);
    if is_watched {
        outcome.grown = growth(&before, server.sites()?);
    }
    (outcome.bytes, outcome.blocks) = trends(by_requests(readings, requests));
    Ok(())
}

/// The readings after each of so many cycles, in which all clients take their turn.
///
/// # Errors
/// When the server cannot be used, or tells no allocations.
pub(crate) fn cycles(server: &mut Server, clients: &mut [Client], count: usize) -> Result<Vec<Allocations>, Trouble> {
    (0..count)
        .map(|_| {
            for client in &mut *clients {
                let pause = || server.quiesce().map(drop).map_err(|trouble| io::Error::other(trouble.reason));
                client.cycle(pause).map_err(|error| broken_off(server, &error))?;
            }
            server.quiesce()?.allocations.ok_or_else(|| Trouble {
                reason: "its counters tell no allocations; was it built to count them?".to_owned(),
                stderr_tail: Vec::new(),
            })
        })
        .collect()
}

/// Why there was no more traffic.
pub(crate) fn broken_off(server: &mut Server, error: &io::Error) -> Trouble {
    Trouble { reason: format!("the traffic broke off: {error}"), stderr_tail: server.trouble().stderr_tail }
}

/// Readings by how many requests had been sent, when each cycle sends so many.
fn by_requests(readings: Vec<Allocations>, requests: usize) -> Vec<(f64, Allocations)> {
    readings.into_iter().enumerate().map(|(cycle, reading)| ((cycle * requests) as f64, reading)).collect()
}

/// How live bytes and live blocks grow, per unit of what the readings stand by.
pub(crate) fn trends(readings: Vec<(f64, Allocations)>) -> (Trend, Trend) {
    let trend = |figure: fn(&Allocations) -> u64| {
        let points: Vec<[f64; 2]> = readings.iter().map(|(at, reading)| [*at, figure(reading) as f64]).collect();
        stats::trend_of(&points).unwrap_or(Trend { slope: 0.0, low: 0.0, high: 0.0 })
    };
    (trend(|reading| reading.live_bytes), trend(|reading| reading.live_blocks))
}

/// The sites that hold more than before, and how much more; the largest growth first.
pub(crate) fn growth(before: &[Site], after: Vec<Site>) -> Vec<Site> {
    let before: HashMap<&[String], &Site> = before.iter().map(|site| (site.calls.as_slice(), site)).collect();
    let mut grown: Vec<Site> = after
        .into_iter()
        .filter_map(|site| {
            let (blocks, bytes) = before.get(site.calls.as_slice()).map_or((0, 0), |site| (site.blocks, site.bytes));
            let more = site.bytes.checked_sub(bytes).filter(|more| *more > 0)?;
            Some(Site { bytes: more, blocks: site.blocks.saturating_sub(blocks), ..site })
        })
        .collect();
    grown.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.calls.cmp(&b.calls)));
    grown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(call: &str, blocks: u64, bytes: u64) -> Site {
        Site { calls: vec![call.to_owned()], blocks, bytes }
    }

    #[test]
    fn what_grew_is_told_and_what_is_replaced_is_not() {
        let before = [site("buffer", 1, 65_536), site("cache", 10, 160), site("shrinks", 4, 40)];
        let after =
            vec![site("buffer", 1, 65_536), site("cache", 30, 480), site("shrinks", 2, 20), site("new", 1, 1_000)];
        assert_eq!(growth(&before, after), [site("new", 1, 1_000), site("cache", 20, 320)]);
    }
}
