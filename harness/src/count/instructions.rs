//! Instructions of a request in user mode: the server runs under callgrind and serves N requests in one launch and 3 N in
//! another. What is fixed, start and end included, cancels out.

use std::fs;

use probe::{
    load::{Body, Request},
    suite::Failure,
};

use probe::launch::GLIBC_TUNABLES;

use super::{Figure, TOOL_SLOWDOWN, drive::Drive, slope};
use crate::trial::{Launch, Scenario};

/// N by the longest body that goes either way, from so many bytes on: many long ones would take minutes. Each is a multiple of every
/// batch that such a body is sent in, of every cycle of requests and of the answers that a connection lives for.
const REQUESTS: [(u64, u64); 3] = [(0, 4_800), (16 * 1024, 480), (256 * 1024, 64)];

pub(super) fn count(launch: &Launch<'_>) -> Result<Vec<Figure>, Failure> {
    let requests = requests(launch.scenario);
    let mut points = Vec::new();
    for requests in [requests, 3 * requests] {
        points.push((requests as f64, instructions(launch, requests)? as f64));
    }
    Ok(slope(&points).map(|slope| ("instructions_per_request", slope)).into_iter().collect())
}

/// How many requests make up N in a scenario.
fn requests(scenario: &Scenario) -> u64 {
    let expected = |body: &Body| match body {
        Body::Length { bytes } => *bytes,
        Body::Exact { text } => text.len() as u64,
        _ => 0,
    };
    let sent = |request: &Request| request.body.as_ref().map_or(0, |body| body.len() as u64);
    let bytes = scenario.requests.iter().map(|request| expected(&request.expect.body).max(sent(request)));
    let longest = bytes.max().unwrap_or(0);
    let fitting = REQUESTS.iter().rev().find(|(from, _)| longest >= *from);
    fitting.map_or(REQUESTS[0].1, |(_, requests)| *requests)
}

/// All instructions of a launch that serves so many requests.
fn instructions(launch: &Launch<'_>, requests: u64) -> Result<u64, Failure> {
    let file = launch.plan.folder.join(format!("callgrind-{requests}-{}.out", launch.round));
    let tunables = format!("GLIBC_TUNABLES={GLIBC_TUNABLES}");
    let out = format!("--callgrind-out-file={}", file.display());
    let tool = ["env", &tunables, "valgrind", "--tool=callgrind", &out].map(str::to_owned);
    let server = launch.start_counted(&launch.under(&tool), launch.own_cpus(), TOOL_SLOWDOWN)?;
    let mut drive = Drive::new(server.address(), launch.scenario);
    let driven = drive.send(requests);
    // Closed first: a server that drains may wait for its clients.
    drop(drive);
    server.stop().map_err(|trouble| launch.troubled(trouble))?;
    driven.map_err(|error| launch.uncounted(error))?;
    let text = fs::read_to_string(&file).map_err(|error| launch.uncounted(format!("{}: {error}", file.display())))?;
    // It may be gone already, with the folder; nothing is lost then.
    let _ = fs::remove_file(&file);
    total(&text).ok_or_else(|| launch.uncounted("callgrind wrote no totals"))
}

/// The instructions in all of a callgrind file: the first number of its `totals:` line, or of `summary:` where an old
/// version wrote no totals.
pub(super) fn total(text: &str) -> Option<u64> {
    let number = |name: &str| {
        let line = text.lines().rev().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    number("totals:").or_else(|| number("summary:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_and_nothing_else_is_taken_for_them() {
        for (text, expected) in [
            ("version: 1\nevents: Ir\nsummary: 12\nfn=(1)\n1 12\ntotals: 15\n", Some(15)),
            ("events: Ir\nsummary: 12\n", Some(12)),
            ("events: Ir Bc\ntotals: 15 3\n", Some(15)),
            ("totals: \n", None),
            ("desc: totals: 3\n", None),
            ("", None),
        ] {
            assert_eq!(total(text), expected, "{text:?}");
        }
    }
}
