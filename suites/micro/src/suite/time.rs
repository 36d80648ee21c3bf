//! Times: a launch of the target's program under criterion, and what of criterion's files becomes a figure.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use probe::{
    launch::{Launched, Program},
    suite::{Plan, Target},
};
use serde::{Deserialize, Serialize};

/// What is measured.
pub const METRIC: &str = "ns_per_operation";

/// The name that the one benchmark has in criterion's files.
pub const NAME: &str = "operation";

/// Points in a window that criterion measures, each of many operations.
pub const SAMPLES: usize = 20;

/// Resamples for criterion's own interval. The lab makes its own, over launches, so few are enough.
pub const RESAMPLES: usize = 1_000;

/// What a launch costs besides warm-up and window, s: start, check, criterion's arithmetic.
const LAUNCH_S: f64 = 0.15;

/// What checking one piece of work takes, s; a table of 10,000 routes has to be built for some.
pub(super) const CHECK_S: f64 = 0.3;

/// How long a target may take to check all its work.
pub(super) const CHECK_PATIENCE: Duration = Duration::from_secs(300);

/// How long a launch may take beyond what was asked: the largest tables are built, and warmed up, in seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// What became of checking an operation; a line of a program's output.
#[derive(Debug, Serialize, Deserialize)]
pub struct Checked {
    /// The work's id.
    pub id: String,
    /// What was wrong, if anything was.
    pub problem: Option<String>,
}

/// How long a launch takes, s.
pub(super) fn launch_s(plan: &Plan) -> f64 {
    plan.warmup_s + plan.duration_s + LAUNCH_S
}

/// Reads what a program said of its checks, or gives the line that says something else.
pub(super) fn checked(output: &str) -> Result<BTreeMap<String, Option<String>>, String> {
    output
        .lines()
        .map(|line| match serde_json::from_str(line) {
            Ok(Checked { id, problem }) => Ok((id, problem)),
            Err(_) => Err(line.chars().take(200).collect()),
        })
        .collect()
}

/// One launch: the median of criterion's points, in ns.
pub(super) fn measure(plan: &Plan, target: &Target, id: &str) -> Result<f64, Launched> {
    let folder = plan.folder.join("criterion");
    // What an earlier launch left must not be taken for this one's.
    let _ = fs::remove_dir_all(&folder);
    let program = Program::new(&target.command)
        .arguments(["time", id])
        .arguments([plan.warmup_s, plan.duration_s].map(|seconds| seconds.to_string()))
        .arguments([&folder]);
    program.run(PATIENCE + Duration::from_secs_f64(plan.warmup_s + plan.duration_s))?;
    median_ns(&folder.join(NAME).join("new").join("estimates.json"))
        .map_err(|problem| Launched::of(format!("target {} in {id}: {problem}", target.name)))
}

/// The part of criterion's estimates that is read. Its times are in ns.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

fn median_ns(file: &Path) -> Result<f64, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("criterion left no estimates: {error}"))?;
    let estimates: Estimates =
        serde_json::from_str(&text).map_err(|error| format!("criterion's estimates cannot be read: {error}"))?;
    Ok(estimates.median.point_estimate)
}
