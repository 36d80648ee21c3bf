//! Draws a case: bars with intervals for what the league table holds, and latency by percentile.
//!
//! Drawn in the colours of light paper; the page's style replaces them on dark screens by matching the attributes.
//! Bars begin at zero. Read next: `bars.rs`, `percentile.rs`, `paint.rs`.

mod bars;
mod percentile;

use anyhow::{Result, anyhow};
use harness::{metric, summary::Row};
use minijinja::Value;
use plotters::{
    coord::Shift,
    prelude::{DrawingArea, IntoDrawingArea, SVGBackend},
    style::{
        Color, IntoFont, RGBColor, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};
use serde::Serialize;

use crate::{Report, paint::Palette, view};

/// Metrics drawn as bars.
const BARS: &[&str] = &[
    "requests_per_s",
    "cpu_us_per_request",
    "open_latency_us_p99",
    "rss_peak_bytes",
    "ns_per_operation",
    "instructions_per_operation",
    "drop_ns_p50",
    "drain_to_last_drop_ms",
];

/// A drawing for the page.
#[derive(Debug, Serialize)]
pub(crate) struct Plot {
    /// What it shows.
    pub(crate) title: String,
    /// The `svg` element, its text escaped.
    pub(crate) svg: Value,
}

/// The drawings of one case.
#[derive(Debug, Serialize)]
pub(crate) struct CasePlots {
    pub(crate) bars: Vec<Plot>,
    pub(crate) latency: Option<Plot>,
}

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The drawings of all cases, in the record's order.
pub(crate) fn all(report: &Report) -> Result<Vec<CasePlots>> {
    let palette = Palette::new(&report.record.plan.targets);
    report
        .summary
        .cases
        .iter()
        .map(|case| {
            let rows = view::ordered(case);
            let mut drawn = Vec::new();
            for metric in BARS.iter().filter_map(|name| metric::find(name)) {
                drawn.extend(bars::draw(metric, &rows, &palette)?);
            }
            // A target that gets no number gets no line either.
            let counted: Vec<&Row> = rows.iter().copied().filter(|row| row.rounds > 0).collect();
            Ok(CasePlots { bars: drawn, latency: percentile::draw(&report.record, &case.id, &counted, &palette)? })
        })
        .collect()
}

/// Draws on a canvas of that size, units of the picture, and gives the `svg` element with `label` for who cannot see it.
fn svg(size: (u32, u32), label: &str, draw: impl FnOnce(&Canvas<'_>) -> Result<()>) -> Result<Value> {
    let mut text = String::new();
    let canvas = SVGBackend::with_string(&mut text, size).into_drawing_area();
    draw(&canvas)?;
    canvas.present().map_err(unable)?;
    drop(canvas);
    // The element's own head: it scales with the page, and names no namespace because it stands inside HTML.
    let body = text.split_once('>').map(|(_, body)| body).ok_or_else(|| anyhow!("a plot is empty"))?;
    // All text has the page's own typeface, and the style sets it.
    let body = body.replace(" font-family=\"sans-serif\"", "").replace(" opacity=\"1\"", "");
    let label = minijinja::HtmlEscape(label);
    Ok(Value::from_safe_string(format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{label}\">{body}",
        size.0, size.1
    )))
}

/// Text of that size at an anchor.
fn style(size: i32, color: RGBColor, horizontal: HPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&color.to_rgba()).pos(Pos::new(horizontal, VPos::Center))
}

fn unable(error: impl std::fmt::Debug) -> anyhow::Error {
    anyhow!("a plot cannot be drawn: {error:?}")
}

/// The name as far as a plot has room for it; the tables hold the whole.
fn short(name: &str, chars_max: usize) -> String {
    if name.chars().count() <= chars_max {
        return name.to_owned();
    }
    let mut short: String = name.chars().take(chars_max - 1).collect();
    short.push('…');
    short
}
