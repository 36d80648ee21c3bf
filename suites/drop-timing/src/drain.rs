//! A whole server with idle connections is asked to stop: how long until the last of its values is dropped.
//!
//! Each connection has a value, and the handlers share one more. Clients close their side when the server has closed its own.

use std::{
    thread,
    time::{Duration, Instant},
};

use probe::descriptors;

use crate::{
    application::{Application, DRAIN_DEADLINE, join},
    client::Client,
    seen::Seen,
    tally::{Tally, now_ns},
    target,
    work::Place,
};

/// How long all of it may take. Twice the deadline that the servers have.
const PATIENCE: Duration = DRAIN_DEADLINE.saturating_mul(2);

/// How long values may outlive the server's thread: other threads of the framework's may still be ending.
const AFTERMATH: Duration = Duration::from_secs(1);

/// Opens so many connections to the target's server, on these CPUs, has each used once, and stops the server.
///
/// # Errors
/// When there cannot be so many connections, or the server answers wrong or does not end.
pub fn measure(name: &str, connections: usize, server: &[usize]) -> Result<Seen, String> {
    descriptors::raise();
    let most = descriptors::connections_max() as usize / 2;
    if most < connections {
        return Err(format!("{connections} connections need twice as many open files; `ulimit -Hn` allows {most}"));
    }
    let tally = Tally::leak();
    let application = Application::new(tally, Place::Connection).with_shared_value();
    let server = target::serve(name, application, server)?;
    let mut clients = Vec::new();
    for _ in 0..connections {
        let mut client = Client::connect(server.address)?;
        client.ask(false)?;
        clients.push(client);
    }
    let begun_ns = now_ns();
    let ending = server.stop();
    let deadline = Instant::now() + PATIENCE;
    while !(clients.is_empty() && ending.is_finished()) {
        if Instant::now() > deadline {
            return Err(format!("{} connections were open after {} s", clients.len(), PATIENCE.as_secs()));
        }
        clients.retain_mut(|client| !client.is_closed());
        thread::yield_now();
    }
    join(ending)?;
    // What is left after that is told by the counts.
    let _ = tally.settle(AFTERMATH);
    let ms = tally.last_ns().saturating_sub(begun_ns) as f64 / 1e6;
    Ok(Seen::of(tally).with("drain_to_last_drop_ms", ms))
}
