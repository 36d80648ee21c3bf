//! `cargo xtask bench --suite drop-timing` through its command line, with the programs that measure and with scripts in their
//! place that say what must not be.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::{Mutex, PoisonError},
};

use harness::{
    record::{Record, Status},
    stats::histogram,
};

/// Two benches at once would measure each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What a script says that has dropped all it made.
const GOOD: &str = r#"{"created":10,"dropped":10,"metrics":{"drop_ns_p50":50.0},"histograms":{}}"#;

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// An entry of lab.toml: a script that says this, whatever it is asked.
    fn script(&self, name: &str, says: &str) -> String {
        let file = self.folder.path().join(format!("{name}.sh"));
        fs::write(&file, format!("cat <<'END'\n{says}\nEND\n")).unwrap();
        let file = file.display();
        format!("[[target]]\nname = \"{name}\"\nrole = \"framework\"\ncontrol = true\ncommand = ['sh', '{file}']\n")
    }

    fn run(&self, lab: Option<&str>, arguments: &[&str]) -> Output {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(["bench", "--suite", "drop-timing", "--quick", "--profile", "light"]).args(arguments);
        if let Some(lab) = lab {
            let file = self.folder.path().join("lab.toml");
            fs::write(&file, lab).unwrap();
            command.arg("--lab").arg(file);
        }
        command.env(harness::history::VARIABLE, self.folder.path().join("history.db"));
        command.arg("--out").arg(self.run_folder()).env("NO_COLOR", "1").stdin(Stdio::null()).output().unwrap()
    }

    fn run_folder(&self) -> PathBuf {
        self.folder.path().join("run")
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
fn destructors_are_timed_and_all_values_dropped() {
    let bench = Bench::new();
    let cases = ["--case", "std-vector-100", "--case", "own-body", "--case", "exchange-body"];
    let output = bench.run(None, &[&cases[..], &["--rounds", "2", "--duration", "0.05"]].concat());
    expect(&output, 0, &["drop p50", "Nobody leads"]);
    let record = bench.record();
    // Two rounds of: one control in the first, three frameworks in the others.
    assert_eq!(record.samples.len(), 2 * (1 + 3 + 3));
    for sample in &record.samples {
        assert!(sample.metrics["values_created"] > 0.0, "{sample:?}");
        assert_eq!(sample.metrics["values_created"], sample.metrics["values_dropped"], "{sample:?}");
        assert!(sample.metrics.keys().all(|metric| harness::metric::find(metric).is_some()), "{sample:?}");
        let whole = histogram::merge(sample.histograms.values().map(String::as_str)).unwrap().unwrap();
        assert!(!whole.is_empty(), "{sample:?}");
    }
}

#[test]
fn a_leak_is_named_and_the_others_are_kept() {
    for (says, piece) in [
        (GOOD.replace("\"dropped\":10", "\"dropped\":9"), "target bad in own-body: 1 of 10 values were never dropped"),
        (GOOD.replace("\"dropped\":10", "\"dropped\":11"), "target bad in own-body: 11 drops of 10 values"),
        (GOOD.replace("10", "0"), "target bad in own-body: no value was made"),
        ("dropped all".to_owned(), "said something else than what it has seen: dropped all"),
    ] {
        let bench = Bench::new();
        let lab = [bench.script("bad", &says), bench.script("good", GOOD)].concat();
        expect(&bench.run(Some(&lab), &["--case", "own-body", "--rounds", "2"]), 3, &[piece]);
        let record = bench.record();
        let failures: Vec<_> = record.failures.iter().map(|failure| failure.target.as_str()).collect();
        assert_eq!((record.status.clone(), failures), (Status::Complete, vec!["bad"]), "{piece}");
        assert_eq!(record.samples.iter().filter(|sample| sample.target == "good").count(), 2, "{piece}");
    }
}

#[test]
fn cases_are_listed_with_the_suite_s_own_targets() {
    let output = Bench::new().run(None, &["--list"]);
    expect(&output, 0, &["std-vector-100000", "own-router-1000", "exchange-connection", "drain-1000", "control"]);
}
