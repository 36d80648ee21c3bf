//! Allocations: the build that counts them also notes which stack has asked for each, between two quiet moments.

use probe::{message::Stack, suite::Failure};

use super::{Folded, Header, Symbols, Walks, hash_of};
use crate::{
    count::drive::Drive,
    target::{Server, Setup, Trouble},
    trial::Launch,
};

/// Requests before it looks: what is made once and kept is made by then.
const WARM_UP_REQUESTS: u64 = 800;

/// Requests while it looks.
const REQUESTS: u64 = 1_600;

/// The bytes and the blocks that requests allocate.
pub(super) fn take(launch: &Launch<'_>) -> Result<Vec<Folded>, Failure> {
    let troubled = |trouble: Trouble| launch.failure(trouble.reason, trouble.stderr_tail, false);
    let broken = |error: anyhow::Error| launch.failure(format!("{error:#}"), Vec::new(), false);
    let target = launch.counting();
    if target.command.is_empty() {
        return Err(broken(anyhow::anyhow!("target {} has no build that counts allocations", target.name)));
    }
    let cpus = &launch.plan.placement.server;
    let database = launch.database.filter(|_| launch.scenario.database);
    let setup = Setup { cpus: &cpus[..cpus.len().min(1)], database, pool: launch.scenario.pool, slowdown: 1 };
    let mut server = Server::start(&target, &setup).map_err(troubled)?;
    let mut symbols = Symbols::of(server.pid()).map_err(broken)?;
    let mut drive = Drive::new(server.address(), launch.scenario);
    let mut send = |requests, server: &mut Server| {
        drive.send(requests).map_err(|error| match server.is_running() {
            true => broken(error.into()),
            false => troubled(server.trouble()),
        })
    };
    send(WARM_UP_REQUESTS, &mut server)?;
    server.quiesce().map_err(troubled)?;
    if !server.watch().map_err(troubled)? {
        return Err(broken(anyhow::anyhow!("target {} does not count its allocations", target.name)));
    }
    send(REQUESTS, &mut server)?;
    server.quiesce().map_err(troubled)?;
    let stacks = server.allocated().map_err(troubled)?;
    // Closed first: a server that drains may wait for its clients.
    drop(drive);
    server.stop().map_err(troubled)?;
    let mut walks = Walks::default();
    let mut profiles = [empty(launch, &symbols, "bytes"), empty(launch, &symbols, "blocks")];
    for stack in &stacks {
        let names = names(stack, &mut symbols, true);
        let names = walks.trim(&names, stack.count);
        for (profile, count) in profiles.iter_mut().zip([stack.bytes, stack.count]) {
            profile.add(names.iter().map(String::as_str), count);
            profile.header.samples += stack.count;
        }
    }
    walks.judge(&launch.target.name).map_err(broken)?;
    Ok(profiles.into())
}

fn empty(launch: &Launch<'_>, symbols: &Symbols, unit: &str) -> Folded {
    let header = Header {
        target: launch.target.name.clone(),
        case: launch.scenario.case.id.clone(),
        event: format!("allocated {unit}"),
        method: "Counted by the build that counts allocations: every block, with the stack that asked for it."
            .to_owned(),
        rate_hz: None,
        samples: 0,
        requests: REQUESTS,
        binary: hash_of(symbols.program()),
        unit: unit.to_owned(),
        unit_per_count: 1.0,
        cpu_us_per_request_before: None,
        cpu_us_per_request_sampled: None,
    };
    Folded { header, stacks: Default::default() }
}

/// The functions of a stack, the root first. The first address is of an instruction, or to return to as all others are.
pub(super) fn names(stack: &Stack, symbols: &mut Symbols, is_return: bool) -> Vec<String> {
    let mut names = Vec::new();
    for (depth, address) in stack.addresses.iter().enumerate() {
        names.extend(symbols.names(*address, is_return || depth > 0).iter().rev().cloned());
    }
    names.reverse();
    names
}
