//! `cargo xtask bench --suite micro` on good days and bad ones: through its command line, with programs that measure and
//! with scripts in their place that misbehave.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use harness::record::{Record, Status};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Two benches at once would measure each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The environment variable by which a bench's descendants are found.
const MARK: &str = "ARMATURE_TEST_MARK";

/// One target of the suite's own file.
const ARMATURE: &str = "[[target]]\nname = \"armature\"\nrole = \"framework\"\npackage = \"suite-micro\"\n\
                        binary = \"micro-time\"\ncounting = \"micro-count\"\narguments = [\"armature\"]\n";

/// A script in the place of a program that measures: what it does when it is asked to check, and to time.
struct Script {
    name: &'static str,
    check: &'static str,
    time: &'static str,
}

/// Checks as it should.
const CHECKS: &str = r#"for id; do echo "{\"id\":\"$id\",\"problem\":null}"; done"#;

/// Leaves what criterion leaves.
const TIMES: &str =
    r#"mkdir -p "$4/operation/new"; echo '{"median":{"point_estimate":12.5}}' > "$4/operation/new/estimates.json""#;

const GOOD: Script = Script { name: "good", check: CHECKS, time: TIMES };

impl Script {
    /// A line of lab.toml for it, and its file in `folder`.
    fn target(&self, folder: &Path) -> String {
        let file = folder.join(format!("{}.sh", self.name));
        let text =
            format!("asked=$1; shift\ncase $asked in\ncheck) {}\n;;\ntime) {}\n;;\nesac\n", self.check, self.time);
        fs::write(&file, text).unwrap();
        format!(
            "[[target]]\nname = \"{}\"\nrole = \"framework\"\ncontrol = true\ncommand = ['sh', '{}']\n",
            self.name,
            file.display()
        )
    }
}

struct Bench {
    folder: tempfile::TempDir,
    path: Option<PathBuf>,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), path: None }
    }

    fn run_folder(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn command(&self, lab: &str, arguments: &[&str]) -> Command {
        fs::write(self.folder.path().join("lab.toml"), lab).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(["bench", "--suite", "micro", "--quick", "--profile", "light"]).args(arguments);
        command.arg("--lab").arg(self.folder.path().join("lab.toml")).arg("--out").arg(self.run_folder());
        command.env("NO_COLOR", "1").env(MARK, self.folder.path()).stdin(Stdio::null());
        command.env(harness::history::VARIABLE, self.folder.path().join("history.db"));
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        command
    }

    fn run(&self, lab: &str, arguments: &[&str]) -> Output {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        self.command(lab, arguments).output().unwrap()
    }

    fn record(&self) -> Record {
        Record::read(&self.run_folder()).unwrap()
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

#[test]
fn operations_are_timed_and_counted() {
    let has_valgrind = harness::build::find_program("valgrind").is_some();
    assert!(has_valgrind || std::env::var_os("CI").is_none(), "CI has valgrind");
    let bench = Bench::new();
    let lab = format!("{ARMATURE}{}", ARMATURE.replace("\"armature\"", "\"actix\""));
    let cases = ["--case", "respond-empty", "--case", "route-parameter-10-last", "--case", "cycle-json"];
    let output = bench.run(&lab, &[&cases[..], &["--rounds", "2", "--duration", "0.05"]].concat());
    expect(&output, 0, &["Beside the figures of the study", "time/operation"]);
    let record = bench.record();
    for sample in &record.samples {
        for metric in sample.metrics.keys() {
            assert!(harness::metric::find(metric).is_some(), "{metric} is not in the table of metrics");
        }
    }
    let summary = harness::summary::summarise(&record);
    assert_eq!(summary.cases.len(), 3);
    for row in summary.cases.iter().flat_map(|case| &case.rows) {
        assert!(row.problems.is_empty() && row.void.is_empty(), "{row:?}");
        assert!(row.metrics["ns_per_operation"].median > 0.0 && row.rounds == 2, "{row:?}");
        let counted = row.metrics.get("instructions_per_operation").map(|figure| figure.median);
        assert_eq!(counted.is_some_and(|count| (2.0..10_000_000.0).contains(&count)), has_valgrind, "{row:?}");
    }
}

#[test]
fn without_valgrind_times_are_measured_and_counts_are_said_to_be_left_out() {
    let programs = tempfile::tempdir().unwrap();
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap()) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name() != "valgrind" {
                // Folders may share a name, of which the first counts.
                let _ = std::os::unix::fs::symlink(entry.path(), programs.path().join(entry.file_name()));
            }
        }
    }
    let mut bench = Bench::new();
    bench.path = Some(programs.path().to_owned());
    let output = bench.run(ARMATURE, &["--case", "respond-empty", "--rounds", "2", "--duration", "0.05"]);
    expect(&output, 0, &["There is no valgrind", "sudo apt-get install -y valgrind"]);
    let record = bench.record();
    assert_eq!(record.samples.len(), 2);
    assert!(record.samples.iter().all(|sample| sample.metrics.contains_key("ns_per_operation")));
}

#[test]
fn programs_that_misbehave_are_named_and_the_others_kept() {
    for (bad, pieces) in [
        (Script { name: "bad", check: "echo checked", time: TIMES }, &["said something that is no check: checked"][..]),
        (Script { name: "bad", check: "echo no licence >&2; exit 7", time: TIMES }, &["exit code 7", "no licence"]),
        (
            Script {
                name: "bad",
                check: r#"echo '{"id":"respond-empty","problem":"201 instead of 200"}'"#,
                time: TIMES,
            },
            &["bad answers wrong: respond-empty: 201 instead of 200"],
        ),
        (Script { name: "bad", check: "true", time: TIMES }, &["respond-empty: it was not checked"]),
        (
            Script { name: "bad", check: CHECKS, time: "echo out of luck >&2; kill -ABRT $$" },
            &["signal 6", "out of luck"],
        ),
        (Script { name: "bad", check: CHECKS, time: "true" }, &["criterion left no estimates"]),
        (Script { name: "bad", check: CHECKS, time: TIMES_GARBAGE }, &["estimates cannot be read"]),
    ] {
        let bench = Bench::new();
        let lab = [&bad, &GOOD].map(|script| script.target(bench.folder.path())).concat();
        let output = bench.run(&lab, &["--case", "respond-empty", "--rounds", "2"]);
        expect(&output, 3, pieces);
        let record = bench.record();
        assert_eq!(record.status, Status::Complete, "{pieces:?}");
        let of = |target: &str| record.samples.iter().filter(|sample| sample.target == target).count();
        assert_eq!((of("bad"), of("good")), (0, 2), "{pieces:?}");
    }
}

/// Leaves a file that is not what criterion leaves.
const TIMES_GARBAGE: &str = r#"mkdir -p "$4/operation/new"; echo fast > "$4/operation/new/estimates.json""#;

#[test]
fn a_figure_that_one_target_lacks_is_a_gap_and_no_failure() {
    // The script has no program that counts.
    let bench = Bench::new();
    let lab = format!("{}{ARMATURE}", GOOD.target(bench.folder.path()));
    let output = bench.run(&lab, &["--case", "respond-empty", "--rounds", "2", "--duration", "0.05"]);
    expect(&output, 0, &[]);
    let summary = harness::summary::summarise(&bench.record());
    let row = |target: &str| summary.cases[0].rows.iter().find(|row| row.target == target).unwrap();
    assert_eq!(row("good").metrics.keys().collect::<Vec<_>>(), ["ns_per_operation"]);
    assert!(row("armature").metrics.contains_key("ns_per_operation"));
    assert!(row("armature").ratios["good"].contains_key("ns_per_operation"));
}

#[test]
fn an_unknown_case_is_refused_with_the_nearest() {
    let bench = Bench::new();
    let output = bench.run(ARMATURE, &["--case", "respond-emty"]);
    expect(&output, 2, &["no case `respond-emty`", "did you mean `respond-empty`?"]);
}

#[test]
fn a_killed_bench_leaves_no_program_behind() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let bench = Bench::new();
    let mut command = bench.command(ARMATURE, &["--case", "respond-empty", "--rounds", "500", "--duration", "1"]);
    let mut child = command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(600);
    while Record::read(&bench.run_folder()).map_or(true, |record| record.samples.is_empty()) {
        assert!(Instant::now() < deadline, "nothing was measured");
        assert!(child.try_wait().unwrap().is_none(), "the bench ended by itself");
        thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    let struck = Instant::now();
    while !marked(bench.folder.path()).is_empty() {
        assert!(struck.elapsed() < Duration::from_secs(5), "left: {:?}", marked(bench.folder.path()));
        thread::sleep(Duration::from_millis(10));
    }
}

/// Processes that carry a bench's mark in their environment.
fn marked(folder: &Path) -> Vec<i32> {
    let mark = format!("{MARK}={}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()) {
            found.push(pid);
        }
    }
    found
}
