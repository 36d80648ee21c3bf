//! From a run's record to what people and programs read: HTML, Markdown, CSV, JSON and terminal tables.
//!
//! A [`Report`] is made once from a record and rendered in as many forms as wanted; the same record gives the same
//! bytes. It concludes nothing of its own about figures (`harness::summary` does), but says who leads and whether to
//! believe it. Nothing from a record reaches an output unescaped.
//!
//! ```
//! # fn show(record: &harness::record::Record, folder: &std::path::Path) -> anyhow::Result<()> {
//! let report = reports::Report::new(record);
//! for path in report.write_all(folder)? {
//!     println!("{}", path.display());
//! }
//! print!("{}", report.terminal_tables(reports::Style { color: false, width: Some(100) }));
//! # Ok(())
//! # }
//! ```
//!
//! Read next: `verdict.rs` (who leads), `view.rs` (what a page says), `plot.rs` (what it draws).

mod figure;
mod json;
mod legible;
mod sheet;
mod terminal;
mod verdict;
mod view;

use std::path::{Path, PathBuf};

use anyhow::Result;
use harness::{
    file,
    record::{Record, Status},
    summary::{self, Summary},
};

pub use sheet::COLUMNS;
pub use terminal::Style;
pub use verdict::{Belief, Kind, Verdict};
use view::CaseView;

/// A run, ready to be rendered.
#[derive(Debug, Clone)]
pub struct Report {
    record: Record,
    summary: Summary,
    verdicts: Vec<Verdict>,
}

impl Report {
    /// Draws the conclusions from a record; this is the part that takes time.
    #[must_use]
    pub fn new(record: &Record) -> Self {
        let record = legible::legible(record);
        let summary = summary::summarise(&record);
        let verdicts = summary
            .cases
            .iter()
            .map(|case| verdict::verdict(case, record.plan.rounds))
            .collect();
        Self {
            record,
            summary,
            verdicts,
        }
    }

    /// The figures that every rendering shows.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Who leads, one for each case.
    #[must_use]
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// All figures, one a row (reports/README.md documents the columns).
    ///
    /// # Errors
    /// When the rows cannot be put together.
    pub fn csv(&self) -> Result<String> {
        sheet::render(self)
    }

    /// The summary for programs: figures, verdicts, status and units.
    ///
    /// # Errors
    /// When it cannot be put into JSON.
    pub fn summary_json(&self) -> Result<String> {
        json::render(self)
    }

    /// One table a case, for a terminal.
    #[must_use]
    pub fn terminal_tables(&self, style: Style) -> String {
        terminal::render(self, style)
    }

    /// Writes results.csv into `folder`, each whole or not at all, and says where.
    ///
    /// # Errors
    /// When one cannot be rendered or written; those written before it stay.
    pub fn write_all(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let path = folder.join("results.csv");
        file::write_whole(&path, self.csv()?.as_bytes())?;
        Ok(vec![path])
    }

    /// The words for each case, in the record's order.
    fn case_views(&self) -> Vec<CaseView> {
        let places: Vec<&str> = self
            .record
            .plan
            .targets
            .iter()
            .map(|target| target.name.as_str())
            .collect();
        self.summary
            .cases
            .iter()
            .map(|case| view::case(case, &places, self.record.plan.rounds))
            .collect()
    }

    /// Who leads over all cases, in a sentence.
    fn headline(&self) -> String {
        verdict::overall(&self.verdicts)
    }

    fn status_word(&self) -> &'static str {
        match self.record.status {
            Status::Running => "running",
            Status::Complete => "complete",
            Status::Partial { .. } => "partial",
        }
    }

    /// What must stand at the very top of every rendering of a run that did not come to its end.
    fn warning(&self) -> Option<String> {
        match &self.record.status {
            Status::Complete => None,
            Status::Running => Some(
                "PARTIAL: this run is under way, or was killed before it could say why it ended. The figures cover \
                 what was measured until then."
                    .to_owned(),
            ),
            Status::Partial { reason } => Some(format!(
                "PARTIAL: this run ended early ({reason}). The figures cover what was measured until then."
            )),
        }
    }
}
