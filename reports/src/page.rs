//! All that a page says, as text: the verdict first, then each case, then what it rests on.
//!
//! The templates in reports/templates lay it out; `view.rs` writes the part about a case, `plot.rs` draws.

use harness::{
    metric::{self, Better},
    record::{Database, Failure, Record, Verification},
};
use serde::Serialize;

use crate::{
    Report,
    figure::ROUNDS_FIRM,
    study::{self, Study},
    verdict::{self, Belief, Verdict},
    view::CaseView,
};

/// Share of CPU time taken by other guests above which a reader is warned: half of what the smallest effects are.
const STEAL_SHARE_MAX: f64 = 0.02;

/// Load average for each CPU above which a reader is warned that the machine was not at rest.
const LOAD_PER_CPU_MAX: f64 = 0.5;

/// A page.
#[derive(Debug, Serialize)]
pub(crate) struct Page<'a> {
    run: &'a str,
    suite: &'a str,
    started: &'a str,
    warning: Option<String>,
    headline: String,
    tally: Vec<String>,
    /// What decides who leads.
    decides: String,
    trust: String,
    cautions: Vec<String>,
    study_title: &'static str,
    /// The table of figures published by others, where a case has any.
    study: Option<Study>,
    cases: Vec<CasePage>,
    verification: Vec<Check<'a>>,
    failures: Vec<FailurePage<'a>>,
    conditions: Vec<Fact>,
    host: Vec<Fact>,
    artifacts: Vec<ArtifactPage<'a>>,
    repeat: &'a str,
    notes: &'a [String],
    glossary: Vec<Term>,
}

/// A case with its verdict.
#[derive(Debug, Serialize)]
struct CasePage {
    verdict: VerdictPage,
    view: CaseView,
}

#[derive(Debug, Serialize)]
struct VerdictPage {
    headline: String,
    belief: &'static str,
    class: &'static str,
    reasons: Vec<String>,
}

/// What was checked for one family of cases.
#[derive(Debug, Serialize)]
struct Check<'a> {
    test: &'a str,
    checks: &'a [String],
    passed: Vec<&'a str>,
    failed: Vec<FailedCheck<'a>>,
}

#[derive(Debug, Serialize)]
struct FailedCheck<'a> {
    target: &'a str,
    problems: &'a [String],
}

#[derive(Debug, Serialize)]
struct FailurePage<'a> {
    target: &'a str,
    place: String,
    reason: &'a str,
    disqualifies: bool,
    stderr: String,
}

#[derive(Debug, Serialize)]
struct ArtifactPage<'a> {
    target: &'a str,
    role: &'static str,
    profile: &'a str,
    flags: &'a str,
    rustc: &'a str,
    sha256: &'a str,
    lock_sha256: &'a str,
    size: String,
    command: String,
    versions: String,
}

#[derive(Debug, Serialize)]
struct Fact {
    name: &'static str,
    value: String,
}

#[derive(Debug, Serialize)]
struct Term {
    title: &'static str,
    name: &'static str,
    unit: &'static str,
    better: &'static str,
    about: &'static str,
}

impl<'a> Page<'a> {
    /// The page of a report.
    pub(crate) fn new(report: &'a Report) -> Self {
        let record = &report.record;
        Self {
            run: &record.id,
            suite: &record.suite,
            started: &record.started,
            warning: report.warning(),
            headline: report.headline(),
            tally: verdict::tally(&report.summary),
            decides: verdict::words(verdict::decides(report.summary.cases.iter().flat_map(|case| &case.rows))),
            study_title: study::TITLE,
            study: study::study(record, &report.summary),
            trust: trust(&report.verdicts),
            cautions: cautions(record),
            cases: report
                .case_views()
                .into_iter()
                .zip(&report.verdicts)
                .map(|(view, verdict)| CasePage { verdict: verdict_page(verdict), view })
                .collect(),
            verification: verification(&record.verifications),
            failures: record.failures.iter().map(failure).collect(),
            conditions: conditions(record),
            host: host(record),
            artifacts: artifacts(record),
            repeat: &record.repeat,
            notes: &record.notes,
            glossary: glossary(),
        }
    }
}

fn verdict_page(verdict: &Verdict) -> VerdictPage {
    let (belief, class) = match verdict.belief {
        Belief::Firm => ("to be believed", "firm"),
        Belief::FirstLook => ("a first look", "first"),
        Belief::None => ("not to be relied on", "weak"),
    };
    VerdictPage { headline: verdict.headline.clone(), belief, class, reasons: verdict.reasons.clone() }
}

/// Whether to believe the page as a whole.
fn trust(verdicts: &[Verdict]) -> String {
    let of = |belief: Belief| verdicts.iter().filter(|verdict| verdict.belief == belief).count();
    let all = verdicts.len();
    if all == 0 || of(Belief::None) == all {
        "Do not rely on it: no comparison here has more than one round.".to_owned()
    } else if of(Belief::Firm) == all {
        format!("To be believed: each comparison rests on {ROUNDS_FIRM} or more rounds, paired launch by launch.")
    } else {
        format!(
            "A first look: {} of {all} comparisons rest on fewer than {ROUNDS_FIRM} rounds, so their intervals are \
             narrower than they should be.",
            all - of(Belief::Firm)
        )
    }
}

/// What about the machine casts doubt on times.
fn cautions(record: &Record) -> Vec<String> {
    let host = &record.host;
    let placement = &record.plan.placement;
    let mut cautions = Vec::new();
    if placement.server.iter().any(|cpu| placement.generator.contains(cpu)) {
        cautions.push("The load generator shared a CPU with the server.".to_owned());
    }
    if host.steal_share > STEAL_SHARE_MAX {
        cautions.push(format!(
            "Other guests of the hypervisor took {:.1} % of this machine's CPU time.",
            host.steal_share * 100.0
        ));
    }
    if host.load_1m > LOAD_PER_CPU_MAX * host.cpus.len().max(1) as f64 {
        cautions.push(format!(
            "The machine was busy when the run began: load {:.2} on {} CPUs.",
            host.load_1m,
            host.cpus.len()
        ));
    }
    if host.virtual_machine {
        cautions.push(
            "This is a virtual machine: ratios within the run are meaningful, absolute figures are its own.".to_owned(),
        );
    }
    cautions
}

fn verification(verifications: &[Verification]) -> Vec<Check<'_>> {
    let mut tests: Vec<Check<'_>> = Vec::new();
    for verification in verifications {
        let known = tests.iter().position(|check| check.test == verification.test);
        let at = known.unwrap_or_else(|| {
            tests.push(Check {
                test: &verification.test,
                checks: &verification.checks,
                passed: Vec::new(),
                failed: Vec::new(),
            });
            tests.len() - 1
        });
        let check = &mut tests[at];
        if verification.problems.is_empty() {
            check.passed.push(&verification.target);
        } else {
            check.failed.push(FailedCheck { target: &verification.target, problems: &verification.problems });
        }
    }
    tests
}

fn failure(failure: &Failure) -> FailurePage<'_> {
    let case = failure.case.as_deref().unwrap_or("all cases");
    FailurePage {
        target: &failure.target,
        place: match failure.round {
            Some(round) => format!("{case}, round {}", round + 1),
            None => case.to_owned(),
        },
        reason: &failure.reason,
        disqualifies: failure.disqualifies,
        stderr: failure.stderr_tail.join("\n"),
    }
}

fn artifacts(record: &Record) -> Vec<ArtifactPage<'_>> {
    record
        .plan
        .targets
        .iter()
        .map(|target| {
            let artifact = record.artifacts.iter().find(|artifact| artifact.target == target.name);
            let text = |field: fn(&harness::build::Artifact) -> &str| artifact.map_or("", field);
            ArtifactPage {
                target: &target.name,
                role: crate::view::role(target.role),
                profile: text(|artifact| &artifact.profile),
                flags: text(|artifact| &artifact.flags),
                rustc: text(|artifact| &artifact.rustc),
                sha256: text(|artifact| &artifact.sha256),
                lock_sha256: text(|artifact| &artifact.lock_sha256),
                size: artifact.map_or_else(String::new, |artifact| mebibytes(artifact.size_bytes)),
                command: target.command.join(" "),
                versions: record.servers.get(&target.name).map_or_else(String::new, |ready| {
                    ready
                        .versions
                        .iter()
                        .map(|(name, version)| format!("{name} {version}"))
                        .collect::<Vec<_>>()
                        .join(", ")
                }),
            }
        })
        .collect()
}

fn conditions(record: &Record) -> Vec<Fact> {
    let plan = &record.plan;
    let commit = record.commit.as_ref().map_or_else(
        || "not a git checkout".to_owned(),
        |commit| {
            let dirty = if commit.dirty { ", with changes that are not committed" } else { "" };
            format!("{}{dirty}", commit.hash)
        },
    );
    // The address of a server that is there may hold a password.
    let database = match plan.database {
        Database::Sqlite => "SQLite, a file made for this run",
        Database::PrivatePostgres => "PostgreSQL, started for this run",
        Database::PostgresUrl { .. } => "PostgreSQL that was there already",
    };
    let mut facts = vec![
        fact("Suite", record.suite.clone()),
        fact("Started", record.started.clone()),
        fact("Finished", record.finished.clone().unwrap_or_else(|| "no".to_owned())),
        fact("Commit", commit),
        fact("Build profile", record.profile.clone()),
        fact("Rounds", format!("{}, each a process launch of every target and case", plan.rounds)),
        fact(
            "Windows",
            format!(
                "warm-up {} s, closed loop {} s, open loop {} s",
                plan.warmup_s, plan.duration_s, plan.open_duration_s
            ),
        ),
        fact("Connections", joined(&plan.connections)),
        fact("Database", database.to_owned()),
        fact(
            "CPUs",
            format!(
                "server {}; load generator {}; database {}",
                joined(&plan.placement.server),
                joined(&plan.placement.generator),
                joined(&plan.placement.database)
            ),
        ),
        fact("Seed of all orders", plan.seed.to_string()),
    ];
    facts.retain(|fact| !fact.value.is_empty());
    facts
}

fn host(record: &Record) -> Vec<Fact> {
    let host = &record.host;
    let machine = if host.virtual_machine { "virtual" } else { "no hypervisor announced" };
    let mut facts = vec![
        fact("CPU", host.cpu_model.clone()),
        fact("Family, model, stepping", host.cpu_stepping.clone()),
        fact("Microcode", host.microcode.clone()),
        fact("Machine", machine.to_owned()),
        fact("CPUs that may be used", joined(&host.cpus)),
        fact("Memory", mebibytes(host.memory_bytes)),
        fact("Kernel", host.kernel.clone()),
        fact("C library", host.libc.clone()),
        fact("Compiler", host.rustc.clone()),
        fact("Frequency governor", host.governor.clone()),
        fact("Load over a minute at the start", format!("{:.2}", host.load_1m)),
        fact("CPU time taken by other guests", format!("{:.2} %", host.steal_share * 100.0)),
    ];
    facts.retain(|fact| !fact.value.is_empty());
    facts
}

fn glossary() -> Vec<Term> {
    metric::ALL
        .iter()
        .map(|metric| Term {
            title: metric.title,
            name: metric.name,
            unit: metric.unit,
            better: match metric.better {
                Better::Higher => "more is better",
                Better::Lower => "less is better",
                Better::Neither => "describes the conditions",
            },
            about: metric.about,
        })
        .collect()
}

fn fact(name: &'static str, value: String) -> Fact {
    Fact { name, value }
}

fn joined<T: ToString>(numbers: &[T]) -> String {
    if numbers.is_empty() {
        return "none".to_owned();
    }
    numbers.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}
