//! How numbers are written: unit, digits, intervals, and what a ratio means in words. Pure.
//!
//! Which numbers are shown is decided in `view.rs` and `verdict.rs`.

use harness::{
    metric::{Better, Metric},
    stats::Estimate,
};

/// Fewest rounds for which a 95 % interval of a median can hold what its name says: of n rounds, all lie on one side of
/// the true median with probability 2^(1−n), which is under 5 % from 6; one more for the round that goes wrong.
pub(crate) const ROUNDS_FIRM: u32 = 7;

/// Effects below this are not told apart from launches of the same binary: 0.5 %, and 2 % with fewer rounds than
/// [`ROUNDS_FIRM`], whose interval covers less than it says.
fn effect_min(rounds: u32) -> f64 {
    if rounds < ROUNDS_FIRM { 0.02 } else { 0.005 }
}

/// How one column of figures is written: all in the same unit, with the same number of decimals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// What a value is divided by.
    divisor: f64,
    /// Unit as printed; may be empty.
    pub(crate) unit: &'static str,
    decimals: usize,
}

impl Scale {
    /// The scale on which the smallest of `values` that is not zero still shows three digits.
    pub(crate) fn of(metric: &Metric, values: impl Iterator<Item = f64> + Clone) -> Self {
        let least = values
            .clone()
            .map(f64::abs)
            .filter(|value| *value > 0.0 && value.is_finite())
            .fold(f64::INFINITY, f64::min);
        let (divisor, unit) = match metric.unit {
            "µs" if least.is_finite() && least >= 10_000.0 => (1e3, "ms"),
            "ns" if least.is_finite() && least >= 10_000.0 => (1e3, "µs"),
            // The memory of a process; what a request or a connection takes is never so much.
            "B" if least.is_finite() && least >= 104_857.6 => (1_048_576.0, "MiB"),
            unit => (1.0, unit),
        };
        let whole = divisor == 1.0 && values.clone().all(|value| value.fract() == 0.0);
        let decimals = match (whole || !least.is_finite(), least / divisor) {
            (true, _) => 0,
            (false, least) if least >= 100.0 => 0,
            (false, least) if least >= 10.0 => 1,
            (false, least) if least >= 1.0 => 2,
            (false, least) if least >= 0.1 => 3,
            (false, _) => 4,
        };
        // A tenth of a MiB is less than what the kernel rounds resident memory to over all threads.
        let decimals = if unit == "MiB" { decimals.min(1) } else { decimals };
        Self { divisor, unit, decimals }
    }

    /// The value without its unit, thousands set apart.
    pub(crate) fn number(&self, value: f64) -> String {
        if !value.is_finite() {
            return "no figure".to_owned();
        }
        grouped(&format!("{:.*}", self.decimals, value / self.divisor))
    }

    /// The interval, without unit; `None` for a single round, which has none.
    pub(crate) fn interval(&self, estimate: &Estimate) -> Option<String> {
        (estimate.n > 1).then(|| format!("{} – {}", self.number(estimate.low), self.number(estimate.high)))
    }
}

/// A ratio as a factor.
pub(crate) fn factor(ratio: f64) -> String {
    if !ratio.is_finite() {
        "no figure".to_owned()
    } else if ratio >= 100.0 {
        grouped(&format!("{ratio:.0}"))
    } else if ratio >= 10.0 {
        format!("{ratio:.1}")
    } else {
        format!("{ratio:.3}")
    }
}

/// A ratio's interval; `None` for a single round.
pub(crate) fn factor_interval(ratio: &Estimate) -> Option<String> {
    (ratio.n > 1).then(|| format!("{} – {}", factor(ratio.low), factor(ratio.high)))
}

/// A ratio as so many per cent more or less.
pub(crate) fn percent(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    if percent >= 0.0 { format!("{percent:.1} % more") } else { format!("{:.1} % less", -percent) }
}

/// What a ratio says about the one whose figure stands above the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Better,
    Worse,
    /// The interval holds 1, or the effect is under [`effect_min`].
    Alike,
    /// A single round.
    Unjudged,
}

impl Standing {
    pub(crate) fn of(ratio: &Estimate, better: Better) -> Option<Self> {
        let more = match better {
            Better::Higher => Self::Better,
            Better::Lower => Self::Worse,
            Better::Neither => return None,
        };
        Some(if ratio.n < 2 {
            Self::Unjudged
        } else if (ratio.low <= 1.0 && ratio.high >= 1.0) || (ratio.median - 1.0).abs() < effect_min(ratio.n) {
            Self::Alike
        } else if ratio.median > 1.0 {
            more
        } else if more == Self::Better {
            Self::Worse
        } else {
            Self::Better
        })
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Alike => "no clear difference",
            Self::Unjudged => "one round only",
        }
    }

    /// Name of the style that goes with the words.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Alike | Self::Unjudged => "alike",
        }
    }
}

/// `-1234567.5` as `-1,234,567.5`.
fn grouped(number: &str) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(whole, part)| (whole, Some(part)));
    let mut out = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use harness::metric;

    use super::*;

    fn estimate(median: f64, low: f64, high: f64, n: u32) -> Estimate {
        Estimate { median, low, high, n }
    }

    #[test]
    fn a_column_is_written_on_one_scale() {
        for (name, values, expected) in [
            ("requests_per_s", vec![182_431.7, 9_841.2], vec!["182,432", "9,841"]),
            ("requests_per_s", vec![12.5, 1.25], vec!["12.50", "1.25"]),
            ("cpu_us_per_request", vec![5.321, 12.0], vec!["5.32", "12.00"]),
            ("open_latency_us_p99", vec![81.0, 1_204.0], vec!["81", "1,204"]),
            ("open_latency_us_p99", vec![10_500.0, 120_400.0], vec!["10.5", "120.4"]),
            ("rss_peak_bytes", vec![3_145_728.0, 104_857_600.0], vec!["3.0", "100.0"]),
            ("leaked_bytes_per_request", vec![16.0, 0.0], vec!["16", "0"]),
            ("bytes_per_idle_connection", vec![612.5, 4_096.0], vec!["612", "4,096"]),
            ("ns_per_operation", vec![4.56, 1_234.5], vec!["4.56", "1,234.50"]),
            ("ns_per_operation", vec![12_345.0, 2_000_000.0], vec!["12.3", "2,000.0"]),
            ("errors", vec![0.0, 3.0], vec!["0", "3"]),
            ("server_cpu_share", vec![0.0, 0.9821], vec!["0.000", "0.982"]),
            ("errors", vec![f64::NAN], vec!["no figure"]),
        ] {
            let scale = Scale::of(metric::find(name).unwrap(), values.iter().copied());
            let written: Vec<String> = values.iter().map(|value| scale.number(*value)).collect();
            assert_eq!(written, expected, "{name}");
        }
    }

    #[test]
    fn ratios_in_figures_and_in_words() {
        for (ratio, figure, words) in [
            (1.0432, "1.043", "4.3 % more"),
            (0.9, "0.900", "10.0 % less"),
            (12.345, "12.3", "1134.5 % more"),
            (4321.0, "4,321", "432000.0 % more"),
        ] {
            assert_eq!((factor(ratio).as_str(), percent(ratio).as_str()), (figure, words));
        }
    }

    #[test]
    fn standing_looks_at_interval_size_and_direction() {
        for (ratio, better, expected) in [
            (estimate(1.1, 1.05, 1.2, 5), Better::Higher, Some(Standing::Better)),
            (estimate(1.1, 1.05, 1.2, 5), Better::Lower, Some(Standing::Worse)),
            (estimate(0.9, 0.85, 0.95, 5), Better::Higher, Some(Standing::Worse)),
            (estimate(0.9, 0.85, 0.95, 5), Better::Lower, Some(Standing::Better)),
            (estimate(1.1, 0.99, 1.2, 5), Better::Higher, Some(Standing::Alike)),
            (estimate(1.004, 1.003, 1.006, 9), Better::Higher, Some(Standing::Alike)),
            (estimate(2.0, 2.0, 2.0, 1), Better::Higher, Some(Standing::Unjudged)),
            (estimate(2.0, 1.9, 2.1, 9), Better::Neither, None),
        ] {
            assert_eq!(Standing::of(&ratio, better), expected, "{ratio:?}");
        }
    }
}
