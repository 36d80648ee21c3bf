//! Says of each case who leads, by how much, and whether to believe it. Pure: from a summary to sentences.
//!
//! Only frameworks are compared: controls show what the layers below cost, and variants are a framework in another
//! configuration. The first of [`DECIDING`] that a case has decides, as ratios paired by round; where it is of a kind that is
//! neither better nor worse, nobody leads. Read next: `figure.rs` (when two are told apart).

use harness::{
    metric::{self, Better, Metric},
    record::Role,
    stats::Estimate,
    summary::{CaseSummary, Row, Summary},
};
use serde::Serialize;

use crate::{
    figure::{ROUNDS_FIRM, Standing, factor, factor_interval, percent},
    leak,
};

/// The metrics that may decide who leads; the first that a case has does.
const DECIDING: [&str; 10] = [
    "requests_per_s",
    "ns_per_operation",
    "leaked_bytes_per_request",
    "drop_ns_p50",
    "drain_to_last_drop_ms",
    "drop_after_last_byte_us_p50",
    COUNTED[0],
    COUNTED[1],
    COUNTED[2],
    COUNTED[3],
];

/// Those of them that are counted, twice whatever the number of rounds; two that differ are void.
const COUNTED: [&str; 4] =
    ["instructions_per_request", "instructions_per_operation", "allocations_per_request", "allocations_per_operation"];

/// How many samples of a metric are to be expected where so many rounds were planned.
pub(crate) fn planned(by: &Metric, rounds: u32) -> u32 {
    if COUNTED.contains(&by.name) { 2 } else { rounds }
}

/// The metric that decides among these rows.
pub(crate) fn decides<'a>(rows: impl IntoIterator<Item = &'a Row, IntoIter: Clone>) -> &'static Metric {
    let rows = rows.into_iter();
    let has = |row: &Row, name: &str| row.metrics.contains_key(name) || row.void.contains_key(name);
    let known = DECIDING.iter().filter(|name| rows.clone().any(|row| has(row, name)));
    // The table of metrics has them all.
    known.chain(&DECIDING).find_map(|name| metric::find(name)).unwrap_or(&metric::ALL[0])
}

/// What can be said of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One framework is ahead of all others.
    Leads,
    /// One is ahead, by at least so much: the load generator was its limit.
    LeadsAtLeast,
    /// The ones in front cannot be told apart.
    Tied,
    /// Who leads cannot be said.
    Unknown,
    /// Only one framework has a figure.
    Alone,
    /// No framework has a figure.
    Nothing,
    /// What was measured is neither better nor worse.
    Described,
    /// Somebody keeps memory of every request.
    Leaks,
    /// Nobody does.
    Clean,
}

/// How far to believe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Belief {
    /// Enough rounds for the interval to hold what it says.
    Firm,
    /// Rounds enough for an interval, too few for a firm one.
    FirstLook,
    /// A single round, or nothing to compare.
    None,
}

/// The verdict on a case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The case's id.
    pub case: String,
    /// What can be said.
    pub kind: Kind,
    /// Who leads, where someone does.
    pub leader: Option<String>,
    /// The deciding figure of the first over that of the second.
    pub ratio: Option<Estimate>,
    /// Who is second.
    pub second: Option<String>,
    /// One sentence.
    pub headline: String,
    /// How far to believe it.
    pub belief: Belief,
    /// Why, and what else a reader must know before believing it.
    pub reasons: Vec<String>,
}

/// The verdict on `case`, of which `rounds_planned` were to be run.
pub(crate) fn verdict(case: &CaseSummary, rounds_planned: u32) -> Verdict {
    if let Some(verdict) = leak::verdict(case) {
        return verdict;
    }
    let by = decides(&case.rows);
    let rounds_planned = planned(by, rounds_planned);
    let mut field: Vec<&Row> = case.rows.iter().filter(|row| row.role == Role::Framework).collect();
    // Stable, so that equal figures keep the plan's order.
    field.sort_by(|a, b| merit(b, by).total_cmp(&merit(a, by)));
    let figures = field.iter().filter(|row| merit(row, by) > f64::NEG_INFINITY).count();
    let mut verdict = match figures {
        0 => empty(case, Kind::Nothing, "No framework has a figure".to_owned()),
        _ if by.better == Better::Neither => {
            empty(case, Kind::Described, format!("Nobody leads: {} is neither better nor worse", words(by)))
        }
        1 => empty(case, Kind::Alone, format!("Only {} has a figure", field[0].target)),
        _ => compare(case, &field[..figures], by),
    };
    verdict.reasons.extend(reservations(&field, rounds_planned, by));
    verdict
}

pub(crate) fn empty(case: &CaseSummary, kind: Kind, headline: String) -> Verdict {
    Verdict {
        case: case.id.clone(),
        kind,
        leader: None,
        ratio: None,
        second: None,
        headline,
        belief: Belief::None,
        reasons: Vec::new(),
    }
}

/// What a row is ordered by, more being better: the figure, or what was reached at least; minus infinity for neither.
pub(crate) fn merit(row: &Row, by: &Metric) -> f64 {
    let figure = row.metrics.get(by.name).or_else(|| row.bounds.get(by.name));
    figure.map_or(f64::NEG_INFINITY, |figure| if by.better == Better::Lower { -figure.median } else { figure.median })
}

/// At least two rows with a figure or a bound, the largest first.
fn compare(case: &CaseSummary, field: &[&Row], by: &Metric) -> Verdict {
    let (first, second) = (field[0], field[1]);
    let bounded: Vec<&str> =
        field.iter().filter(|row| row.bounds.contains_key(by.name)).map(|row| row.target.as_str()).collect();
    if bounded == [first.target.as_str()]
        && let Some(verdict) = at_least(case, field, by)
    {
        return verdict;
    }
    if !bounded.is_empty() {
        return empty(
            case,
            Kind::Unknown,
            format!("Who leads is not known: the load generator was the limit for {}", list(&bounded)),
        );
    }
    let ratios: Vec<(&str, Option<&Estimate>)> =
        field[1..].iter().map(|row| (row.target.as_str(), ratio(first, &row.target, by))).collect();
    if ratios.iter().any(|(_, ratio)| ratio.is_none()) {
        return empty(case, Kind::Unknown, "Who leads is not known: the frameworks have no round in common".to_owned());
    }
    let mut verdict = paired(case, first, &ratios, by);
    verdict.second = Some(second.target.clone());
    verdict.ratio = ratio(first, &second.target, by).copied();
    verdict
}

fn ratio<'a>(row: &'a Row, other: &str, by: &Metric) -> Option<&'a Estimate> {
    row.ratios.get(other)?.get(by.name)
}

/// The first is void because the generator was at its limit, all others have figures that it is over.
fn at_least(case: &CaseSummary, field: &[&Row], by: &Metric) -> Option<Verdict> {
    let (first, second) = (field[0], field[1]);
    let bound = first.bounds.get(by.name)?;
    let over = field[1..].iter().all(|row| row.metrics.get(by.name).is_some_and(|figure| figure.high < bound.low));
    let behind = second.metrics.get(by.name)?.median;
    (over && behind > 0.0).then(|| Verdict {
        leader: Some(first.target.clone()),
        second: Some(second.target.clone()),
        belief: belief(bound.n.min(second.rounds)),
        reasons: vec![format!(
            "for {} the load generator was the limit, so its lead is larger than what was seen",
            first.target
        )],
        ..empty(
            case,
            Kind::LeadsAtLeast,
            format!(
                "{} leads: at least {} × the requests/s of {}",
                first.target,
                factor(bound.median / behind),
                second.target
            ),
        )
    })
}

fn paired(case: &CaseSummary, first: &Row, ratios: &[(&str, Option<&Estimate>)], by: &Metric) -> Verdict {
    let rounds = ratios.iter().filter_map(|(_, ratio)| Some(ratio.as_ref()?.n)).min().unwrap_or(0);
    let stands = |wanted: &[Standing]| -> Vec<&str> {
        ratios
            .iter()
            .filter(|(_, ratio)| {
                ratio
                    .and_then(|ratio| Standing::of(ratio, by.better))
                    .is_some_and(|standing| wanted.contains(&standing))
            })
            .map(|(name, _)| *name)
            .collect()
    };
    let level = stands(&[Standing::Alike, Standing::Unjudged, Standing::Worse]);
    let seen: Vec<String> = ratios.iter().filter_map(|(name, ratio)| ratio.map(|ratio| against(name, ratio))).collect();
    let (kind, leader, headline) = if level.is_empty() {
        let lead = ratios[0].1.map_or_else(String::new, |ratio| lead(ratio.median, ratios[0].0, by));
        (Kind::Leads, Some(first.target.clone()), format!("{} leads: {lead}", first.target))
    } else if rounds < 2 {
        (Kind::Unknown, None, format!("{} was ahead in the one round there is", first.target))
    } else {
        let mut front = vec![first.target.as_str()];
        front.extend(&level);
        let behind = stands(&[Standing::Better]);
        let mut headline = format!("{} cannot be told apart", list(&front));
        if !behind.is_empty() {
            headline = format!("{headline}; {} behind", list(&behind));
        }
        (Kind::Tied, None, headline)
    };
    let mut reasons = vec![format!("{} against {}", first.target, seen.join(", "))];
    // Two counts that agree are exact: chance has no part in them that more rounds would show.
    let belief = if COUNTED.contains(&by.name) { Belief::Firm } else { belief(rounds) };
    reasons.extend(match belief {
        Belief::Firm => None,
        Belief::FirstLook => Some(format!(
            "{rounds} rounds are a first look: below {ROUNDS_FIRM} an interval is narrower than it should be"
        )),
        Belief::None => Some("one round has no interval: it says nothing about chance".to_owned()),
    });
    Verdict { leader, belief, reasons, ..empty(case, kind, headline) }
}

/// How far the first is ahead of the second.
fn lead(ratio: f64, second: &str, by: &Metric) -> String {
    let what = words(by);
    match by.better {
        Better::Lower if ratio > 0.5 => format!("{} {what} than {second}", percent(ratio)),
        Better::Lower => format!("{second} takes {} × its {what}", factor(1.0 / ratio)),
        _ if ratio < 2.0 => format!("{} {what} than {second}", percent(ratio)),
        _ => format!("{} × the {what} of {second}", factor(ratio)),
    }
}

/// A metric's title in the middle of a sentence.
pub(crate) fn words(metric: &Metric) -> String {
    let mut letters = metric.title.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn against(name: &str, ratio: &Estimate) -> String {
    match factor_interval(ratio) {
        Some(interval) => format!("{name} {} × ({interval})", factor(ratio.median)),
        None => format!("{name} {} ×", factor(ratio.median)),
    }
}

fn belief(rounds: u32) -> Belief {
    match rounds {
        0 | 1 => Belief::None,
        n if n < ROUNDS_FIRM => Belief::FirstLook,
        _ => Belief::Firm,
    }
}

/// What else a reader must know of the frameworks of this case.
fn reservations(field: &[&Row], rounds_planned: u32, by: &Metric) -> Vec<String> {
    let mut reasons = Vec::new();
    for row in field {
        let name = &row.target;
        if merit(row, by) == f64::NEG_INFINITY {
            let why = row.problems.first().cloned().unwrap_or_else(|| "nothing was measured".to_owned());
            reasons.push(format!("{name} has no figure: {why}"));
            continue;
        }
        if row.rounds < rounds_planned {
            reasons.push(format!("{name} has {} of {rounds_planned} rounds", row.rounds));
        }
        if let (Some(rounds), false) = (row.void_rounds.get(by.name), row.void.contains_key(by.name)) {
            reasons.push(format!("{rounds} of {} rounds of {name} are void", row.rounds));
        }
        if row.metrics.get("errors").is_some_and(|errors| errors.high > 0.0) {
            reasons.push(format!("{name} gave wrong or missing answers in some rounds"));
        }
        if let Some(share) = row.metrics.get("server_cpu_share").filter(|share| share.median < 0.8) {
            reasons.push(format!(
                "{name} used only {:.0} % of its CPUs, so something else was its limit",
                share.median * 100.0
            ));
        }
    }
    reasons
}

/// Who leads how many cases, in a sentence.
pub(crate) fn overall(verdicts: &[Verdict]) -> String {
    let mut leaders: Vec<(&str, usize)> = Vec::new();
    for leader in verdicts.iter().filter_map(|verdict| verdict.leader.as_deref()) {
        match leaders.iter_mut().find(|(name, _)| *name == leader) {
            Some((_, cases)) => *cases += 1,
            None => leaders.push((leader, 1)),
        }
    }
    leaders.sort_by_key(|(_, cases)| std::cmp::Reverse(*cases));
    let of = |kinds: &[Kind]| verdicts.iter().filter(|verdict| kinds.contains(&verdict.kind)).count();
    let mut parts: Vec<String> = leaders.iter().map(|(name, cases)| format!("{name} leads {cases}")).collect();
    if let Some(first) = parts.first_mut() {
        *first = format!("{first} of {} cases", verdicts.len());
    }
    for (count, words) in [
        (of(&[Kind::Tied]), "too close to tell apart"),
        (of(&[Kind::Unknown, Kind::Alone]), "without an answer"),
        (of(&[Kind::Nothing]), "without a figure"),
        (of(&[Kind::Described]), "described and not judged"),
        (of(&[Kind::Leaks]), "with a leak"),
        (of(&[Kind::Clean]), "without a leak"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {words}"));
        }
    }
    if parts.is_empty() { "Nothing was measured.".to_owned() } else { format!("{}.", parts.join("; ")) }
}

/// How the first framework of the plan fares against each other one, a sentence each.
pub(crate) fn tally(summary: &Summary) -> Vec<String> {
    let rows = || summary.cases.iter().flat_map(|case| &case.rows);
    let mut names: Vec<&str> = Vec::new();
    for row in rows().filter(|row| row.role == Role::Framework) {
        if !names.contains(&row.target.as_str()) {
            names.push(&row.target);
        }
    }
    let Some((subject, others)) = names.split_first() else {
        return Vec::new();
    };
    let against = |other: &&str| {
        let standings: Vec<Standing> = rows()
            .filter(|row| row.target == *subject)
            .filter_map(|row| {
                let by = decides([row]);
                Standing::of(ratio(row, other, by)?, by.better)
            })
            .collect();
        let of = |standing: Standing| standings.iter().filter(|seen| **seen == standing).count();
        let mut parts = Vec::new();
        for (standing, words) in [
            (Standing::Better, "ahead in"),
            (Standing::Alike, "level in"),
            (Standing::Worse, "behind in"),
            (Standing::Unjudged, "not to be judged in"),
        ] {
            if of(standing) > 0 {
                parts.push(format!("{words} {}", of(standing)));
            }
        }
        (!parts.is_empty()).then(|| format!("{subject} against {other}: {}.", parts.join(", ")))
    };
    others.iter().filter_map(against).collect()
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [front @ .., last] => format!("{} and {last}", front.join(", ")),
    }
}

#[cfg(test)]
mod tests;
