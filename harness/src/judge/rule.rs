//! Which metrics are judged, and how much of a change matters in each.
//!
//! Counts hardly move, so what is allowed is what two counts of one build may lie apart. Times are judged against the noise of
//! their own run; a margin only says below which size nobody would act.

/// How a metric is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// A count: two are alike if they differ by no more than a share of the larger, or by an absolute slack.
    Count {
        /// Share of the larger.
        share: f64,
        /// In the metric's unit.
        slack: f64,
    },
    /// A time: an effect matters if it is larger than this, as a difference of logarithms.
    Time {
        /// About the share by which it changes.
        margin: f64,
        /// Whether a run that cannot tell about it has told too little: what decides, and not what explains.
        decides: bool,
    },
}

const RULES: &[(&str, Rule)] = &[
    ("cpu_us_per_request", Rule::Time { margin: 0.02, decides: true }),
    ("requests_per_s", Rule::Time { margin: 0.02, decides: false }),
    ("open_latency_us_p50", Rule::Time { margin: 0.1, decides: false }),
    ("open_latency_us_p99", Rule::Time { margin: 0.5, decides: false }),
    ("drop_ns_p50", Rule::Time { margin: 0.1, decides: false }),
    ("ns_per_operation", Rule::Time { margin: 0.03, decides: false }),
    ("instructions_per_request", Rule::Count { share: 0.005, slack: 0.0 }),
    ("instructions_per_operation", Rule::Count { share: 0.005, slack: 0.0 }),
    // At saturation, where it depends a little on who waits for whom.
    ("system_calls_per_request", Rule::Count { share: 0.05, slack: 0.0 }),
    // What a worker does besides, over the requests of a window.
    ("system_calls_per_lone_request", Rule::Count { share: 0.0, slack: 0.05 }),
    // Less than one in a hundred requests: what a pool or a table does now and then.
    ("allocations_per_request", Rule::Count { share: 0.0, slack: 0.01 }),
    ("allocated_bytes_per_request", Rule::Count { share: 0.0, slack: 1.0 }),
    ("live_bytes_per_request", Rule::Count { share: 0.0, slack: 1.0 }),
    ("allocations_per_operation", Rule::Count { share: 0.0, slack: 0.01 }),
    ("allocated_bytes_per_operation", Rule::Count { share: 0.0, slack: 1.0 }),
    ("bytes_per_idle_connection", Rule::Count { share: 0.005, slack: 1.0 }),
    // The lower end of an interval: 16 bytes of every thousandth request are 0.016.
    ("leaked_bytes_per_request_low", Rule::Count { share: 0.0, slack: 0.005 }),
];

/// The rule for a metric; `None` for one that is not judged.
#[must_use]
pub fn of(metric: &str) -> Option<Rule> {
    RULES.iter().find(|(name, _)| *name == metric).map(|(_, rule)| *rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric;

    #[test]
    fn what_is_judged_is_a_metric_that_can_be_better() {
        for (name, _) in RULES {
            let metric = metric::find(name).unwrap_or_else(|| panic!("there is no metric {name}"));
            assert_ne!(metric.better, metric::Better::Neither, "{name}");
        }
    }
}
