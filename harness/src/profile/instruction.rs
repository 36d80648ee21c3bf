//! Instructions: callgrind keeps them apart by the calls that led to a function, so that its counts are stacks.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, anyhow};
use probe::suite::{Failure, Target};

use super::{Folded, Header, UNKNOWN, Walks, hash_of};
use crate::{
    count::{TOOL_SLOWDOWN, callgrind, drive::Drive, tool_version},
    target::{Server, Setup, Trouble},
    trial::Launch,
};

/// Calls that are kept apart; an async server's handler is some thirty calls below its thread's start.
const CALLERS: u32 = 100;

/// Requests before it looks, and while it looks; a fiftieth of what a server does otherwise takes seconds.
const WARM_UP_REQUESTS: u64 = 400;
const REQUESTS: u64 = 800;

/// The instructions of requests, in user mode.
pub(super) fn take(launch: &Launch<'_>) -> Result<Vec<Folded>, Failure> {
    let troubled = |trouble: Trouble| launch.failure(trouble.reason, trouble.stderr_tail, false);
    let broken = |error: anyhow::Error| launch.failure(format!("{error:#}"), Vec::new(), false);
    let name = format!("callgrind-{}-{}.out", launch.target.name, launch.round);
    let file = launch.plan.folder.join(name);
    let own = launch.target.command.first().cloned().unwrap_or_default();
    let mut command = callgrind::command(&file);
    // The target may be a script that starts it.
    let options = ["--compress-strings=no", "--trace-children=yes"].map(str::to_owned);
    command.extend(options.into_iter().chain([format!("--separate-callers={CALLERS}")]));
    command.extend(launch.target.command.iter().cloned());
    let target = Target { command, ..launch.target.clone() };
    let cpus = &launch.plan.placement.server;
    let database = launch.database.filter(|_| launch.scenario.database);
    let slowdown = TOOL_SLOWDOWN;
    let setup = Setup { cpus: &cpus[..cpus.len().min(1)], database, pool: launch.scenario.pool, slowdown };
    let mut server = Server::start(&target, &setup).map_err(troubled)?;
    let mut drive = Drive::new(server.address(), launch.scenario);
    for requests in [WARM_UP_REQUESTS, REQUESTS] {
        drive.send(requests).map_err(|error| match server.is_running() {
            true => broken(error.into()),
            false => troubled(server.trouble()),
        })?;
        // Ends a part of the counts.
        server.counters().map_err(troubled)?;
    }
    drop(drive);
    server.stop().map_err(troubled)?;
    let profile = read(launch, &file, Path::new(&own)).map_err(broken)?;
    Ok(vec![profile])
}

/// The second part of what callgrind has left: what the requests cost that came after the warm-up.
fn read(launch: &Launch<'_>, file: &Path, program: &Path) -> Result<Folded> {
    let part = format!("{}.2", file.display());
    let text = fs::read_to_string(&part)
        .with_context(|| format!("callgrind left no counts in {part}: it has to see the program's names"))?;
    let version = tool_version("valgrind").ok_or_else(|| anyhow!("valgrind does not tell its version"))?;
    let header = Header {
        target: launch.target.name.clone(),
        case: launch.scenario.case.id.clone(),
        event: "instructions".to_owned(),
        method: format!(
            "Counted by {version} (callgrind), in user mode. Inlined functions are part of those they are in."
        ),
        rate_hz: None,
        samples: 0,
        requests: REQUESTS,
        binary: hash_of(program),
        unit: "instructions".to_owned(),
        unit_per_count: 1.0,
        cpu_us_per_request_before: None,
        cpu_us_per_request_sampled: None,
    };
    let mut profile = Folded { header, stacks: BTreeMap::new() };
    let mut walks = Walks::default();
    for (context, count) in costs(&text) {
        let stack = stack(context);
        profile.add(walks.trim(&stack, count).iter().map(String::as_str), count);
    }
    profile.header.samples = profile.total();
    Ok(profile)
}

/// What was spent in each function itself, by the calls that led there: `function'caller'caller`.
///
/// A cost is a line of a position and a count; after `calls=` it is that of the callee, which has lines of its own (the callgrind
/// manual, "Callgrind Format Specification").
fn costs(text: &str) -> BTreeMap<&str, u64> {
    let mut costs: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut function, mut is_callee) = ("", false);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            function = name;
        } else if line.starts_with("calls=") {
            is_callee = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let count = line.split(' ').nth(1).and_then(|count| count.parse::<u64>().ok());
            if !is_callee {
                *costs.entry(function).or_default() += count.unwrap_or_default();
            }
            is_callee = false;
        }
    }
    costs.retain(|_, count| *count > 0);
    costs
}

/// The names of a context, the root first. A number is how deep a function has called itself.
fn stack(context: &str) -> Vec<String> {
    let is_depth = |name: &&str| !name.is_empty() && name.chars().all(|letter| letter.is_ascii_digit());
    let named = |name: &str| match name.starts_with("0x") {
        true => UNKNOWN.to_owned(),
        false => addr2line::demangle_auto(name.into(), None).into_owned(),
    };
    let mut names: Vec<String> = context.split('\'').filter(|name| !is_depth(name)).map(named).collect();
    names.reverse();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_spends_itself_is_told_by_who_called_it() {
        let text = "version: 1\npositions: line\nevents: Ir\n\nfl=a.rs\nfn=f'main\n16 5\ncfn=g'f'main\ncalls=2 20\n17 30\n+2 1\n\n\
                    fn=g'f'main\n20 30\nfn=0x0012'f'main\n0 2\nfn=g'2'f'main\n20 7\ntotals: 45\n";
        let costs = costs(text);
        assert_eq!(costs.values().sum::<u64>(), 45);
        let found: Vec<(Vec<String>, u64)> =
            costs.into_iter().map(|(context, count)| (stack(context), count)).collect();
        let expected = [
            (vec!["main", "f", "[unknown]"], 2),
            (vec!["main", "f"], 6),
            (vec!["main", "f", "g"], 7),
            (vec!["main", "f", "g"], 30),
        ];
        for (stack, count) in expected {
            let stack: Vec<String> = stack.into_iter().map(str::to_owned).collect();
            assert!(found.contains(&(stack.clone(), count)), "no {stack:?} {count} in {found:?}");
        }
        assert_eq!(stack("_ZN4core3fmt5write17h0123456789abcdefE'main"), ["main", "core::fmt::write"]);
    }
}
