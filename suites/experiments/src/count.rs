//! Counts: launches of the program under callgrind, and of its build that counts allocations. When to believe
//! them is `probe::folding`'s.
//!
//! What is counted is one function that repeats the operation. It is counted twice on its inputs and once on twice as many: what
//! the compiler has folded away, or does once for all, does not cost twice as much then, and what costs no more than an empty
//! operation is none.

use std::{fs, time::Duration};

use probe::{
    launch::{GLIBC_TUNABLES, Launched, Program},
    suite::{Plan, Target},
};

use crate::operation::INPUTS;

/// What is counted under callgrind.
pub(crate) const INSTRUCTIONS: &str = "instructions_per_operation";

/// What is counted in the build for it.
pub(crate) const ALLOCATIONS: [&str; 2] = ["allocations_per_operation", "allocated_bytes_per_operation"];

/// The function whose instructions are counted: `measure.rs`'s.
const COUNTED: &str = "suite_experiments::measure::counted*";

/// How often each input is gone through. The cost of calling the function at all is shared by so many.
const PASSES: u64 = 20;

/// What the launches of one count take, s, measured on two CPUs.
pub(crate) const LAUNCHES_S: f64 = 2.0;

/// Under valgrind everything takes some fifty times as long, and the largest tables take a second without it.
const PATIENCE: Duration = Duration::from_secs(300);

/// Why nothing can be counted here, with what to do about it.
pub(crate) fn obstacle() -> Option<String> {
    let is_there = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join("valgrind").is_file()));
    (!is_there).then(|| {
        "There is no valgrind: nothing shows that no input was folded away, and instructions were not counted; sudo \
         apt-get install -y valgrind"
            .to_owned()
    })
}

/// The instructions of an operation of one target, on so many times its inputs. Launches at a time have different names.
pub(crate) fn instructions(plan: &Plan, target: &Target, id: &str, scale: usize, name: &str) -> Result<f64, Launched> {
    let times = PASSES * (INPUTS * scale) as u64;
    let file = plan.folder.join(format!("callgrind-{name}.out"));
    let out = format!("--callgrind-out-file={}", file.display());
    let tool = ["valgrind", "--tool=callgrind", &format!("--toggle-collect={COUNTED}"), &out].map(str::to_owned);
    Program::new(&[&tool[..], &target.command].concat())
        .arguments(["repeat", id])
        .arguments([scale.to_string(), times.to_string()])
        .variable("GLIBC_TUNABLES", GLIBC_TUNABLES)
        .run(PATIENCE)?;
    let text = fs::read_to_string(&file).unwrap_or_default();
    // It may be gone already, with the folder; nothing is lost then.
    let _ = fs::remove_file(&file);
    let total = totals(&text).ok_or_else(|| Launched::of(format!("{id}: callgrind wrote no totals")))?;
    Ok(total as f64 / times as f64)
}

/// The instructions in all of a callgrind file; `None` where nothing was collected.
fn totals(text: &str) -> Option<u64> {
    let line = text.lines().rev().find_map(|line| line.strip_prefix("totals:"))?;
    line.split_whitespace().next()?.parse().ok().filter(|total| *total > 0)
}

/// Blocks and bytes of an operation, in the build that counts them.
pub(crate) fn allocations(target: &Target, id: &str) -> Result<[f64; 2], Launched> {
    let output = Program::new(&target.counting).arguments(["allocations", id]).run(PATIENCE)?;
    let mut figures = output.split_whitespace().map(str::parse);
    match (figures.next(), figures.next()) {
        (Some(Ok(calls)), Some(Ok(bytes))) => Ok([calls, bytes]),
        _ => Err(Launched::of(format!("{id}: {output:?} are no allocations"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_and_nothing_else_is_taken_for_them() {
        assert_eq!(totals("events: Ir\nsummary: 12\nfn=(1)\n1 12\ntotals: 15\n"), Some(15));
        // Without a call of the function that is counted callgrind collects nothing.
        assert_eq!(totals("events: Ir\nsummary: 0\ntotals: 0\n"), None);
        assert_eq!(totals("desc: totals: 3\n"), None);
        assert_eq!(totals(""), None);
    }
}
