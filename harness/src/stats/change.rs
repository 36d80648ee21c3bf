//! Where a series changed for good: change points by E-divisive, confirmed by Student's t-test.
//!
//! Sources: Matteson and James, "A Nonparametric Approach for Multiple Change Point Analysis of Multivariate Data", JASA 109
//! (2014): the split that puts the most energy distance between its sides. Fleming et al., "Hunter: Using Change Point Detection
//! to Hunt for Performance Regressions", ICPE 2023: windows, so that a long history drowns nothing, and a t-test in place of
//! permutations, so that the same series has the same change points.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Points that are looked at together.
const WINDOW: usize = 50;

/// A change must stand out so far that in a stretch without one chance shows it somewhere once in a thousand.
const P_MAX: f64 = 0.001;

/// Fewer points on a side are no level.
const SIDE_MIN: usize = 2;

/// A lasting change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The first point of the new level.
    pub at: usize,
    /// The mean of the level before.
    pub before: f64,
    /// The mean of the level that begins.
    pub after: f64,
    /// How likely such a difference is by chance, at any of the places between the changes beside it.
    pub p: f64,
}

/// The change points of a series, in order.
#[must_use]
pub fn changes(values: &[f64]) -> Vec<Change> {
    if values.iter().any(|value| !value.is_finite()) {
        return Vec::new();
    }
    let mut points = Vec::new();
    let mut start = 0;
    loop {
        let end = (start + WINDOW).min(values.len());
        split(values, start, end, &mut points);
        if end == values.len() {
            break;
        }
        start += WINDOW / 2;
    }
    points.sort_unstable();
    points.dedup();
    settle(values, points)
}

/// Splits a stretch where its sides lie farthest apart, and what is left and right of it again, as long as they differ.
fn split(values: &[f64], start: usize, end: usize, points: &mut Vec<usize>) {
    let Some(at) = farthest(&values[start..end]).map(|at| start + at) else { return };
    // Not yet the last word: the stretch may hold several levels, which makes each side look noisier than it is.
    if student(&values[start..at], &values[at..end]) > 10.0 * P_MAX {
        return;
    }
    points.push(at);
    split(values, start, at, points);
    split(values, at, end, points);
}

/// The split with the largest energy statistic.
fn farthest(values: &[f64]) -> Option<usize> {
    let n = values.len();
    let between = |one: &[f64], other: &[f64]| -> f64 {
        one.iter().map(|a| other.iter().map(|b| (a - b).abs()).sum::<f64>()).sum()
    };
    (SIDE_MIN..(n + 1).saturating_sub(SIDE_MIN))
        .map(|at| {
            let (left, right) = values.split_at(at);
            let (m, k) = (left.len() as f64, right.len() as f64);
            let within = |side: &[f64], count: f64| between(side, side) / (count * (count - 1.0));
            let distance = 2.0 * between(left, right) / (m * k) - within(left, m) - within(right, k);
            (at, m * k / (m + k) * distance)
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(at, _)| at)
}

/// Takes out the weakest point until all that are left separate the levels beside them.
fn settle(values: &[f64], mut points: Vec<usize>) -> Vec<Change> {
    loop {
        let found: Vec<Change> = (0..points.len())
            .map(|index| {
                let start = if index == 0 { 0 } else { points[index - 1] };
                let end = points.get(index + 1).copied().unwrap_or(values.len());
                let (left, right) = (&values[start..points[index]], &values[points[index]..end]);
                // The place was chosen because it looks best, among so many.
                let places = (end - start + 1).saturating_sub(2 * SIDE_MIN) as f64;
                let p = (places * student(left, right)).min(1.0);
                Change { at: points[index], before: mean(left), after: mean(right), p }
            })
            .collect();
        match found.iter().enumerate().max_by(|a, b| a.1.p.total_cmp(&b.1.p)) {
            Some((weakest, change)) if change.p > P_MAX => drop(points.remove(weakest)),
            _ => return found,
        }
    }
}

/// The two-sided p of Student's t-test of two means, variances (ddof = 1) pooled; 1 where a side is too short.
fn student(left: &[f64], right: &[f64]) -> f64 {
    if left.len() < SIDE_MIN || right.len() < SIDE_MIN {
        return 1.0;
    }
    let (m, k) = (left.len() as f64, right.len() as f64);
    let squares = |side: &[f64]| side.iter().map(|value| (value - mean(side)).powi(2)).sum::<f64>();
    let degrees = m + k - 2.0;
    let pooled = (squares(left) + squares(right)) / degrees;
    let apart = (mean(right) - mean(left)).abs();
    if apart == 0.0 {
        return 1.0;
    }
    let t = apart / (pooled * (1.0 / m + 1.0 / k)).sqrt();
    // Two levels without any noise.
    if !t.is_finite() {
        return 0.0;
    }
    StudentsT::new(0.0, 1.0, degrees).map_or(1.0, |distribution| 2.0 * distribution.sf(t))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A series of levels, each `(points, level)`, with noise of the given deviation.
    fn series(levels: &[(usize, f64)], noise: f64, seed: u64) -> Vec<f64> {
        let mut random = fastrand::Rng::with_seed(seed);
        // The sum of twelve uniform numbers is near enough to normal.
        let mut normal = move || (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
        levels.iter().flat_map(|(points, level)| vec![*level; *points]).map(|level| level + noise * normal()).collect()
    }

    #[test]
    fn planted_changes_are_found_near_where_they_are() {
        for (name, levels, expected) in [
            ("none", vec![(60, 1.0)], vec![]),
            ("one", vec![(30, 1.0), (22, 1.1)], vec![30]),
            ("up and down", vec![(20, 1.0), (15, 1.1), (17, 1.0)], vec![20, 35]),
            ("late", vec![(46, 1.0), (6, 0.9)], vec![46]),
            ("long", vec![(120, 1.0), (80, 1.05), (70, 1.2)], vec![120, 200]),
        ] {
            let found: Vec<usize> = changes(&series(&levels, 0.01, 7)).iter().map(|change| change.at).collect();
            let near = found.len() == expected.len()
                && found
                    .iter()
                    .zip(&expected)
                    .all(|(found, expected): (&usize, &usize)| found.abs_diff(*expected) <= 1);
            assert!(near, "{name}: {found:?} instead of {expected:?}");
        }
    }

    #[test]
    fn levels_are_told_and_one_outlier_is_no_level() {
        let found = changes(&[5.0, 5.0, 5.0, 5.0, 7.0, 7.0, 7.0, 7.0]);
        assert_eq!(found, [Change { at: 4, before: 5.0, after: 7.0, p: 0.0 }]);
        let mut outlier = series(&[(40, 1.0)], 0.01, 3);
        outlier[20] = 2.0;
        assert_eq!(changes(&outlier), []);
        assert_eq!(changes(&[]), []);
        assert_eq!(changes(&[1.0, f64::NAN, 3.0]), []);
    }

    #[test]
    fn noise_alone_has_few_change_points() {
        let alarms = (0..200).filter(|seed| !changes(&series(&[(52, 1.0)], 0.02, *seed)).is_empty()).count();
        assert!(alarms <= 8, "{alarms} of 200 series");
    }

    /// Expected values: scipy 1.17.1, `ttest_ind`.
    #[test]
    fn student_s_p_of_known_samples() {
        for (left, right, expected) in [
            (vec![1.0, 2.0, 3.0], vec![2.0, 3.0, 4.5], 0.277_069_167_347_592_1),
            (vec![10.0, 10.2, 9.9, 10.1], vec![11.0, 11.3, 10.8], 0.001_013_102_525_009_403_5),
            (vec![1.0], vec![2.0, 3.0], 1.0),
        ] {
            assert!((student(&left, &right) - expected).abs() < 1e-9, "{left:?}: {}", student(&left, &right));
        }
    }
}
