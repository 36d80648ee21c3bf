//! From records of two sides to a verdict: which rows moved, whether to believe it, and what the exit code is.
//!
//! Pure: nothing is run here. Sides are targets named `NAME@base` and `NAME@head` in one record ([`side_by_side`]), or the same
//! target in two records ([`across`]). What is missing is a problem and never a pass. Read next: `time.rs`, `count.rs`, and
//! `rule.rs` for what is judged at all.

use std::collections::{BTreeMap, BTreeSet};

use probe::suite::{Case, Role, Sample};
use serde::{Deserialize, Serialize};

use crate::{
    metric::{self, Better},
    record::Record,
    stats,
};

mod count;
mod rule;
mod sound;
mod time;

pub use count::Count;
pub use rule::{Rule, of as rule};
pub use sound::{other_machine, unsound};
pub use time::{PAIRS_MIN, Time};

/// A budget was counted at another moment: what a server does by the clock, under a tool that makes it fifty times slower, falls on
/// fewer or more requests with the machine's load. Seen: 0.43 % between two blessings of one commit. So it gets twice the share.
const BUDGET_SHARES: f64 = 2.0;

/// What stands behind the name of a target on the base's side.
pub const BASE: &str = "@base";

/// What stands behind the name of a target on the head's side.
pub const HEAD: &str = "@head";

/// What is to be said of a row, and of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing moved that matters, and it would have been seen.
    Pass,
    /// Better than before.
    Improvement,
    /// It cannot be told.
    Inconclusive,
    /// Worse than before.
    Regression,
    /// There are no figures to judge.
    Broken,
}

impl Verdict {
    /// In one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Improvement => "improvement",
            Self::Inconclusive => "inconclusive",
            Self::Regression => "regression",
            Self::Broken => "broken",
        }
    }

    /// The exit code of a command that ends with it: 0 pass or better, 1 regression, 2 inconclusive, 3 broken.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass | Self::Improvement => 0,
            Self::Regression => 1,
            Self::Inconclusive => 2,
            Self::Broken => 3,
        }
    }
}

/// One metric of one target in one case, on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The target, without its side.
    pub target: String,
    /// The case's id.
    pub case: String,
    /// The family that the case belongs to.
    pub test: String,
    /// The metric.
    pub metric: String,
    /// What was seen; `None` where there is nothing to compare.
    pub evidence: Option<Evidence>,
    /// What follows.
    pub verdict: Verdict,
    /// Why, in words.
    pub reason: String,
    /// For a time that moved: the counts of the same target and family that moved as well, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explained_by: Vec<String>,
    /// Whether it counts for the verdict on the whole; a row that only explains does not make it inconclusive.
    pub decides: bool,
}

/// What a row rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Evidence {
    /// Pairs of launches.
    Time(Time),
    /// Two counts a side.
    Count(Count),
}

impl Evidence {
    /// How far it stands out of what is no change; rows are sorted by it.
    #[must_use]
    pub fn significance(&self) -> f64 {
        match self {
            Self::Time(time) => time.ratio.median.ln().abs() / time.floor.max(time.margin),
            Self::Count(count) => count.significance,
        }
    }
}

/// Everything that is to be said of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The whole: the worst of what decides.
    pub verdict: Verdict,
    /// The rows, those that stand out most first.
    pub rows: Vec<Row>,
    /// Control lanes, which cannot have changed.
    pub controls: Vec<Row>,
    /// The head against its budgets.
    #[serde(default)]
    pub budgets: Vec<Row>,
    /// What is missing or cannot be right: it makes the whole broken.
    pub problems: Vec<String>,
    /// What has no base to be compared with: it makes the whole inconclusive at least.
    pub gaps: Vec<String>,
}

impl Judgement {
    /// Adds the head's standing to its budgets, which may make the whole worse.
    pub fn add_budgets(&mut self, rows: Vec<Row>) {
        self.verdict = rows.iter().map(|row| row.verdict).chain([self.verdict]).max().unwrap_or(self.verdict);
        self.budgets.extend(rows);
    }

    /// Adds what else is wrong, which leaves nothing to be believed.
    pub fn add_problems(&mut self, problems: Vec<String>) {
        if !problems.is_empty() {
            self.verdict = Verdict::Broken;
            self.problems.extend(problems);
        }
    }

    /// The effect, as a share, that every deciding time would have shown; `None` if no time was judged.
    #[must_use]
    pub fn would_have_seen(&self) -> Option<f64> {
        self.rows
            .iter()
            .filter(|row| row.decides)
            .filter_map(|row| match &row.evidence {
                Some(Evidence::Time(time)) => Some(time.detectable.max(time.floor).exp_m1()),
                _ => None,
            })
            .reduce(f64::max)
    }
}

/// Figures of earlier commits on this machine, oldest first, by target, case and metric.
pub type History = BTreeMap<(String, String, String), Vec<f64>>;

/// One figure's history, as it stands in a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The target.
    pub target: String,
    /// The case's id.
    pub case: String,
    /// The metric.
    pub metric: String,
    /// Oldest first, one a commit.
    pub figures: Vec<f64>,
}

/// Judges the sides of one comparison: the first batch of each suite, and the second batches of what had moved.
#[must_use]
pub fn side_by_side(first: &[&Record], second: &[&Record], history: &History) -> Judgement {
    let gaps: Vec<String> = first.iter().flat_map(|record| sound::gaps(record)).collect();
    let mut problems: Vec<String> = first.iter().chain(second).flat_map(|record| unsound(record)).collect();
    if first.is_empty() {
        problems.push("nothing was measured: there is no record".to_owned());
    }
    let (mut rows, mut controls) = (Vec::new(), Vec::new());
    for record in first {
        let again = second.iter().find(|again| again.suite == record.suite).copied();
        for lane in lanes(record) {
            let is_control = lane.role == Role::Control;
            for case in record.cases.iter().filter(|case| !sound::lacks_base(record, &lane.name, case)) {
                let found = lane_rows(record, again, &lane, case, history);
                if is_control { &mut controls } else { &mut rows }.extend(found);
            }
        }
    }
    judged(rows, controls, problems, gaps)
}

/// Compares two records of separate runs: counts are judged; times are not, because no run measured both.
#[must_use]
pub fn across(base: &Record, head: &Record, history: &History) -> Judgement {
    let mut problems: Vec<String> = [base, head].into_iter().flat_map(unsound).collect();
    problems.extend(other_machine(&base.host, &head.host));
    if base.suite != head.suite {
        problems.push(format!("the base is a run of the suite {} and the head one of {}", base.suite, head.suite));
    }
    let mut rows = Vec::new();
    for case in &base.cases {
        for target in base.plan.targets.iter().filter(|target| target.takes_part(case)) {
            let (one, other) = (samples(base, case, &target.name), samples(head, case, &target.name));
            if !one.is_empty() && other.is_empty() {
                problems.push(format!("the head has no figures of {} in {}", target.name, case.id));
                continue;
            }
            for metric in names(&one, &other) {
                let row = Unjudged { target: &target.name, case, metric: &metric };
                let Some(rule) = rule(&metric) else { continue };
                rows.push(match rule {
                    Rule::Count { share, slack } => row.count(&one, &other, share, slack, history),
                    Rule::Time { decides, .. } => {
                        let reason =
                            "not measured side by side: the difference of two runs is also that of two moments";
                        row.without(Verdict::Inconclusive, reason.to_owned(), decides)
                    }
                });
            }
        }
    }
    judged(rows, Vec::new(), problems, Vec::new())
}

/// A row for one budget: what a record's target cost against what it may cost.
#[must_use]
pub fn budgeted(record: &Record, case: &Case, target: &str, name: &str, metric: &str, budget: f64) -> Row {
    let row = Unjudged { target: name, case, metric };
    let Some(Rule::Count { share, slack }) = rule(metric) else {
        return row.without(Verdict::Broken, "that is no count".to_owned(), true);
    };
    let own = samples(record, case, target);
    if let Some(reason) = own.iter().find_map(|sample| sample.void.get(metric)) {
        return row.without(Verdict::Inconclusive, format!("it is unstable: {reason}"), true);
    }
    let figures: Vec<f64> = own.iter().filter_map(|sample| sample.metrics.get(metric)).copied().collect();
    let Some(figure) = stats::median(&figures).and_then(|figure| count::possible(figure, slack)) else {
        return row.without(Verdict::Broken, "there is a budget and no figure".to_owned(), true);
    };
    let count = Count::of(budget, figure, share * BUDGET_SHARES, slack, &[]);
    let (verdict, reason) = count.verdict(row.better());
    Row { evidence: Some(Evidence::Count(count)), ..row.without(verdict, format!("budget: {reason}"), true) }
}

/// Whether two counts of a metric are no more apart than two counts of one build may be.
#[must_use]
pub fn alike(metric: &str, one: f64, other: f64) -> bool {
    match rule(metric) {
        Some(Rule::Count { share, slack }) => Count::of(one, other, share, slack, &[]).significance <= 1.0,
        _ => false,
    }
}

/// The cases, by suite, in which a time has moved in the first batch, so that a second one has to confirm it.
#[must_use]
pub fn suspects(first: &[&Record]) -> BTreeMap<String, BTreeSet<String>> {
    let mut suspects = BTreeMap::<String, BTreeSet<String>>::new();
    for record in first {
        let alone = side_by_side(&[record], &[], &History::new());
        for row in &alone.rows {
            if matches!(&row.evidence, Some(Evidence::Time(time)) if time::moved(time)) {
                suspects.entry(record.suite.clone()).or_default().insert(row.case.clone());
            }
        }
    }
    suspects
}

/// A target with two sides.
struct Lane {
    name: String,
    role: Role,
}

fn lanes(record: &Record) -> Vec<Lane> {
    let sides = |name: &str| record.plan.targets.iter().any(|target| target.name == name);
    record
        .plan
        .targets
        .iter()
        .filter_map(|target| Some((target.name.strip_suffix(BASE)?, target.role)))
        .filter(|(name, _)| sides(&format!("{name}{HEAD}")))
        .map(|(name, role)| Lane { name: name.to_owned(), role })
        .collect()
}

/// All judged metrics of one lane in one case.
fn lane_rows(record: &Record, again: Option<&Record>, lane: &Lane, case: &Case, history: &History) -> Vec<Row> {
    let [base, head] = [BASE, HEAD].map(|side| samples(record, case, &format!("{}{side}", lane.name)));
    let mut rows = Vec::new();
    for metric in names(&base, &head) {
        let row = Unjudged { target: &lane.name, case, metric: &metric };
        match rule(&metric) {
            None => {}
            Some(Rule::Count { share, slack }) => rows.push(row.count(&base, &head, share, slack, history)),
            Some(Rule::Time { margin, decides }) => {
                let second =
                    again.map(|again| [BASE, HEAD].map(|side| samples(again, case, &format!("{}{side}", lane.name))));
                rows.push(row.time(&base, &head, second, margin, decides));
            }
        }
    }
    rows
}

/// A row to be.
struct Unjudged<'a> {
    target: &'a str,
    case: &'a Case,
    metric: &'a str,
}

impl Unjudged<'_> {
    fn without(&self, verdict: Verdict, reason: String, decides: bool) -> Row {
        Row {
            target: self.target.to_owned(),
            case: self.case.id.clone(),
            test: self.case.test.clone(),
            metric: self.metric.to_owned(),
            evidence: None,
            verdict,
            reason,
            explained_by: Vec::new(),
            decides,
        }
    }

    fn better(&self) -> Better {
        metric::find(self.metric).map_or(Better::Lower, |metric| metric.better)
    }

    fn count(&self, base: &[&Sample], head: &[&Sample], share: f64, slack: f64, history: &History) -> Row {
        for (side, samples) in [("base", base), ("head", head)] {
            if let Some(reason) = samples.iter().find_map(|sample| sample.void.get(self.metric)) {
                let reason = format!("rejected, it is unstable on the {side}'s side: {reason}");
                return self.without(Verdict::Inconclusive, reason, false);
            }
        }
        let figures = [base, head].map(|samples| {
            let figures: Vec<f64> =
                samples.iter().filter_map(|sample| sample.metrics.get(self.metric)).copied().collect();
            stats::median(&figures).and_then(|figure| count::possible(figure, slack))
        });
        let [Some(base), Some(head)] = figures else {
            return self.without(Verdict::Broken, missing_side(figures).to_owned(), true);
        };
        let key = (self.target.to_owned(), self.case.id.clone(), self.metric.to_owned());
        let count = Count::of(base, head, share, slack, history.get(&key).map_or(&[], Vec::as_slice));
        let (verdict, reason) = count.verdict(self.better());
        Row { evidence: Some(Evidence::Count(count)), ..self.without(verdict, reason, true) }
    }

    fn time(
        &self,
        base: &[&Sample],
        head: &[&Sample],
        second: Option<[Vec<&Sample>; 2]>,
        margin: f64,
        decides: bool,
    ) -> Row {
        let name = format!("{}/{}/{}", self.target, self.case.id, self.metric);
        let pairs = match time::Pairs::of(base, head, self.metric) {
            Ok(pairs) => pairs,
            Err(problem) => return self.without(Verdict::Broken, problem, true),
        };
        let Some(mut shown) = pairs.show(margin, &name) else {
            let void = base.iter().chain(head).find_map(|sample| sample.void.get(self.metric));
            let reason = match void {
                Some(void) => format!("{} usable pairs, {PAIRS_MIN} are needed; {void}", pairs.differences.len()),
                None => format!("{} pairs, {PAIRS_MIN} are needed", pairs.differences.len()),
            };
            return self.without(Verdict::Inconclusive, reason, decides);
        };
        if let Some([base, head]) = second
            && let Ok(pairs) = time::Pairs::of(&base, &head, self.metric)
        {
            shown.again = pairs.show(margin, &format!("{name}/again")).map(|again| again.ratio);
        }
        // The verdict follows once p is corrected for all rows.
        Row { evidence: Some(Evidence::Time(shown)), ..self.without(Verdict::Pass, String::new(), decides) }
    }
}

fn missing_side(figures: [Option<f64>; 2]) -> &'static str {
    match figures {
        [None, None] => "neither side has a figure that can be one",
        [None, _] => "the base has no figure",
        _ => "the head has no figure",
    }
}

/// Corrects the rows for one another, lets controls speak, and finds the worst.
fn judged(mut rows: Vec<Row>, mut controls: Vec<Row>, mut problems: Vec<String>, gaps: Vec<String>) -> Judgement {
    for family in [&mut rows, &mut controls] {
        correct(family);
        for row in family {
            if let Some(Evidence::Time(time)) = &row.evidence {
                (row.verdict, row.reason) = time::verdict(time, metric_better(&row.metric));
            }
        }
    }
    if rows.is_empty() {
        problems.push("nothing was compared: no target has figures on both sides".to_owned());
    }
    let restless: BTreeSet<String> = controls
        .iter()
        .filter(|row| matches!(&row.evidence, Some(Evidence::Time(time)) if time::moved(time)))
        .map(|row| row.case.clone())
        .collect();
    for row in &mut rows {
        if matches!(row.evidence, Some(Evidence::Time(_))) && restless.contains(&row.case) {
            row.verdict = Verdict::Inconclusive;
            row.reason = "a control moved in this run, which cannot have changed".to_owned();
        }
    }
    explain(&mut rows);
    let standing = |row: &Row| row.evidence.as_ref().map_or(0.0, Evidence::significance);
    rows.sort_by(|a, b| b.verdict.cmp(&a.verdict).then(standing(b).total_cmp(&standing(a))));
    let worst = rows.iter().filter(|row| row.decides || row.verdict != Verdict::Inconclusive).map(|row| row.verdict);
    let gap = (!gaps.is_empty()).then_some(Verdict::Inconclusive);
    let worst = worst.chain(gap).max().unwrap_or(Verdict::Broken);
    let verdict = if problems.is_empty() { worst } else { Verdict::Broken };
    Judgement { verdict, rows, controls, budgets: Vec::new(), problems, gaps }
}

/// Holm's correction over all times of a comparison.
fn correct(rows: &mut [Row]) {
    let mut times: Vec<&mut Time> = rows
        .iter_mut()
        .filter_map(|row| match &mut row.evidence {
            Some(Evidence::Time(time)) => Some(time),
            _ => None,
        })
        .collect();
    let corrected = stats::holm(&times.iter().map(|time| time.p).collect::<Vec<f64>>());
    for (time, p) in times.iter_mut().zip(corrected) {
        time.p = p;
    }
}

/// Writes beside each time that moved which counts moved with it.
fn explain(rows: &mut [Row]) {
    let moved: Vec<(String, String, String)> = rows
        .iter()
        .filter_map(|row| match &row.evidence {
            Some(Evidence::Count(count)) if row.verdict != Verdict::Pass => {
                let title = metric::find(&row.metric).map_or(row.metric.as_str(), |metric| metric.title);
                let words = format!("{:+} {title}", count::rounded(count.head - count.base));
                Some((row.target.clone(), row.test.clone(), words))
            }
            _ => None,
        })
        .collect();
    for row in rows {
        let is_changed = matches!(row.verdict, Verdict::Regression | Verdict::Improvement);
        if is_changed && matches!(row.evidence, Some(Evidence::Time(_))) {
            row.explained_by = moved
                .iter()
                .filter(|(target, test, _)| *target == row.target && *test == row.test)
                .map(|(.., words)| words.clone())
                .collect();
        }
    }
}

fn metric_better(name: &str) -> Better {
    metric::find(name).map_or(Better::Lower, |metric| metric.better)
}

fn samples<'a>(record: &'a Record, case: &Case, target: &str) -> Vec<&'a Sample> {
    record.samples.iter().filter(|sample| sample.case == case.id && sample.target == target).collect()
}

fn names(one: &[&Sample], other: &[&Sample]) -> BTreeSet<String> {
    one.iter().chain(other).flat_map(|sample| sample.metrics.keys().cloned()).collect()
}

#[cfg(test)]
mod tests;
