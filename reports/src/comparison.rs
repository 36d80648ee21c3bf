//! A comparison on one screen, for a reviewer: what moved first, by how much, and whether to believe it.
//!
//! What follows from the figures was concluded by `harness::judge`; here it is put into words and tables.

use anyhow::Result;
use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, presets};
use harness::{
    compare::Comparison,
    judge::{Evidence, Judgement, Row, Verdict},
    metric,
    stats::Estimate,
};
use serde::Serialize;

use crate::{Style, figure::Scale, legible, template};

/// What a page of a comparison says.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    headline: String,
    base: String,
    head: String,
    machine: String,
    power: String,
    problems: Vec<String>,
    gaps: Vec<String>,
    /// Rows that a reviewer has to look at.
    standing: Vec<Line>,
    /// Those that passed.
    quiet: Vec<Line>,
    quiet_summary: String,
    controls: Vec<Line>,
    notes: Vec<String>,
    repeat: String,
}

/// A row in words.
#[derive(Debug, Serialize)]
struct Line {
    verdict: &'static str,
    target: String,
    case: String,
    metric: String,
    base: String,
    head: String,
    effect: String,
    floor: String,
    detectable: String,
    reason: String,
}

/// The comparison as Markdown in GitHub's flavour.
///
/// # Errors
/// When the template does not fit what is put into it.
pub fn markdown(comparison: &Comparison) -> Result<String> {
    template::comparison(&Page::new(comparison))
}

/// The comparison for a terminal: its verdict, then what stands out, then how much was quiet.
#[must_use]
pub fn terminal(comparison: &Comparison, style: Style) -> String {
    let page = Page::new(comparison);
    let mut out = format!("{}\n", style.paint(stress(comparison), &page.headline));
    let mut say = |line: &str| {
        out.push_str(line);
        out.push('\n');
    };
    say(&format!("base {}, head {}", page.base, page.head));
    for problem in &page.problems {
        say(&format!("{} {problem}", style.paint("1;31", "broken:")));
    }
    for gap in &page.gaps {
        say(&format!("{} {gap}", style.paint("1;33", "no base:")));
    }
    if !page.standing.is_empty() {
        say(&table(&page.standing, style).to_string());
    }
    if !page.quiet.is_empty() {
        say(&page.quiet_summary);
    }
    let restless = page.controls.iter().filter(|line| line.verdict != Verdict::Pass.word()).count();
    if !page.controls.is_empty() {
        say(&format!("{} rows of controls, of which {restless} did not simply pass", page.controls.len()));
    }
    if !page.power.is_empty() {
        say(&page.power);
    }
    for note in &page.notes {
        say(&format!("note: {note}"));
    }
    out
}

fn stress(comparison: &Comparison) -> &'static str {
    match comparison.judgement.as_ref().map(|judgement| judgement.verdict) {
        None | Some(Verdict::Pass | Verdict::Improvement) => "1;32",
        Some(Verdict::Inconclusive) => "1;33",
        Some(Verdict::Regression | Verdict::Broken) => "1;31",
    }
}

fn table(lines: &[Line], style: Style) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.style_mut().row_separator = LineStyle::none();
    if let Some(width) = style.width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(["verdict", "where", "metric", "base", "head", "effect", "floor", "would see", "why"]);
    for line in lines {
        let right = |text: &str| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(line.verdict),
            Cell::new(format!("{} {}", line.target, line.case)),
            Cell::new(&line.metric),
            right(&line.base),
            right(&line.head),
            right(&line.effect),
            right(&line.floor),
            right(&line.detectable),
            Cell::new(&line.reason),
        ]);
    }
    table
}

impl Page {
    fn new(comparison: &Comparison) -> Self {
        let nothing = Judgement {
            verdict: Verdict::Pass,
            rows: Vec::new(),
            controls: Vec::new(),
            budgets: Vec::new(),
            problems: Vec::new(),
            gaps: Vec::new(),
        };
        let judgement = comparison.judgement.as_ref().unwrap_or(&nothing);
        let (quiet, standing): (Vec<&Row>, Vec<&Row>) =
            judgement.rows.iter().chain(&judgement.budgets).partition(|row| row.verdict == Verdict::Pass);
        let lines = |rows: &[&Row]| rows.iter().map(|row| Line::new(row)).collect::<Vec<Line>>();
        let texts = |texts: &[String]| texts.iter().map(|text| legible::text(text)).collect::<Vec<String>>();
        Self {
            headline: headline(comparison, judgement),
            base: legible::name(&comparison.base.label),
            head: legible::name(&comparison.head.label),
            machine: format!(
                "Measured on {} ({} CPUs, {}), {}.",
                legible::name(&comparison.host.cpu_model),
                comparison.host.cpus.len(),
                legible::name(&comparison.host.kernel),
                legible::name(&comparison.finished)
            ),
            power: judgement.would_have_seen().map_or_else(String::new, |share| {
                format!(
                    "Here and today this comparison would have seen {:.1} % more CPU time a request.",
                    share * 100.0
                )
            }),
            problems: texts(&judgement.problems),
            gaps: texts(&judgement.gaps),
            standing: lines(&standing),
            quiet_summary: format!("{} of {} rows did not change", quiet.len(), quiet.len() + standing.len()),
            quiet: lines(&quiet),
            controls: lines(&judgement.controls.iter().collect::<Vec<_>>()),
            notes: texts(&comparison.notes),
            repeat: legible::text(&comparison.repeat),
        }
    }
}

fn headline(comparison: &Comparison, judgement: &Judgement) -> String {
    if comparison.identical {
        return "No change: the binaries are the same, byte for byte, so nothing was run".to_owned();
    }
    let all = || judgement.rows.iter().chain(&judgement.budgets);
    let rows = |verdict: Verdict| all().filter(|row| row.verdict == verdict).count();
    let count = |number: usize, one: &str| if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") };
    match judgement.verdict {
        Verdict::Pass => format!("Pass: none of {} rows moved", all().count()),
        Verdict::Improvement => format!("Pass: {}", count(rows(Verdict::Improvement), "improvement")),
        Verdict::Regression => format!("Regression: {} became worse", count(rows(Verdict::Regression), "row")),
        Verdict::Inconclusive => "Inconclusive: not everything can be told".to_owned(),
        Verdict::Broken => {
            let broken = judgement.problems.len() + rows(Verdict::Broken);
            format!("Broken: {}, so there is no verdict", count(broken, "problem"))
        }
    }
}

impl Line {
    fn new(row: &Row) -> Self {
        let known = metric::find(&row.metric);
        let number = |value: f64| number(&row.metric, value);
        let mut reason = legible::text(&row.reason);
        if !row.explained_by.is_empty() {
            reason.push_str(&format!("; with it: {}", row.explained_by.join(", ")));
        } else if matches!((&row.evidence, row.verdict), (Some(Evidence::Time(_)), Verdict::Regression)) {
            reason.push_str("; no count of it moved, so look at the environment first");
        }
        let none = String::new;
        let (base, head, effect, floor, detectable) = match &row.evidence {
            None => (none(), none(), none(), none(), none()),
            Some(Evidence::Time(time)) => (
                number(time.base),
                number(time.head),
                interval(&time.ratio),
                format!("{:.1} %", time.floor.exp_m1() * 100.0),
                format!("{:.1} %", time.detectable.exp_m1() * 100.0),
            ),
            Some(Evidence::Count(count)) => {
                let effect = if count.base > 0.0 { percent(count.head / count.base) } else { none() };
                (number(count.base), number(count.head), effect, none(), none())
            }
        };
        Self {
            verdict: row.verdict.word(),
            target: legible::name(&row.target),
            case: legible::name(&row.case),
            metric: known.map_or_else(|| legible::name(&row.metric), |metric| metric.title.to_owned()),
            base,
            head,
            effect,
            floor,
            detectable,
            reason,
        }
    }
}

/// A figure of a metric with its unit.
pub(crate) fn number(metric: &str, value: f64) -> String {
    metric::find(metric).map_or_else(
        || format!("{value:.3}"),
        |metric| {
            let scale = Scale::of(metric, [value].into_iter());
            format!("{} {}", scale.number(value), scale.unit).trim_end().to_owned()
        },
    )
}

fn percent(ratio: f64) -> String {
    format!("{:+.1} %", (ratio - 1.0) * 100.0)
}

pub(crate) fn interval(ratio: &Estimate) -> String {
    let bound = |ratio: f64| format!("{:+.1}", (ratio - 1.0) * 100.0);
    format!("{} ({} to {})", percent(ratio.median), bound(ratio.low), bound(ratio.high))
}
