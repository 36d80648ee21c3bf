//! Tables of cases and the verdict on each.

use std::collections::BTreeMap;

use super::*;

const DECIDES: &str = DECIDING[0];

fn estimate(median: f64, low: f64, high: f64, n: u32) -> Estimate {
    Estimate { median, low, high, n }
}

/// A framework with that many requests/s in `n` rounds, and its ratio to each other one with a half-width.
fn row(target: &str, requests_per_s: f64, n: u32, others: &[(&str, f64)], width: f64) -> Row {
    let figure = estimate(requests_per_s, requests_per_s * (1.0 - width), requests_per_s * (1.0 + width), n);
    let ratios = others.iter().map(|(other, theirs)| {
        let ratio = requests_per_s / theirs;
        let ratio = estimate(ratio, ratio - width, ratio + width, n);
        ((*other).to_owned(), BTreeMap::from([(DECIDES.to_owned(), ratio)]))
    });
    Row {
        target: target.to_owned(),
        role: Role::Framework,
        rounds: n,
        metrics: BTreeMap::from([(DECIDES.to_owned(), figure)]),
        ratios: ratios.collect(),
        void: BTreeMap::new(),
        void_rounds: BTreeMap::new(),
        bounds: BTreeMap::new(),
        problems: Vec::new(),
    }
}

fn case(field: &[(&str, f64)], n: u32, width: f64) -> CaseSummary {
    let rows = field
        .iter()
        .map(|(target, requests_per_s)| {
            let others: Vec<(&str, f64)> = field.iter().filter(|(other, _)| other != target).copied().collect();
            row(target, *requests_per_s, n, &others, width)
        })
        .collect();
    CaseSummary { id: "json".to_owned(), title: String::new(), rows }
}

/// The row's figure is void: it could do at least that.
fn void(case: &mut CaseSummary, target: &str) {
    for row in &mut case.rows {
        row.ratios.remove(target);
        if row.target == target {
            let figure = row.metrics.remove(DECIDES).unwrap();
            row.bounds.insert(DECIDES.to_owned(), figure);
            row.void.insert(DECIDES.to_owned(), "you measured the client".to_owned());
            row.ratios.clear();
        }
    }
}

#[test]
fn who_leads_and_whether_to_believe_it() {
    let field = [("axum", 90.0), ("armature", 100.0), ("actix", 80.0)];
    let level = [("armature", 100.0), ("axum", 99.0), ("actix", 80.0)];
    for (case, kind, leader, belief, headline) in [
        (
            case(&field, 9, 0.01),
            Kind::Leads,
            Some("armature"),
            Belief::Firm,
            "armature leads: 11.1 % more requests/s than axum",
        ),
        (
            case(&field, 3, 0.01),
            Kind::Leads,
            Some("armature"),
            Belief::FirstLook,
            "armature leads: 11.1 % more requests/s than axum",
        ),
        (case(&field, 1, 0.01), Kind::Unknown, None, Belief::None, "armature was ahead in the one round there is"),
        (case(&level, 9, 0.05), Kind::Tied, None, Belief::Firm, "armature and axum cannot be told apart; actix behind"),
        (case(&level, 9, 0.5), Kind::Tied, None, Belief::Firm, "armature, axum and actix cannot be told apart"),
        (
            case(&[("axum", 250.0), ("actix", 100.0)], 9, 0.01),
            Kind::Leads,
            Some("axum"),
            Belief::Firm,
            "axum leads: 2.500 × the requests/s of actix",
        ),
        (case(&[("axum", 250.0)], 9, 0.01), Kind::Alone, None, Belief::None, "Only axum has a figure"),
        (case(&[], 9, 0.01), Kind::Nothing, None, Belief::None, "No framework has a figure"),
    ] {
        let verdict = verdict(&case, 9);
        assert_eq!(verdict.headline, headline);
        assert_eq!((verdict.kind, verdict.leader.as_deref(), verdict.belief), (kind, leader, belief), "{headline}");
    }
}

#[test]
fn a_lead_over_a_void_figure_is_a_lower_bound_or_not_known() {
    let field = [("armature", 100.0), ("axum", 90.0), ("actix", 80.0)];
    for (voided, kind, words) in [
        (&["armature"][..], Kind::LeadsAtLeast, "armature leads: at least 1.111 × the requests/s of axum"),
        (&["axum"][..], Kind::Unknown, "the load generator was the limit for axum"),
        (&["armature", "axum"][..], Kind::Unknown, "the load generator was the limit for armature and axum"),
    ] {
        let mut case = case(&field, 9, 0.01);
        voided.iter().for_each(|target| void(&mut case, target));
        let verdict = verdict(&case, 9);
        assert_eq!(verdict.kind, kind, "{voided:?}");
        assert!(verdict.headline.contains(words), "{}", verdict.headline);
    }
    // A bound that does not clear the next one's interval proves nothing.
    let mut close = case(&field, 9, 0.2);
    void(&mut close, "armature");
    assert_eq!(verdict(&close, 9).kind, Kind::Unknown);
}

#[test]
fn what_a_reader_must_know_is_said() {
    let mut case = case(&[("armature", 100.0), ("axum", 90.0)], 5, 0.01);
    case.rows[0].metrics.insert("server_cpu_share".to_owned(), estimate(0.61, 0.6, 0.62, 5));
    case.rows[1].void_rounds.insert(DECIDES.to_owned(), 2);
    case.rows[1].metrics.insert("errors".to_owned(), estimate(0.0, 0.0, 3.0, 5));
    let reasons = verdict(&case, 9).reasons.join("\n");
    for words in [
        "armature has 5 of 9 rounds",
        "armature used only 61 % of its CPUs",
        "2 of 5 rounds of axum are void",
        "axum gave wrong or missing answers",
        "a first look",
    ] {
        assert!(reasons.contains(words), "{words:?} in {reasons}");
    }
}

#[test]
fn the_whole_run_in_a_sentence_and_pair_by_pair() {
    let field = [("armature", 100.0), ("axum", 90.0)];
    let behind = [("armature", 90.0), ("axum", 100.0)];
    let cases = vec![
        case(&field, 9, 0.01),
        case(&field, 9, 0.01),
        case(&behind, 9, 0.01),
        case(&field, 9, 0.5),
        case(&[], 9, 0.5),
    ];
    let verdicts: Vec<Verdict> = cases.iter().map(|case| verdict(case, 9)).collect();
    assert_eq!(
        overall(&verdicts),
        "armature leads 2 of 5 cases; axum leads 1; 1 too close to tell apart; 1 without a figure."
    );
    assert_eq!(tally(&Summary { cases }), ["armature against axum: ahead in 2, level in 1, behind in 1."]);
}

#[test]
fn what_is_neither_better_nor_worse_has_no_leader() {
    let mut case = case(&[("armature", 12.0), ("axum", -3.0)], 9, 0.01);
    for row in &mut case.rows {
        let figure = row.metrics.remove(DECIDES).unwrap();
        row.metrics.insert("drop_after_last_byte_us_p50".to_owned(), figure);
    }
    let verdict = verdict(&case, 9);
    assert_eq!((verdict.kind, verdict.leader), (Kind::Described, None));
    assert_eq!(verdict.headline, "Nobody leads: drop after last byte p50 is neither better nor worse");
}
