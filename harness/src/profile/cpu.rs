//! CPU time: a window without sampler, which says what a request costs, and then one with it, which says where that goes.

use anyhow::{Result, bail};
use probe::{
    load::Mode,
    message::{Counters, Stack},
    suite::{Failure, ProfileKind, Profiling, Sample},
};

use super::{
    Folded, Header, Symbols, Walks, hash_of,
    perf::{self, Perf, Seen},
};
use crate::{
    load::Window,
    target::{Server, Setup},
    trial::{self, Launch},
};

/// Samples for which there may have been no room.
const LOST_MAX: f64 = 0.01;

/// Who looks.
enum Sampler {
    Perf(Perf, &'static str),
    Probe,
}

pub(super) fn take(launch: &Launch<'_>, profiling: &Profiling) -> Result<(Sample, Vec<Folded>), Failure> {
    let broken = |error: anyhow::Error| launch.failure(format!("{error:#}"), Vec::new(), false);
    let troubled = |trouble: crate::target::Trouble| launch.failure(trouble.reason, trouble.stderr_tail, false);
    let plan = launch.plan;
    let database = launch.database.filter(|_| launch.scenario.database);
    let setup = Setup { cpus: &plan.placement.server, database, pool: launch.scenario.pool, slowdown: 1 };
    let mut server = Server::start(launch.target, &setup).map_err(troubled)?;
    let before = trial::window(launch, &mut server, Mode::Closed, plan.warmup_s, plan.duration_s)?;
    let pid = server.ready().map_or_else(|| server.pid(), |ready| ready.pid);
    let mut symbols = Symbols::of(pid).map_err(broken)?;
    let mut sampler = match profiling.kind {
        ProfileKind::CpuByPerf => {
            let event = perf::event().map_err(|reason| broken(anyhow::Error::msg(reason)))?;
            let data = plan.folder.join(format!("perf-{}-{}.data", launch.target.name, launch.round));
            Sampler::Perf(Perf::attach(pid, event, profiling.rate_hz, &data).map_err(broken)?, event)
        }
        _ => Sampler::Probe,
    };
    match &mut sampler {
        Sampler::Perf(perf, _) => perf.begin().map_err(broken)?,
        Sampler::Probe => server.sample(profiling.rate_hz).map_err(troubled)?,
    }
    let window = trial::window(launch, &mut server, Mode::Closed, 0.0, plan.duration_s)?;
    let seen = match &mut sampler {
        Sampler::Perf(perf, _) => {
            perf.end().map_err(broken)?;
            perf.seen(&mut symbols).map_err(broken)?
        }
        Sampler::Probe => {
            let (stacks, lost) = server.samples().map_err(troubled)?;
            all_noted(&stacks, lost).map_err(broken)?;
            named(&stacks, &mut symbols)
        }
    };
    server.stop().map_err(troubled)?;
    let mut walks = Walks::default();
    let mut profile =
        Folded { header: header(launch, profiling, &sampler, [&before, &window]), stacks: Default::default() };
    profile.header.binary = hash_of(symbols.program());
    for stack in &seen {
        profile.add(walks.trim(stack, 1).iter().map(String::as_str), 1);
    }
    profile.header.samples = profile.total();
    if !matches!(sampler, Sampler::Perf(_, "cpu-clock")) {
        // A timer of the kernel's may be coarser than was asked for, and cycles are no time: each sample stands for its share.
        profile.header.unit_per_count = cpu_us(&window) * 1e3 / profile.total().max(1) as f64;
    }
    walks.judge(&launch.target.name).map_err(broken)?;
    let mut sample = launch.sample();
    sample.metrics.insert("cpu_us_per_request".to_owned(), cpu_us(&before) / before.outcome.requests_total as f64);
    sample.metrics.insert("requests".to_owned(), window.outcome.requests_total as f64);
    Ok((sample, vec![profile]))
}

fn header(launch: &Launch<'_>, profiling: &Profiling, sampler: &Sampler, windows: [&Window; 2]) -> Header {
    let rate = profiling.rate_hz;
    let (event, method) = match sampler {
        Sampler::Perf(_, "cpu-clock") => (
            "cpu-clock",
            "Sampled by perf, which finds no hardware counters here: by a clock that runs while the process does. In the kernel it \
             ticks where interrupts are let in again, and that is where time shows up."
                .to_owned(),
        ),
        Sampler::Perf(_, event) => (*event, "Sampled by perf, by the processor's counter.".to_owned()),
        Sampler::Probe => (
            "ITIMER_PROF",
            "Sampled from within, by a signal after so much CPU time: time in the kernel is told of the call into it.".to_owned(),
        ),
    };
    let [before, sampled] = windows.map(|window| cpu_us(window) / window.outcome.requests_total as f64);
    Header {
        target: launch.target.name.clone(),
        case: launch.scenario.case.id.clone(),
        event: event.to_owned(),
        method,
        rate_hz: Some(rate),
        samples: 0,
        requests: windows[1].outcome.requests_total,
        binary: String::new(),
        unit: "ns".to_owned(),
        unit_per_count: 1e9 / f64::from(rate),
        cpu_us_per_request_before: Some(before),
        cpu_us_per_request_sampled: Some(sampled),
    }
}

/// CPU time of the server in a window, µs.
fn cpu_us(window: &Window) -> f64 {
    let of = |counters: &Counters| counters.cpu_user_us + counters.cpu_system_us;
    of(&window.after).saturating_sub(of(&window.before)) as f64
}

/// Refuses what is only a part of what was sampled: that would be the beginning of the window, and not the window.
fn all_noted(stacks: &[Stack], lost: u64) -> Result<()> {
    let noted: u64 = stacks.iter().map(|stack| stack.count).sum();
    if lost as f64 > LOST_MAX * (noted + lost) as f64 {
        bail!(
            "the probe had no room for {lost} of {} samples; take a shorter --duration or a lower --rate",
            noted + lost
        );
    }
    Ok(())
}

/// What the probe has noted, the lab's own threads left out.
fn named(stacks: &[Stack], symbols: &mut Symbols) -> Vec<Seen> {
    let mut seen = Vec::new();
    for stack in stacks {
        let names = super::allocation::names(stack, symbols, false);
        if names.iter().any(|name| name.starts_with("probe::control::")) {
            continue;
        }
        seen.extend((0..stack.count).map(|_| names.clone()));
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_what_was_sampled_is_no_profile() {
        let stacks = [60, 40].map(|count| Stack { addresses: vec![1], count, bytes: 0 });
        for (lost, problem) in [(0, None), (1, None), (2, Some("no room for 2 of 102 samples"))] {
            let told = all_noted(&stacks, lost).err().map(|error| error.to_string());
            assert_eq!(told.is_some(), problem.is_some(), "{lost}");
            assert!(told.unwrap_or_default().contains(problem.unwrap_or_default()), "{lost}");
        }
    }
}
