//! `cargo xtask doctor --noise`: what a comparison could see on this machine today, measured with one binary on both sides.

use std::{fmt::Write as _, process::ExitCode};

use anyhow::{Result, bail};
use harness::{
    compare::Source,
    judge::{Evidence, Judgement, Row},
    lock::Lock,
    metric, stats,
};
use serde_json::json;

use crate::{
    bench::INTERRUPTED,
    compare::{Choice, Kept, Measured, Pairing, Session, TIMES},
    output,
};

/// Effects that are asked after.
const EFFECTS: [f64; 5] = [0.01, 0.02, 0.03, 0.05, 0.10];

/// Measures and tells.
pub(super) fn run(cases: Vec<String>, pairing: Pairing, as_json: bool) -> Result<ExitCode> {
    let _lock = Lock::take(&crate::command_line())?;
    // As a comparison is measured, whatever the doctor says: how bad it is is the question.
    let measured = Measured {
        choice: Choice { targets: vec!["armature".to_owned()], cases },
        only: None,
        anyway: true,
        pairing,
        kept: Kept { profile: "lto-fat".to_owned(), out: None },
    };
    let session = Session::new(&measured, &[TIMES], None)?;
    let Some(judgement) = session.alike(TIMES, Source::tree()?)? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    if !judgement.problems.is_empty() {
        bail!("the noise could not be measured: {}", judgement.problems.join("; "));
    }
    let seen: Vec<Seen<'_>> = judgement.rows.iter().chain(&judgement.controls).filter_map(Seen::of).collect();
    if seen.is_empty() {
        bail!("no metric had the {} pairs that tell anything; ask for more with --pairs", harness::judge::PAIRS_MIN);
    }
    if as_json {
        let rows: Vec<serde_json::Value> = seen.iter().map(Seen::json).collect();
        output::print(&format!("{}\n", serde_json::to_string_pretty(&json!({ "noise": rows }))?))?;
    } else {
        output::print(&table(&seen, &judgement))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What one metric lets be seen in one case.
struct Seen<'a> {
    row: &'a Row,
    pairs: u32,
    /// Standard deviation of the differences of pairs.
    deviation: f64,
    floor: f64,
    detectable: f64,
}

impl<'a> Seen<'a> {
    fn of(row: &'a Row) -> Option<Self> {
        let Some(Evidence::Time(time)) = &row.evidence else { return None };
        let deviation = time.detectable * f64::from(time.ratio.n).sqrt() / stats::DETECTABLE;
        Some(Self { row, pairs: time.ratio.n, deviation, floor: time.floor, detectable: time.detectable })
    }

    /// Pairs that a change of that share needs to be called: it must be over the floor, which shrinks with the pairs, too.
    fn pairs_for(&self, share: f64) -> u32 {
        let over_floor = self.floor * f64::from(self.pairs).sqrt() / share.ln_1p();
        let by_floor = over_floor.powi(2).ceil() as u32;
        stats::pairs_needed(self.deviation, share.ln_1p()).max(by_floor).max(harness::judge::PAIRS_MIN as u32)
    }

    fn json(&self) -> serde_json::Value {
        let needed: serde_json::Map<String, serde_json::Value> =
            EFFECTS.iter().map(|share| (format!("{share}"), self.pairs_for(*share).into())).collect();
        json!({
            "target": self.row.target, "case": self.row.case, "metric": self.row.metric, "pairs": self.pairs,
            "deviation": self.deviation, "floor": self.floor.exp_m1(), "detectable": self.detectable.exp_m1(),
            "pairs_needed": needed,
        })
    }
}

fn table(seen: &[Seen<'_>], judgement: &Judgement) -> String {
    let mut text = String::new();
    let heading: Vec<String> = EFFECTS.iter().map(|share| format!("{:>6.0} %", share * 100.0)).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:<40} {:>7} {:>9}   pairs for a change of", "", "floor", "would see");
    let _ = writeln!(text, "{:<40} {:>7} {:>9} {}", "one binary on both sides", "", "", heading.concat());
    for row in seen {
        let title = metric::find(&row.row.metric).map_or(row.row.metric.as_str(), |metric| metric.title);
        let place = format!("{} {} {title}", row.row.target, row.row.case);
        let needed: Vec<String> = EFFECTS.iter().map(|share| format!("{:>8}", row.pairs_for(*share))).collect();
        let (floor, detectable) = (row.floor.exp_m1() * 100.0, row.detectable.exp_m1() * 100.0);
        let _ = writeln!(text, "{place:<40} {floor:>5.1} % {detectable:>7.1} % {}", needed.concat());
    }
    let pairs = seen.iter().map(|row| row.pairs).max().unwrap_or(0);
    let _ = writeln!(
        text,
        "\nWith {pairs} pairs. Counts have no noise to speak of: one allocation more is seen on any machine."
    );
    if let Some(share) = judgement.would_have_seen() {
        let _ =
            writeln!(text, "A comparison here and now would have seen {:.1} % more CPU time a request.", share * 100.0);
    }
    text
}
