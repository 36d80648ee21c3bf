//! The summary as JSON, for programs: `--json` of bench and report.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use harness::{metric, record::Status, summary::CaseSummary};
use serde::Serialize;

use crate::{Report, verdict::Verdict};

/// The version of the document; it grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    run: &'a str,
    suite: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    started: &'a str,
    finished: Option<&'a str>,
    rounds_planned: u32,
    units: BTreeMap<&'static str, &'static str>,
    verdicts: &'a [Verdict],
    cases: &'a [CaseSummary],
}

pub(crate) fn render(report: &Report) -> Result<String> {
    let record = &report.record;
    let document = Document {
        schema: SCHEMA,
        run: &record.id,
        suite: &record.suite,
        status: report.status_word(),
        reason: match &record.status {
            Status::Partial { reason } => Some(reason),
            Status::Running | Status::Complete => None,
        },
        started: &record.started,
        finished: record.finished.as_deref(),
        rounds_planned: record.plan.rounds,
        units: metric::ALL.iter().map(|metric| (metric.name, metric.unit)).collect(),
        verdicts: &report.verdicts,
        cases: &report.summary.cases,
    };
    let mut text = serde_json::to_string_pretty(&document).context("the summary cannot be put into JSON")?;
    text.push('\n');
    Ok(text)
}
