//! Counts that are taken twice and come out differently: which they are, told once for all.
//!
//! Whether such a count is still a figure is for those who take it; that it is not exact is said by name in any case.
//! Read next: `suite.rs`, whose notes it makes.

use std::collections::BTreeMap;

/// What is known of a run's unstable counts.
#[derive(Debug, Default)]
pub struct Unstable {
    /// By metric, in words.
    found: BTreeMap<String, Vec<String>>,
}

impl Unstable {
    /// Compares the two counts of a metric of `target` in `case`.
    pub fn compare(&mut self, metric: &str, case: &str, target: &str, [one, other]: [f64; 2]) {
        // Counts that are the same are so to the last bit: the same arithmetic led to both.
        if one.to_bits() != other.to_bits() {
            let words = format!("{case} · {target} ({one:.3} and {other:.3})");
            self.found.entry(metric.to_owned()).or_default().push(words);
        }
    }

    /// A sentence for each metric that had an unstable count; `reason` says what moves it.
    #[must_use]
    pub fn notes(&self, reason: fn(&str) -> &'static str) -> Vec<String> {
        let note = |(metric, counts): (&String, &Vec<String>)| {
            format!("Unstable, since two counts differ: {metric} of {}. {}", counts.join(", "), reason(metric))
        };
        self.found.iter().map(note).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_differ_are_listed_by_name_with_the_reason() {
        let mut unstable = Unstable::default();
        unstable.compare("instructions", "json", "a", [1000.0, 1000.0]);
        assert_eq!(unstable.notes(|_| ""), Vec::<String>::new());
        unstable.compare("instructions", "json", "b", [1000.0, 1000.5]);
        unstable.compare("instructions", "plaintext", "b", [7.0, 8.0]);
        unstable.compare("allocations", "json", "b", [1.0, 2.0]);
        let notes = unstable.notes(|metric| if metric == "allocations" { "Tables grow." } else { "Seeds differ." });
        assert_eq!(
            notes,
            [
                "Unstable, since two counts differ: allocations of json · b (1.000 and 2.000). Tables grow.",
                "Unstable, since two counts differ: instructions of json · b (1000.000 and 1000.500), plaintext · b \
                 (7.000 and 8.000). Seeds differ.",
            ]
        );
    }
}
