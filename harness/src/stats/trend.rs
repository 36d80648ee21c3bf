//! How fast a series grows: the slope of Theil and Sen with its 95 % interval.
//!
//! Source: Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau", JASA 63 (1968): the median of the slopes
//! between all pairs of points, and the slopes so far from it in rank as Kendall's tau varies by chance. A jump, or what
//! happens once, moves it little; what every step adds, moves it by just that.

/// The quantile of the normal distribution for an interval of 95 %.
const Z: f64 = 1.959_964;

/// The slope of a series, per step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// The median of all pairs' slopes.
    pub slope: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

impl Trend {
    /// Whether the series grows: its interval is above zero as a whole.
    #[must_use]
    pub fn grows(&self) -> bool {
        self.low > 0.0
    }
}

/// The trend of values that are one step apart; `None` for fewer than two.
#[must_use]
pub fn trend(values: &[f64]) -> Option<Trend> {
    let points: Vec<[f64; 2]> = values.iter().enumerate().map(|(step, value)| [step as f64, *value]).collect();
    trend_of(&points)
}

/// The trend of points, each further along the first axis than the one before; `None` for fewer than two. Of few points the
/// interval is the whole range of slopes, since no narrower one covers 95 %.
#[must_use]
pub fn trend_of(points: &[[f64; 2]]) -> Option<Trend> {
    let mut slopes: Vec<f64> = points
        .iter()
        .enumerate()
        .flat_map(|(at, [x, y])| points[at + 1..].iter().map(move |[later, value]| (value - y) / (later - x)))
        .collect();
    slopes.sort_unstable_by(f64::total_cmp);
    let slope = super::median(&slopes)?;
    let n = points.len() as f64;
    // The variance of Kendall's score without ties; with ties it is smaller, so the interval errs to the wide side.
    let spread = Z * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let below = ((slopes.len() as f64 - spread) / 2.0).floor().max(0.0) as usize;
    Some(Trend { slope, low: slopes[below], high: slopes[slopes.len() - 1 - below] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f64], slope: f64, low: f64, high: f64) {
        assert_eq!(trend(values), Some(Trend { slope, low, high }), "{values:?}");
    }

    #[test]
    fn what_every_step_adds_is_the_slope_and_what_happens_once_is_not() {
        let series = |value: fn(u32) -> f64| (0..24).map(value).collect::<Vec<f64>>();
        check(&series(|_| 7.0), 0.0, 0.0, 0.0);
        check(&series(|step| 100.0 + 16.0 * f64::from(step)), 16.0, 16.0, 16.0);
        check(&series(|step| -3.0 * f64::from(step)), -3.0, -3.0, -3.0);
        // Something is made once, late and large.
        check(&series(|step| if step == 20 { 9000.0 } else { 5.0 }), 0.0, 0.0, 0.0);
        // One step is an outlier in a series that grows.
        let trend = trend(&series(|step| if step == 3 { 1e6 } else { 16.0 * f64::from(step) })).unwrap();
        assert_eq!((trend.slope, trend.grows()), (16.0, true), "{trend:?}");
    }

    /// By hand: the slopes of each pair, sorted; the ranks by the formula.
    #[test]
    fn the_interval_has_the_ranks_of_kendall_s_tau() {
        // Six slopes, -1, 1/2, 1/2, 1, 2, 2, and a spread of 5.8: the whole range.
        check(&[0.0, 2.0, 1.0, 3.0], 0.75, -1.0, 2.0);
        // Ten values, 45 slopes: 1.96 × √125 = 21.9, so the 12th from either end (index 11).
        let values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 19.0];
        let trend = trend(&values).unwrap();
        assert_eq!((trend.slope, trend.low), (1.0, 1.0));
        assert!((trend.high - 1.0).abs() < 1e-9, "{trend:?}");
    }

    #[test]
    fn steps_need_not_be_even() {
        let points = [[0.0, 1.0], [0.5, 2.0], [3.0, 7.0], [10.0, 21.0]];
        assert_eq!(trend_of(&points), Some(Trend { slope: 2.0, low: 2.0, high: 2.0 }));
    }

    #[test]
    fn what_only_goes_up_and_down_does_not_grow() {
        for values in [
            vec![5.0, 9.0, 5.0, 9.0, 5.0, 9.0, 5.0, 9.0, 5.0, 9.0, 5.0, 9.0],
            vec![9.0, 5.0, 7.0, 6.0, 8.0, 5.0, 9.0, 6.0, 7.0, 8.0, 5.0, 9.0],
            vec![1.0, 2.0],
        ] {
            let trend = trend(&values).unwrap();
            assert_eq!(trend.grows(), values.len() == 2, "{values:?}: {trend:?}");
        }
        assert_eq!(trend(&[1.0]), None);
        assert_eq!(trend(&[]), None);
    }
}
