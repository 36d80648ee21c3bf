//! `cargo xtask bench --suite allocation` through its command line, with a real server and on bad days.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::{Mutex, PoisonError},
};

use harness::{
    build::find_program,
    record::{Record, Status},
    summary::{Row, summarise},
};

/// Two benches at once would build the same programs with different features.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const ARMATURE: &str = "[[target]]\nname = \"armature\"\nrole = \"framework\"\npackage = \"target-armature\"\n";

const HYPER: &str = "[[target]]\nname = \"hyper\"\nrole = \"control\"\npackage = \"target-hyper\"\n";

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Runs behind the words of `wrapper`, on the targets of `lab`, or on the suite's own.
    fn run(&self, wrapper: &[&str], lab: &str, arguments: &[&str]) -> Output {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let words = [wrapper, &[env!("CARGO_BIN_EXE_xtask")]].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["bench", "--suite", "allocation", "--profile", "light"]).args(arguments);
        if !lab.is_empty() {
            let file = self.folder.path().join("lab.toml");
            fs::write(&file, lab).unwrap();
            command.arg("--lab").arg(file);
        }
        command.arg("--out").arg(self.run_folder()).env("NO_COLOR", "1").stdin(Stdio::null()).output().unwrap()
    }

    fn run_folder(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn record(&self) -> Record {
        Record::read(&self.run_folder()).unwrap()
    }

    fn row(&self, case: &str, target: &str) -> Row {
        let summary = summarise(&self.record());
        let case = summary.cases.into_iter().find(|it| it.id == case).unwrap();
        case.rows.into_iter().find(|row| row.target == target).unwrap()
    }
}

#[track_caller]
fn expect(output: &Output, code: i32, pieces: &[&str]) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    for piece in pieces {
        assert!(err.contains(piece) || out.contains(piece), "no {piece:?} in:\n{out}\n{err}");
    }
}

/// A server without a control channel.
fn foreign() -> String {
    format!(
        "[[target]]\nname = \"foreign\"\nrole = \"framework\"\n\
         command = ['{}', '--port', '{{port}}', '--fault', 'none']\n",
        env!("CARGO_BIN_EXE_faulty")
    )
}

#[test]
fn a_real_server_is_counted_route_by_route_and_counts_agree_or_say_why_not() {
    let has = ["valgrind", "strace"].map(|tool| find_program(tool).is_some());
    assert!(has == [true; 2] || std::env::var_os("CI").is_none(), "CI has valgrind and strace");
    let bench = Bench::new();
    let cases = ["plaintext-1-deep", "json", "users", "echo-1-kib", "db"];
    let arguments: Vec<&str> = cases.iter().flat_map(|case| ["--case", case]).collect();
    expect(&bench.run(&[], ARMATURE, &arguments), 0, &["allocations/request", "system calls/lone request"]);
    let record = bench.record();
    assert_eq!((record.status.clone(), record.cases.len()), (Status::Complete, 5));
    for case in cases {
        let row = bench.row(case, "armature");
        for (metric, needs, range) in [
            ("instructions_per_request", has[0], 1_000.0..10_000_000.0),
            // At least one read, one write and one wait. Whether the wait switches depends on the machine.
            ("system_calls_per_lone_request", has[1], 2.9..100.0),
            ("allocations_per_request", true, -0.01..100.0),
            ("allocated_bytes_per_request", true, -1.0..100_000.0),
            ("live_bytes_per_request", true, -1.0..1.0),
            ("context_switches_voluntary_per_request", true, -1.0..100.0),
        ] {
            match (row.metrics.get(metric), row.void.get(metric)) {
                (Some(figure), None) => assert!(needs && range.contains(&figure.median), "{case} {metric} {figure:?}"),
                (None, Some(reason)) => assert!(reason.contains("counted twice"), "{case} {metric} {reason}"),
                (figure, _) => assert!(figure.is_none() && !needs, "{case} {metric}: {row:?}"),
            }
        }
    }
    // What is counted in the build for it does not depend on the machine or the load.
    for case in ["plaintext-1-deep", "json", "users", "echo-1-kib"] {
        let row = bench.row(case, "armature");
        for metric in ["allocations_per_request", "allocated_bytes_per_request"] {
            let figure = row.metrics[metric];
            assert!((figure.high - figure.low).abs() < 0.01 * figure.median.max(1.0), "{case} {metric} {figure:?}");
        }
    }
    for sample in &record.samples {
        assert!(sample.metrics.keys().all(|metric| harness::metric::find(metric).is_some()), "{sample:?}");
    }
}

#[test]
fn the_build_that_counts_is_another_one_than_the_rest_is_counted_of() {
    let bench = Bench::new();
    expect(&bench.run(&[], HYPER, &["--case", "json"]), 0, &[]);
    let record = bench.record();
    let counting = record.artifacts.iter().map(|artifact| artifact.counting);
    assert_eq!(counting.collect::<Vec<_>>(), [false, true]);
    assert_ne!(record.artifacts[0].sha256, record.artifacts[1].sha256);
    let target = &record.plan.targets[0];
    assert_ne!(target.command, target.counting);
}

#[test]
fn a_server_without_a_control_channel_is_counted_from_outside() {
    let bench = Bench::new();
    let control = "Target foreign has no control channel";
    let pieces = [format!("{control}: its instructions"), format!("{control}: its allocations")];
    expect(&bench.run(&[], &foreign(), &["--case", "json"]), 0, &pieces.each_ref().map(String::as_str));
    let row = bench.row("json", "foreign");
    let has = |metric: &str| row.metrics.contains_key(metric) || row.void.contains_key(metric);
    assert!(has("context_switches_voluntary_per_request"), "{row:?}");
    assert_eq!(has("system_calls_per_lone_request"), find_program("strace").is_some(), "{row:?}");
    assert!(!has("instructions_per_request") && !has("allocations_per_request"), "{row:?}");
}

/// What is traced already cannot be traced by another: inside strace, the kernel forbids ptrace(2).
#[test]
fn where_ptrace_is_forbidden_it_is_said_and_the_rest_counted() {
    if find_program("strace").is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI has strace");
        eprintln!("skipped: no strace; sudo apt-get install -y strace");
        return;
    }
    let bench = Bench::new();
    let traced = ["strace", "-f", "--seccomp-bpf", "-e", "trace=execve", "-o", "/dev/null", "--"];
    expect(&bench.run(&traced, HYPER, &["--case", "json"]), 0, &["ptrace(2) is forbidden here", "yama.ptrace_scope"]);
    let row = bench.row("json", "hyper");
    assert!(row.metrics.contains_key("allocations_per_request"), "{row:?}");
    assert!(!row.metrics.contains_key("system_calls_per_lone_request"), "{row:?}");
    assert_eq!(row.metrics.contains_key("instructions_per_request"), find_program("valgrind").is_some(), "{row:?}");
}

#[test]
fn without_its_tools_it_says_so_and_counts_the_rest() {
    let programs = tempfile::tempdir().unwrap();
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap()) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name != "valgrind" && name != "strace" {
                // Folders may share a name, of which the first counts.
                let _ = std::os::unix::fs::symlink(entry.path(), programs.path().join(name));
            }
        }
    }
    let path = format!("PATH={}", programs.path().display());
    let bench = Bench::new();
    let arguments = ["--case", "json", "--case", "pool-64", "--target", "hyper", "--target", "heap"];
    let missing = ["There is no valgrind", "There is no strace", "sudo apt-get install -y strace"];
    expect(&bench.run(&["env", &path], "", &arguments), 0, &missing);
    assert!(bench.row("json", "hyper").metrics.contains_key("allocations_per_request"));
    let row = bench.row("pool-64", "heap");
    assert_eq!(row.metrics["allocations_per_operation"].median, 8.0, "{row:?}");
    assert!(!row.metrics.contains_key("instructions_per_operation"), "{row:?}");
}

#[test]
fn patterns_are_counted_beside_each_other_and_what_counting_costs_is_told() {
    let bench = Bench::new();
    let cases = ["vec-1024", "hash-map-1000", "pool-4096", "pool-threads-64", "arena-list-1000", "pair-64"];
    let ways = ["grown", "reserved", "heap", "thread-local-pool", "queue-pool", "arena"];
    let arguments: Vec<&str> =
        cases.iter().flat_map(|case| ["--case", case]).chain(ways.iter().flat_map(|way| ["--target", way])).collect();
    let has_valgrind = find_program("valgrind").is_some();
    let told: &[&str] = if has_valgrind { &["Counting costs ", "instructions for each pair"] } else { &[] };
    expect(&bench.run(&[], "", &arguments), 0, told);
    for (case, way, allocations) in [
        // From 8 B on it doubles, up to 1,024.
        ("vec-1024", "grown", 8.0),
        ("vec-1024", "reserved", 1.0),
        ("hash-map-1000", "reserved", 1.0),
        ("pool-4096", "heap", 8.0),
        ("pool-4096", "thread-local-pool", 0.0),
        ("pool-4096", "queue-pool", 0.0),
        ("arena-list-1000", "heap", 1_000.0),
        ("arena-list-1000", "arena", 0.0),
        ("pair-64", "heap", 1.0),
    ] {
        let row = bench.row(case, way);
        assert_eq!(row.metrics["allocations_per_operation"].median, allocations, "{case} {way}: {row:?}");
        let counted = row.metrics.get("instructions_per_operation").map(|figure| figure.median > 1.0);
        assert_eq!(counted, has_valgrind.then_some(true), "{case} {way}: {row:?}");
    }
    assert_eq!(bench.row("vec-1024", "reserved").metrics["peak_live_bytes"].median, 1_024.0);
}
