//! A soak: all kinds of traffic in turn for minutes or hours, while live and resident memory are watched.
//!
//! Live memory is judged as in any other case. Resident memory is told and not judged: an allocator keeps pages for reasons of
//! its own.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use harness::{
    stats::{self, Trend},
    target::{Server, Trouble},
};
use probe::{message::Allocations, suite::Target};

use crate::{
    kind::Kind,
    traffic::{Client, Traffic},
    trial::{self, Outcome, cycles},
};

/// Cycles before the clock starts.
const WARM_UP_CYCLES: usize = 3;

/// Readings at least, however short the soak.
const READINGS_MIN: usize = 3;

/// Readings at most: all pairs of them are compared.
const READINGS_MAX: u32 = 500;

/// Steps that a soak is told in.
pub(crate) const STEPS: u32 = 20;

/// What was read between two cycles.
struct Reading {
    at_s: f64,
    requests: f64,
    allocations: Allocations,
    resident: Option<(f64, f64)>,
}

/// Sends traffic for so long; `step` is called as each of [`STEPS`] parts begins.
///
/// # Errors
/// When the server cannot be used, or tells no allocations; or as `step` fails.
pub(crate) fn run(
    target: &Target,
    cpus: &[usize],
    duration: Duration,
    step: impl Fn(u32) -> Result<(), Trouble>,
) -> Result<Outcome, Trouble> {
    let kinds = Traffic::ALL.iter().copied().filter(|traffic| traffic.is_mixed());
    let kinds: Vec<Traffic> = kinds.filter(|traffic| target.takes_part(&Kind::Cycles(*traffic).case())).collect();
    let requests: usize = kinds.iter().map(|traffic| traffic.requests()).sum();
    let mut server = trial::start(target, cpus, &[])?;
    let ready = server.ready().cloned();
    let mut clients: Vec<Client> = kinds.iter().map(|traffic| Client::new(server.address(), *traffic)).collect();
    let mut told = 0;
    step(told)?;
    cycles(&mut server, &mut clients, WARM_UP_CYCLES)?;
    let begun = Instant::now();
    let mut readings: Vec<Reading> = Vec::new();
    let mut sent = 0;
    while begun.elapsed() < duration || readings.len() < READINGS_MIN {
        let part = begun.elapsed().as_secs_f64() / duration.as_secs_f64() * f64::from(STEPS);
        while told + 1 < STEPS.min(part as u32) {
            told += 1;
            step(told)?;
        }
        let read = cycles(&mut server, &mut clients, 1)?;
        sent += requests;
        let due = duration / READINGS_MAX * u32::try_from(readings.len()).unwrap_or(u32::MAX);
        if begun.elapsed() >= due {
            readings.extend(read.into_iter().map(|allocations| reading(&server, begun, sent, allocations)));
        }
    }
    let (bytes, blocks) =
        trial::trends(readings.iter().map(|reading| (reading.requests, reading.allocations)).collect());
    let mut outcome = Outcome { ready, ..Outcome::new(bytes, blocks) };
    if outcome.grows() {
        trial::watch(&mut server, &mut clients, requests, &mut outcome)?;
    }
    drop(clients);
    server.stop()?;
    outcome.series = series(&readings);
    outcome.metrics = slopes(&outcome.series);
    Ok(outcome)
}

fn reading(server: &Server, begun: Instant, sent: usize, allocations: Allocations) -> Reading {
    let resident = server.resident().map(|resident| (resident.rss_bytes as f64, resident.pss_bytes as f64));
    Reading { at_s: begun.elapsed().as_secs_f64(), requests: sent as f64, allocations, resident }
}

/// What was seen, by name; a memory that the kernel does not tell is left out.
fn series(readings: &[Reading]) -> BTreeMap<String, Vec<[f64; 2]>> {
    let mut series: BTreeMap<String, Vec<[f64; 2]>> = BTreeMap::new();
    for reading in readings {
        let mut point = |name: &str, value| series.entry(name.to_owned()).or_default().push([reading.at_s, value]);
        point("live_bytes", reading.allocations.live_bytes as f64);
        if let Some((rss, pss)) = reading.resident {
            point("rss_bytes", rss);
            point("pss_bytes", pss);
        }
    }
    series
}

/// How resident memory grows, per minute.
fn slopes(series: &BTreeMap<String, Vec<[f64; 2]>>) -> BTreeMap<String, f64> {
    let mut slopes = BTreeMap::new();
    for (name, points) in [("rss", series.get("rss_bytes")), ("pss", series.get("pss_bytes"))] {
        let Some(Trend { slope, low, high }) = points.and_then(|points| stats::trend_of(points)) else { continue };
        for (suffix, bytes_per_s) in [("", slope), ("_low", low), ("_high", high)] {
            slopes.insert(format!("{name}_growth_bytes_per_min{suffix}"), bytes_per_s * 60.0);
        }
    }
    slopes
}
