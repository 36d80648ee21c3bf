//! The table of figures that others have published, beside what is aimed at and what this run measured.
//!
//! The figures are the suite's, in the record's cases; nothing here knows any. Read next: `view.rs`, for all other figures.

use std::collections::BTreeMap;

use harness::{
    metric,
    record::{Goal, Record, Reference, Role},
    summary::{CaseSummary, Row, Summary},
};
use serde::Serialize;

use crate::{
    figure::Scale,
    view::{Cell, SUBJECT},
};

/// Above the table.
pub(crate) const TITLE: &str = "Beside the figures of the study";

/// The table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Study {
    /// The columns behind the case.
    pub(crate) headings: Vec<String>,
    pub(crate) rows: Vec<StudyRow>,
}

/// One published figure.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StudyRow {
    pub(crate) case: String,
    pub(crate) study: String,
    pub(crate) rerun: String,
    pub(crate) goal: String,
    /// One for each framework, in the plan's order.
    pub(crate) measured: Vec<Cell>,
    /// Whether the project's own framework reaches the goal.
    pub(crate) outcome: &'static str,
}

/// The table of a run; `None` where no case has a published figure.
pub(crate) fn study(record: &Record, summary: &Summary) -> Option<Study> {
    let targets = record.plan.targets.iter().filter(|target| target.role == Role::Framework);
    let targets: Vec<&str> = targets.map(|target| target.name.as_str()).collect();
    let cases: BTreeMap<&str, &CaseSummary> = summary.cases.iter().map(|case| (case.id.as_str(), case)).collect();
    let published = record.cases.iter().flat_map(|case| case.references.iter().map(move |one| (case, one)));
    let rows: Vec<StudyRow> = published
        .filter_map(|(case, reference)| Some(row(cases.get(case.id.as_str())?, reference, &targets)))
        .collect();
    let fixed = ["study, 2024", "the original code here", "goal here"].map(str::to_owned);
    let measured = targets.iter().map(|target| format!("{target}, measured here"));
    let headings = fixed.into_iter().chain(measured).chain([format!("{SUBJECT} reaches the goal")]).collect();
    (!rows.is_empty()).then_some(Study { headings, rows })
}

fn row(case: &CaseSummary, reference: &Reference, targets: &[&str]) -> StudyRow {
    let metric = metric::find(&reference.metric).unwrap_or(&metric::ALL[0]);
    let of = |target: &str| {
        let row: &Row = case.rows.iter().find(|row| row.target == target)?;
        row.metrics.get(metric.name).copied()
    };
    // Each figure on a scale of its own: a row spans more than the unit of one column could.
    let written = |figure: f64| {
        let scale = Scale::of(metric, std::iter::once(figure));
        format!("{} {}", scale.number(figure), scale.unit)
    };
    let (limit, goal) = match &reference.goal {
        Goal::AtMost { figure } => (Some(*figure), format!("≤ {}", written(*figure))),
        Goal::AtMostTarget { target } => {
            let limit = of(target).map(|figure| figure.median);
            (limit, format!("≤ {target}{}", limit.map_or_else(String::new, |limit| format!(" ({})", written(limit)))))
        }
    };
    StudyRow {
        case: case.title.clone(),
        study: written(reference.study),
        rerun: written(reference.rerun),
        goal,
        measured: targets
            .iter()
            .map(|target| match of(target) {
                Some(figure) => {
                    let interval = Scale::of(metric, std::iter::once(figure.median)).interval(&figure);
                    Cell { text: written(figure.median), interval, value: Some(figure.median) }
                }
                None => Cell { text: "–".to_owned(), ..Cell::default() },
            })
            .collect(),
        outcome: match (of(SUBJECT), limit) {
            (Some(figure), Some(limit)) if figure.median <= limit => "yes",
            (Some(_), Some(_)) => "no",
            _ => "not known",
        },
    }
}
