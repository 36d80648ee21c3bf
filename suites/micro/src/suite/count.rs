//! Instructions: launches of the target's program under gungraun. When a count is to be believed is `probe::folding`'s.
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
    launch::{GLIBC_TUNABLES, Launched, Program},
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
}
