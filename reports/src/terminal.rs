//! One table a case, for a terminal. Colours only stress what the words say, and only where the caller wants them.

use std::{env, fmt::Write, io::IsTerminal};

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, presets};
use terminal_size::{Width, terminal_size};

use crate::{
    Report,
    study::{self, Study},
    verdict::{self, Belief, Verdict},
    view::CaseView,
};

/// How a terminal wants its tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether to stress with bold and colour (ANSI escape sequences).
    pub color: bool,
    /// Columns that fit in a line; `None` for no limit.
    pub width: Option<u16>,
}

impl Style {
    /// What fits this process's standard output: plain and unlimited unless it is a terminal; plain if the variable
    /// `NO_COLOR` is set to anything (no-color.org) or `TERM` is `dumb`.
    #[must_use]
    pub fn of_stdout() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::default();
        }
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { color: !unwanted && !dumb, width: terminal_size().map(|(Width(columns), _)| columns) }
    }

    pub(crate) fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

pub(crate) fn render(report: &Report, style: Style) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    if let Some(warning) = report.warning() {
        let _ = writeln!(out, "{}\n", style.paint("1;33", &warning));
    }
    for (case, verdict) in report.case_views().iter().zip(&report.verdicts) {
        let _ = writeln!(out, "{}  {}", style.paint("1", &case.id), case.title);
        let _ = writeln!(out, "{}", tables(case, style.width));
        let _ = writeln!(out, "{}", style.paint(stress(verdict), &verdict.headline));
        for line in verdict.reasons.iter().chain(&case.voids) {
            let _ = writeln!(out, "  {line}");
        }
        if let Some(rate) = &case.open_rate {
            let _ = writeln!(out, "  latency at {rate}");
        }
        for problem in &case.problems {
            let _ = writeln!(out, "  {} {problem}", style.paint("1;31", "problem:"));
        }
        let _ = writeln!(out);
    }
    if let Some(study) = study::study(&report.record, &report.summary) {
        let _ = writeln!(out, "{}\n{}\n", style.paint("1", study::TITLE), study_table(&study, style.width));
    }
    let _ = writeln!(out, "{}", report.headline());
    for line in verdict::tally(&report.summary) {
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(out, "Under each figure: its 95 % interval over rounds.");
    out
}

fn stress(verdict: &Verdict) -> &'static str {
    match verdict.belief {
        Belief::Firm => "1;32",
        Belief::FirstLook => "1;36",
        Belief::None => "1;33",
    }
}

/// One table where it fits, otherwise the figures and under them the ratios.
fn tables(case: &CaseView, width: Option<u16>) -> String {
    let whole = table(case, true, true, None);
    match width {
        Some(width) if columns(&whole) > usize::from(width) && !case.baselines.is_empty() => {
            let figures = table(case, true, false, Some(width));
            format!("{figures}\n{} as a ratio\n{}", case.decides, table(case, false, true, Some(width)))
        }
        Some(width) => table(case, true, true, Some(width)).to_string(),
        None => whole.to_string(),
    }
}

/// Columns that the table takes on a terminal.
fn columns(table: &Table) -> usize {
    table.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

fn table(case: &CaseView, figures: bool, ratios: bool, width: Option<u16>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.style_mut().row_separator = LineStyle::none();
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let mut header = vec![Cell::new("#"), Cell::new("target")];
    if figures {
        header.extend(case.columns.iter().map(|column| right(&heading(column.title, column.unit))));
    }
    if ratios {
        header.extend(case.baselines.iter().map(|name| right(&format!("ratio to\n{name}"))));
    }
    header.push(right("rounds"));
    table.set_header(header);
    for row in &case.rows {
        let mut cells = vec![Cell::new(&row.rank), Cell::new(format!("{}\n{}", row.target, row.role))];
        if figures {
            cells.extend(row.cells.iter().map(|cell| right(&two_lines(&cell.text, cell.interval.as_deref()))));
        }
        if ratios {
            cells.extend(row.ratios.iter().map(|ratio| right(&two_lines(&ratio.text, ratio.interval.as_deref()))));
        }
        cells.push(right(&row.rounds));
        table.add_row(cells);
    }
    table
}

fn study_table(study: &Study, width: Option<u16>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.style_mut().row_separator = LineStyle::none();
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let mut header = vec![Cell::new("case")];
    header.extend(study.headings.iter().map(|heading| right(heading)));
    table.set_header(header);
    for row in &study.rows {
        let mut cells = vec![Cell::new(&row.case)];
        cells.extend([&row.study, &row.rerun, &row.goal].map(|text| right(text)));
        cells.extend(row.measured.iter().map(|cell| right(&two_lines(&cell.text, cell.interval.as_deref()))));
        cells.push(right(row.outcome));
        table.add_row(cells);
    }
    table
}

fn heading(title: &str, unit: &str) -> String {
    if unit.is_empty() { title.to_owned() } else { format!("{title}\n{unit}") }
}

fn two_lines(text: &str, interval: Option<&str>) -> String {
    match interval {
        Some(interval) => format!("{text}\n{}", interval.replace(" – ", "–")),
        None => text.to_owned(),
    }
}

fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}
