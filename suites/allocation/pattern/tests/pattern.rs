//! The patterns through their command line, under callgrind: none is folded away, whole or in part.

use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

/// A case of each kind with the ways that there are to do it.
const PATTERNS: &[(&str, &[&str])] = &[
    ("vec-64", &["grown", "reserved"]),
    ("string-64", &["grown", "reserved"]),
    ("hash-map-16", &["grown", "reserved"]),
    ("pool-64", &["heap", "thread-local-pool", "queue-pool"]),
    ("pool-threads-64", &["heap", "thread-local-pool", "queue-pool"]),
    ("arena-list-100", &["heap", "arena"]),
    ("arena-tree-100", &["heap", "arena"]),
    ("pair-64", &["heap"]),
];

/// Repetitions in the shorter of two windows; the longer has three times as many.
const REPETITIONS: u64 = 80;

/// Runs a program in a group of its own, with a standard input that is open until the program has ended: it ends its group when
/// that closes.
fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap();
    let _stdin = child.stdin.take();
    child.wait_with_output().unwrap()
}

/// The instructions of one repetition.
fn instructions(way: &str, case: &str, scale: u32) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out");
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--dump-before=probe::usage::read*"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(env!("CARGO_BIN_EXE_allocation-pattern"))
        .args([way, case, &REPETITIONS.to_string(), &scale.to_string()]);
    let output = run(&mut valgrind);
    assert!(output.status.success(), "{way} {case}: {}", String::from_utf8_lossy(&output.stderr));
    let part = |number: u32| -> f64 {
        let text = fs::read_to_string(PathBuf::from(format!("{}.{number}", file.display()))).unwrap();
        text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok()).unwrap()
    };
    (part(3) - part(2)) / (2 * REPETITIONS) as f64
}

#[test]
fn every_pattern_costs_more_than_nothing_and_twice_as_much_on_twice_the_input() {
    let has_valgrind = Command::new("valgrind").arg("--version").output().is_ok();
    if !has_valgrind {
        assert!(env::var_os("CI").is_none(), "CI has valgrind");
        eprintln!("skipped: no valgrind; sudo apt-get install -y valgrind");
        return;
    }
    let empty = instructions("heap", "empty-1", 1);
    for (case, ways) in PATTERNS {
        for way in *ways {
            let (one, two) = (instructions(way, case, 1), instructions(way, case, 2));
            assert!(one > empty + 10.0, "{case} {way}: {one} instructions, and {empty} for nothing at all");
            assert!((1.5..2.5).contains(&(two / one)), "{case} {way}: {one} instructions, on twice the input {two}");
        }
    }
}

#[test]
fn a_way_that_takes_no_part_in_a_case_is_refused() {
    for (way, case) in [("arena", "vec-64"), ("grown", "pool-64"), ("heap", "vec"), ("heap", "pool-many")] {
        let output = run(Command::new(env!("CARGO_BIN_EXE_allocation-pattern")).args([way, case, "4", "1"]));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("takes no part in"), "{way} {case}: {said}");
    }
}
