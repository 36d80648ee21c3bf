//! Says of a case of the leak suite who leaks. Pure: from figures to a verdict.
//!
//! Nobody leads here: what counts is whether the interval of a target's growth is above zero. Read next: `verdict.rs`.

use harness::summary::{CaseSummary, Row};

use crate::verdict::{Belief, Kind, Verdict, empty, list};

/// The figure that says whether a target leaks: above zero it does.
const LOW: &str = "leaked_bytes_per_request_low";

/// Who leaks in a case.
pub(crate) fn leaking(case: &CaseSummary) -> impl Iterator<Item = &str> {
    let leaks = |row: &&Row| row.metrics.get(LOW).is_some_and(|low| low.median > 0.0);
    case.rows.iter().filter(leaks).map(|row| row.target.as_str())
}

/// The verdict on a case in which growth was measured; `None` for any other.
pub(crate) fn verdict(case: &CaseSummary) -> Option<Verdict> {
    let judged: Vec<(&Row, f64)> =
        case.rows.iter().filter_map(|row| Some((row, row.metrics.get(LOW)?.median))).collect();
    if judged.is_empty() {
        return None;
    }
    let leaking: Vec<&str> = leaking(case).collect();
    let (kind, headline) = match leaking.as_slice() {
        [] => (Kind::Clean, "Nobody leaks".to_owned()),
        [one] => (Kind::Leaks, format!("{one} leaks")),
        names => (Kind::Leaks, format!("{} leak", list(names))),
    };
    let unknown = case.rows.iter().filter(|row| !row.metrics.contains_key(LOW)).map(|row| {
        let why = row.problems.first().map_or("nothing was measured", String::as_str);
        format!("{} has no figure: {why}", row.target)
    });
    let least = judged
        .iter()
        .filter(|(_, low)| *low > 0.0)
        .map(|(row, low)| format!("{} keeps at least {low:.2} bytes of every request", row.target));
    // Counts of one launch are exact: chance has no part in them that more rounds would show.
    Some(Verdict { belief: Belief::Firm, reasons: least.chain(unknown).collect(), ..empty(case, kind, headline) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use harness::{record::Role, stats::Estimate};

    use super::*;

    fn case(figures: &[(&str, Option<f64>)]) -> CaseSummary {
        let row = |(target, low): &(&str, Option<f64>)| Row {
            target: (*target).to_owned(),
            role: Role::Framework,
            rounds: 1,
            metrics: low
                .map(|low| (LOW.to_owned(), Estimate { median: low, low, high: low, n: 1 }))
                .into_iter()
                .collect(),
            ratios: BTreeMap::new(),
            void: BTreeMap::new(),
            void_rounds: BTreeMap::new(),
            bounds: BTreeMap::new(),
            problems: Vec::new(),
        };
        CaseSummary { id: "churn".to_owned(), title: String::new(), rows: figures.iter().map(row).collect() }
    }

    #[test]
    fn who_leaks_is_named_and_who_has_no_figure_is_not_cleared() {
        for (figures, expected, reasons) in [
            (&[("a", Some(0.0)), ("b", Some(-2.0))][..], Some("Nobody leaks"), &[][..]),
            (
                &[("a", Some(16.0)), ("b", Some(0.0))],
                Some("a leaks"),
                &["a keeps at least 16.00 bytes of every request"],
            ),
            (
                &[("a", Some(1.5)), ("b", Some(0.25)), ("c", None)],
                Some("a and b leak"),
                &[
                    "a keeps at least 1.50 bytes of every request",
                    "b keeps at least 0.25 bytes of every request",
                    "c has no figure: nothing was measured",
                ],
            ),
            (&[("a", None)], None, &[]),
        ] {
            let verdict = verdict(&case(figures));
            assert_eq!(verdict.as_ref().map(|verdict| verdict.headline.as_str()), expected);
            assert_eq!(verdict.map(|verdict| verdict.reasons).unwrap_or_default(), reasons);
        }
    }
}
