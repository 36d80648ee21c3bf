//! Instructions: launches of the target's program under gungraun, and when a count is not to be believed.
//!
//! Each operation is counted twice on its inputs, and on twice as many. Two counts of one thing that differ are told by name,
//! and are no figure when they are far apart. An operation that the compiler has folded away, or done
//! once for all, does not cost twice as much then; one that costs no more than an empty one is none.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use probe::{
    launch::{Launched, Program},
    suite::{Plan, Target},
};
use serde_json::Value;

use crate::operation::INPUTS;

/// What is counted.
pub const METRIC: &str = "instructions_per_operation";

/// The environment variables that say what is counted: the target, the work's id, and how many times the inputs.
pub const TARGET: &str = "MICRO_TARGET";
/// See [`TARGET`].
pub const WORK: &str = "MICRO_WORK";
/// See [`TARGET`].
pub const SCALE: &str = "MICRO_SCALE";

/// How often each input is gone through. The cost of calling the operation at all is shared by so many.
const PASSES: u64 = 10;

/// What the launches of one count take, s, measured on two CPUs; those of the largest tables take longer.
pub(super) const LAUNCHES_S: f64 = 2.2;

/// Under valgrind everything takes some fifty times as long, and the largest tables take seconds without it.
const PATIENCE: Duration = Duration::from_secs(900);

/// glibc chooses its copying functions by what the CPU can do; without these features it chooses the same on any x86-64.
const GLIBC_TUNABLES: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-ERMS,-FSRM";

/// How far the counts on the inputs and on twice as many may lie apart, as a share of the larger: the second half of the
/// inputs is not the first.
const APART_MAX: f64 = 0.05;

/// How far two counts of the same thing may lie apart, as a share of the larger: the lab's rule for counts.
const UNSTABLE_MIN: f64 = 0.005;

/// Instructions that an operation must cost more than an empty one.
const LEAST: f64 = 1.0;

/// The instructions of one operation, by launch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    /// On its inputs, twice.
    pub(super) alike: [f64; 2],
    /// On twice as many.
    pub(super) doubled: f64,
}

/// What moves a count from one launch to the next, in a sentence.
pub(super) fn movement(_metric: &str) -> &'static str {
    "Hash tables have seeds of their own in every launch, by which entries collide more or less often."
}

/// How many operations are counted.
#[must_use]
pub fn repetitions(scale: usize) -> u64 {
    PASSES * (INPUTS * scale) as u64
}

/// Why nothing can be counted here, with what to do about it.
pub(super) fn obstacle(plan: &Plan) -> Option<String> {
    if !is_in_path("valgrind") {
        return Some(
            "There is no valgrind: the instructions of an operation were not counted; sudo apt-get install -y valgrind"
                .to_owned(),
        );
    }
    if plan.targets.iter().all(|target| target.counting.is_empty()) {
        return Some(
            "No target has a program that counts: the instructions of an operation were not counted.".to_owned(),
        );
    }
    plan.runner.as_os_str().is_empty().then(|| {
        "There is no gungraun-runner: the instructions of an operation were not counted; see what its installation said"
            .to_owned()
    })
}

fn is_in_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// How it is counted, for the record.
pub(super) fn method() -> String {
    let output = Command::new("valgrind").arg("--version").output().ok();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let gungraun = probe::versions::locked(&["gungraun"]).remove("gungraun").unwrap_or_default();
    format!(
        "The instructions of an operation were counted with gungraun {gungraun} and {version} (callgrind, GLIBC_TUNABLES={GLIBC_TUNABLES})."
    )
}

/// The instructions of one operation, on so many times its inputs. Launches at a time have different names.
pub(super) fn instructions(
    plan: &Plan,
    target: &Target,
    id: &str,
    scale: usize,
    launch: &str,
) -> Result<f64, Launched> {
    let folder = plan.folder.join(format!("gungraun-{launch}"));
    let _ = fs::remove_dir_all(&folder);
    let Some((program, arguments)) = target.counting.split_first() else {
        return Err(Launched::of(format!("target {} has no program that counts", target.name)));
    };
    let name = arguments.first().map_or(target.name.as_str(), String::as_str);
    let output = Program::new(&[program])
        .arguments(["--bench", "--output-format=json", "--nosummary"])
        .variable("GUNGRAUN_HOME", &folder)
        .variable("GUNGRAUN_WORKSPACE_ROOT", &plan.folder)
        .variable("GLIBC_TUNABLES", GLIBC_TUNABLES)
        .variable("PATH", path_with(&plan.runner))
        .variable(TARGET, name)
        .variable(WORK, id)
        .variable(SCALE, scale.to_string())
        .run(PATIENCE)?;
    let counted = total(&output).ok_or_else(|| {
        Launched::of(format!("target {} in {id}: gungraun told no number of instructions", target.name))
    })?;
    Ok(counted / repetitions(scale) as f64)
}

/// gungraun looks for its runner in PATH.
fn path_with(runner: &Path) -> std::ffi::OsString {
    let folder = runner.parent().map(Path::to_path_buf);
    let known: Vec<PathBuf> = env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    env::join_paths(folder.into_iter().chain(known)).unwrap_or_default()
}

/// The instructions that gungraun's summary names, for its one benchmark.
fn total(output: &str) -> Option<f64> {
    let summary: Value = output.lines().find_map(|line| serde_json::from_str(line).ok())?;
    summary["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"]["new"].as_f64()
}

/// Why the counts of an operation are not to be believed; an empty one costs `floor`.
pub(super) fn doubt(counts: Counts, floor: f64) -> Option<String> {
    let Counts { alike: [one, other], doubled } = counts;
    let apart = |a: f64, b: f64| (a - b).abs() / a.max(b);
    let larger = one.max(doubled);
    if larger < floor + LEAST {
        Some(format!("it costs {larger:.1} instructions and an empty operation {floor:.1}: it was folded away"))
    } else if apart(one, other) > UNSTABLE_MIN {
        let percent = apart(one, other) * 100.0;
        Some(format!("counted twice, {one:.1} and {other:.1}: {percent:.1} % apart, so it is unstable"))
    } else if apart(one, doubled) > APART_MAX {
        let percent = apart(one, doubled) * 100.0;
        Some(format!(
            "{one:.1} instructions for an operation, {doubled:.1} on twice the inputs: {percent:.1} % apart, so it is \
             partly folded away"
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_read_from_a_summary_and_from_nothing_else() {
        let summary = r#"{"profiles":[{"tool":"Callgrind","data":{"parts":[],"total":{"metrics":{"Ir":{"values":{"new":4711}}}}}}]}"#;
        for (output, expected) in [
            (summary, Some(4_711.0)),
            (&format!("warning: a line\n{summary}\n"), Some(4_711.0)),
            (&summary.replace("\"new\"", "\"old\""), None),
            (r#"{"profiles":[]}"#, None),
            ("", None),
        ] {
            assert_eq!(total(output), expected, "{output}");
        }
    }

    #[test]
    fn counts_that_do_not_grow_with_the_inputs_are_doubted() {
        for (alike, doubled, floor, piece) in [
            ([1_000.0, 1_000.0], 1_010.0, 3.0, None),
            ([1_000.0, 1_004.0], 1_010.0, 3.0, None),
            ([1_000.0, 1_006.0], 1_000.0, 3.0, Some("counted twice, 1000.0 and 1006.0: 0.6 % apart")),
            // Done once for all: twice the inputs cost the same in all, so half as much each.
            ([1_000.0, 1_000.0], 500.0, 3.0, Some("50.0 % apart, so it is partly folded away")),
            ([3.2, 3.2], 3.2, 3.0, Some("folded away")),
            ([4.5, 4.5], 4.5, 3.0, None),
            ([0.0, 0.0], 0.0, 3.0, Some("folded away")),
        ] {
            let doubt = doubt(Counts { alike, doubled }, floor);
            assert_eq!(doubt.is_some(), piece.is_some(), "{alike:?}, {doubled}: {doubt:?}");
            assert!(piece.is_none_or(|piece| doubt.unwrap().contains(piece)));
        }
    }
}
