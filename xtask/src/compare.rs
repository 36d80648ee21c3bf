//! `cargo xtask compare`: what changed between a base and a head, and whether to believe it.

use std::{path::Path, process::ExitCode};

use anyhow::{Result, bail};
use clap::Args;
use harness::{
    compare::{Comparison, Source},
    file,
    judge::{self, History, Verdict},
    lock::Lock,
    record::Record,
};
use reports::Style;

use crate::{bench::INTERRUPTED, history, output};

mod session;

pub(crate) use session::{
    COUNTS, Choice, DROPS, Kept, LEAKS, Measured, Outcome, PARTS, Pairing, Part, Session, TIMES, placed,
    takes_database, unfit,
};

/// Compare two commits, binaries or runs, and say what became slower, by how much and whether to believe it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask compare main                       the tree as it stands against main
  cargo xtask compare v0.1.0 v0.2.0 --only counts
  cargo xtask compare HEAD~3 HEAD --case json --pairs 20
  cargo xtask compare ./server-before ./server-after --case json
  cargo xtask compare target/lab/runs/A target/lab/runs/B    counts only: their times were not measured side by side

Each commit is built in a worktree of its own below target/lab/compare; your tree is not touched.

Exit codes: 0 no regression; 1 a regression; 2 it cannot be told, or a wrong command line; 3 something is missing (a side does
not build, a target dies, a record is partial); 130 interrupted.")]
pub(crate) struct Compare {
    /// A commit, a binary, or the record of a run.
    base: String,
    /// The same [the tree as it stands, uncommitted and new files included].
    head: Option<String>,
    #[command(flatten)]
    measured: Measured,
    #[command(flatten)]
    form: Form,
}

/// In which form the outcome is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct Form {
    /// Print the comparison as JSON instead of a table.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print it as Markdown.
    #[arg(long)]
    markdown: bool,
}

impl Compare {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let base = Source::named(&self.base)?;
        let head = self.head.as_deref().map_or_else(Source::tree, Source::named)?;
        match (&base, &head) {
            (Source::Record(base), Source::Record(head)) => {
                let (base, head) = (Record::read(base)?, Record::read(head)?);
                return self.form.tell(&across(base, head));
            }
            (Source::Record(path), _) | (_, Source::Record(path)) => {
                bail!("{} is a record, and can only be compared with another record", path.display())
            }
            _ => {}
        }
        let _lock = Lock::take(&crate::command_line())?;
        match Session::new(&self.measured, PARTS, None)?.compare(base.into(), head.into())? {
            Outcome::Interrupted => Ok(ExitCode::from(INTERRUPTED)),
            Outcome::Judged(comparison, folder) => {
                history::remember_head(&comparison, &folder);
                self.form.keep(&comparison, &folder)
            }
        }
    }
}

/// Two records of separate runs as a comparison.
fn across(base: Record, head: Record) -> Comparison {
    let judgement = judge::across(&base, &head, &History::new());
    Comparison::of_records(base, head, judgement, crate::command_line())
}

impl Form {
    /// Writes the comparison as Markdown beside its document, and tells it.
    pub(crate) fn keep(&self, comparison: &Comparison, folder: &Path) -> Result<ExitCode> {
        let markdown = folder.join("comparison.md");
        file::write_whole(&markdown, reports::comparison::markdown(comparison)?.as_bytes())?;
        let code = self.tell(comparison)?;
        eprintln!("{}", markdown.display());
        Ok(code)
    }

    /// Prints the comparison, and returns the exit code that it means.
    pub(crate) fn tell(&self, comparison: &Comparison) -> Result<ExitCode> {
        let text = if self.json {
            comparison.json()?
        } else if self.markdown {
            reports::comparison::markdown(comparison)?
        } else {
            reports::comparison::terminal(comparison, Style::of_stdout())
        };
        output::print(&text)?;
        let verdict = comparison.judgement.as_ref().map_or(Verdict::Pass, |judgement| judgement.verdict);
        Ok(ExitCode::from(verdict.exit_code()))
    }
}
