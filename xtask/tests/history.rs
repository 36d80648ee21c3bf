//! `cargo xtask history` as its user meets it: what goes in comes out again, also when writers are killed, crowd or find damage.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use harness::{
    compare::Comparison,
    history::{self, Entry, Filter, Place},
    judge::{Series, Verdict},
    record::Record,
};
use serde_json::{Value, json};

/// A folder that stands for cargo's target folder.
struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn put_run(&self, id: &str, record: &Value) -> PathBuf {
        Record::parse(&record.to_string()).expect("the test's own record can be read");
        self.put(&format!("lab/runs/{id}/run.json"), &record.to_string())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("history").args(arguments).env("CARGO_TARGET_DIR", self.folder.path());
        command.env_remove(history::VARIABLE);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a command that has to succeed prints.
    fn told(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A run of the day `day`, in which each target needed some instructions a request, counted twice.
fn record(id: &str, day: u32, commit: &str, instructions: &[(&str, f64)]) -> Value {
    let target = |(name, _): &(&str, f64)| json!({"name": name, "role": "framework", "command": [name], "serves": [], "control": true, "port": 0});
    let samples: Vec<Value> = instructions
        .iter()
        .flat_map(|(target, value)| {
            [0, 1].map(|round| {
                json!({"target": target, "case": "json", "round": round, "slot": 0, "histograms": {},
                       "void": {"drop_ns_p50": "void"},
                       "metrics": {"instructions_per_request": value, "requests_per_s": value * 3.0, "drop_ns_p50": 1.0, "errors": null}})
            })
        })
        .collect();
    json!({
        "schema": harness::record::SCHEMA, "id": id, "suite": "engine", "status": "complete",
        "started": format!("2026-01-{day:02}T00:00:00Z"), "finished": format!("2026-01-{day:02}T00:01:00Z"),
        "repeat": "cargo xtask bench", "commit": {"hash": hash(commit), "dirty": false},
        "host": harness::host::Host::default(), "profile": "lto-fat",
        "plan": {
            "folder": "scratch", "targets": instructions.iter().map(target).collect::<Vec<_>>(), "cases": [], "depth": "quick",
            "connections": [64], "rounds": 1, "warmup_s": 1.0, "duration_s": 1.0, "open_duration_s": 1.0,
            "open_shares": [0.5], "database": {"database": "sqlite"},
            "placement": {"server": [0], "generator": [1], "database": []},
            "loadgen": "loadgen", "seeder": "seeder", "seed": 1
        },
        "artifacts": [], "servers": {}, "verifications": [], "failures": [], "notes": [],
        "cases": [{"id": "json", "test": "json", "title": "JSON", "connections": 64, "depth": "quick"}],
        "samples": samples
    })
}

fn hash(commit: &str) -> String {
    commit.repeat(40)[..40].to_owned()
}

/// Two runs of commits, one after the other.
fn two_runs() -> Lab {
    let lab = Lab::new();
    lab.put_run("day-1", &record("day-1", 1, "a", &[("armature", 1000.0), ("axum", 1.0 / 3.0)]));
    lab.put_run("day-2", &record("day-2", 2, "b", &[("armature", 1100.0)]));
    lab
}

/// A comparison whose head is the commit `c`, in a folder with the runs that it rests on.
fn put_comparison(lab: &Lab, id: &str, clean: bool, base: f64, head: f64) -> PathBuf {
    let sides = record(&format!("{id}-counts"), 3, "x", &[("armature@base", base), ("armature@head", head)]);
    lab.put(&format!("lab/comparisons/{id}/counts/run.json"), &sides.to_string());
    let comparison = json!({
        "schema": 1, "id": id, "started": "2026-01-03T00:00:00Z", "finished": "2026-01-03T00:01:00Z", "repeat": "",
        "host": harness::host::Host::default(), "base": {"label": "b", "commit": hash("b"), "artifacts": []},
        "head": {"label": "c", "commit": hash("c"), "clean": clean, "artifacts": []}, "identical": false, "judgement": null,
        "notes": [], "runs": ["counts"]
    });
    lab.put(&format!("lab/comparisons/{id}/comparison.json"), &comparison.to_string()).parent().unwrap().to_owned()
}

#[test]
fn an_export_makes_the_same_history_again() {
    let lab = two_runs();
    assert_eq!(lab.told(&["import"]), "day-1\nday-2\n");
    let export = lab.told(&["export"]);
    let lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["run"].as_str(), lines[1]["run"].as_str()), (Some("day-1"), Some("day-2")));
    let figures = lines[0]["figures"].as_array().unwrap();
    let expected = json!({"target": "axum", "case": "json", "metric": "requests_per_s", "value": 1.0, "rounds": 2});
    assert_eq!((figures.len(), &figures[3]), (4, &expected), "void and absent figures are left out: {export}");

    // Again changes nothing; a fresh history of the export, by file or pipe, is the same; so is one of one made anew.
    lab.told(&["import"]);
    assert_eq!(lab.told(&["export"]), export);
    let file = lab.path("export.ndjson");
    lab.told(&["export", "--out", file.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&file).unwrap(), export);
    let fresh = ["--history", &lab.path("fresh.db").display().to_string()].map(str::to_owned);
    lab.told(&["import", file.to_str().unwrap(), &fresh[0], &fresh[1]]);
    assert_eq!(lab.told(&["export", &fresh[0], &fresh[1]]), export);
    let mut piped = lab
        .command(&["import", "-"])
        .env(history::VARIABLE, lab.path("piped.db"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    piped.stdin.take().unwrap().write_all(export.as_bytes()).unwrap();
    assert!(piped.wait().unwrap().success());
    let again = lab.command(&["export"]).env(history::VARIABLE, lab.path("piped.db")).output().unwrap();
    assert_eq!(text(&again.stdout), export);
}

#[test]
fn of_a_comparison_the_counts_of_a_clean_head_are_kept() {
    let lab = two_runs();
    put_comparison(&lab, "clean", true, 1000.0, 1005.0);
    put_comparison(&lab, "dirty", false, 1000.0, 9999.0);
    assert_eq!(lab.told(&["import"]), "day-1\nday-2\nclean-counts\n");
    let shown: Value = serde_json::from_str(&lab.told(&["show", "clean-counts", "--json"])).unwrap();
    assert_eq!(shown["commit"], json!({"hash": hash("c"), "dirty": false}));
    let expected = json!([{"target": "armature", "case": "json", "metric": "instructions_per_request", "value": 1005.0, "rounds": 2}]);
    assert_eq!(shown["figures"], expected, "no times, and nothing of the base");

    let half = lab.run(&["import", lab.path("lab/comparisons/clean/counts").to_str().unwrap()]);
    assert_eq!(half.status.code(), Some(3));
    assert!(text(&half.stderr).contains("part of a comparison"), "{}", text(&half.stderr));
}

#[test]
fn a_count_may_wander_as_far_as_its_history_has() {
    let lab = Lab::new();
    let folder = put_comparison(&lab, "wanders", true, 1000.0, 1019.0);
    let mut comparison = Comparison::read(&folder).unwrap();
    let mut verdict = |earlier: &[f64]| {
        let (target, case) = ("armature".to_owned(), "json".to_owned());
        let series = Series { target, case, metric: "instructions_per_request".to_owned(), figures: earlier.to_vec() };
        comparison.earlier = vec![series];
        // As a document that is read again.
        comparison.write(&folder).unwrap();
        let mut read = Comparison::read(&folder).unwrap();
        read.judge(&folder, None).unwrap();
        read.judgement.unwrap().rows.iter().find(|row| row.metric == "instructions_per_request").unwrap().verdict
    };
    assert_eq!(verdict(&[]), Verdict::Regression);
    assert_eq!(verdict(&[1000.0; 31]), Verdict::Regression);
    let restless: Vec<f64> = (0..31).map(|commit| 1000.0 + f64::from(commit % 2) * 20.0).collect();
    assert_eq!(verdict(&restless), Verdict::Pass);
}

#[test]
fn runs_are_listed_shown_and_pruned() {
    let lab = two_runs();
    lab.told(&["import"]);
    for (filter, expected) in [
        (&[][..], &["day-1", "day-2"][..]),
        (&["--suite", "engine", "--commit", "bb"], &["day-2"]),
        (&["--suite", "micro"], &[]),
        (&["--machine", "here"], &[]),
    ] {
        let told = lab.told(&[&["list"], filter].concat());
        let ids: Vec<&str> = told.lines().map(|line| line.split("  ").next().unwrap()).collect();
        assert_eq!(ids, expected, "{filter:?}: {told}");
        let json = lab.told(&[&["list", "--json"], filter].concat());
        let runs: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(runs.iter().map(|run| run["run"].as_str().unwrap()).collect::<Vec<_>>(), expected);
    }
    for name in ["latest", "day-2"] {
        let told = lab.told(&["show", name]);
        assert!(told.contains("beside  day-1") && told.contains("1100.000       1000.000  +10.00 %"), "{told}");
    }
    assert!(lab.told(&["show", "day-1"]).contains("No run of another commit"));

    for (arguments, code, said) in [
        (&["show", "day-9"][..], 2, "did you mean `day-"),
        (&["show", "day"], 3, "begins the ids of 2 runs: day-2, day-1"),
        (&["prune"], 2, "--keep"),
        (&["prune", "--keep", "1", "--older-than", "1d"], 2, "cannot be used with"),
        (&["prune", "--older-than", "soon"], 2, "--older-than"),
        (&["prune", "--keep", "1", "--dry-run"], 0, "1 runs would be removed"),
        (&["prune", "--older-than", "200000d"], 3, "nothing can be as old as that"),
        (&["import", "nowhere"], 3, "nowhere cannot be read"),
        (&["list", "--history", "/proc/none/history.db"], 3, "ARMATURE_HISTORY"),
    ] {
        let output = lab.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(said), "{arguments:?}: {}", text(&output.stderr));
    }
    assert_eq!(lab.told(&["prune", "--keep", "1"]), "day-1\n");
    assert_eq!(lab.told(&["list"]).lines().count(), 1);
    assert_eq!(lab.told(&["prune", "--older-than", "1s"]), "day-2\n");
    assert_eq!(lab.told(&["list"]), "");
    assert!(lab.path("lab/runs/day-1/run.json").is_file(), "the records stay");
}

#[test]
fn what_cannot_be_read_is_left_out_and_the_rest_is_recorded() {
    let lab = two_runs();
    lab.put("lab/runs/day-0/run.json", "{\"schema\": 1, \"id\": \"cut");
    let output = lab.run(&["import"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(3), "day-1\nday-2\n"));
    assert!(text(&output.stderr).contains("day-0") && text(&output.stderr).contains("cut short"));

    let export = lab.told(&["export"]);
    let first = export.lines().next().unwrap();
    for (name, line) in [("garbage", "garbage"), ("newer", &first.replace("\"schema\":1", "\"schema\":99"))] {
        let file = lab.put(&format!("{name}.ndjson"), &format!("{first}\n{line}\n{first}\n"));
        let output = lab.run(&["import", file.to_str().unwrap()]);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(3), "day-1\n"), "{name}");
        assert!(text(&output.stderr).contains(&format!("{name}.ndjson, line 2")), "{}", text(&output.stderr));
    }
}

#[test]
fn a_damaged_history_is_made_again_of_the_records() {
    let lab = two_runs();
    put_comparison(&lab, "clean", true, 1000.0, 1005.0);
    lab.told(&["import"]);
    let export = lab.told(&["export"]);
    let file = lab.path("lab/history.db");
    let half = fs::read(&file).unwrap().len() / 2;
    type Spoil<'a> = &'a dyn Fn(&Path);
    let spoils: [Spoil<'_>; 2] = [&|path| fs::write(path, "garbage").unwrap(), &|path| {
        fs::OpenOptions::new().write(true).open(path).unwrap().set_len(half as u64).unwrap();
    }];
    for spoil in spoils {
        spoil(&file);
        let output = lab.run(&["export"]);
        let said = text(&output.stderr);
        assert!(
            output.status.success() && said.contains("was damaged") && said.contains("history.db.damaged-"),
            "{said}"
        );
        assert!(said.contains("made again of 3 runs"), "{said}");
        assert_eq!(text(&output.stdout), export);
        assert_eq!(text(&lab.run(&["list"]).stderr), "", "it is said once");
    }
    let kept = fs::read_dir(lab.path("lab")).unwrap().flatten();
    assert_eq!(kept.filter(|entry| entry.file_name().to_string_lossy().contains(".damaged-")).count(), 2);
}

/// An export of runs, each under the name of who writes it.
fn export_of(writer: &str, runs: u32) -> String {
    let run = |number: u32| {
        let id = format!("{writer}-{number}");
        let record = record(&id, 1, "a", &[("armature", f64::from(number)), ("axum", 2.0), ("actix", 3.0)]);
        let entry = Entry::of_record(&Record::parse(&record.to_string()).unwrap()).unwrap();
        serde_json::to_string(&entry).unwrap() + "\n"
    };
    (0..runs).map(run).collect()
}

#[test]
fn processes_that_write_at_once_lose_nothing() {
    const WRITERS: u32 = 4;
    const RUNS: u32 = 25;
    let lab = Lab::new();
    let children: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let file = lab.put(&format!("{writer}.ndjson"), &export_of(&format!("writer-{writer}"), RUNS));
            lab.command(&["import", file.to_str().unwrap()])
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let told = lab.told(&["list", "--json"]);
    let ids: BTreeSet<&str> = told.lines().collect();
    assert_eq!(ids.len(), (WRITERS * RUNS) as usize);
    let all: String = (0..WRITERS).map(|writer| export_of(&format!("writer-{writer}"), RUNS)).collect();
    let exported = lab.told(&["export"]);
    assert_eq!(exported.lines().collect::<BTreeSet<_>>(), all.lines().collect::<BTreeSet<_>>());
}

#[test]
fn a_killed_writer_loses_nothing_that_it_acknowledged() {
    const KILLS: u32 = 100;
    const RUNS: u32 = 40;
    let lab = Lab::new();
    let place = Place::File(lab.path("lab/history.db"));
    let mut acknowledged = BTreeSet::new();
    let (mut in_the_middle, mut random) = (0, fastrand::Rng::with_seed(7));
    for kill in 0..KILLS {
        let file = lab.put("writer.ndjson", &export_of(&format!("kill-{kill:03}"), RUNS));
        let mut writer = lab.command(&["import", file.to_str().unwrap()]);
        let mut child = writer.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        // At any point: some while it opens, the others behind an acknowledgement and a little.
        let mut ids = String::new();
        for _ in 0..random.u32(..RUNS / 4) {
            told.read_line(&mut ids).unwrap();
        }
        for _ in 0..random.u32(..100_000) {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        // What stands in the pipe was said before the end.
        told.read_to_string(&mut ids).unwrap();
        child.wait().unwrap();
        let whole = ids.rfind('\n').map_or(0, |end| end + 1);
        let before = acknowledged.len();
        acknowledged.extend(ids[..whole].lines().map(str::to_owned));
        let said = acknowledged.len() - before;
        in_the_middle += u32::from(said > 0 && said < RUNS as usize);

        let mut store = history::open(&place, &[], |word| panic!("kill {kill}: {word}")).unwrap();
        let there: BTreeSet<String> = store.list(&Filter::default()).unwrap().into_iter().map(|run| run.run).collect();
        let lost: Vec<&String> = acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "kill {kill}: {lost:?}");
        for run in there.iter().filter(|run| run.starts_with(&format!("kill-{kill:03}"))) {
            let figures = store.find(run).unwrap().unwrap().figures;
            assert_eq!(figures.len(), 6, "{run} is there whole or not at all");
        }
    }
    assert!(in_the_middle > KILLS / 10, "{in_the_middle} writers were killed in the middle of their work");
}
