//! Judges a time by its pairs of launches: whether it moved, by how much, and whether this run could have told.
//!
//! Pure. A pair is a launch of the base and one of the head in the same round; its difference is that of the logarithms, which is
//! about the relative change. What must hold before a regression is called is listed at [`verdict`].

use std::collections::BTreeMap;

use probe::suite::Sample;
use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::{
    metric::Better,
    stats::{self, Estimate},
};

/// Fewer pairs than this are no comparison.
pub const PAIRS_MIN: usize = 7;

/// The level of the test, for all rows of a comparison together.
const LEVEL: f64 = 0.01;

/// What the pairs of one row show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Time {
    /// Median of the base's launches, in the metric's unit.
    pub base: f64,
    /// Median of the head's.
    pub head: f64,
    /// Median of the differences and its interval, as ratios of head to base.
    pub ratio: Estimate,
    /// p of the sign-flip test, corrected for all rows of the comparison.
    pub p: f64,
    /// The noise floor of such a median in this run, as a difference of logarithms.
    pub floor: f64,
    /// The smallest effect that these pairs would have shown nine times out of ten, as a difference of logarithms.
    pub detectable: f64,
    /// The effect below which nobody would act.
    pub margin: f64,
    /// Whether pairs that began with the base and pairs that began with the head agree on the direction.
    pub orders_agree: bool,
    /// The ratio in a second batch of launches, where there was one.
    pub again: Option<Estimate>,
}

/// The launches of one row, paired.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pairs {
    /// Differences of logarithms, head minus base, a round each.
    pub(super) differences: Vec<f64>,
    /// Whether the base was launched first.
    base_first: Vec<bool>,
    /// Differences between launches of one artifact: those that ran at the same time, or, where none did, those that stood at the
    /// same place of their rounds.
    unchanged: Vec<f64>,
    base: Vec<f64>,
    head: Vec<f64>,
}

impl Pairs {
    /// Pairs two sides' launches by round; what is void on one side has no pair. `Err` names a figure that no launch can have.
    pub(super) fn of<'a>(base: &[&'a Sample], head: &[&'a Sample], metric: &str) -> Result<Self, String> {
        let figure = |sample: &Sample| -> Result<Option<f64>, String> {
            match sample.metrics.get(metric) {
                Some(value) if !value.is_finite() || *value <= 0.0 => {
                    Err(format!("{metric} of {} in round {} is {value}", sample.target, sample.round + 1))
                }
                value => Ok(value.copied().filter(|_| !sample.void.contains_key(metric))),
            }
        };
        // Counts are samples of their own, without times.
        let timed = |side: &[&'a Sample]| -> BTreeMap<u32, &'a Sample> {
            let timed = side.iter().filter(|sample| sample.metrics.contains_key(metric));
            timed.map(|sample| (sample.round, *sample)).collect()
        };
        let (base, head) = (timed(base), timed(head));
        let is_paired = |round: &&u32| base.contains_key(round) && head.contains_key(round);
        if let Some(round) = base.keys().chain(head.keys()).find(|round| !is_paired(round)) {
            return Err(format!("only one side has {metric} in round {}", round + 1));
        }
        let mut pairs = Self { differences: vec![], base_first: vec![], unchanged: vec![], base: vec![], head: vec![] };
        for (round, one) in &base {
            let other = head[round];
            let (Some(before), Some(after)) = (figure(one)?, figure(other)?) else { continue };
            pairs.differences.push(difference(one, other, metric).unwrap_or(after.ln() - before.ln()));
            pairs.base_first.push(one.slot < other.slot);
            pairs.base.push(before);
            pairs.head.push(after);
        }
        pairs.unchanged = [&base, &head].into_iter().flat_map(|side| same_moment(side, metric)).collect();
        if pairs.unchanged.is_empty() {
            let sides = [&pairs.base, &pairs.head].into_iter();
            pairs.unchanged = sides.flat_map(|side| same_place(side, &pairs.base_first)).collect();
        }
        Ok(pairs)
    }

    /// What they show; `None` for fewer than [`PAIRS_MIN`]. `p` is uncorrected yet.
    pub(super) fn show(&self, margin: f64, name: &str) -> Option<Time> {
        if self.differences.len() < PAIRS_MIN {
            return None;
        }
        let effect = stats::median_interval(&self.differences, name)?;
        Some(Time {
            base: stats::median(&self.base)?,
            head: stats::median(&self.head)?,
            ratio: effect.map(f64::exp),
            p: stats::sign_flip(&self.differences, name)?,
            floor: stats::floor(&self.unchanged, self.differences.len(), name),
            detectable: stats::detectable(&effect),
            margin,
            orders_agree: self.orders_agree(effect.median),
            again: None,
        })
    }

    /// A pair that begins with the base and one that begins with the head see the same drift with opposite signs.
    fn orders_agree(&self, effect: f64) -> bool {
        [true, false].into_iter().all(|base_first| {
            let some: Vec<f64> = self
                .differences
                .iter()
                .zip(&self.base_first)
                .filter(|(_, first)| **first == base_first)
                .map(|(difference, _)| *difference)
                .collect();
            stats::median(&some).is_some_and(|median| median * effect > 0.0)
        })
    }
}

/// How far two launches that took turns are apart: the median over their turns, in which a moment of which only one of them had the
/// worse half is one of many. `None` for launches that ran alone.
fn difference(one: &Sample, other: &Sample, metric: &str) -> Option<f64> {
    let turns = one.turns.get(metric)?.iter().zip(other.turns.get(metric)?);
    let both = turns.filter_map(|(before, after)| (*before).zip(*after));
    let differences: Vec<f64> =
        both.map(|(before, after)| after.ln() - before.ln()).filter(|difference| difference.is_finite()).collect();
    stats::median(&differences)
}

/// Differences between launches of one artifact that took turns with each other: those of two rounds that were run at once.
fn same_moment(side: &BTreeMap<u32, &Sample>, metric: &str) -> Vec<f64> {
    let firsts = side.iter().filter(|(round, _)| *round % 2 == 0);
    firsts.filter_map(|(round, one)| difference(one, side.get(&(round + 1))?, metric)).collect()
}

/// Differences between neighbouring launches of one artifact that were launched at the same place of their rounds.
fn same_place(side: &[f64], base_first: &[bool]) -> Vec<f64> {
    [true, false]
        .into_iter()
        .flat_map(|place| {
            let values: Vec<f64> = side
                .iter()
                .zip(base_first)
                .filter(|(_, first)| **first == place)
                .map(|(value, _)| value.ln())
                .collect();
            values.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<f64>>()
        })
        .collect()
}

/// The verdict on a row and the reason in words.
///
/// A change is called only if the interval excludes none, the effect is over floor and margin, both orders agree, p after Holm's
/// correction is at most 0.01, and a second batch says the same. What is not called is a pass only if a change of the size of
/// the margin would have been seen.
pub(super) fn verdict(time: &Time, better: Better) -> (Verdict, String) {
    let worse = is_worse(time.ratio.median, better);
    if moved(time) {
        return match time.again {
            None => (Verdict::Inconclusive, "moved in one batch; there was no second one to confirm it".to_owned()),
            Some(again) if same_way(&time.ratio, &again) && again.median.ln().abs() > time.floor => {
                let verdict = if worse { Verdict::Regression } else { Verdict::Improvement };
                (verdict, "in two batches of launches".to_owned())
            }
            Some(again) => {
                let reason = format!("a second batch did not confirm it: {:+.1} %", (again.median - 1.0) * 100.0);
                settled(time, reason)
            }
        };
    }
    let reason = if excludes_none(&time.ratio) && !time.orders_agree {
        "it depends on who is launched first"
    } else if excludes_none(&time.ratio) && time.ratio.median.ln().abs() <= time.floor {
        "not over the noise floor"
    } else if excludes_none(&time.ratio) && time.ratio.median.ln().abs() <= time.margin {
        "smaller than matters"
    } else {
        "no clear change"
    };
    settled(time, reason.to_owned())
}

/// Whether one batch shows a change, so that a second one is worth its time.
pub(super) fn moved(time: &Time) -> bool {
    let effect = time.ratio.median.ln().abs();
    excludes_none(&time.ratio) && effect > time.floor && effect > time.margin && time.orders_agree && time.p <= LEVEL
}

/// What did not move: a pass if it would have been seen.
fn settled(time: &Time, reason: String) -> (Verdict, String) {
    if time.detectable <= time.margin {
        return (Verdict::Pass, reason);
    }
    let reason = format!(
        "cannot tell on this machine: less than {:.1} % is not seen, {:.1} % would matter ({reason})",
        time.detectable.exp_m1() * 100.0,
        time.margin.exp_m1() * 100.0
    );
    (Verdict::Inconclusive, reason)
}

fn is_worse(ratio: f64, better: Better) -> bool {
    match better {
        Better::Higher => ratio < 1.0,
        _ => ratio > 1.0,
    }
}

fn excludes_none(ratio: &Estimate) -> bool {
    ratio.low > 1.0 || ratio.high < 1.0
}

fn same_way(one: &Estimate, other: &Estimate) -> bool {
    (one.low > 1.0 && other.low > 1.0) || (one.high < 1.0 && other.high < 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(median: f64, low: f64, high: f64) -> Estimate {
        Estimate { median, low, high, n: 14 }
    }

    fn time(ratio: Estimate, again: Option<Estimate>) -> Time {
        Time {
            base: 1.0,
            head: 1.0,
            ratio,
            p: 0.001,
            floor: 0.01,
            detectable: 0.018,
            margin: 0.02,
            orders_agree: true,
            again,
        }
    }

    #[test]
    fn each_condition_alone_keeps_a_change_from_being_called() {
        let slower = estimate(1.05, 1.04, 1.06);
        let called = time(slower, Some(slower));
        for (name, time, better, expected) in [
            ("all hold", called.clone(), Better::Lower, Verdict::Regression),
            ("more is better", called.clone(), Better::Higher, Verdict::Improvement),
            ("interval", Time { ratio: estimate(1.05, 0.99, 1.06), ..called.clone() }, Better::Lower, Verdict::Pass),
            ("floor", Time { floor: 0.06, ..called.clone() }, Better::Lower, Verdict::Pass),
            ("margin", Time { ratio: estimate(1.015, 1.01, 1.02), ..called.clone() }, Better::Lower, Verdict::Pass),
            ("orders", Time { orders_agree: false, ..called.clone() }, Better::Lower, Verdict::Pass),
            ("p", Time { p: 0.02, ..called.clone() }, Better::Lower, Verdict::Pass),
            ("no second batch", time(slower, None), Better::Lower, Verdict::Inconclusive),
            ("second batch", time(slower, Some(estimate(1.0, 0.99, 1.01))), Better::Lower, Verdict::Pass),
            ("second turns over", time(slower, Some(estimate(0.95, 0.94, 0.96))), Better::Lower, Verdict::Pass),
            ("blind", Time { p: 0.02, detectable: 0.03, ..called.clone() }, Better::Lower, Verdict::Inconclusive),
            ("blind, but seen", Time { detectable: 0.03, ..called }, Better::Lower, Verdict::Regression),
        ] {
            assert_eq!(verdict(&time, better).0, expected, "{name}");
        }
    }

    /// The machine halves its speed for a moment: one turn of three differs, the sums by a third, and the launches by nothing.
    #[test]
    fn launches_that_took_turns_are_compared_turn_by_turn() {
        let sample = |target: &str, round: u32, turns: [f64; 3]| {
            let sum: f64 = turns.iter().sum();
            // One more, too short for a figure.
            let turns = [turns.map(Some).as_slice(), &[None]].concat();
            let json = serde_json::json!({"target": target, "case": "json", "round": round, "slot": 0,
                "metrics": {"cpu_us_per_request": sum / 3.0}, "histograms": {}, "void": {},
                "turns": {"cpu_us_per_request": turns}});
            serde_json::from_value::<Sample>(json).unwrap()
        };
        let base: Vec<Sample> = (0..8).map(|round| sample("a@base", round, [10.0, 10.0, 20.0])).collect();
        let head: Vec<Sample> = (0..8).map(|round| sample("a@head", round, [10.5, 10.5, 10.5])).collect();
        let (base, head): (Vec<&Sample>, Vec<&Sample>) = (base.iter().collect(), head.iter().collect());
        let pairs = Pairs::of(&base, &head, "cpu_us_per_request").unwrap();
        assert!(pairs.differences.iter().all(|difference| (difference - 1.05_f64.ln()).abs() < 1e-12));
        assert_eq!(
            pairs.unchanged.len(),
            8,
            "two rounds at once are four differences of one artifact in eight rounds, twice"
        );
        let shown = pairs.show(0.02, "x").unwrap();
        assert!((shown.base - 40.0 / 3.0).abs() < 1e-12, "what is shown is the whole launch's");
    }

    #[test]
    fn launches_are_paired_by_round_and_the_floor_comes_from_one_artifact_at_one_place() {
        let sample = |target: &str, round: u32, slot: u32, cpu: f64| {
            let json = serde_json::json!({"target": target, "case": "json", "round": round, "slot": slot,
                "metrics": {"cpu_us_per_request": cpu}, "histograms": {}, "void": {}});
            serde_json::from_value::<Sample>(json).unwrap()
        };
        let base: Vec<Sample> = (0..8).map(|round| sample("a@base", round, round % 2, 10.0)).collect();
        let head: Vec<Sample> = (0..8).map(|round| sample("a@head", round, 1 - round % 2, 10.5)).collect();
        let (base, head): (Vec<&Sample>, Vec<&Sample>) = (base.iter().collect(), head.iter().collect());
        let pairs = Pairs::of(&base, &head, "cpu_us_per_request").unwrap();
        assert_eq!((pairs.differences.len(), pairs.unchanged.len()), (8, 12));
        assert!(pairs.unchanged.iter().all(|difference| *difference == 0.0));
        let shown = pairs.show(0.02, "x").unwrap();
        assert!((shown.ratio.median - 1.05).abs() < 1e-12 && shown.orders_agree && shown.detectable < 1e-12);
        assert_eq!(shown.floor, stats::FLOOR_MIN);
        assert!((shown.p - 2.0 / 256.0).abs() < 1e-15);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut spoilt = sample("a@head", 3, 0, 1.0);
            spoilt.metrics.insert("cpu_us_per_request".to_owned(), bad);
            let bad = spoilt;
            let head: Vec<&Sample> = head.iter().map(|&sample| if sample.round == 3 { &bad } else { sample }).collect();
            let told = Pairs::of(&base, &head, "cpu_us_per_request").unwrap_err();
            assert!(told.contains("a@head in round 4"), "{told}");
        }
        let mut without = sample("a@head", 3, 0, 1.0);
        without.metrics.clear();
        let head: Vec<&Sample> = head.iter().map(|&sample| if sample.round == 3 { &without } else { sample }).collect();
        assert!(Pairs::of(&base, &head, "cpu_us_per_request").unwrap_err().contains("only one side"));
    }
}
