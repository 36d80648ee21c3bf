//! `cargo xtask bless`: takes what the tree costs now as what it may cost, and shows what that changes.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use harness::{
    budget::{self, Budgets, Change},
    compare::Source,
    judge::{self, HEAD},
    lock::Lock,
    metric,
};
use probe::suite::Family;

use crate::{
    bench::INTERRUPTED,
    compare::{COUNTS, Choice, Kept, Measured, Pairing, Session},
    output,
};

/// Count what the tree costs and rewrite suites/budgets.toml; the diff is yours to review and commit.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask bless                 all cases of armature
  cargo xtask bless --case json     only this one; the other budgets stay
  cargo xtask bless --dry-run       show what would change

Budgets that the tree keeps within what two counts of one build may lie apart stay as they are.

Exit codes: 0 written, or nothing to write; 3 something could not be counted, and nothing was written; 130 interrupted.")]
pub(crate) struct Bless {
    /// Show what would change, and write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    kept: Kept,
}

impl Bless {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let path = budget::path()?;
        let mut budgets = Budgets::read(&path)?;
        let measured = Measured {
            choice: self.choice,
            only: Some(Family::Counts),
            anyway: false,
            pairing: Pairing::default(),
            kept: self.kept,
        };
        let _lock = Lock::take(&crate::command_line())?;
        let Some(record) = Session::new(&measured, &[COUNTS], None)?.count(Source::tree()?)? else {
            return Ok(ExitCode::from(INTERRUPTED));
        };
        let problems = judge::unsound(&record);
        if !problems.is_empty() {
            anyhow::bail!("nothing was blessed: {}", problems.join("; "));
        }
        let changes = budgets.bless(&record, HEAD);
        for change in &changes {
            output::print(&format!("{}\n", told(change)))?;
        }
        if changes.is_empty() {
            output::print("Nothing changed: every budget is what the tree costs.\n")?;
        } else if !self.dry_run {
            budgets.write(&path)?;
            eprintln!("{}", path.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A change and its reason.
fn told(change: &Change) -> String {
    let (target, case, name) = &change.place;
    let title = metric::find(name).map_or(name.as_str(), |metric| metric.title);
    let after = change.after;
    match change.before {
        None => format!("+ {target} {case}: {title} {after}, which had no budget"),
        Some(before) if after > before => {
            format!("~ {target} {case}: {title} {before} -> {after}, costs more than it might")
        }
        Some(before) => {
            format!("~ {target} {case}: {title} {before} -> {after}, costs less, and may no longer cost more")
        }
    }
}
