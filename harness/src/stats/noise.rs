//! What a comparison could have seen: the noise floor of its effects, the smallest effect it can detect, and the fence of a
//! count's history.

use super::bootstrap::{Estimate, median, seed};

/// (z(1 − α/2) + z(power)) for α = 0.01 and a power of 0.9: 2.576 + 1.282.
pub const DETECTABLE: f64 = 3.858;

/// Half the width of a 95 % interval, in standard errors.
const INTERVAL: f64 = 1.959_964;

/// No floor is lower: below it lie differences of layout that every rebuild has.
pub const FLOOR_MIN: f64 = 0.005;

/// Resamples drawn for a floor.
const RESAMPLES: usize = 2_000;

/// A count's history is judged by so many of its last changes.
const HISTORY: usize = 30;

/// With fewer changes than this the fence is [`FENCE_MIN`].
const HISTORY_MIN: usize = 8;

/// The fence where there is no history, and the lowest that there is: 0.2 %.
const FENCE_MIN: f64 = 0.002;

/// The smallest effect that a median with this interval detects with a chance of 90 % at a level of 1 %.
///
/// The standard error is that of the median itself, by its interval, and not the deviation of single differences over √n: a few
/// launches that a neighbour disturbed make that three times as large, and move the median hardly at all.
#[must_use]
pub fn detectable(effect: &Estimate) -> f64 {
    DETECTABLE * (effect.high - effect.low) / (2.0 * INTERVAL)
}

/// How many pairs detect `effect`, where differences deviate by `deviation`.
#[must_use]
pub fn pairs_needed(deviation: f64, effect: f64) -> u32 {
    ((DETECTABLE * deviation / effect).powi(2).ceil().max(1.0)) as u32
}

/// The floor of effects that are medians of `n` differences: the 95th percentile of what such a median comes to when nothing
/// has changed, drawn from differences between launches of one artifact; at least [`FLOOR_MIN`].
///
/// The floor of a single difference is wider by about √n; holding a median against it would blind the gate to what it sees.
#[must_use]
pub fn floor(unchanged: &[f64], n: usize, name: &str) -> f64 {
    if unchanged.is_empty() || n == 0 {
        return FLOOR_MIN;
    }
    let mut random = fastrand::Rng::with_seed(seed(name));
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn: Vec<f64> = (0..n)
                .map(|_| {
                    let difference = unchanged[random.usize(..unchanged.len())];
                    if random.bool() { difference } else { -difference }
                })
                .collect();
            median(&drawn).unwrap_or_default().abs()
        })
        .collect();
    medians.sort_unstable_by(f64::total_cmp);
    medians[RESAMPLES * 95 / 100].max(FLOOR_MIN)
}

/// How much of itself a count may change before it stands out of its history: Q3 + 3·IQR of the relative changes between
/// neighbours among the last of `history`, oldest first; 0.2 % where there is too little of it. As rustc-perf does.
#[must_use]
pub fn fence(history: &[f64]) -> f64 {
    let recent = &history[history.len().saturating_sub(HISTORY + 1)..];
    let mut changes: Vec<f64> = recent
        .windows(2)
        .filter(|pair| pair[0] > 0.0)
        .map(|pair| ((pair[1] - pair[0]) / pair[0]).abs())
        .filter(|change| change.is_finite())
        .collect();
    if changes.len() < HISTORY_MIN {
        return FENCE_MIN;
    }
    changes.sort_unstable_by(f64::total_cmp);
    let (first, third) = (quantile(&changes, 0.25), quantile(&changes, 0.75));
    (third + 3.0 * (third - first)).max(FENCE_MIN)
}

/// The quantile of sorted values, between two of them by proportion (type 7 of Hyndman and Fan).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + part * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figure of the plan: where differences deviate by 1.7 %, 14 pairs see 1.8 %.
    #[test]
    fn detectable_effect_and_pairs_agree() {
        let error = 0.017 / 14.0_f64.sqrt();
        let effect = Estimate { median: 0.0, low: -1.959_964 * error, high: 1.959_964 * error, n: 14 };
        assert!((detectable(&effect) - 0.017_53).abs() < 1e-5, "{}", detectable(&effect));
        assert_eq!(pairs_needed(0.017, 0.018), 14);
    }

    #[test]
    fn a_floor_shrinks_with_the_pairs_and_has_an_end() {
        let unchanged: Vec<f64> = (1..40).map(|step| f64::from(step) * 0.002).collect();
        let floors: Vec<f64> = [1, 7, 16, 64].map(|n| floor(&unchanged, n, "x")).into();
        assert!(floors.windows(2).all(|pair| pair[0] > pair[1]), "{floors:?}");
        assert!((floors[0] - 0.074).abs() < 0.005, "one difference: their own 95th percentile: {floors:?}");
        assert_eq!(floor(&[0.0001, 0.0002], 14, "x"), FLOOR_MIN);
        assert_eq!(floor(&[], 14, "x"), FLOOR_MIN);
    }

    /// Expected value: numpy 2, `q3 + 3 * (q3 - q1)` of `percentile`.
    #[test]
    fn the_fence_of_a_history() {
        assert_eq!(fence(&[]), FENCE_MIN);
        assert_eq!(fence(&[100.0, 200.0, 100.0]), FENCE_MIN, "too short");
        assert_eq!(fence(&[0.0; 40]), FENCE_MIN, "nothing cannot change by a share of itself");
        assert_eq!(fence(&[100.0; 40]), FENCE_MIN);
        let noisy = [100.0, 101.0, 99.0, 102.0, 100.0, 100.5, 99.5, 103.0, 100.0, 101.0];
        assert!((fence(&noisy) - 0.086_504_854_368_932_04).abs() < 1e-12, "{}", fence(&noisy));
        let long: Vec<f64> = [1.0, 1000.0].into_iter().chain([100.0; 31]).collect();
        assert_eq!(fence(&long), FENCE_MIN, "what is long ago is forgotten");
    }
}
