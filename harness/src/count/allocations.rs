//! Allocations of a request: the build that counts answers its counters before and after an exact number of requests,
//! each time when nothing is under way any more.

use probe::{message, suite::Failure};

use super::{Figure, drive::Drive};
use crate::{target::Server, trial::Launch};

/// Requests before the first reading: what is made once and kept is made by then.
const WARM_UP_REQUESTS: u64 = 800;

/// Requests between the readings.
const REQUESTS: u64 = 1_600;

pub(super) fn count(launch: &Launch<'_>) -> Result<Vec<Figure>, Failure> {
    let mut server = launch.start_counted(&launch.counting(), launch.own_cpus(), 1)?;
    let mut drive = Drive::new(server.address(), launch.scenario);
    drive.send(WARM_UP_REQUESTS).map_err(|error| launch.uncounted(error))?;
    let before = read(launch, &mut server)?;
    drive.send(REQUESTS).map_err(|error| launch.uncounted(error))?;
    let after = read(launch, &mut server)?;
    // Closed first: a server that drains may wait for its clients.
    drop(drive);
    server.stop().map_err(|trouble| launch.troubled(trouble))?;
    let each = |after: u64, before: u64| after.saturating_sub(before) as f64 / REQUESTS as f64;
    Ok(vec![
        ("allocations_per_request", each(after.calls, before.calls)),
        ("allocated_bytes_per_request", each(after.bytes, before.bytes)),
    ])
}

/// What was allocated until now, read when nothing is under way.
pub(super) fn read(launch: &Launch<'_>, server: &mut Server) -> Result<message::Allocations, Failure> {
    let counters = server.quiesce().map_err(|trouble| launch.troubled(trouble))?;
    counters
        .allocations
        .ok_or_else(|| launch.uncounted("its counters tell no allocations; was it built to count them?"))
}
