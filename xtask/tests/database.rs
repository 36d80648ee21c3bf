//! `cargo xtask bench --suite database` through its command line: the frameworks' own servers, one that reads all rows at
//! once, and foreign ones, on SQLite and on a private PostgreSQL.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use harness::{
    build::Request,
    database::{self, Demand},
    record::Record,
};
use probe::suite::{Database, Sample};

/// Two benches at once would measure each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const FRAMEWORKS: &str = "[[target]]\nname = \"armature\"\nrole = \"framework\"\npackage = \"target-armature\"\n\
     [[target]]\nname = \"axum\"\nrole = \"framework\"\npackage = \"target-axum\"\n\
     [[target]]\nname = \"actix\"\nrole = \"framework\"\npackage = \"target-actix\"\n";

const ARMATURE: &str = "[[target]]\nname = \"armature\"\nrole = \"framework\"\npackage = \"target-armature\"\n";

struct Ran {
    code: Option<i32>,
    stderr: String,
    report: String,
    record: Record,
}

impl Ran {
    #[track_caller]
    fn expect(&self, code: i32, pieces: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        for piece in pieces {
            assert!(self.stderr.contains(piece), "no {piece:?} in:\n{}", self.stderr);
        }
    }

    /// Samples of a target in a case.
    fn samples(&self, target: &str, case: &str) -> Vec<&Sample> {
        self.record.samples.iter().filter(|sample| sample.target == target && sample.case == case).collect()
    }
}

/// A bench of one round, in windows long enough for a busy machine to answer something in each, over targets described in lab.toml's format.
fn bench(lab: &str, database: &str, cases: &[&str]) -> Ran {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("lab.toml"), folder.path().join("run"));
    fs::write(&file, lab).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args([
        "bench",
        "--suite",
        "database",
        "--quick",
        "--profile",
        "light",
        "--rounds",
        "1",
        "--duration",
        "0.3",
    ]);
    command.args(["--database", database]).arg("--lab").arg(&file).arg("--out").arg(&out);
    for case in cases {
        command.args(["--case", case]);
    }
    let output = command.env("NO_COLOR", "1").stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let record = Record::read(&out).unwrap_or_else(|error| panic!("{error:#}\n{stderr}"));
    let report = fs::read_to_string(out.join("report.md")).unwrap_or_default();
    Ran { code: output.status.code(), stderr, report, record }
}

/// The databases that there are here: SQLite is a part of the servers, and CI has PostgreSQL.
fn databases() -> Vec<&'static str> {
    if database::postgres_binaries().is_some() {
        return vec!["sqlite", "postgres"];
    }
    assert!(env::var_os("CI").is_none(), "CI has PostgreSQL: {}", database::POSTGRES_CURE);
    eprintln!("on SQLite alone: no PostgreSQL; {}", database::POSTGRES_CURE);
    vec!["sqlite"]
}

#[test]
fn each_request_s_queries_and_each_pool_s_connections_are_those_that_the_database_counts() {
    let cases = [("db", 1.0), ("queries-20", 20.0), ("fortunes", 1.0), ("updates-5", 6.0), ("concurrent-256", 1.0)];
    let pools = [("pool-1", 1.0), ("pool-64", 64.0)];
    let ids: Vec<&str> = cases.iter().chain(&pools).map(|(id, _)| *id).collect();
    for database in databases() {
        let ran = bench(FRAMEWORKS, database, &ids);
        ran.expect(0, &[]);
        let workers = ran.record.plan.placement.server.len() as f64;
        for target in ["armature", "axum", "actix"] {
            let figure = |case: &str, metric: &str| {
                let samples = ran.samples(target, case);
                assert_eq!(samples.len(), 1, "{target} {case} on {database}");
                // A busy machine may have requests given up, of which nobody knows what they have cost.
                let is_void = samples[0].metrics["errors"] > 0.0 && metric == "queries_per_request";
                (!is_void).then_some(samples[0].metrics[metric])
            };
            for (case, queries) in cases {
                assert!(figure(case, "queries_per_request").is_none_or(|found| found == queries), "{target} {case}");
                assert_eq!(figure(case, "database_connections"), Some(8.0 * workers), "{target} {case} on {database}");
            }
            for (case, pool) in pools {
                assert!(figure(case, "queries_per_request").is_none_or(|found| found == 20.0), "{target} {case}");
                assert_eq!(figure(case, "database_connections"), Some(pool * workers), "{target} {case} on {database}");
            }
        }
        assert!(ran.report.contains("queries/request") && ran.report.contains("20 statement(s) at the database"));
    }
}

#[test]
fn a_server_that_reads_all_rows_at_once_gets_no_number() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("at-once");
    let built = Request { features: &["one-statement"], ..Request::new("target-armature", "light") }.build().unwrap();
    fs::copy(built, &copy).unwrap();
    let at_once = format!(
        "[[target]]\nname = \"at-once\"\nrole = \"framework\"\ncontrol = true\ncommand = ['{}']\n",
        copy.display()
    );
    for database in databases() {
        // It serves a few requests rightly: too few for the checks of `queries`, and enough for those of `pool`.
        let ran = bench(&format!("{at_once}{ARMATURE}"), database, &["queries-20", "pool-8"]);
        ran.expect(3, &["at-once answers wrong: GET /queries?queries=", "each request is to run 20"]);
        assert_eq!((ran.samples("at-once", "queries-20").len(), ran.samples("at-once", "pool-8").len()), (0, 0));
        assert_eq!((ran.samples("armature", "queries-20").len(), ran.samples("armature", "pool-8").len()), (1, 1));
        let failure = &ran.record.failures[0];
        assert_eq!((failure.case.as_deref(), failure.disqualifies), (Some("pool-8"), true), "{failure:?}");
        assert!(failure.reason.starts_with("target at-once: the database ran "), "{}", failure.reason);
    }
}

#[test]
fn a_foreign_server_without_a_database_is_found_out() {
    let lab = format!(
        "[[target]]\nname = \"faulty\"\nrole = \"framework\"\ncommand = ['{}', '--port', '{{port}}']\n",
        env!("CARGO_BIN_EXE_faulty")
    );
    for database in databases() {
        let ran = bench(&lab, database, &["queries-20"]);
        ran.expect(3, &["faulty answers wrong", "rows are not in the table"]);
        assert!(ran.record.samples.is_empty());
        let problems = &ran.record.verifications[0].problems;
        // PostgreSQL knows that nobody has asked it; SQLite would have been a part of the server, which does not say.
        let asked = "the database ran 0 statements for 5 requests; each request is to run 1";
        assert_eq!(problems.iter().any(|problem| problem.ends_with(asked)), database == "postgres", "{problems:?}");
        let unknown =
            "The queries of target faulty could not be verified at the database: SQLite is a part of the server";
        assert_eq!(ran.stderr.contains(unknown), database == "sqlite", "{}", ran.stderr);
    }
}

#[test]
fn a_server_that_counts_no_statements_is_said_not_to() {
    if !databases().contains(&"postgres") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // The cluster runs as another user.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let seeder = Request { binary: "workload-seed", features: &["database"], ..Request::new("workload", "light") };
    let cluster = provided(folder.path(), &seeder.build().unwrap());
    let ran = bench(ARMATURE, &cluster.url, &["db", "pool-2"]);
    cluster.stop();
    ran.expect(
        0,
        &["The queries of target armature could not be verified at the database: PostgreSQL does not tell: "],
    );
    for (case, pool) in [("db", 8.0), ("pool-2", 2.0)] {
        let sample = ran.samples("armature", case)[0];
        let workers = ran.record.plan.placement.server.len() as f64;
        assert!(!sample.metrics.contains_key("queries_per_request"), "{sample:?}");
        assert_eq!(sample.metrics["database_connections"], pool * workers, "{case}");
    }
    assert!(!ran.report.contains("statement(s) at the database"), "{}", ran.report);
}

fn provided(folder: &Path, seeder: &Path) -> database::Provided {
    let demand = Demand { counted: false, connections: 0 };
    database::provide(&Database::PrivatePostgres, folder, &[], seeder, demand).unwrap()
}
