//! What a page says about one case: the league table, the ratios, what is void and why, and every other figure. Text
//! only; how it is laid out is left to the templates and to `terminal.rs`.
//!
//! Read next: `figure.rs` (how numbers are written), `page.rs` (the rest of a page).

use harness::{
    metric::{self, Better, Metric},
    record::Role,
    stats::Estimate,
    summary::{CaseSummary, Row},
};
use serde::Serialize;

use crate::{
    figure::{Scale, Standing, factor, factor_interval},
    paint::Palette,
    verdict::{decides, list, merit, planned},
};

/// The project's own framework: it is compared with the others, so it is no baseline itself.
pub(crate) const SUBJECT: &str = "armature";

/// The figures of the league table, by what decides; all others stand in the table of everything.
const LEAGUES: &[&[&str]] = &[
    &["requests_per_s", "cpu_us_per_request", "open_latency_us_p50", "open_latency_us_p99", "rss_peak_bytes"],
    &["ns_per_operation", "instructions_per_operation"],
    &["drop_ns_p50", "drop_ns_p99", "values_created", "values_dropped"],
    &["drain_to_last_drop_ms", "values_created", "values_dropped"],
    &[
        "drop_after_last_byte_us_p50",
        "drop_after_last_byte_us_p99",
        "dropped_before_last_byte_share",
        "values_created",
        "values_dropped",
    ],
    &["leaked_bytes_per_request", "leaked_bytes_per_request_low", "leaked_blocks_per_request"],
    COUNTS_OF_A_REQUEST,
    // Where there is no valgrind.
    COUNTS_OF_A_REQUEST.split_at(1).1,
    COUNTS_OF_AN_OPERATION,
    COUNTS_OF_AN_OPERATION.split_at(1).1,
];

const COUNTS_OF_A_REQUEST: &[&str] = &[
    "instructions_per_request",
    "allocations_per_request",
    "allocated_bytes_per_request",
    "live_bytes_per_request",
    "system_calls_per_lone_request",
];

const COUNTS_OF_AN_OPERATION: &[&str] =
    &["instructions_per_operation", "allocations_per_operation", "allocated_bytes_per_operation", "peak_live_bytes"];

/// A figure as text.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Cell {
    /// The figure without unit, `≥ figure`, `void` or a dash.
    pub(crate) text: String,
    /// Its interval.
    pub(crate) interval: Option<String>,
    /// The figure itself.
    pub(crate) value: Option<f64>,
}

/// A ratio as text.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct RatioCell {
    pub(crate) text: String,
    pub(crate) interval: Option<String>,
    pub(crate) words: &'static str,
    pub(crate) class: &'static str,
    pub(crate) value: Option<f64>,
}

/// A column of the league table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: &'static str,
}

/// A target in the league table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LeagueRow {
    pub(crate) rank: String,
    pub(crate) target: String,
    pub(crate) role: &'static str,
    pub(crate) rounds: String,
    pub(crate) cells: Vec<Cell>,
    pub(crate) ratios: Vec<RatioCell>,
    /// Name of its colour.
    pub(crate) paint: &'static str,
}

/// All targets in one metric.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MetricTable {
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: &'static str,
    pub(crate) rows: Vec<MetricRow>,
}

/// One target in one metric.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MetricRow {
    pub(crate) target: String,
    pub(crate) cell: Cell,
    pub(crate) rounds: u32,
    pub(crate) ratios: Vec<RatioCell>,
}

/// What is said about one case.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CaseView {
    pub(crate) id: String,
    pub(crate) title: String,
    /// The metric that decides, in words.
    pub(crate) decides: String,
    pub(crate) baselines: Vec<String>,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<LeagueRow>,
    /// At which rate latency was taken, in words.
    pub(crate) open_rate: Option<String>,
    pub(crate) voids: Vec<String>,
    pub(crate) problems: Vec<String>,
    pub(crate) metrics: Vec<MetricTable>,
}

/// The words for one case, of which `rounds_planned` were to be run.
pub(crate) fn case(case: &CaseSummary, palette: &Palette<'_>, rounds_planned: u32) -> CaseView {
    let rows = ordered(case);
    let by = decides(&case.rows);
    let baselines = baselines(case);
    let league = LEAGUES.iter().filter(|league| league[0] == by.name).copied().flatten();
    let league: Vec<&Metric> = league.filter_map(|name| metric::find(name)).collect();
    let scales: Vec<Scale> = league.iter().map(|metric| scale(metric, &rows)).collect();
    CaseView {
        id: case.id.clone(),
        title: case.title.clone(),
        decides: by.title.to_owned(),
        columns: league
            .iter()
            .zip(&scales)
            .map(|(metric, scale)| Column {
                title: metric.title,
                unit: unit(metric, scale),
                better: better(metric.better),
            })
            .collect(),
        rows: rows
            .iter()
            .map(|row| LeagueRow {
                rank: rank(row, &rows, by),
                target: row.target.clone(),
                role: role(row.role),
                rounds: format!("{} of {}", row.rounds, planned(by, rounds_planned)),
                cells: league.iter().zip(&scales).map(|(metric, scale)| cell(row, metric, scale)).collect(),
                ratios: ratios(row, by.name, &baselines),
                paint: palette.of(&row.target).class,
            })
            .collect(),
        open_rate: open_rate(&rows),
        voids: voids(&rows),
        problems: rows
            .iter()
            .flat_map(|row| row.problems.iter().map(|problem| format!("{}: {problem}", row.target)))
            .collect(),
        metrics: metric::ALL.iter().filter_map(|metric| metric_table(metric, &rows, &baselines)).collect(),
        baselines,
    }
}

/// Frameworks by what decides, then variants, then controls, those two in the plan's order.
pub(crate) fn ordered(case: &CaseSummary) -> Vec<&Row> {
    let mut rows: Vec<&Row> = case.rows.iter().collect();
    let by = decides(&case.rows);
    rows.sort_by(|a, b| {
        let place = |row: &Row| match row.role {
            Role::Framework => 0,
            Role::Variant => 1,
            Role::Control => 2,
        };
        let by_figure = match a.role {
            Role::Framework => merit(b, by).total_cmp(&merit(a, by)),
            Role::Variant | Role::Control => std::cmp::Ordering::Equal,
        };
        place(a).cmp(&place(b)).then(by_figure)
    });
    rows
}

/// What everything is compared with: the frameworks besides the project's own, and the controls.
fn baselines(case: &CaseSummary) -> Vec<String> {
    let of = |role: Role| {
        case.rows.iter().filter(move |row| row.role == role && row.target != SUBJECT).map(|row| row.target.clone())
    };
    of(Role::Framework).chain(of(Role::Control)).collect()
}

/// 1 + the number of frameworks that are demonstrably ahead; `=` when several share it. A dash where it cannot be said.
fn rank(row: &Row, rows: &[&Row], by: &Metric) -> String {
    let field: Vec<&&Row> =
        rows.iter().filter(|row| row.role == Role::Framework && row.metrics.contains_key(by.name)).collect();
    let ahead_of = |row: &Row| -> Option<usize> {
        let mut ahead = 0;
        for other in field.iter().filter(|other| other.target != row.target) {
            match Standing::of(other.ratios.get(&row.target)?.get(by.name)?, by.better)? {
                Standing::Better => ahead += 1,
                Standing::Worse | Standing::Alike => {}
                Standing::Unjudged => return None,
            }
        }
        Some(ahead)
    };
    let open = rows.iter().any(|row| row.role == Role::Framework && row.bounds.contains_key(by.name));
    if open || row.role != Role::Framework || !row.metrics.contains_key(by.name) {
        return "–".to_owned();
    }
    match ahead_of(row) {
        None => "–".to_owned(),
        Some(ahead) => {
            let shared = field.iter().filter(|other| ahead_of(other) == Some(ahead)).count() > 1;
            format!("{}{}", ahead + 1, if shared { "=" } else { "" })
        }
    }
}

/// The scale of a metric over all targets of the case.
pub(crate) fn scale(metric: &Metric, rows: &[&Row]) -> Scale {
    Scale::of(
        metric,
        rows.iter()
            .filter_map(|row| row.metrics.get(metric.name).or_else(|| row.bounds.get(metric.name)))
            .map(|estimate| estimate.median),
    )
}

fn cell(row: &Row, metric: &Metric, scale: &Scale) -> Cell {
    if let Some(estimate) = row.metrics.get(metric.name) {
        return Cell {
            text: scale.number(estimate.median),
            interval: scale.interval(estimate),
            value: Some(estimate.median),
        };
    }
    if let Some(bound) = row.bounds.get(metric.name) {
        return Cell { text: format!("≥ {}", scale.number(bound.median)), interval: None, value: Some(bound.median) };
    }
    let text = if row.void.contains_key(metric.name) { "void" } else { "–" };
    Cell { text: text.to_owned(), ..Cell::default() }
}

fn ratios(row: &Row, metric: &str, baselines: &[String]) -> Vec<RatioCell> {
    let better = metric::find(metric).map_or(Better::Neither, |metric| metric.better);
    baselines
        .iter()
        .map(|baseline| match row.ratios.get(baseline).and_then(|ratios| ratios.get(metric)) {
            Some(ratio) => ratio_cell(ratio, better),
            None => RatioCell {
                text: if *baseline == row.target { String::new() } else { "–".to_owned() },
                ..RatioCell::default()
            },
        })
        .collect()
}

fn ratio_cell(ratio: &Estimate, better: Better) -> RatioCell {
    let standing = Standing::of(ratio, better);
    RatioCell {
        text: factor(ratio.median),
        interval: factor_interval(ratio),
        words: standing.map_or("", Standing::words),
        class: standing.map_or("alike", Standing::class),
        value: Some(ratio.median),
    }
}

fn metric_table(metric: &'static Metric, rows: &[&Row], baselines: &[String]) -> Option<MetricTable> {
    let scale = scale(metric, rows);
    let baselines: &[String] = if metric.better == Better::Neither { &[] } else { baselines };
    let rows: Vec<MetricRow> = rows
        .iter()
        .filter(|row| {
            row.metrics.contains_key(metric.name)
                || row.bounds.contains_key(metric.name)
                || row.void.contains_key(metric.name)
        })
        .map(|row| MetricRow {
            target: row.target.clone(),
            cell: cell(row, metric, &scale),
            rounds: row.metrics.get(metric.name).map_or(0, |estimate| estimate.n),
            ratios: ratios(row, metric.name, baselines),
        })
        .collect();
    (!rows.is_empty()).then(|| MetricTable {
        title: metric.title,
        unit: unit(metric, &scale),
        better: better(metric.better),
        rows,
    })
}

/// The open-loop rate, where all targets had the same.
fn open_rate(rows: &[&Row]) -> Option<String> {
    let metric = metric::find("open_rate_per_s")?;
    let rates: Vec<f64> = rows.iter().filter_map(|row| row.metrics.get(metric.name)).map(|rate| rate.median).collect();
    let scale = Scale::of(metric, rates.iter().copied());
    let (least, most) = rates
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), rate| (least.min(*rate), most.max(*rate)));
    if !least.is_finite() {
        None
    } else if scale.number(least) == scale.number(most) {
        Some(format!("{} requests/s for every target", scale.number(least)))
    } else {
        Some(format!("{} to {} requests/s, so compare latencies with care", scale.number(least), scale.number(most)))
    }
}

/// Why figures are void, in sentences: one for each target and reason.
fn voids(rows: &[&Row]) -> Vec<String> {
    let mut said: Vec<(&str, &str, Vec<String>)> = Vec::new();
    for row in rows {
        let known = metric::ALL.iter().filter_map(|metric| Some((metric, row.void.get(metric.name)?)));
        for (Metric { name, title, .. }, reason) in known {
            let what = if row.bounds.contains_key(*name) {
                format!("{title} (what was reached is shown as a lower bound, ≥)")
            } else {
                (*title).to_owned()
            };
            match said.iter_mut().find(|(target, known, _)| *target == row.target && *known == reason) {
                Some((_, _, titles)) => titles.push(what),
                None => said.push((&row.target, reason, vec![what])),
            }
        }
    }
    said.iter()
        .map(|(target, reason, titles)| {
            let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
            format!("{target}: {reason}. Void: {}.", list(&titles))
        })
        .collect()
}

/// The unit for a heading; a title such as requests/s says it already.
pub(crate) fn unit(metric: &Metric, scale: &Scale) -> &'static str {
    if metric.title.ends_with("/s") { "" } else { scale.unit }
}

fn better(better: Better) -> &'static str {
    match better {
        Better::Higher => "more is better",
        Better::Lower => "less is better",
        Better::Neither => "describes the conditions",
    }
}

/// The role in one word.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Framework => "framework",
        Role::Variant => "variant",
        Role::Control => "control",
    }
}
