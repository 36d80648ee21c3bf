//! `cargo xtask report` as its user meets it: runs found by name, forms on standard output, and errors with their cure.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use harness::record::{FILE, Record, SCHEMA};
use serde_json::{Value, json};

struct Lab {
    runs: tempfile::TempDir,
}

impl Lab {
    fn new(ids: &[&str]) -> Self {
        let lab = Self { runs: tempfile::tempdir().unwrap() };
        for id in ids {
            lab.put(id, &record(id).to_string());
        }
        lab
    }

    fn put(&self, id: &str, text: &str) -> PathBuf {
        let folder = self.runs.path().join(id);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(FILE), text).unwrap();
        folder
    }

    fn report(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["report", "--runs"])
            .arg(self.runs.path())
            .args(arguments)
            .output()
            .unwrap()
    }
}

/// A run of two frameworks in two rounds of one case.
fn record(id: &str) -> Value {
    let target = |name: &str| json!({"name": name, "role": "framework", "command": [name], "serves": [], "control": true, "port": 0});
    let sample = |target: &str, round: u32, requests_per_s: f64| {
        json!({"target": target, "case": "json", "round": round, "slot": 0, "histograms": {}, "void": {},
               "metrics": {"requests_per_s": requests_per_s, "errors": null}})
    };
    let record = json!({
        "schema": SCHEMA, "id": id, "suite": "techempower", "status": "complete",
        "started": "2026-11-23T06:22:30Z", "finished": null, "repeat": "cargo xtask bench", "commit": null,
        "host": harness::host::Host::default(), "profile": "lto-fat",
        "plan": {
            "folder": "scratch", "targets": [target("armature"), target("axum")], "cases": [], "depth": "quick",
            "connections": [64], "rounds": 2, "warmup_s": 1.0, "duration_s": 1.0, "open_duration_s": 1.0,
            "open_shares": [0.5], "database": {"database": "sqlite"},
            "placement": {"server": [0], "generator": [1], "database": []},
            "loadgen": "loadgen", "seeder": "seeder", "seed": 1
        },
        "artifacts": [], "servers": {}, "verifications": [], "failures": [], "notes": [],
        "cases": [{"id": "json", "test": "json", "title": "JSON", "connections": 64, "depth": "quick"}],
        "samples": [sample("armature", 0, 1201.0), sample("axum", 0, 1000.0),
                    sample("armature", 1, 1212.0), sample("axum", 1, 1010.0)]
    });
    Record::parse(&record.to_string()).expect("the test's own record can be read");
    record
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_run_goes_by_its_id_its_beginning_latest_its_folder_and_its_file() {
    let lab = Lab::new(&["2026-11-22-one", "2026-11-23-two"]);
    let folder = lab.runs.path().join("2026-11-22-one");
    for (name, id) in [
        ("latest", "2026-11-23-two"),
        ("2026-11-22-one", "2026-11-22-one"),
        ("2026-11-22", "2026-11-22-one"),
        (folder.to_str().unwrap(), "2026-11-22-one"),
        (folder.join(FILE).to_str().unwrap(), "2026-11-22-one"),
    ] {
        let output = lab.report(&[name, "--format", "json"]);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["run"], id, "{name}");
        assert_eq!(told["verdicts"][0]["leader"], "armature");
    }
}

#[test]
fn without_a_format_the_files_are_written_anew_and_named() {
    let lab = Lab::new(&["2026-11-23-two"]);
    let output = lab.report(&[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.contains("armature leads") && !told.contains('\u{1b}'), "{told}");
    for name in ["report.html", "report.md", "results.csv"] {
        assert!(lab.runs.path().join("2026-11-23-two").join(name).is_file(), "{name}");
        assert!(told.contains(name), "{told}");
    }
}

#[test]
fn each_form_goes_to_standard_output_or_into_a_file() {
    let lab = Lab::new(&["2026-11-23-two"]);
    for (format, begin) in [
        ("html", "<!DOCTYPE html>"),
        ("md", "# armature leads 1 of 1 cases."),
        ("csv", "run,suite,status,case,"),
        ("json", "{"),
        ("table", "json  JSON"),
    ] {
        let told = lab.report(&["--format", format]);
        assert!(text(&told.stdout).trim_start().starts_with(begin), "{format}: {:.200}", text(&told.stdout));
        let out = lab.runs.path().join(format);
        let written = lab.report(&["--format", format, "--out", out.to_str().unwrap()]);
        assert!(written.status.success() && written.stdout.is_empty(), "{format}");
        assert_eq!(fs::read(&out).unwrap(), told.stdout, "{format}");
    }
    assert!(!lab.runs.path().join("2026-11-23-two/report.html").exists(), "a form asked for writes nothing else");
}

#[test]
fn runs_are_listed_with_their_state_the_unreadable_included() {
    let lab = Lab::new(&["2026-11-22-one"]);
    let mut partial = record("2026-11-23-two");
    partial["status"] = json!({"partial": {"reason": "Ctrl-C"}});
    lab.put("2026-11-23-two", &partial.to_string());
    lab.put("2026-11-24-cut", &partial.to_string()[..100]);
    let told = text(&lab.report(&["--list"]).stdout);
    let lines: Vec<&str> = told.lines().collect();
    for (line, (id, words)) in lines.iter().zip([
        ("2026-11-22-one", "complete"),
        ("2026-11-23-two", "partial"),
        ("2026-11-24-cut", "cannot be read"),
    ]) {
        assert!(line.starts_with(id) && line.contains(words), "{line}");
    }
    assert_eq!(lines.len(), 3);
}

#[test]
fn what_cannot_be_shown_is_explained() {
    let lab = Lab::new(&["2026-11-22-one", "2026-11-23-two"]);
    let whole = record("x").to_string();
    lab.put("damaged-cut", &whole[..whole.len() / 2]);
    lab.put("damaged-kind", "<html>");
    lab.put("damaged-new", &format!("{{\"schema\":{}}}", SCHEMA + 1));
    for (arguments, code, words) in [
        (&["2026-11-23-tow"][..], 2, "did you mean `2026-11-23-two`"),
        (&["2026-11"][..], 3, "begins the ids of 2 runs"),
        (&["damaged-cut"][..], 3, "cut short"),
        (&["damaged-kind"][..], 3, "damaged or of another kind"),
        (&["damaged-new"][..], 3, "update the checkout"),
        (&["--format", "pdf"][..], 2, "possible values: html, md, csv, json, table"),
        (&["2026-11-22-one", "--format", "csv", "--out", "/proc/no/such.csv"][..], 3, "/proc/no/such.csv"),
    ] {
        let output = lab.report(arguments);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
    let empty = Lab::new(&[]);
    let told = text(&empty.report(&[]).stderr);
    assert!(told.contains("cargo xtask bench --quick"), "{told}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named_and_the_way_round_it() {
    let lab = Lab::new(&["2026-11-23-two"]);
    let folder = lab.runs.path().join("2026-11-23-two");
    // A folder in the file's place: also root cannot rename a file over it.
    let in_the_way = folder.join("report.html");
    fs::create_dir(&in_the_way).unwrap();
    let output = lab.report(&[]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("report.html cannot be written") && told.contains("--out"), "{told}");
    assert!(Path::new(&folder.join(FILE)).is_file());
    assert!(lab.report(&["--format", "table"]).status.success());
}
