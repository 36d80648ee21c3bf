//! One target under one kind of traffic: cycles, a reading of the live memory after each, and the verdict.
//!
//! The first cycles are warm-up: what is made once and kept is made by then. Where the memory grows over the cycles behind
//! them, as many follow, with every block remembered by where it comes from. What grows no further was something that fills
//! up; what does is a leak.

use std::{collections::HashMap, io};

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

/// Call sites that are told.
const SITES_TOLD: usize = 3;

/// What a trial showed.
pub(crate) struct Outcome {
    pub(crate) ready: Option<Ready>,
    /// Live bytes, per request.
    pub(crate) bytes: Trend,
    /// Live blocks, per request.
    pub(crate) blocks: Trend,
    /// Where what grew comes from, the largest first; empty when nothing leaks or the server cannot tell.
    pub(crate) grown: Vec<Site>,
}

impl Outcome {
    /// A sentence about the leak, if it is one.
    pub(crate) fn leak(&self, target: &str, case: &str) -> Option<String> {
        if !self.bytes.grows() && !self.blocks.grows() {
            return None;
        }
        let mut text = format!(
            "Target {target} leaks in case {case}: {:.2} bytes (95 % interval {:.2} to {:.2}) and {:.3} blocks a request.",
            self.bytes.slope, self.bytes.low, self.bytes.high, self.blocks.slope
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

/// Runs the cycles.
///
/// # Errors
/// When the server cannot be used, or tells no allocations.
pub(crate) fn run(target: &Target, cpus: &[usize], traffic: Traffic) -> Result<Outcome, Trouble> {
    // A server that tells its allocations in its one build needs no other.
    let command = if target.counting.is_empty() { &target.command } else { &target.counting };
    let target = Target { command: command.clone(), ..target.clone() };
    // One worker, so that it does not depend on chance which of them makes what it makes once.
    let setup = Setup { cpus: &cpus[..cpus.len().min(1)], database: None, slowdown: SLOWDOWN };
    let mut server = Server::start(&target, &setup)?;
    let ready = server.ready().cloned();
    let mut client = Client::new(server.address(), traffic);
    cycles(&mut server, &mut client, WARM_UP_CYCLES)?;
    let readings = cycles(&mut server, &mut client, CYCLES)?;
    let (mut bytes, mut blocks) = trends(&readings, traffic);
    let mut grown = Vec::new();
    if bytes.grows() || blocks.grows() {
        let is_watched = server.watch()?;
        let mut readings = cycles(&mut server, &mut client, CYCLES_BEFORE_SITES)?;
        let before = if is_watched { server.sites()? } else { Vec::new() };
        readings.extend(cycles(&mut server, &mut client, CYCLES)?);
        if is_watched {
            grown = growth(&before, server.sites()?);
        }
        (bytes, blocks) = trends(&readings, traffic);
    }
    // Closed first: a server that drains may wait for its clients.
    drop(client);
    server.stop()?;
    Ok(Outcome { ready, bytes, blocks, grown })
}

/// The readings after each of so many cycles.
fn cycles(server: &mut Server, client: &mut Client, count: usize) -> Result<Vec<Allocations>, Trouble> {
    (0..count)
        .map(|_| {
            let pause = || server.quiesce().map(drop).map_err(|trouble| io::Error::other(trouble.reason));
            client.cycle(pause).map_err(|error| Trouble {
                reason: format!("the traffic broke off: {error}"),
                stderr_tail: server.trouble().stderr_tail,
            })?;
            server.quiesce()?.allocations.ok_or_else(|| Trouble {
                reason: "its counters tell no allocations; was it built to count them?".to_owned(),
                stderr_tail: Vec::new(),
            })
        })
        .collect()
}

/// How live bytes and live blocks grow, per request.
fn trends(readings: &[Allocations], traffic: Traffic) -> (Trend, Trend) {
    let requests = traffic.requests() as f64;
    let trend = |figure: fn(&Allocations) -> u64| {
        let series: Vec<f64> = readings.iter().map(|reading| figure(reading) as f64).collect();
        let cycle = stats::trend(&series).unwrap_or(Trend { slope: 0.0, low: 0.0, high: 0.0 });
        Trend { slope: cycle.slope / requests, low: cycle.low / requests, high: cycle.high / requests }
    };
    (trend(|reading| reading.live_bytes), trend(|reading| reading.live_blocks))
}

/// The sites that hold more than before, and how much more; the largest growth first.
fn growth(before: &[Site], after: Vec<Site>) -> Vec<Site> {
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
