//! System calls of a request at saturation: the server runs under strace while the load generator keeps it busy, for a
//! short window in one launch and a longer one in another. What is fixed cancels out.
//!
//! The server is started under strace, not attached to: that needs no privilege where only children may be traced.

use std::{collections::BTreeMap, fs};

use probe::suite::Failure;

use super::{Figure, TOOL_SLOWDOWN, slope};
use crate::trial::{self, Launch};

/// The two windows, s.
const WINDOWS_S: [f64; 2] = [0.2, 1.0];

pub(super) fn count(launch: &Launch<'_>) -> Result<Vec<Figure>, Failure> {
    let mut points = Vec::new();
    for window_s in WINDOWS_S {
        points.push(calls(launch, window_s)?);
    }
    Ok(slope(&points).map(|slope| ("system_calls_per_request", slope)).into_iter().collect())
}

/// Requests that were answered in a launch, and the system calls that it made.
fn calls(launch: &Launch<'_>, window_s: f64) -> Result<(f64, f64), Failure> {
    let file = launch.plan.folder.join(format!("strace-{}.txt", launch.round));
    let tool = ["strace", "-f", "-c", "-o", &file.to_string_lossy(), "--"].map(str::to_owned);
    let mut server = launch.start_counted(&launch.under(&tool), &launch.plan.placement.server, TOOL_SLOWDOWN)?;
    let loaded = trial::unread_window(launch, &mut server, window_s);
    let stopped = server.stop();
    let outcome = loaded?;
    stopped.map_err(|trouble| launch.troubled(trouble))?;
    let text = fs::read_to_string(&file).map_err(|error| launch.uncounted(format!("{}: {error}", file.display())))?;
    // It may be gone already, with the folder; nothing is lost then.
    let _ = fs::remove_file(&file);
    let calls: u64 = table(&text).values().sum();
    if calls == 0 {
        return Err(launch.uncounted("strace wrote no table"));
    }
    Ok((outcome.requests_total as f64, calls as f64))
}

/// Calls by name from the table of `strace -c`: the fourth column is the calls, the last one the name, and between them
/// stand errors where there were any.
fn table(text: &str) -> BTreeMap<&str, u64> {
    let rows = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (share, name) = (words.first()?, *words.last()?);
        let is_row = share.parse::<f64>().is_ok() && matches!(words.len(), 5 | 6) && name != "total";
        is_row.then(|| Some((name, words[3].parse().ok()?)))?
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_with_and_without_errors_and_the_total_is_left_out() {
        let text = "strace: Process 12 attached\n\
            % time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            \x2061.54    0.024000           2     12000           recvfrom\n\
            \x2038.46    0.015000           1     11990         7 sendto\n\
            \x20 0.00    0.000000           0         3         3 access\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            100.00    0.039000           1     23993        10 total\n";
        assert_eq!(table(text), BTreeMap::from([("recvfrom", 12_000), ("sendto", 11_990), ("access", 3)]));
        let older = text.replace("100.00    0.039000           1", "100.00    0.039000            ");
        assert_eq!(table(&older).len(), 3);
        assert!(table("strace: ptrace(PTRACE_TRACEME, ...): Operation not permitted\n").is_empty());
    }
}
