//! results.csv: one figure a row, in columns that do not change (reports/README.md documents them).

use anyhow::{Context, Result};
use csv::Writer;
use harness::{metric, stats::Estimate, summary::Row};

use crate::{Report, view};

/// The columns, in order. New ones are only ever added at the end.
pub const COLUMNS: &[&str] = &[
    "run", "suite", "status", "case", "target", "role", "kind", "metric", "unit", "better", "baseline", "median",
    "low", "high", "rounds", "reason",
];

/// The figures of a run, one a row.
pub(crate) fn render(report: &Report) -> Result<String> {
    let mut out = Writer::from_writer(Vec::new());
    out.write_record(COLUMNS)?;
    let status = report.status_word();
    for case in &report.summary.cases {
        for row in &case.rows {
            let fixed =
                [report.record.id.as_str(), &report.record.suite, status, &case.id, &row.target, view::role(row.role)];
            rows(&mut out, &fixed, row)?;
        }
    }
    let bytes = out.into_inner().context("the table cannot be completed")?;
    String::from_utf8(bytes).context("the table is not text")
}

fn rows(out: &mut Writer<Vec<u8>>, fixed: &[&str], row: &Row) -> Result<()> {
    for (name, estimate) in &row.metrics {
        line(out, fixed, "value", name, "", Some(estimate), "")?;
    }
    for (name, estimate) in &row.bounds {
        let reason = row.void.get(name).map_or("", String::as_str);
        line(out, fixed, "at_least", name, "", Some(estimate), reason)?;
    }
    for (name, reason) in row.void.iter().filter(|(name, _)| !row.bounds.contains_key(*name)) {
        line(out, fixed, "void", name, "", None, reason)?;
    }
    for (baseline, ratios) in &row.ratios {
        for (name, estimate) in ratios {
            line(out, fixed, "ratio", name, baseline, Some(estimate), "")?;
        }
    }
    for problem in &row.problems {
        line(out, fixed, "problem", "", "", None, problem)?;
    }
    Ok(())
}

fn line(
    out: &mut Writer<Vec<u8>>,
    fixed: &[&str],
    kind: &str,
    name: &str,
    baseline: &str,
    estimate: Option<&Estimate>,
    reason: &str,
) -> Result<()> {
    let known = metric::find(name);
    let unit = match kind {
        "ratio" => "",
        _ => known.map_or("", |metric| metric.unit),
    };
    let better = known.map_or("", |metric| match metric.better {
        metric::Better::Higher => "higher",
        metric::Better::Lower => "lower",
        metric::Better::Neither => "neither",
    });
    let figures = estimate.map_or_else(Default::default, |estimate| {
        [estimate.median, estimate.low, estimate.high].map(|value| value.to_string())
    });
    let rounds = estimate.map_or_else(String::new, |estimate| estimate.n.to_string());
    for field in fixed.iter().chain(&[kind, name, unit, better, baseline]) {
        out.write_field(inert(field))?;
    }
    for field in figures.iter().chain(&[rounds]) {
        out.write_field(field)?;
    }
    out.write_field(inert(reason))?;
    out.write_record(None::<&[u8]>)?;
    Ok(())
}

/// A text that a spreadsheet does not take for a formula: an apostrophe goes before the characters that begin one.
fn inert(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() }
}
