//! Servers that are stopped under load: what they have not given back when they end.
//!
//! Every launch has a few more connections than the one before. What a server keeps for ever, whatever it served, is the
//! same in all launches; what it loses of a connection when it stops grows with their number.

use std::io;

use harness::{
    link::Link,
    target::{Server, Trouble},
};
use probe::{
    message::{Allocations, Site},
    suite::Target,
};

use crate::{
    traffic::{PLAINTEXT, exchange},
    trial::{self, Outcome},
};

/// Launches that are compared.
const LAUNCHES: usize = 8;

/// Connections that each launch has more than the one before.
const STEP: usize = 8;

/// Requests on every connection before the order to stop, and at most so many after it.
const REQUESTS: usize = 10;

/// How long it takes, s, measured on two CPUs.
pub(crate) const EXPECTED_S: f64 = 4.0;

/// Launches a server again and again, and stops it under load.
///
/// # Errors
/// When it cannot be used, does not end as it should, or does not tell what it has allocated then.
pub(crate) fn run(target: &Target, cpus: &[usize]) -> Result<Outcome, Trouble> {
    let launches = (1..=LAUNCHES).map(|launch| stop_under_load(target, cpus, launch * STEP, false));
    let readings = launches.collect::<Result<Vec<_>, Trouble>>()?;
    let points = readings.iter().enumerate().map(|(launch, (left, _))| ((launch * STEP) as f64, *left)).collect();
    let (bytes, blocks) = trial::trends(points);
    let mut outcome = Outcome { what: "connection", ..Outcome::new(bytes, blocks) };
    if outcome.grows() {
        let (_, few) = stop_under_load(target, cpus, STEP, true)?;
        let (_, many) = stop_under_load(target, cpus, LAUNCHES * STEP, true)?;
        outcome.grown = trial::growth(&few, many);
    }
    Ok(outcome)
}

/// One launch: what it had not given back at its end, and where that came from if it is watched.
fn stop_under_load(
    target: &Target,
    cpus: &[usize],
    connections: usize,
    watched: bool,
) -> Result<(Allocations, Vec<Site>), Trouble> {
    let mut server = trial::start(target, cpus, &[])?;
    if watched {
        server.watch()?;
    }
    let links = load(&server, connections).map_err(|error| trial::broken_off(&mut server, &error))?;
    server.order_to_stop()?;
    go_on(links);
    server.farewell()?.ok_or_else(|| Trouble {
        reason: format!("target {} does not tell what is allocated when it ends", target.name),
        stderr_tail: Vec::new(),
    })
}

/// Connections that have been answered and have a request in flight.
fn load(server: &Server, connections: usize) -> io::Result<Vec<Link>> {
    let mut links = (0..connections).map(|_| Link::connect(server.address())).collect::<io::Result<Vec<_>>>()?;
    for _ in 0..REQUESTS {
        links.iter_mut().try_for_each(|link| exchange(link, PLAINTEXT, 200))?;
    }
    links.iter_mut().try_for_each(|link| link.send(PLAINTEXT.as_bytes()))?;
    Ok(links)
}

/// Goes on with requests while the server stops, on each connection until the server ends it; a server that waits for its
/// clients to leave is left after a while.
fn go_on(mut links: Vec<Link>) {
    for _ in 0..REQUESTS {
        links.retain_mut(|link| link.answer().and_then(|_| link.send(PLAINTEXT.as_bytes())).is_ok());
    }
}
