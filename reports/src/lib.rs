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

pub mod comparison;
mod figure;
pub mod flamegraph;
mod json;
mod leak;
pub mod ledger;
mod legible;
mod page;
mod paint;
mod plot;
mod sheet;
mod study;
mod template;
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

use page::Page;
use paint::Palette;
pub use sheet::COLUMNS;
pub use terminal::Style;
pub use verdict::{Belief, Kind, Verdict};
use view::{CaseView, SUBJECT};

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
        let verdicts = summary.cases.iter().map(|case| verdict::verdict(case, record.plan.rounds)).collect();
        Self { record, summary, verdicts }
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

    /// Whether the project's own framework leaks; in a run without it, whether anybody does.
    #[must_use]
    pub fn has_leak(&self) -> bool {
        let takes_part = self.record.plan.targets.iter().any(|target| target.name == SUBJECT);
        self.summary.cases.iter().flat_map(leak::leaking).any(|target| !takes_part || target == SUBJECT)
    }

    /// The page for people: one file that asks for nothing else, with plots.
    ///
    /// # Errors
    /// When a plot cannot be drawn or the template does not fit what is put into it.
    pub fn html(&self) -> Result<String> {
        template::html(&Page::new(self), &plot::all(self)?)
    }

    /// The page as Markdown in GitHub's flavour, without plots.
    ///
    /// # Errors
    /// When the template does not fit what is put into it.
    pub fn markdown(&self) -> Result<String> {
        template::markdown(&Page::new(self))
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

    /// Writes report.html, report.md and results.csv into `folder`, each whole or not at all, and says where.
    ///
    /// # Errors
    /// When one cannot be rendered, before any is written; when one cannot be written, those before it stay.
    pub fn write_all(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let contents = [("report.html", self.html()?), ("report.md", self.markdown()?), ("results.csv", self.csv()?)];
        let mut paths = Vec::new();
        for (name, content) in contents {
            let path = folder.join(name);
            file::write_whole(&path, content.as_bytes())?;
            paths.push(path);
        }
        Ok(paths)
    }

    /// The words for each case, in the record's order.
    fn case_views(&self) -> Vec<CaseView> {
        let palette = Palette::new(&self.record.plan.targets);
        self.summary.cases.iter().map(|case| view::case(case, &palette, self.record.plan.rounds)).collect()
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
