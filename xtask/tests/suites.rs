//! `cargo xtask bench` and the suites themselves: one that dies, one that says what nobody understands, several in turn.
//!
//! The suites are scripts, named by their paths; they say what a suite says and measure nothing.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use harness::record::{Record, Status};

const CASE: &str = r#"{"id":"a","test":"a","title":"Something","connections":null,"depth":"quick"}"#;

/// A folder of suites, and of the records that come of them.
struct Place(tempfile::TempDir);

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    /// With targets of these names, of which nothing is ever started.
    fn new(targets: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target =
            |name| format!("[[target]]\nname = \"{name}\"\nrole = \"framework\"\ncommand = ['sh', '{{port}}']\n");
        fs::write(folder.path().join("lab.toml"), targets.iter().map(target).collect::<String>()).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A suite that lists `case` and does `run` when it has read its plan.
    fn suite(&self, name: &str, case: &str, run: &str) -> String {
        let path = self.path().join(format!("{name}.sh"));
        fs::write(&path, format!("#!/bin/sh\ncase $1 in\nlist) echo '{case}';;\nrun) read -r plan\n{run}\n;;\nesac\n"))
            .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A bench whose records stand in the folder, as nothing has to be built.
    fn bench(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["bench", "--quick", "--lab"])
            .arg(self.path().join("lab.toml"))
            .args(arguments)
            .env("CARGO_TARGET_DIR", self.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The records so far, the oldest first.
    fn runs(&self) -> Vec<(PathBuf, Record)> {
        let found = harness::record::list(&self.path().join("lab/runs")).unwrap();
        found.into_iter().map(|run| (run.folder.clone(), Record::read(&run.folder).unwrap())).collect()
    }
}

impl Ran {
    #[track_caller]
    fn expect(&self, code: i32, pieces: &[&str]) {
        let (out, err) = (&self.stdout, &self.stderr);
        assert_eq!(self.code, Some(code), "{out}\n{err}");
        for piece in pieces {
            assert!(out.contains(piece) || err.contains(piece), "no {piece:?} in:\n{out}\n{err}");
        }
    }
}

fn planned(seconds: u32) -> String {
    format!("echo '{{\"event\":\"planned\",\"cases\":[{CASE}],\"steps\":1,\"expected_s\":{seconds}}}'")
}

fn sample(target: &str, figures: &str) -> String {
    format!(
        "echo '{{\"event\":\"sample\",\"target\":\"{target}\",\"case\":\"a\",\"round\":0,\"slot\":0,\
         \"metrics\":{{{figures}}},\"histograms\":{{}},\"void\":{{}}}}'"
    )
}

const FINISHED: &str = r#"echo '{"event":"finished"}'"#;

#[test]
fn a_suite_that_dies_or_says_what_nobody_understands_leaves_what_was_measured() {
    for (end, reason) in [
        ("echo out of luck >&2; exit 4", "the suite ended with exit code 4: out of luck"),
        ("kill -KILL $$", "the suite was killed by SIGKILL"),
        ("echo faster than ever", "said something that is no event: faster than ever"),
        (r#"echo '{"event":"boast"}'"#, r#"said something that is no event: {"event":"boast"}"#),
        (r#"echo '{"event":"sample"}'"#, r#"said something that is no event: {"event":"sample"}"#),
        ("true", "the suite ended with exit code 0"),
    ] {
        let place = Place::new(&["one"]);
        let run = [&planned(1), &sample("one", "\"requests_per_s\":4711"), end].join("\n");
        let suite = place.suite("bad", CASE, &run);
        place.bench(&["--suite", &suite]).expect(3, &["broken: ", reason, "PARTIAL", "4,711"]);
        let (folder, record) = place.runs().remove(0);
        assert!(
            matches!(&record.status, Status::Partial { reason: why } if why.contains(reason)),
            "{:?}",
            record.status
        );
        assert_eq!(record.samples.len(), 1, "{end}");
        assert!(fs::read_to_string(folder.join("report.md")).unwrap().contains("PARTIAL"), "{end}");
    }
}

#[test]
fn a_suite_that_cannot_list_its_cases_is_refused_before_anything_is_measured() {
    let place = Place::new(&["one"]);
    let garbage = place.suite("garbage", "cases: many", "");
    place.bench(&["--suite", &garbage]).expect(3, &["listed something else than a case: cases: many"]);
    let absent = place.path().join("absent.sh");
    place.bench(&["--suite", absent.to_str().unwrap()]).expect(3, &["absent.sh cannot be started"]);
    assert!(place.runs().is_empty());
}

#[test]
fn a_figure_that_one_target_lacks_is_a_gap_in_every_rendering() {
    let place = Place::new(&["one", "two", "three"]);
    let run = [
        planned(1),
        sample("one", "\"requests_per_s\":4711,\"allocations_per_request\":3"),
        sample("two", "\"requests_per_s\":4712,\"allocations_per_request\":null"),
        FINISHED.to_owned(),
    ];
    let suite = place.suite("gap", CASE, &run.join("\n"));
    place.bench(&["--suite", &suite]).expect(0, &["4,711", "4,712", "–"]);
    let (folder, _) = place.runs().remove(0);
    for file in ["report.md", "report.html", "results.csv"] {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.contains("two") && !text.contains("NaN"), "{file}:\n{text}");
    }
    let markdown = fs::read_to_string(folder.join("report.md")).unwrap();
    let allocations: Vec<&str> = markdown.lines().filter(|line| line.starts_with("| allocations/request")).collect();
    // The one that has it stands alone, with nobody to be compared to.
    assert!(allocations.len() == 1 && allocations[0].contains("| one |"), "{markdown}");
}

#[test]
fn a_leak_is_a_reason_to_fail_where_armature_has_it_or_takes_no_part() {
    for (targets, leaking, code) in [
        (&["armature", "axum"][..], "armature", 1),
        (&["armature", "axum"], "axum", 0),
        (&["mine"], "mine", 1),
        (&["armature"], "", 0),
    ] {
        let place = Place::new(targets);
        let mut run = vec![planned(1)];
        run.extend(targets.iter().map(|target| {
            let low = if *target == leaking { 16 } else { 0 };
            sample(target, &format!("\"leaked_bytes_per_request\":{low},\"leaked_bytes_per_request_low\":{low}"))
        }));
        run.push(FINISHED.to_owned());
        let suite = place.suite("leak", CASE, &run.join("\n"));
        place.bench(&["--suite", &suite]).expect(code, &[if leaking.is_empty() { "Nobody leaks" } else { "leaks" }]);
    }
}

#[test]
fn suites_run_one_after_the_other_and_a_failing_one_takes_none_along() {
    let place = Place::new(&["one"]);
    let good = [planned(70), sample("one", "\"requests_per_s\":4711"), FINISHED.to_owned()].join("\n");
    let suites = [
        place.suite("first", CASE, &good),
        place.suite("dying", CASE, &format!("{}\nexit 4", planned(50))),
        place.suite("garbage", "cases: many", ""),
        place.suite("last", CASE, &good),
    ];
    let all: Vec<&str> = suites.iter().flat_map(|suite| ["--suite", suite]).collect();
    let sizes = "1 cases × 1 targets × 3 rounds";
    let beforehand =
        [sizes, "about 70 s", "about 50 s", "as the suite says", "garbage", "cannot be run", "about 4 min"];
    let listed = place.bench(&[&all[..], &["--list"]].concat());
    listed.expect(3, &beforehand);
    assert!(place.runs().is_empty(), "a list measures nothing");
    let progress =
        ["Suite 1 of 4, first: about 70 s; 4 min left in all", "Suite 4 of 4, last: about 70 s; 70 s left in all"];
    let ran = place.bench(&all);
    ran.expect(3, &[&beforehand[..], &progress].concat());
    let last: Vec<&str> = ran.stdout.trim_end().lines().rev().take(4).collect();
    let expected =
        [("first", "  measured"), ("dying", "not measured"), ("garbage", "not measured"), ("last", "  measured")];
    for ((name, verdict), line) in expected.iter().zip(last.iter().rev()) {
        assert!(line.starts_with(name) && line.contains(verdict), "{line}");
    }
    let complete: Vec<String> = place
        .runs()
        .into_iter()
        .filter(|(_, record)| record.status == Status::Complete)
        .map(|(_, it)| it.suite)
        .collect();
    assert_eq!(complete, ["first", "last"]);
    // What a run took is known now.
    place.bench(&[&all[..], &["--list"]].concat()).expect(3, &["as it took before"]);
}
