//! Counts: launches of the program under callgrind, and of its build that counts allocations; and when to believe them.
//!
//! What is counted is one function that repeats the operation. It is counted twice on its inputs and once on twice as many: what
//! the compiler has folded away, or does once for all, does not cost twice as much then, and what costs no more than an empty
//! operation is none.

use std::{fs, time::Duration};

use probe::{
    launch::{Launched, Program},
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

/// glibc chooses its copying functions by what the CPU can do; without these features it chooses the same on any x86-64.
const GLIBC_TUNABLES: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-ERMS,-FSRM";

/// How far the counts on the inputs and on twice as many may lie apart, as a share of the larger: the second half of the
/// inputs is not the first.
const APART_MAX: f64 = 0.05;

/// How far two counts of the same thing may lie apart, as a share of the larger: the lab's rule for counts.
const UNSTABLE_MIN: f64 = 0.005;

/// Instructions that an operation must cost more than an empty one.
const LEAST: f64 = 1.0;

/// The instructions of one operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// On its inputs, twice.
    pub(crate) alike: [f64; 2],
    /// On twice as many.
    pub(crate) doubled: f64,
}

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

/// Why the counts of an operation are not to be believed; an empty one costs `floor`.
pub(crate) fn doubt(counts: Counts, floor: f64) -> Option<String> {
    let Counts { alike: [one, other], doubled } = counts;
    let apart = |a: f64, b: f64| (a - b).abs() / a.max(b);
    let larger = one.max(doubled);
    if larger < floor + LEAST {
        Some(format!("it costs {larger:.1} instructions and an empty operation {floor:.1}: it was folded away"))
    } else if apart(one, other) > UNSTABLE_MIN {
        Some(format!("counted twice, {one:.1} and {other:.1}: it is unstable"))
    } else if apart(one, doubled) > APART_MAX {
        Some(format!("{one:.1} instructions, {doubled:.1} on twice the inputs: it is partly folded away"))
    } else {
        None
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

    #[test]
    fn counts_that_do_not_grow_with_the_inputs_are_doubted() {
        for (alike, doubled, piece) in [
            ([1_000.0, 1_000.0], 1_010.0, None),
            ([1_000.0, 1_004.0], 1_010.0, None),
            ([1_000.0, 1_006.0], 1_000.0, Some("unstable")),
            // Done once for all: twice the inputs cost the same in all, so half as much each.
            ([1_000.0, 1_000.0], 500.0, Some("partly folded away")),
            ([3.2, 3.2], 3.2, Some("folded away")),
            ([4.5, 4.5], 4.5, None),
            ([0.0, 0.0], 0.0, Some("folded away")),
        ] {
            let doubt = doubt(Counts { alike, doubled }, 3.0);
            assert_eq!(doubt.is_some(), piece.is_some(), "{alike:?}, {doubled}: {doubt:?}");
            assert!(piece.is_none_or(|piece| doubt.unwrap().contains(piece)));
        }
    }
}
