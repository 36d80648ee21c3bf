//! One metric over all targets: a bar each from zero, its interval as a whisker, its figure as text.

use anyhow::Result;
use harness::{metric::Metric, summary::Row};
use plotters::{
    element::{PathElement, Rectangle, Text},
    style::{Color, RGBColor, text_anchor::HPos},
};

use super::{Canvas, Plot, short, style, svg, unable};
use crate::{
    figure::Scale,
    paint::{FAINT, INK, PAPER, Palette},
    view,
};

// Units of the picture; a page shows it at about half its size.
const WIDTH: i32 = 480;
const ROW: i32 = 58;
const BAR: i32 = 20;
const TEXT: i32 = 28;
const LABEL_CHARS_MAX: usize = 18;

/// The bars of a metric; `None` where no target has a figure.
pub(super) fn draw(metric: &Metric, rows: &[&Row], palette: &Palette<'_>) -> Result<Option<Plot>> {
    let scale = view::scale(metric, rows);
    let ends = rows.iter().filter_map(|row| {
        let high = row.metrics.get(metric.name).map(|figure| figure.high);
        high.or_else(|| row.bounds.get(metric.name).map(|bound| bound.median))
    });
    let most = ends.filter(|end| end.is_finite()).fold(0.0, f64::max);
    if most <= 0.0 {
        return Ok(None);
    }
    let title = match view::unit(metric, &scale) {
        "" => metric.title.to_owned(),
        unit => format!("{}, {unit}", metric.title),
    };
    let label =
        rows.iter().map(|row| format!("{} {}", row.target, words(metric, row, &scale))).collect::<Vec<_>>().join("; ");
    let height = ROW * i32::try_from(rows.len())? + 4;
    let picture = svg((WIDTH as u32, height.unsigned_abs()), &format!("{title}: {label}"), |canvas| {
        for (row, top) in rows.iter().zip((0..).step_by(ROW as usize)) {
            lane(canvas, metric, row, &scale, most, top, palette.of(&row.target).color)?;
        }
        Ok(())
    })?;
    Ok(Some(Plot { title, svg: picture }))
}

/// The figure in words.
fn words(metric: &Metric, row: &Row, scale: &Scale) -> String {
    match (row.metrics.get(metric.name), row.bounds.get(metric.name)) {
        (Some(figure), _) => scale.number(figure.median),
        (None, Some(bound)) => format!("≥ {}", scale.number(bound.median)),
        (None, None) if row.void.contains_key(metric.name) => "void".to_owned(),
        (None, None) => "no figure".to_owned(),
    }
}

fn lane(
    canvas: &Canvas<'_>,
    metric: &Metric,
    row: &Row,
    scale: &Scale,
    most: f64,
    top: i32,
    color: RGBColor,
) -> Result<()> {
    let text_at = top + 17;
    let figure = row.metrics.get(metric.name);
    let ink = if figure.is_some() { INK } else { FAINT };
    let name = Text::new(short(&row.target, LABEL_CHARS_MAX), (0, text_at), style(TEXT, INK, HPos::Left));
    canvas.draw(&name).map_err(unable)?;
    let value = Text::new(words(metric, row, scale), (WIDTH, text_at), style(TEXT, ink, HPos::Right));
    canvas.draw(&value).map_err(unable)?;

    let (above, below) = (top + 32, top + 32 + BAR);
    let place = |value: f64| ((value / most).clamp(0.0, 1.0) * f64::from(WIDTH - 4)).round() as i32;
    if let Some(figure) = figure {
        let bar = Rectangle::new([(0, above), (place(figure.median).max(1), below)], color.filled());
        canvas.draw(&bar).map_err(unable)?;
        if figure.n > 1 {
            whisker(canvas, place(figure.low), place(figure.high), above.midpoint(below))?;
        }
    } else if let Some(bound) = row.bounds.get(metric.name) {
        // Open to the right: it is this much or more.
        let end = place(bound.median);
        let outline = vec![(end, above), (0, above), (0, below), (end, below)];
        canvas.draw(&PathElement::new(outline, color.stroke_width(3))).map_err(unable)?;
    }
    Ok(())
}

/// From `low` to `high`, dark on a light rim, so that it stands out on the bar and beyond it.
fn whisker(canvas: &Canvas<'_>, low: i32, high: i32, middle: i32) -> Result<()> {
    for (color, width) in [(PAPER, 7), (INK, 3)] {
        for line in [
            [(low, middle), (high, middle)],
            [(low, middle - 7), (low, middle + 7)],
            [(high, middle - 7), (high, middle + 7)],
        ] {
            canvas.draw(&PathElement::new(line, color.stroke_width(width))).map_err(unable)?;
        }
    }
    Ok(())
}
