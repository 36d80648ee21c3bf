//! Counts what a request costs: instructions, system calls, allocations, and the bytes that an idle connection holds.
//!
//! Counts hardly move, so each is taken twice and two that differ are both declared void. Every count has launches of its
//! own, under a tool or in a build that would spoil any time; nothing here is ever timed. How each is taken:
//! `count/instructions.rs`, `count/system_calls.rs`, `count/allocations.rs`, `count/idle.rs`; what drives the server in
//! exact numbers of requests is `count/drive.rs`.

use std::{collections::BTreeMap, process::Command, thread};

use probe::suite::{Failure, Sample, Target};

use crate::{
    target::{Server, Setup, Trouble},
    trial::Launch,
};

mod allocations;
pub mod callgrind;
pub(crate) mod drive;
mod idle;
mod instructions;
pub(crate) mod instrument;
mod system_calls;

/// How many times longer a server may take for everything under a tool that interprets or stops it.
pub(crate) const TOOL_SLOWDOWN: u32 = 12;

/// Something that can be counted in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    /// `instructions_per_request`, in user mode, with callgrind.
    Instructions,
    /// `system_calls_per_request` at saturation, with strace.
    SystemCalls,
    /// `allocations_per_request` and `allocated_bytes_per_request`, in the build that counts.
    Allocations,
    /// `bytes_per_idle_connection` in the build that counts, and `rss_bytes_per_idle_connection` in the timed one.
    IdleConnections,
}

/// One metric with its figure.
type Figure = (&'static str, f64);

impl Count {
    /// What it costs to take it, s: two counts and their launches, measured on two CPUs.
    pub(crate) fn expected_s(self) -> f64 {
        match self {
            Self::Instructions => 5.0,
            Self::SystemCalls => 6.0,
            Self::Allocations => 0.5,
            Self::IdleConnections => 2.0,
        }
    }

    /// What it counts, in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::SystemCalls => "system calls",
            Self::Allocations => "allocations",
            Self::IdleConnections => "idle connections",
        }
    }

    /// Whether its two counts need the machine one after the other: what is counted at saturation depends on the load.
    fn is_alone(self) -> bool {
        self == Self::SystemCalls
    }

    fn tool(self) -> Option<&'static str> {
        match self {
            Self::Instructions => Some("valgrind"),
            Self::SystemCalls => Some("strace"),
            Self::Allocations | Self::IdleConnections => None,
        }
    }

    /// Why it cannot be taken of `target` on this machine, with what to do about it.
    pub(crate) fn obstacle(self, target: &Target) -> Option<String> {
        let words = self.words();
        if !target.control {
            return Some(format!("Target {} has no control channel: its {words} were not counted.", target.name));
        }
        if self == Self::Allocations && target.counting.is_empty() {
            return Some(format!(
                "Target {} has no build that counts allocations: they were not counted.",
                target.name
            ));
        }
        match self {
            Self::SystemCalls => instrument::strace_obstacle(),
            _ => instrument::missing(self.tool()?, words),
        }
    }

    /// How it is counted here, for the record.
    pub(crate) fn method(self) -> Option<String> {
        let version = tool_version(self.tool()?)?;
        let how = match self {
            Self::Instructions => format!("callgrind, GLIBC_TUNABLES={}", probe::launch::GLIBC_TUNABLES),
            _ => "-f -c, at saturation".to_owned(),
        };
        Some(format!("The {} of a request were counted with {version} ({how}).", self.words()))
    }

    /// How far two counts may lie apart: as a share of the larger, and absolutely, whichever is more.
    ///
    /// The share is that of the lab's rule for counts. What depends on who waits for whom, or on pages of memory, is given
    /// more; what may be nothing at all is given an absolute slack of one in a hundred requests, or a byte.
    fn tolerance(metric: &str) -> (f64, f64) {
        match metric {
            "system_calls_per_request" => (0.05, 0.0),
            "system_calls_per_lone_request" => (0.005, 0.02),
            "context_switches_voluntary_per_request" | "context_switches_involuntary_per_request" => (0.5, 0.1),
            "live_bytes_per_request" => (0.0, 1.0),
            "rss_bytes_per_idle_connection" => (0.1, 16.0),
            "allocations_per_request" => (0.005, 0.01),
            "allocated_bytes_per_request" | "bytes_per_idle_connection" => (0.005, 1.0),
            "allocations_per_operation" => (0.005, 0.01),
            "allocated_bytes_per_operation" | "peak_live_bytes" => (0.005, 1.0),
            _ => (0.005, 0.0),
        }
    }
}

/// The version of a tool, as it tells it.
pub(crate) fn tool_version(tool: &str) -> Option<String> {
    let output = Command::new(tool).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
}

/// Takes a count twice, each time in launches of its own.
///
/// # Errors
/// Why there is no count.
pub(crate) fn take(count: Count, launch: &Launch<'_>) -> Result<[Sample; 2], Failure> {
    let once = match count {
        Count::Instructions => instructions::count,
        Count::SystemCalls => system_calls::count,
        Count::Allocations => allocations::count,
        Count::IdleConnections => idle::count,
    };
    let counted = |round| {
        let launch = Launch { round, ..*launch };
        let mut sample = launch.sample();
        sample.metrics = once(&launch)?.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect();
        Ok::<Sample, Failure>(sample)
    };
    let (first, second) = if count.is_alone() {
        (counted(0)?, counted(1)?)
    } else {
        // Counts do not mind company, and two at a time take half as long.
        let both = thread::scope(|scope| {
            let second = scope.spawn(|| counted(1));
            (counted(0), second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        (both.0?, both.1?)
    };
    Ok(agreed(first, second))
}

/// Two counts of one thing, with what differs declared void.
#[must_use]
pub fn agreed(mut first: Sample, mut second: Sample) -> [Sample; 2] {
    let void = disagreements(&first.metrics, &second.metrics);
    first.void.clone_from(&void);
    second.void = void;
    [first, second]
}

/// What moves a count from one launch to the next, in a sentence.
pub(crate) fn movement(metric: &str) -> &'static str {
    match metric {
        "instructions_per_request" => {
            "Hash seeds and addresses differ from launch to launch, and so does how often a clock's second ends in between."
        }
        "system_calls_per_request" => "How often a server waits depends on how soon its client is there again.",
        "rss_bytes_per_idle_connection" => "Memory becomes resident by whole pages.",
        _ => "Buffers and tables that grow do so at moments that depend on how requests arrive.",
    }
}

/// Metrics whose two counts differ, with the reason why they are no figures.
fn disagreements(first: &BTreeMap<String, f64>, second: &BTreeMap<String, f64>) -> BTreeMap<String, String> {
    let mut void = BTreeMap::new();
    for (metric, one) in first {
        let Some(other) = second.get(metric) else { continue };
        let (share, slack) = Count::tolerance(metric);
        let apart = (one - other).abs();
        let larger = one.abs().max(other.abs());
        if apart > slack.max(share * larger) {
            let percent = 100.0 * apart / larger;
            let reason = format!("counted twice, {one:.3} and {other:.3}: {percent:.1} % apart, so it is unstable");
            void.insert(metric.clone(), reason);
        }
    }
    void
}

/// The slope of the line nearest to the points (least squares): what one more on the first axis costs on the second.
/// `None` when all points stand above one another.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let n = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let (above, below) = points
        .iter()
        .fold((0.0, 0.0), |sum, (x, y)| (sum.0 + (x - mean_x) * (y - mean_y), sum.1 + (x - mean_x) * (x - mean_x)));
    (below > 0.0).then(|| above / below)
}

impl Launch<'_> {
    /// Starts `target` with one worker, to be counted and not timed: a count is of one thread's work.
    fn start_counted(&self, target: &Target, cpus: &[usize], slowdown: u32) -> Result<Server, Failure> {
        let database = self.database.filter(|_| self.scenario.database);
        let setup = Setup { cpus: &cpus[..cpus.len().min(1)], database, pool: self.scenario.pool, slowdown };
        Server::start(target, &setup).map_err(|trouble| self.troubled(trouble))
    }

    /// The CPU of this one of two counts that run side by side.
    fn own_cpus(&self) -> &[usize] {
        let placement = &self.plan.placement;
        if self.round == 0 { &placement.server } else { &placement.generator }
    }

    /// The target with a tool before its command.
    fn under(&self, tool: &[String]) -> Target {
        let mut target = self.target.clone();
        target.command = tool.iter().chain(&self.target.command).cloned().collect();
        target
    }

    /// The target's build that counts its allocations.
    pub(crate) fn counting(&self) -> Target {
        Target { command: self.target.counting.clone(), ..self.target.clone() }
    }

    fn troubled(&self, trouble: Trouble) -> Failure {
        self.failure(trouble.reason, trouble.stderr_tail, false)
    }

    fn uncounted(&self, error: impl std::fmt::Display) -> Failure {
        self.failure(format!("target {} cannot be counted: {error}", self.target.name), Vec::new(), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fixed_cancels_out_of_a_slope() {
        for (points, expected) in [
            (&[(1000.0, 5_001_000.0), (3000.0, 15_001_000.0)][..], Some(5000.0)),
            (&[(0.0, 7.0), (1000.0, 2007.0), (4000.0, 8007.0)], Some(2.0)),
            (&[(0.0, 5.0), (1.0, 5.0)], Some(0.0)),
            (&[(4.0, 1.0), (4.0, 2.0)], None),
            (&[(4.0, 1.0)], None),
            (&[], None),
        ] {
            assert_eq!(slope(points), expected, "{points:?}");
        }
    }

    #[test]
    fn counts_that_differ_are_void_and_name_themselves() {
        for (metric, one, other, stable) in [
            ("instructions_per_request", 1000.0, 1004.9, true),
            ("instructions_per_request", 1000.0, 1006.0, false),
            ("system_calls_per_request", 2.0, 2.08, true),
            ("system_calls_per_request", 2.0, 2.2, false),
            ("allocations_per_request", 0.0, 0.009, true),
            ("allocations_per_request", 0.0, 0.02, false),
            ("allocations_per_request", 12.0, 12.05, true),
            ("allocations_per_request", 12.0, 13.0, false),
        ] {
            let figure = |value| BTreeMap::from([(metric.to_owned(), value)]);
            let void = disagreements(&figure(one), &figure(other));
            assert_eq!(void.is_empty(), stable, "{metric} {one} {other}: {void:?}");
            assert!(stable || void[metric].contains("counted twice"), "{void:?}");
        }
    }
}
