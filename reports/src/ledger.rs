//! The ledger for people: what becomes of each claim, first in a line each, then with the figures of each input.
//!
//! What becomes of it was concluded by `harness::ledger`; here it is put into words, tables and plots.

use std::fmt::Write as _;

use anyhow::Result;
use harness::{
    ledger::{Effect, Entry},
    record::Record,
};
use serde::Serialize;

use crate::{
    comparison::{interval, number},
    legible,
};

/// Width of a plot, in its own units; the middle is no difference.
const PLOT_WIDTH: f64 = 240.0;

/// The largest factor that a plot shows; what is beyond lies on the edge.
const PLOT_FACTOR_MAX: f64 = 4.0;

/// What a page of the ledger says.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    headline: String,
    machine: String,
    how: String,
    groups: Vec<Group>,
    notes: Vec<String>,
    repeat: String,
    plot_width: f64,
}

/// Experiments of one kind.
#[derive(Debug, Serialize)]
struct Group {
    name: String,
    experiments: Vec<Experiment>,
}

/// A claim and what becomes of it.
#[derive(Debug, Serialize)]
struct Experiment {
    name: String,
    verdict: String,
    claim: String,
    source: String,
    baseline: String,
    candidate: String,
    inputs: Vec<Line>,
}

/// The same on one input.
#[derive(Debug, Serialize)]
struct Line {
    effect: &'static str,
    input: String,
    time: String,
    change: String,
    floor: String,
    instructions: String,
    system_calls: String,
    allocations: String,
    bytes: String,
    idle: String,
    reason: String,
    plot: Option<Plot>,
}

/// Where the interval and the median of a ratio lie.
#[derive(Debug, Serialize)]
struct Plot {
    low: String,
    width: String,
    median: String,
}

/// The entries of a run as Markdown in GitHub's flavour; a record for each suite that took part.
///
/// # Errors
/// When the template does not fit what is put into it.
pub fn markdown(records: &[&Record], entries: &[Entry]) -> Result<String> {
    crate::template::ledger(&Page::new(records, entries))
}

/// The same as one HTML file with a plot for each input.
///
/// # Errors
/// When the template does not fit what is put into it.
pub fn html(records: &[&Record], entries: &[Entry]) -> Result<String> {
    crate::template::ledger_html(&Page::new(records, entries))
}

/// A line for each experiment, for a terminal: the verdict first.
#[must_use]
pub fn terminal(records: &[&Record], entries: &[Entry]) -> String {
    let page = Page::new(records, entries);
    let mut out = format!("{}\n{}\n", page.headline, page.machine);
    for group in &page.groups {
        let _ = writeln!(out, "\n{}", group.name);
        for experiment in &group.experiments {
            let _ = writeln!(out, "  {}: {}", experiment.name, experiment.verdict);
            for line in &experiment.inputs {
                let _ = writeln!(out, "    {:<11} {}  {}", line.effect, line.input, line.change);
            }
        }
    }
    out
}

impl Page {
    fn new(records: &[&Record], entries: &[Entry]) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for family in entries.chunk_by(|one, other| one.case.test == other.case.test) {
            let Some(claim) = &family[0].case.claim else { continue };
            let experiment = Experiment {
                name: legible::name(&family[0].case.test),
                verdict: verdict(family),
                claim: legible::text(&claim.claim),
                source: legible::text(&claim.source),
                baseline: legible::text(&claim.baseline),
                candidate: legible::text(&claim.candidate),
                inputs: family.iter().map(Line::new).collect(),
            };
            match groups.iter_mut().find(|group| group.name == claim.group) {
                Some(group) => group.experiments.push(experiment),
                None => groups.push(Group { name: claim.group.clone(), experiments: vec![experiment] }),
            }
        }
        let experiments: usize = groups.iter().map(|group| group.experiments.len()).sum();
        let count = |effect: Effect| entries.iter().filter(|entry| entry.effect == effect).count();
        let tally = [Effect::Pays, Effect::None, Effect::Costs, Effect::Unknown, Effect::Broken]
            .into_iter()
            .filter(|effect| count(*effect) > 0)
            .map(|effect| format!("{} {}", effect.words(), count(effect)));
        let mut notes: Vec<String> =
            records.iter().flat_map(|record| &record.notes).map(|note| legible::text(note)).collect();
        notes.dedup();
        Self {
            headline: format!(
                "{experiments} experiments on {} inputs: {}",
                entries.len(),
                tally.collect::<Vec<_>>().join(", ")
            ),
            machine: records.first().map(|record| machine(record)).unwrap_or_default(),
            how: records.iter().map(|record| how(record)).collect::<Vec<_>>().join(" "),
            groups,
            notes,
            repeat: records.first().map(|record| legible::text(&record.repeat)).unwrap_or_default(),
            plot_width: PLOT_WIDTH,
        }
    }
}

/// Where and when it was measured.
fn machine(record: &Record) -> String {
    let host = &record.host;
    let commit = record.commit.as_ref().map_or_else(String::new, |commit| {
        format!(
            ", commit {}{}",
            &commit.hash[..commit.hash.len().min(12)],
            if commit.dirty { " with changes" } else { "" }
        )
    });
    format!(
        "Measured on {} ({} CPUs{}, {}, {}) on {}{commit}; load {:.2} when it began.",
        legible::name(&host.cpu_model),
        host.cpus.len(),
        if host.virtual_machine { ", virtual" } else { "" },
        legible::name(&host.kernel),
        legible::name(&host.rustc),
        legible::name(&record.started),
        host.load_1m
    )
}

/// How a suite's part of it was measured.
fn how(record: &Record) -> String {
    let plan = &record.plan;
    format!(
        "Suite {}: {} pairs of launches a batch, windows of {} s, profile {}.",
        record.suite, plan.rounds, plan.duration_s, record.profile
    )
}

/// What becomes of a claim on all of its inputs.
fn verdict(family: &[Entry]) -> String {
    let mut effects: Vec<Effect> = family.iter().map(|entry| entry.effect).collect();
    effects.sort_unstable();
    effects.dedup();
    if let [effect] = effects[..] {
        return effect.words().to_owned();
    }
    let of = |effect: &Effect| {
        let inputs = family.iter().filter(|entry| entry.effect == *effect);
        let prefix = format!("{}-", family[0].case.test);
        let ids: Vec<&str> =
            inputs.map(|entry| entry.case.id.strip_prefix(&prefix).unwrap_or(&entry.case.id)).collect();
        format!("{}: {}", effect.words(), ids.join(", "))
    };
    effects.iter().map(of).collect::<Vec<_>>().join("; ")
}

impl Line {
    fn new(entry: &Entry) -> Self {
        // Of an operation in process, or of a request over a socket.
        let count = |metric: &str| {
            let (metric, count) = entry.counts.iter().find(|(name, _)| name.starts_with(metric))?;
            let [base, head] = [count.base, count.head].map(|value| number(metric, value));
            Some(if base == head { base } else { format!("{base} → {head}") })
        };
        let counted = |metric: &str| count(metric).unwrap_or_else(|| "–".to_owned());
        let time = entry.time.as_ref();
        let shown = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        Self {
            effect: entry.effect.words(),
            input: entry.case.claim.as_ref().map_or_else(String::new, |claim| legible::text(&claim.input)),
            time: shown(time.map(|time| {
                let [base, head] = [time.base, time.head].map(|figure| number(&entry.timed, figure));
                format!("{base} → {head}")
            })),
            change: shown(time.map(|time| interval(&time.ratio))),
            floor: shown(time.map(|time| format!("{:.1} %", time.floor.exp_m1() * 100.0))),
            instructions: counted("instructions_per_"),
            system_calls: counted("system_calls_per_"),
            allocations: counted("allocations_per_"),
            bytes: counted("allocated_bytes_per_"),
            idle: counted("bytes_per_idle_connection"),
            reason: legible::text(&entry.reason),
            plot: time.map(|time| Plot::new([time.ratio.low, time.ratio.median, time.ratio.high])),
        }
    }
}

impl Plot {
    /// Places ratios on a logarithmic scale whose middle is 1.
    fn new(ratios: [f64; 3]) -> Self {
        let place = |ratio: f64| {
            let share = (ratio.ln() / PLOT_FACTOR_MAX.ln()).clamp(-1.0, 1.0);
            (share + 1.0) / 2.0 * PLOT_WIDTH
        };
        let [low, median, high] = ratios.map(place);
        Self {
            low: format!("{low:.1}"),
            width: format!("{:.1}", (high - low).max(1.0)),
            median: format!("{median:.1}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_lie_left_and_right_of_one_and_stay_inside() {
        for (ratios, low, median) in [
            ([1.0, 1.0, 1.0], "120.0", "120.0"),
            ([0.5, 0.5, 0.5], "60.0", "60.0"),
            ([0.001, 2.0, 900.0], "0.0", "180.0"),
        ] {
            let plot = Plot::new(ratios);
            assert_eq!((plot.low.as_str(), plot.median.as_str()), (low, median), "{ratios:?}");
        }
    }
}
