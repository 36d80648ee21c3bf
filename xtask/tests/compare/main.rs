//! `cargo xtask compare`, `gate` and `bless` through their command lines, on a workspace made for the purpose.
//!
//! The workspace (`workspace.rs`) has the packages that the lab asks for, each a page long: a server that says what a request
//! costs, and suites that take its word. What is built, checked out, paired, judged and written is what it always is.

mod workspace;

use std::{fs, time::Duration};

use serde_json::Value;
use workspace::{Costs, Workspace};

/// What a request costs at first.
const COSTS: Costs = Costs { instructions: 2_000, allocations: 2, cpu_ns: 10_000, leaked: 0 };

#[test]
fn the_same_source_gives_the_same_binaries_and_nothing_is_run() {
    let workspace = Workspace::new(&COSTS);
    workspace.write("notes.txt", "nothing that is built");
    workspace.commit("second");
    let ran = workspace.xtask(&["compare", "HEAD~1", "HEAD"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("No change: the binaries are the same, byte for byte"), "{ran:?}");
}

#[test]
fn a_tree_with_changes_is_compared_as_it_stands_and_is_not_touched() {
    let workspace = Workspace::new(&COSTS);
    workspace.server(&Costs { allocations: 3, ..COSTS });
    workspace.write("untracked.txt", "new");
    let before = workspace.git(&["status", "--porcelain"]);
    let ran = workspace.xtask(&["compare", "HEAD", "--only", "counts", "--json"]);
    assert_eq!(workspace.git(&["status", "--porcelain"]), before);
    assert_eq!(workspace.git(&["rev-list", "--branches", "--tags", "--count"]), "1", "no branch has that commit");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let comparison = ran.json();
    let rows = comparison["judgement"]["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["metric"] == "allocations_per_request").unwrap();
    assert_eq!((&row["verdict"], &row["evidence"]["base"]), (&"regression".into(), &2.0.into()), "{row}");
    assert_eq!(comparison["head"]["label"].as_str().unwrap().split(" (").next(), Some("the tree as it stands"));
}

#[test]
fn a_slower_head_is_called_after_a_second_batch_and_told_in_every_form() {
    let workspace = Workspace::new(&COSTS);
    workspace.git(&["branch", "feature/with-slash"]);
    workspace.server(&Costs { cpu_ns: 10_500, instructions: 2_400, ..COSTS });
    workspace.commit("slower");
    let ran = workspace.xtask(&["compare", "feature/with-slash", "HEAD", "--anyway"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for expected in
        ["Regression: ", "CPU/request", "+5.0 % (+5.0 to +5.0)", "+400 instructions/request", "in two batches"]
    {
        assert!(ran.stdout.contains(expected), "{expected} is missing in {}", ran.stdout);
    }
    let folder = ran.folder();
    for run in ["counts", "leaks", "times", "times-again"] {
        assert!(folder.join(run).join("run.json").is_file(), "{run}: {ran:?}");
    }
    let markdown = fs::read_to_string(folder.join("comparison.md")).unwrap();
    assert!(markdown.contains("| **regression** | armature | json | CPU/request |"), "{markdown}");
    // The runs are judged again without being measured again.
    let again = workspace.xtask(&["gate", "--judge", folder.to_str().unwrap()]);
    assert_eq!(again.code, Some(1), "{again:?}");
}

#[test]
fn budgets_are_blessed_held_and_checked_for_names() {
    let workspace = Workspace::new(&COSTS);
    let ran = workspace.xtask(&["bless"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("+ armature json: allocations/request 2, which had no budget"), "{ran:?}");
    let budgets = workspace.read("suites/budgets.toml");
    assert!(
        budgets.contains("[budget.armature.json]") && budgets.contains("instructions_per_request = 2000"),
        "{budgets}"
    );
    workspace.commit("budgets");
    let ran = workspace.xtask(&["bless"]);
    assert!(ran.stdout.contains("Nothing changed"), "{ran:?}");

    // Each less than a step that the comparison with the base would call, and together more than the budget allows.
    for (instructions, code) in [(2_009, 0), (2_018, 0), (2_027, 1)] {
        workspace.server(&Costs { instructions, ..COSTS });
        workspace.commit("a little more");
        let ran = workspace.xtask(&["gate", "--base", "HEAD~1", "--anyway"]);
        assert_eq!(ran.code, Some(code), "{instructions}: {ran:?}");
        assert_eq!(ran.stdout.contains("budget: +27"), code == 1, "{ran:?}");
    }
    assert_eq!(workspace.read("suites/budgets.toml"), budgets, "only bless moves them");

    workspace.write("suites/budgets.toml", &budgets.replace("armature.json", "armature.jsn"));
    let ran = workspace.xtask(&["gate", "--base", "HEAD~1", "--only", "counts"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("did you mean `json`?"), "{ran:?}");
}

#[test]
fn a_leak_is_a_regression_of_its_own_metric() {
    let workspace = Workspace::new(&COSTS);
    workspace.server(&Costs { leaked: 16, ..COSTS });
    workspace.commit("leaks");
    let ran = workspace.xtask(&["gate", "--base", "HEAD~1", "--only", "counts"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("leaked/request at least"), "{ran:?}");
}

#[test]
fn a_gate_remembers_its_head_and_lets_a_count_wander_as_it_always_has() {
    let workspace = Workspace::new(&COSTS);
    workspace.server(&Costs { instructions: 2_030, ..COSTS });
    workspace.commit("more");
    let gate = || workspace.xtask(&["gate", "--base", "HEAD~1", "--only", "counts"]);
    let ran = gate();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let exported = workspace.xtask(&["history", "export"]).stdout;
    let entries: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let head = entries.iter().find(|entry| entry["suite"] == "allocation").unwrap();
    assert_eq!(head["commit"]["hash"], workspace.git(&["rev-parse", "HEAD"]).as_str());
    let figures = head["figures"].as_array().unwrap();
    let instructions =
        |figure: &&Value| figure["metric"] == "instructions_per_request" && figure["target"] == "armature";
    assert!(figures.iter().filter(instructions).all(|figure| figure["value"] == 2_030.0), "{head}");

    // Twelve other commits on this machine, each unlike the one before it.
    let other = |number: u32| {
        let mut entry = head.clone();
        entry["run"] = format!("other-{number}").into();
        entry["commit"]["hash"] = format!("{number:040}").into();
        entry["started"] = format!("2026-01-{:02}T00:00:00Z", number + 1).into();
        for figure in entry["figures"].as_array_mut().unwrap() {
            figure["value"] = (2_000 + number % 2 * 40).into();
        }
        format!("{entry}\n")
    };
    workspace.write("tmp/others.ndjson", &(0..12).map(other).collect::<String>());
    let ran = workspace.xtask(&["history", "import", "tmp/others.ndjson"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = gate();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // What it was judged by stands in its document, so that it is judged alike when the history has gone on.
    let again = workspace.xtask(&["gate", "--judge", ran.folder().to_str().unwrap(), "--json"]);
    let earlier = again.json()["earlier"][0]["figures"].clone();
    assert_eq!((again.code, earlier.as_array().unwrap().len()), (Some(0), 12), "without the head's own: {again:?}");

    workspace.server(&Costs { instructions: 9_999, ..COSTS });
    let ran = gate();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let exported = workspace.xtask(&["history", "export"]).stdout;
    assert!(!exported.contains("9999"), "a tree with changes is no commit to remember: {exported}");
}

#[test]
fn what_cannot_be_compared_says_why_and_what_to_do() {
    let workspace = Workspace::new(&COSTS);
    workspace.write("comparisons/armature/src/main.rs", "fn main() { this does not compile }");
    workspace.commit("broken");
    for (name, arguments, code, expected) in [
        ("head does not build", &["compare", "HEAD~1", "HEAD"][..], 3, "the head (HEAD ("),
        ("base does not build", &["gate", "--base", "HEAD"], 3, "does not build"),
        ("cargo's own words", &["compare", "HEAD", "HEAD~1"], 3, "expected one of"),
        ("no such commit", &["compare", "no-such-branch"], 3, "`no-such-branch` is no commit of this repository"),
        ("an option for a ref", &["compare", "--", "--help"], 3, "`--help` is no commit"),
        ("spaces", &["compare", "no such branch"], 3, "`no such branch` is no commit"),
        ("no such case", &["compare", "HEAD~1", "HEAD~1", "--case", "jsn"], 2, "did you mean `json`?"),
        ("no such target", &["compare", "HEAD~1", "HEAD~1", "--target", "armatrue"], 2, "did you mean `armature`?"),
        ("no folder to judge", &["gate", "--judge", "nowhere"], 3, "comparison.json cannot be read"),
    ] {
        let ran = workspace.xtask(arguments);
        assert_eq!(ran.code, Some(code), "{name}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{name}: {ran:?}");
    }
}

#[test]
fn a_case_that_the_base_lacks_is_named_and_no_pass() {
    let workspace = Workspace::new(&COSTS);
    workspace.server_without("json", &COSTS);
    workspace.commit("without json");
    workspace.server(&COSTS);
    workspace.commit("with json");
    let ran = workspace.xtask(&["gate", "--base", "HEAD~1", "--only", "counts"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stdout.contains("armature@base does not serve json"), "{ran:?}");
    let ran = workspace.xtask(&["compare", "HEAD", "HEAD~1", "--only", "counts"]);
    assert_eq!(ran.code, Some(3), "what the head has lost is missing: {ran:?}");
}

#[test]
fn two_at_once_are_refused_with_who_is_at_it() {
    let workspace = Workspace::new(&COSTS);
    workspace.server(&Costs { allocations: 3, ..COSTS });
    workspace.commit("more");
    workspace.write("hang", "");
    let first = workspace.start(&["gate", "--base", "HEAD~1", "--only", "counts"]);
    workspace.wait_for("hangs", Duration::from_secs(60));
    let ran = workspace.xtask(&["compare", "HEAD~1", "HEAD"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains(&format!("process {}, cargo xtask gate --base HEAD~1", first.id())), "{ran:?}");
    let ran = first.interrupt();
    assert_eq!(ran.code, Some(130), "{ran:?}");
}

#[test]
fn ctrl_c_ends_every_phase_and_leaves_no_process() {
    let workspace = Workspace::new(&COSTS);
    workspace.server(&Costs { allocations: 3, ..COSTS });
    workspace.commit("more");
    // While a side is built, and while it is measured.
    for hang in ["build-hang", "hang"] {
        workspace.write(hang, "");
        let started = workspace.start(&["gate", "--base", "HEAD~1", "--only", "counts"]);
        workspace.wait_for(&format!("{hang}s"), Duration::from_secs(60));
        let ran = started.interrupt();
        assert_eq!(ran.code, Some(130), "{hang}: {ran:?}");
        assert_eq!(workspace.processes(), Vec::<String>::new(), "{hang}");
        workspace.remove(hang);
    }
}
