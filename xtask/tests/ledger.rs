//! `cargo xtask ledger` through its command line, with one small experiment.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use harness::{
    build::find_program,
    judge::Count,
    layout,
    ledger::{Effect, Entry},
};

fn ledger(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["ledger", "--profile", "light", "--out"]).arg(folder).args(arguments);
    command.env("NO_COLOR", "1").stdin(Stdio::null()).output().unwrap()
}

#[test]
fn one_experiment_is_run_and_written_down_and_the_projects_ledger_stays() {
    let has_valgrind = find_program("valgrind").is_some();
    assert!(has_valgrind || std::env::var_os("CI").is_none(), "CI has valgrind");
    let (folder, kept) = (tempfile::tempdir().unwrap(), layout::workspace_root().unwrap().join("reports/LEDGER.md"));
    let before = fs::read(&kept).ok();
    let output = ledger(folder.path(), &["--only", "body-slice", "--quick", "--pairs", "7", "--anyway"]);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    assert!(out.starts_with("1 experiments on 2 inputs: ") && out.contains("body-slice: "), "{out}");
    assert_eq!(fs::read(&kept).ok(), before, "a part of the experiments is no ledger");

    let text = fs::read_to_string(folder.path().join("ledger.json")).unwrap();
    let entries: Vec<Entry> = serde_json::from_str(&text).unwrap();
    assert_eq!(
        entries.iter().map(|entry| entry.case.id.as_str()).collect::<Vec<_>>(),
        ["body-slice-64-b", "body-slice-256-kib"]
    );
    for entry in &entries {
        assert_ne!(entry.effect, Effect::Broken, "{entry:?}");
        assert!(entry.time.as_ref().is_some_and(|time| time.base > 0.0 && time.head > 0.0), "{entry:?}");
        if has_valgrind {
            let count = |metric: &str| -> &Count { &entry.counts.iter().find(|(name, _)| name == metric).unwrap().1 };
            let allocations = count("allocations_per_operation");
            assert_eq!((allocations.base, allocations.head), (1.0, 0.0), "{entry:?}");
            let bytes = count("allocated_bytes_per_operation");
            assert!(bytes.base >= 64.0 && bytes.head == 0.0, "{entry:?}");
            assert!(count("instructions_per_operation").base > 1.0, "{entry:?}");
        }
    }
    let markdown = fs::read_to_string(folder.path().join("ledger.md")).unwrap();
    assert!(markdown.contains("| body-slice | Handing a body on") && markdown.contains("Measured on "), "{markdown}");
    let page = fs::read_to_string(folder.path().join("ledger.html")).unwrap();
    assert_eq!(page.matches("<svg class=\"ratio\"").count(), 2, "{page}");
}

#[test]
fn an_experiment_that_is_not_there_is_refused_before_anything_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let output = ledger(&folder.path().join("run"), &["--only", "body-slize"]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("body-slice") && !folder.path().join("run").exists(), "{err}");
}
