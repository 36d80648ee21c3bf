//! `cargo xtask gate`: what a continuous integration calls: the tree against its base and against its budgets.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use harness::{
    budget::{self, Budgets},
    compare::{Comparison, Source},
    lock::Lock,
};

use crate::{
    bench::INTERRUPTED,
    compare::{Form, Measured, Outcome, PARTS, Session},
    history,
};

/// Hold the tree to its base and to suites/budgets.toml; the exit code is the verdict.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask gate                             against where this branch left main
  cargo xtask gate --base v0.1.0 --only counts
  cargo xtask gate --markdown > gate.md        for a comment; progress stays on standard error
  cargo xtask gate --judge target/lab/comparisons/ID    judge what was measured then once more, and measure nothing

Counts are judged on any machine. Times are judged only where nothing disturbs them; else the outcome says what does.

Exit codes: 0 pass; 1 regression; 2 it cannot be told, or a wrong command line; 3 broken: something is missing (a side does not
build, a target dies or answers wrong, a record is partial or empty); 130 interrupted.")]
pub(crate) struct Gate {
    /// The commit to compare with [where this branch left main; on main the commit before].
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// Judge the runs of an earlier comparison again.
    #[arg(long, value_name = "FOLDER", conflicts_with = "base")]
    judge: Option<PathBuf>,
    #[command(flatten)]
    measured: Measured,
    #[command(flatten)]
    form: Form,
}

impl Gate {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let budgets = Budgets::read(&budget::path()?)?;
        if let Some(folder) = &self.judge {
            let mut comparison = Comparison::read(folder)?;
            comparison.judge(folder, Some(&budgets))?;
            return self.form.tell(&comparison);
        }
        let head = Source::tree()?;
        let base = self.base.as_deref().map_or_else(|| Source::default_base(&head), Source::named)?;
        let _lock = Lock::take(&crate::command_line())?;
        let session = Session::new(&self.measured, PARTS, Some(budgets))?.with_history();
        match session.compare(base.into(), head.into())? {
            Outcome::Interrupted => Ok(ExitCode::from(INTERRUPTED)),
            Outcome::Judged(comparison, folder) => {
                history::remember_head(&comparison, &folder);
                self.form.keep(&comparison, &folder)
            }
        }
    }
}
