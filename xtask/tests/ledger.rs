//! `cargo xtask ledger` through its command line, with one small experiment in process and one over a socket.

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

/// Together, since one ledger is measured at a time. The knob moves a count for certain: with 16 requests at once there are 16 writes
/// instead of one.
#[test]
fn experiments_of_both_kinds_are_run_and_written_down_and_the_projects_ledger_stays() {
    let has_valgrind = find_program("valgrind").is_some();
    assert!(has_valgrind || std::env::var_os("CI").is_none(), "CI has valgrind");
    let (folder, kept) = (tempfile::tempdir().unwrap(), layout::workspace_root().unwrap().join("reports/LEDGER.md"));
    let before = fs::read(&kept).ok();
    let only = ["--only", "body-slice", "--only", "batched-answers-16"];
    let output = ledger(folder.path(), &[&only[..], &["--quick", "--pairs", "7", "--anyway"]].concat());
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    assert!(out.starts_with("2 experiments on 3 inputs: "), "{out}");
    assert!(out.contains("body-slice: ") && out.contains("batched-answers: "), "{out}");
    assert_eq!(fs::read(&kept).ok(), before, "a part of the experiments is no ledger");

    let text = fs::read_to_string(folder.path().join("ledger.json")).unwrap();
    let entries: Vec<Entry> = serde_json::from_str(&text).unwrap();
    assert_eq!(
        entries.iter().map(|entry| (entry.case.id.as_str(), entry.timed.as_str())).collect::<Vec<_>>(),
        [
            ("body-slice-64-b", "ns_per_operation"),
            ("body-slice-256-kib", "ns_per_operation"),
            ("batched-answers-16", "cpu_us_per_request")
        ]
    );
    for entry in &entries {
        assert_ne!(entry.effect, Effect::Broken, "{entry:?}");
        assert!(entry.time.as_ref().is_some_and(|time| time.base > 0.0 && time.head > 0.0), "{entry:?}");
    }
    let count = |entry: &Entry, metric: &str| -> Option<Count> {
        entry.counts.iter().find(|(name, _)| name == metric).map(|(_, count)| count.clone())
    };
    if has_valgrind {
        for entry in &entries[..2] {
            let allocations = count(entry, "allocations_per_operation").unwrap();
            assert_eq!((allocations.base, allocations.head), (1.0, 0.0), "{entry:?}");
            let bytes = count(entry, "allocated_bytes_per_operation").unwrap();
            assert!(bytes.base >= 64.0 && bytes.head == 0.0, "{entry:?}");
            assert!(count(entry, "instructions_per_operation").unwrap().base > 1.0, "{entry:?}");
        }
        assert!(count(&entries[2], "instructions_per_request").is_some_and(|count| count.head < count.base));
    }
    // strace may be missing or forbidden here, which is said; and a count that is unstable is none.
    if let Some(calls) = count(&entries[2], "system_calls_per_request") {
        assert!(calls.base > 1.0 && calls.head < 0.5, "{calls:?}");
    }
    let allocations = count(&entries[2], "allocations_per_request").unwrap();
    assert!(allocations.base < 0.01 && allocations.head < 0.01, "{allocations:?}");

    let markdown = fs::read_to_string(folder.path().join("ledger.md")).unwrap();
    assert!(markdown.contains("| body-slice | Handing a body on") && markdown.contains("Measured on "), "{markdown}");
    assert!(markdown.contains("| batched-answers | Writing the answers") && markdown.contains(" µs → "), "{markdown}");
    let page = fs::read_to_string(folder.path().join("ledger.html")).unwrap();
    assert_eq!(page.matches("<svg class=\"ratio\"").count(), 3, "{page}");
}

#[test]
fn an_experiment_that_is_not_there_is_refused_before_anything_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let output = ledger(&folder.path().join("run"), &["--only", "body-slize"]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("body-slice") && !folder.path().join("run").exists(), "{err}");
}
