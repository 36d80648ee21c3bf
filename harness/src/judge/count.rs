//! Judges a count: a figure of the base, a figure of the head, and how far the two may lie apart.
//!
//! Pure. Each figure was counted twice; where the two differ it is void, and the row is rejected by name.

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::{metric::Better, stats};

/// What was counted on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Count {
    /// The base's, in the metric's unit.
    pub base: f64,
    /// The head's.
    pub head: f64,
    /// How far they may lie apart, in the metric's unit.
    pub allowed: f64,
    /// The change over what is allowed: above 1 it is one.
    pub significance: f64,
}

impl Count {
    /// Compares two figures. `history` are figures of earlier commits on this machine, oldest first: a count that has always
    /// wandered may wander further.
    pub(super) fn of(base: f64, head: f64, share: f64, slack: f64, history: &[f64]) -> Self {
        let share = if share > 0.0 { share.max(stats::fence(history)) } else { share };
        let allowed = slack.max(share * base.abs().max(head.abs()));
        let apart = (head - base).abs();
        let significance = if apart == 0.0 { 0.0 } else { apart / allowed };
        Self { base, head, allowed, significance }
    }

    /// The verdict and its reason.
    pub(super) fn verdict(&self, better: Better) -> (Verdict, String) {
        if self.significance <= 1.0 {
            return (
                Verdict::Pass,
                if self.base == self.head { "the same" } else { "within what is allowed" }.to_owned(),
            );
        }
        let more = self.head > self.base;
        let verdict = if more == (better == Better::Higher) { Verdict::Improvement } else { Verdict::Regression };
        (verdict, format!("{:+} where {} may lie apart", rounded(self.head - self.base), rounded(self.allowed)))
    }
}

/// A figure that a count may be: nothing or more. A slope of nothing may come out below it by as much as two may lie apart.
pub(super) fn possible(figure: f64, slack: f64) -> Option<f64> {
    (figure.is_finite() && figure >= -slack).then(|| figure.max(0.0))
}

/// Few digits, for people.
pub(super) fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * digits).round() / digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_exact_or_nearly() {
        let noisy: Vec<f64> = (0..31).map(|commit| 1000.0 + f64::from(commit % 2) * 20.0).collect();
        for (name, base, head, share, slack, history, expected) in [
            ("one more allocation", 2.0, 3.0, 0.0, 0.01, &[][..], Verdict::Regression),
            ("one in a thousand requests", 2.0, 2.001, 0.0, 0.01, &[], Verdict::Pass),
            ("from none", 0.0, 1.0, 0.0, 0.01, &[], Verdict::Regression),
            ("none at all", 0.0, 0.0, 0.0, 0.01, &[], Verdict::Pass),
            ("one fewer", 3.0, 2.0, 0.0, 0.01, &[], Verdict::Improvement),
            ("instructions, 0.4 %", 1000.0, 1004.0, 0.005, 0.0, &[], Verdict::Pass),
            ("instructions, 0.6 %", 1000.0, 1006.1, 0.005, 0.0, &[], Verdict::Regression),
            ("a history that wanders", 1000.0, 1019.0, 0.005, 0.0, &noisy, Verdict::Pass),
            ("and more than it", 1000.0, 1100.0, 0.005, 0.0, &noisy, Verdict::Regression),
        ] {
            let count = Count::of(base, head, share, slack, history);
            assert_eq!(count.verdict(Better::Lower).0, expected, "{name}: {count:?}");
        }
    }

    #[test]
    fn a_count_is_nothing_or_more() {
        for (figure, slack, expected) in [
            (3.0, 0.0, Some(3.0)),
            (-0.008, 1.0, Some(0.0)),
            (-0.02, 0.01, None),
            (f64::NAN, 1.0, None),
            (f64::INFINITY, 1.0, None),
        ] {
            assert_eq!(possible(figure, slack), expected, "{figure}");
        }
    }

    #[test]
    fn few_digits_are_told() {
        for (value, expected) in
            [(0.0, 0.0), (1.0, 1.0), (12.3456, 12.35), (-0.001_234_56, -0.001_235), (4321.2, 4321.0)]
        {
            assert_eq!(rounded(value), expected);
        }
    }
}
