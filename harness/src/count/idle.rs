//! What an idle connection holds: connections are opened in steps, each has one request answered, and the server's memory
//! is read when nothing is under way. The slope over the steps is what one more connection costs.

use probe::{
    descriptors,
    suite::{Failure, Target},
};

use super::{Figure, allocations, drive::Drive, slope};
use crate::{target::Server, trial::Launch};

/// Connections at each reading.
const LEVELS: [u32; 3] = [0, 1_000, 4_000];

pub(super) fn count(launch: &Launch<'_>) -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    if !launch.target.counting.is_empty() {
        let live = |server: &mut Server| Ok(allocations::read(launch, server)?.live_bytes);
        figures.push(("bytes_per_idle_connection", each(launch, &launch.counting(), live)?));
    }
    let resident = |server: &mut Server| Ok(server.quiesce().map_err(|trouble| launch.troubled(trouble))?.rss_bytes);
    figures.push(("rss_bytes_per_idle_connection", each(launch, launch.target, resident)?));
    Ok(figures)
}

/// What `memory` reads for one more idle connection of `target`, bytes.
fn each(
    launch: &Launch<'_>,
    target: &Target,
    mut memory: impl FnMut(&mut Server) -> Result<u64, Failure>,
) -> Result<f64, Failure> {
    let mut server = launch.start_counted(target, launch.own_cpus(), 1)?;
    let mut drive = Drive::new(server.address(), launch.scenario);
    // What the first connection makes once, for all, is no connection's own.
    drop(drive.open().map_err(|error| launch.uncounted(error))?);
    let most = descriptors::connections_max();
    let (mut open, mut points) = (Vec::new(), Vec::new());
    for level in LEVELS {
        while open.len() < level.min(most) as usize {
            open.push(drive.open().map_err(|error| launch.uncounted(error))?);
        }
        points.push((open.len() as f64, memory(&mut server)? as f64));
    }
    drop(open);
    server.stop().map_err(|trouble| launch.troubled(trouble))?;
    slope(&points).ok_or_else(|| launch.uncounted("too few open files are allowed; see ulimit -Hn"))
}
