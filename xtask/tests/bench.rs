//! `cargo xtask bench` on bad days, and on a good one: through its command line, with real servers.
//!
//! The servers are the two controls, which are quick to build, and `src/bin/faulty.rs`, which misbehaves on command.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use harness::{
    history::{self, Place},
    record::{Record, Status},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Two benches at once would measure each other, and fight for the few CPUs of a CI machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The environment variable by which a bench's descendants are found.
const MARK: &str = "ARMATURE_TEST_MARK";

struct Bench {
    folder: tempfile::TempDir,
    /// What stands before the command, for example `taskset`.
    wrapper: Vec<String>,
    rounds: &'static str,
    duration_s: &'static str,
    out: PathBuf,
    arguments: Vec<String>,
    postgres: Option<PathBuf>,
}

impl Bench {
    /// A bench of short windows over targets described in lab.toml's format.
    fn new(lab: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("lab.toml"), lab).unwrap();
        let out = folder.path().join("run");
        Self { folder, wrapper: vec![], rounds: "2", duration_s: "0.1", out, arguments: vec![], postgres: None }
    }

    fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self
    }

    fn wrapper(mut self, words: &[&str]) -> Self {
        self.wrapper = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    fn command(&self) -> Command {
        let mut words = self.wrapper.clone();
        words.push(env!("CARGO_BIN_EXE_xtask").to_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["bench", "--profile", "light"]);
        if !self.arguments.iter().any(|argument| argument == "--full") {
            command.arg("--quick");
        }
        command.arg("--lab").arg(self.folder.path().join("lab.toml")).arg("--out").arg(&self.out);
        for (option, value) in [("--rounds", self.rounds), ("--duration", self.duration_s)] {
            if !self.arguments.iter().any(|argument| argument == option) {
                command.args([option, value]);
            }
        }
        if let Some(folder) = &self.postgres {
            command.env("ARMATURE_POSTGRES_BIN", folder);
        }
        command.args(&self.arguments).env("NO_COLOR", "1").env(MARK, self.folder.path()).stdin(Stdio::null());
        command.env(history::VARIABLE, self.folder.path().join("history.db"));
        command
    }

    fn run(self) -> Ran {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let output = self.command().output().unwrap();
        Ran::new(output, self.folder)
    }
}

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    folder: tempfile::TempDir,
}

impl Ran {
    fn new(output: Output, folder: tempfile::TempDir) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            folder,
        }
    }

    #[track_caller]
    fn expect(&self, code: i32, stderr_pieces: &[&str]) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        for piece in stderr_pieces {
            assert!(self.stderr.contains(piece), "no {piece:?} in:\n{}", self.stderr);
        }
    }

    fn record(&self) -> Record {
        Record::read(&self.folder.path().join("run")).unwrap()
    }

    /// Samples of a target in a case.
    fn samples(&self, target: &str, case: &str) -> usize {
        self.record().samples.iter().filter(|sample| sample.target == target && sample.case == case).count()
    }
}

/// A target of lab.toml that misbehaves.
fn faulty(fault: &str) -> String {
    format!(
        "[[target]]\nname = \"faulty\"\nrole = \"framework\"\n\
         command = ['{}', '--port', '{{port}}', '--fault', '{fault}']\n",
        env!("CARGO_BIN_EXE_faulty")
    )
}

const HYPER: &str = "[[target]]\nname = \"hyper\"\nrole = \"control\"\npackage = \"target-hyper\"\n\
                     serves = [\"plaintext\", \"json\"]\n";

#[test]
fn a_foreign_server_and_a_control_are_measured_and_reported() {
    // Long enough for a busy machine to answer something in each window.
    let ran =
        Bench::new(&format!("{}{HYPER}", faulty("none"))).arguments(&["--case", "json", "--duration", "0.5"]).run();
    ran.expect(0, &[]);
    let record = ran.record();
    assert_eq!(record.status, Status::Complete);
    assert_eq!((ran.samples("faulty", "json"), ran.samples("hyper", "json")), (2, 2));
    assert!(record.servers["hyper"].versions.contains_key("hyper"), "{:?}", record.servers);
    for sample in &record.samples {
        for metric in sample.metrics.keys() {
            assert!(harness::metric::find(metric).is_some(), "{metric} is not in the table of metrics");
        }
        assert!(sample.metrics["requests_per_s"] > 0.0 && sample.metrics["open_rate_per_s"] > 0.0, "{sample:?}");
    }
    assert_eq!(record.artifacts[1].sha256.len(), 64);
    assert!(ran.stdout.contains("faulty") && ran.stdout.contains("hyper"), "{}", ran.stdout);
    for file in ["run.json", "report.html", "report.md", "results.csv"] {
        assert!(ran.folder.path().join("run").join(file).is_file(), "{file}");
    }
}

#[test]
fn servers_that_answer_wrong_get_no_number() {
    for (fault, case, finding) in [
        ("extra-field", "json", "instead of {\"message\""),
        ("row-missing", "queries-20", "19 rows instead of 20"),
        ("unescaped", "fortunes", "not escaped"),
        ("lying", "updates-20", "are not in the database"),
    ] {
        let ran = Bench::new(&format!("{}{HYPER}", faulty(fault))).arguments(&["--case", case]).run();
        ran.expect(3, &["faulty answers wrong", finding]);
        assert_eq!(ran.samples("faulty", case), 0, "{fault}");
    }
}

#[test]
fn a_server_whose_answers_change_under_load_loses_its_number() {
    let ran = Bench::new(&format!("{}{HYPER}", faulty("wrong-after=100"))).arguments(&["--case", "json"]).run();
    ran.expect(3, &["wrong answers under load"]);
    assert!(ran.record().failures.iter().all(|failure| failure.disqualifies));
    assert_eq!(ran.samples("hyper", "json"), 2);
    let summary = harness::summary::summarise(&ran.record());
    assert!(summary.cases[0].rows.iter().any(|row| row.target == "faulty" && row.metrics.is_empty()));
}

#[test]
fn servers_that_end_hang_or_die_are_named_and_the_others_kept() {
    for (fault, pieces) in [
        ("exit", &["exit code 7 before it listened", "no license for this server"][..]),
        ("hang", &["does not listen on its port after 5 s", "cargo xtask doctor"]),
        ("die-after=100", &["was killed by SIGABRT while it was measured", "out of luck"]),
    ] {
        let ran = Bench::new(&format!("{}{HYPER}", faulty(fault))).arguments(&["--case", "json"]).run();
        ran.expect(3, pieces);
        assert_eq!(ran.samples("hyper", "json"), 2, "{fault}");
        assert_eq!(ran.record().status, Status::Complete, "{fault}");
    }
}

#[test]
fn a_taken_port_is_named_with_its_cure() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let lab = faulty("none").replace("{port}", &port.to_string()) + &format!("port = {port}\n") + HYPER;
    let ran = Bench::new(&lab).arguments(&["--case", "json"]).run();
    ran.expect(3, &[&format!("port {port}, which is taken"), "ss -ltnp"]);
    assert_eq!(ran.samples("hyper", "json"), 2);
}

#[test]
fn wrong_command_lines_say_what_is_right() {
    for (arguments, code, pieces) in [
        (&["--target", "hipper"][..], 2, &["no target `hipper`", "did you mean `hyper`?"][..]),
        (&["--case", "jsn"], 2, &["no case `jsn`", "did you mean `json`?"]),
        (&["--suite", "techempowr"], 2, &["no suite `techempowr`", "did you mean `techempower`?"]),
        (&["--connections", "0"], 2, &["--connections"]),
        (&["--duration", "forever"], 2, &["give seconds"]),
        (&["--database", "mysql://x"], 2, &["give sqlite, postgres"]),
        (&["--full", "--quick"], 2, &["cannot be used with"]),
    ] {
        Bench::new(HYPER).arguments(arguments).run().expect(code, pieces);
    }
    for (lab, piece) in [
        ("[[target]]\nname = \"x\"\n", "missing field `role`"),
        ("[[target]]\nname = \"x\"\nrole = \"control\"\n", "either a `package` of this workspace or a `command`"),
        ("[[target]]\nname = \"x\"\nrole = \"control\"\ncommand = [\"x\"]\n", "must hold {port}"),
        (
            "[[target]]\nname = \"x\"\nrole = \"control\"\ncommand = [\"/no/such\", \"{port}\"]\n",
            "no program `/no/such`",
        ),
        ("not toml", "is not right"),
    ] {
        Bench::new(lab).run().expect(3, &[piece]);
    }
}

#[test]
fn an_unwritable_folder_is_refused_before_anything_is_built() {
    let mut bench = Bench::new(HYPER);
    let file = bench.folder.path().join("a-file");
    fs::write(&file, "").unwrap();
    bench.out = file.join("run");
    let ran = bench.run();
    ran.expect(3, &["cannot be written to; choose another with --out"]);
    assert!(!ran.stderr.contains("target-hyper"), "{}", ran.stderr);
}

#[test]
fn one_cpu_cannot_time() {
    let ran = Bench::new(HYPER).wrapper(&["taskset", "--cpu-list", "0"]).run();
    ran.expect(3, &["times cannot be measured with 1 CPU", "cargo xtask doctor"]);
}

#[test]
fn a_full_disk_leaves_the_record_whole_and_the_figures_shown() {
    // What is built must be there before the limit applies.
    Bench::new(HYPER).arguments(&["--case", "json"]).run().expect(0, &[]);
    // A limit on the size of files makes write(2) fail as a full disk does.
    // The record begins well below 12 KiB, and the histograms of twelve rounds take it well above.
    let limited = ["bash", "-c", "ulimit -f 12; trap '' XFSZ; exec \"$@\"", "bash"];
    let mut bench = Bench::new(HYPER).arguments(&["--case", "json"]).wrapper(&limited);
    bench.rounds = "12";
    let ran = bench.run();
    ran.expect(3, &["cannot be written; is the disk full"]);
    assert_eq!(ran.record().status, Status::Running, "the last record that was written whole");
    assert!(ran.stdout.contains("hyper"), "{}", ran.stdout);
    let left: Vec<PathBuf> = fs::read_dir(ran.folder.path().join("run")).unwrap().flatten().map(|e| e.path()).collect();
    assert!(left.iter().all(|path| !path.to_string_lossy().contains(".draft-")), "{left:?}");
}

#[test]
fn a_run_is_in_the_history_or_it_is_said_that_it_is_not() {
    let ran = Bench::new(&faulty("none")).arguments(&["--case", "json"]).run();
    ran.expect(0, &[]);
    let place = Place::File(ran.folder.path().join("history.db"));
    let mut store = history::open(&place, &[], |word| panic!("{word}")).unwrap();
    let entry = store.find(&ran.record().id).unwrap().expect("the run is recorded");
    assert!(entry.run.complete && entry.run.commit == ran.record().commit, "{entry:?}");
    let of_faulty =
        |metric: &str| entry.figures.iter().any(|figure| figure.target == "faulty" && figure.metric == metric);
    assert!(of_faulty("requests_per_s") && of_faulty("cpu_us_per_request"), "{entry:?}");

    let bench = Bench::new(&faulty("none")).arguments(&["--case", "json"]);
    fs::create_dir(bench.folder.path().join("history.db")).unwrap();
    let ran = bench.run();
    ran.expect(0, &["note: this is not in the history", "cargo xtask history import"]);
    assert_eq!(ran.record().status, Status::Complete, "the run itself is kept");
}

#[test]
fn an_engine_case_is_timed_and_counted() {
    let tools = ["valgrind", "strace"].map(|tool| harness::build::find_program(tool).is_some());
    assert!(tools == [true; 2] || std::env::var_os("CI").is_none(), "CI has valgrind and strace");
    let arguments = ["--suite", "engine", "--case", "json", "--duration", "0.5"];
    let ran = Bench::new(&format!("{}{HYPER}", faulty("none"))).arguments(&arguments).run();
    let control = "Target faulty has no control channel";
    ran.expect(0, &[&format!("{control}: its instructions"), &format!("{control}: its allocations")]);
    let summary = harness::summary::summarise(&ran.record());
    let row = summary.cases[0].rows.iter().find(|row| row.target == "hyper").unwrap();
    assert!(row.metrics["requests_per_s"].median > 0.0 && row.rounds == 2, "{row:?}");
    for (metric, needs, range) in [
        ("instructions_per_request", tools[0], 1_000.0..1_000_000.0),
        // One read, one write, and a share of a wait.
        ("system_calls_per_request", tools[1], 2.0..3.1),
        ("allocations_per_request", true, 1.0..100.0),
        ("allocated_bytes_per_request", true, 100.0..100_000.0),
    ] {
        // What depends on the load may be found unstable on a busy machine, and says so then.
        if metric == "system_calls_per_request" && row.void.contains_key(metric) {
            assert!(row.void[metric].contains("counted twice"), "{:?}", row.void);
            continue;
        }
        let counted = row.metrics.get(metric).map(|figure| figure.median);
        assert_eq!(
            counted.is_some_and(|figure| range.contains(&figure)),
            needs,
            "{metric}: {counted:?} {:?}",
            row.void
        );
    }
    assert!(fs::read_to_string(ran.folder.path().join("run/report.md")).unwrap().contains("allocations/request"));
}

#[test]
fn a_count_without_its_tool_is_said_and_the_rest_is_measured() {
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
    let bench = Bench::new(HYPER).arguments(&["--suite", "engine", "--case", "json", "--duration", "0.3"]);
    let ran = bench.wrapper(&["env", &path]).run();
    ran.expect(0, &["There is no valgrind", "There is no strace", "sudo apt-get install -y strace"]);
    let record = ran.record();
    let has = |metric: &str| record.samples.iter().any(|sample| sample.metrics.contains_key(metric));
    assert!(has("requests_per_s") && has("allocations_per_request"));
    assert!(!has("instructions_per_request") && !has("system_calls_per_request"));
}

#[test]
fn servers_that_echo_or_send_wrong_bytes_get_no_number_in_the_engine_s_cases() {
    // The server answers these routes with JSON of its own.
    for case in ["download-64-kib", "echo-1-kib", "users"] {
        let ran = Bench::new(&faulty("none")).arguments(&["--suite", "engine", "--case", case]).run();
        ran.expect(3, &["faulty answers wrong", "Content-Type is"]);
        assert_eq!(ran.samples("faulty", case), 0, "{case}");
    }
}

#[test]
fn a_private_postgres_serves_the_database_tests_and_is_gone_afterwards() {
    if harness::database::postgres_binaries().is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI has PostgreSQL: {}", harness::database::POSTGRES_CURE);
        eprintln!("skipped: no PostgreSQL; {}", harness::database::POSTGRES_CURE);
        return;
    }
    let lab = "[[target]]\nname = \"armature\"\nrole = \"framework\"\npackage = \"target-armature\"\n";
    let cases = ["--database", "postgres", "--case", "db", "--case", "updates-20", "--duration", "0.5"];
    let ran = Bench::new(lab).arguments(&cases).run();
    ran.expect(0, &["PostgreSQL"]);
    assert_eq!((ran.samples("armature", "db"), ran.samples("armature", "updates-20")), (2, 2));
    assert_eq!(marked(ran.folder.path()), Vec::<i32>::new());
}

#[test]
fn postgres_that_is_missing_or_fails_is_said_with_the_cure() {
    let programs = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(HYPER).arguments(&["--database", "postgres"]);
    bench.postgres = Some(programs.path().to_owned());
    bench.run().expect(3, &["no PostgreSQL server binaries", "apt-get install postgresql"]);

    // PostgreSQL runs as another user, who must be able to reach the programs.
    fs::set_permissions(programs.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for program in ["postgres", "initdb", "pg_isready"] {
        let path = programs.path().join(program);
        fs::write(&path, "#!/bin/sh\necho the catalog is corrupt >&2\nexit 4\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut bench = Bench::new(&faulty("none")).arguments(&["--database", "postgres", "--case", "db"]);
    bench.postgres = Some(programs.path().to_owned());
    bench.run().expect(3, &["initdb ended with exit code 4", "the catalog is corrupt"]);
}

/// Starts a long bench, waits until a round has been measured, and calls `strike` on it.
fn struck_in_mid_run(strike: impl Fn(Pid)) -> Ran {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut bench = Bench::new(&format!("{}{HYPER}", faulty("none"))).arguments(&["--case", "json"]);
    (bench.rounds, bench.duration_s) = ("100", "1");
    let mut command = bench.command();
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(240);
    let run = bench.folder.path().join("run");
    while Record::read(&run).map_or(true, |record| record.samples.is_empty()) {
        assert!(Instant::now() < deadline, "nothing was measured");
        assert!(child.try_wait().unwrap().is_none(), "the bench ended by itself");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(marked(bench.folder.path()).len() > 1, "there are children to be ended");
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let struck = Instant::now();
    strike(pid);
    let output = child.wait_with_output().unwrap();
    while !marked(bench.folder.path()).is_empty() {
        assert!(struck.elapsed() < Duration::from_secs(2), "left: {:?}", marked(bench.folder.path()));
        thread::sleep(Duration::from_millis(10));
    }
    Ran::new(output, bench.folder)
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

#[test]
fn ctrl_c_ends_all_children_and_keeps_a_partial_record() {
    let ran = struck_in_mid_run(|pid| kill(pid, Signal::SIGINT).unwrap());
    ran.expect(130, &["Interrupted", "cargo xtask report"]);
    assert!(matches!(ran.record().status, Status::Partial { .. }), "{:?}", ran.record().status);
    let run = ran.folder.path().join("run");
    let report = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("report").arg(&run).output().unwrap();
    assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stderr));
    assert!(fs::read_to_string(run.join("report.html")).unwrap().contains("PARTIAL"));
    assert!(!run.read_dir().unwrap().flatten().any(|entry| entry.path().is_dir()), "scratch is gone");
}

#[test]
fn a_killed_bench_leaves_no_process_and_a_record_that_can_be_read() {
    let ran = struck_in_mid_run(|pid| kill(pid, Signal::SIGKILL).unwrap());
    assert_eq!(ran.code, None);
    assert_eq!(ran.record().status, Status::Running);
    assert!(!ran.record().samples.is_empty());
}
