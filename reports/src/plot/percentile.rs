//! Latency by percentile: the merged histograms of all rounds, from the instant each request was due, a line a target.
//!
//! The horizontal axis stretches the tail: each step from 90 to 99 to 99.9 % is equally wide. A line ends where fewer
//! than ten requests lie beyond it, since what comes after is single events.

use anyhow::Result;
use harness::{
    record::{Record, Sample},
    stats::histogram,
    summary::Row,
};
use plotters::{
    element::{PathElement, Text},
    style::{Color, RGBColor, text_anchor::HPos},
};

use super::{Canvas, Plot, short, style, svg, unable};
use crate::paint::{FAINT, GRID, INK, Palette};

/// The histogram that is drawn, and the metric whose being void excludes a round's.
const HISTOGRAM: &str = "open_due";
const METRIC: &str = "open_latency_us_p50";

/// Requests that must lie beyond a line's end.
const BEYOND_MIN: f64 = 10.0;

/// Points for each tenfold of the tail.
const POINTS_PER_DECADE: f64 = 24.0;

// Units of the picture; a page shows it at about two thirds of its size.
const SIZE: (u32, u32) = (1040, 460);
const LEFT: f64 = 110.0;
const RIGHT: f64 = 820.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 400.0;
const TEXT: i32 = 25;
const LABEL_CHARS_MAX: usize = 16;
const LABEL_GAP: i32 = 28;

/// A target's line: how many nines from the median outwards, and µs.
struct Line<'a> {
    target: &'a str,
    color: RGBColor,
    points: Vec<(f64, f64)>,
}

/// The plot of a case; `None` where no target has a histogram.
pub(super) fn draw(record: &Record, case: &str, rows: &[&Row], palette: &Palette<'_>) -> Result<Option<Plot>> {
    let mut lines = Vec::new();
    for row in rows {
        let usable =
            |sample: &&Sample| sample.case == case && sample.target == row.target && !sample.void.contains_key(METRIC);
        let texts = record
            .samples
            .iter()
            .filter(usable)
            .filter_map(|sample| sample.histograms.get(HISTOGRAM))
            .map(String::as_str);
        if let Some(histogram) = histogram::merge(texts)?
            && !histogram.is_empty()
        {
            lines.push(Line {
                target: &row.target,
                color: palette.of(&row.target).color,
                points: points(histogram.len() as f64, |share| histogram.value_at_quantile(share) as f64),
            });
        }
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let names: Vec<&str> = lines.iter().map(|line| line.target).collect();
    let title = "Latency by percentile, from the instant each request was due".to_owned();
    let label = format!("{title}: {}. The table below holds the figures.", crate::verdict::list(&names));
    let picture = svg(SIZE, &label, |canvas| plot(canvas, &lines))?;
    Ok(Some(Plot { title, svg: picture }))
}

/// Latency at growing percentiles, without points that a straight line makes needless.
fn points(count: f64, value_at: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let decades = (count / BEYOND_MIN).log10().clamp(1.0, 5.0);
    let steps = (decades * POINTS_PER_DECADE).floor() as usize;
    let mut points: Vec<(f64, f64)> = Vec::with_capacity(steps + 1);
    for step in 0..=steps {
        let nines = step as f64 / POINTS_PER_DECADE;
        let value = value_at(1.0 - 10_f64.powf(-nines)).max(1.0);
        if let [.., a, b] = points.as_mut_slice()
            && a.1 == value
            && b.1 == value
        {
            b.0 = nines;
        } else {
            points.push((nines, value));
        }
    }
    points
}

fn plot(canvas: &Canvas<'_>, lines: &[Line<'_>]) -> Result<()> {
    let all = || lines.iter().flat_map(|line| &line.points);
    let nines = all().fold(1.0_f64, |most, point| most.max(point.0));
    let (least, most) =
        all().fold((f64::INFINITY, 0.0_f64), |(least, most), point| (least.min(point.1), most.max(point.1)));
    // Room above and below; a tenfold at least, so that noise does not look like a cliff.
    let middle = (least * most).sqrt();
    let (low, high) = ((least / 1.15).min(middle / 3.2), (most * 1.15).max(middle * 3.2));
    let x = |at: f64| (LEFT + at / nines * (RIGHT - LEFT)).round() as i32;
    let y = |us: f64| (BOTTOM - (us / low).ln() / (high / low).ln() * (BOTTOM - TOP)).round() as i32;

    for us in ticks(low, high) {
        rule(canvas, (x(0.0), y(us)), (x(nines), y(us)))?;
        write(canvas, &duration(us), (x(0.0) - 12, y(us)), HPos::Right, FAINT)?;
    }
    for (share, name) in
        [(0.0, "0 %"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")]
    {
        let at = -f64::log10(1.0 - share);
        if at <= nines + 1e-9 {
            rule(canvas, (x(at), TOP as i32), (x(at), BOTTOM as i32))?;
            write(canvas, name, (x(at), BOTTOM as i32 + 28), HPos::Center, FAINT)?;
        }
    }
    for line in lines {
        let path: Vec<(i32, i32)> = line.points.iter().map(|(at, us)| (x(*at), y(*us))).collect();
        canvas.draw(&PathElement::new(path, line.color.stroke_width(4))).map_err(unable)?;
    }
    labels(canvas, lines, x, y)
}

/// Each line's name at its end, moved apart where they would cover each other.
fn labels(canvas: &Canvas<'_>, lines: &[Line<'_>], x: impl Fn(f64) -> i32, y: impl Fn(f64) -> i32) -> Result<()> {
    let mut ends: Vec<(i32, i32, &Line<'_>)> =
        lines.iter().filter_map(|line| line.points.last().map(|(at, us)| (y(*us), x(*at), line))).collect();
    ends.sort_by_key(|(y, ..)| *y);
    let mut free = TOP as i32;
    let mut places: Vec<i32> = Vec::with_capacity(ends.len());
    for (wanted, ..) in &ends {
        let place = (*wanted).max(free);
        places.push(place);
        free = place + LABEL_GAP;
    }
    // What ran out at the bottom moves up again.
    let mut free = BOTTOM as i32 + 8;
    for place in places.iter_mut().rev() {
        *place = (*place).min(free);
        free = *place - LABEL_GAP;
    }
    let column = RIGHT as i32 + 30;
    for ((end_y, end_x, line), place) in ends.iter().zip(places) {
        let leader = vec![(*end_x + 2, *end_y), (column - 6, place)];
        canvas.draw(&PathElement::new(leader, GRID.stroke_width(2))).map_err(unable)?;
        let mark = vec![(column, place), (column + 22, place)];
        canvas.draw(&PathElement::new(mark, line.color.stroke_width(6))).map_err(unable)?;
        write(canvas, &short(line.target, LABEL_CHARS_MAX), (column + 30, place), HPos::Left, INK)?;
    }
    Ok(())
}

fn rule(canvas: &Canvas<'_>, from: (i32, i32), to: (i32, i32)) -> Result<()> {
    canvas.draw(&PathElement::new([from, to], GRID.stroke_width(2))).map_err(unable)
}

fn write(canvas: &Canvas<'_>, text: &str, at: (i32, i32), horizontal: HPos, color: RGBColor) -> Result<()> {
    canvas.draw(&Text::new(text.to_owned(), at, style(TEXT, color, horizontal))).map_err(unable)
}

/// Round values between `low` and `high`: 1, 2, 5 of each tenfold, or the tenfolds alone over a wide range.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let marks: &[f64] = if (high / low).log10() > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let first = low.log10().floor() as i32;
    let last = high.log10().ceil() as i32;
    (first..=last)
        .flat_map(|decade| marks.iter().map(move |mark| mark * 10_f64.powi(decade)))
        .filter(|tick| (low..=high).contains(tick))
        .collect()
}

fn duration(us: f64) -> String {
    if us >= 1e6 {
        format!("{} s", us / 1e6)
    } else if us >= 1e3 {
        format!("{} ms", us / 1e3)
    } else {
        format!("{us} µs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(ticks(40.0, 1_100.0), [50.0, 100.0, 200.0, 500.0, 1_000.0]);
        assert_eq!(ticks(5.0, 90_000.0), [10.0, 100.0, 1_000.0, 10_000.0]);
        for (us, text) in [(50.0, "50 µs"), (2_000.0, "2 ms"), (10_000_000.0, "10 s")] {
            assert_eq!(duration(us), text);
        }
    }

    #[test]
    fn a_line_ends_where_ten_requests_lie_beyond() {
        let last = points(100_000.0, |share| share * 1000.0);
        assert_eq!(last.last().map(|point| point.0), Some(4.0));
        let flat = points(100_000.0, |_| 7.0);
        assert_eq!(flat.len(), 2, "{flat:?}");
    }
}
