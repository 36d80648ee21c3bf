//! Checks a side's answers before anything is timed: every request of its experiment is made once, and what comes back is compared by
//! the suites that know it.

use harness::subject::Subject;
use probe::suite::Verification;
use suite_engine::verify::Exchange;

use crate::{
    catalogue::ALL,
    experiment::{Ask, Input},
};

/// Checks one side of one experiment.
#[must_use]
pub(crate) fn verify(subject: &mut Subject<'_>, test: &str) -> Verification {
    let inputs = ALL.iter().find(|experiment| experiment.name == test).map_or(&[][..], |experiment| experiment.inputs);
    let mut verification = Verification {
        target: subject.target.to_owned(),
        test: test.to_owned(),
        checks: Vec::new(),
        problems: Vec::new(),
    };
    for Input { ask, .. } in inputs {
        let (checks, problems) = match ask {
            Ask::Plaintext => outcome(suite_engine::verify::verify(subject, "plaintext")),
            Ask::Row => outcome(suite_techempower::verify::verify(subject, "db")),
            Ask::Rows(_) => outcome(suite_techempower::verify::verify(subject, "queries")),
            Ask::Download(bytes) => exchanged(subject, Exchange::of_bytes(ask.request().path, *bytes)),
            Ask::File(kib) => exchanged(subject, Exchange::of_bytes(ask.request().path, kib * 1024)),
            Ask::Echo(_) => exchanged(subject, Exchange::of_echo(ask.request().body.unwrap_or_default().into_bytes())),
        };
        verification.checks.extend(checks);
        verification.problems.extend(problems);
    }
    verification.checks.dedup();
    verification.problems.dedup();
    verification
}

fn outcome(verification: Verification) -> (Vec<String>, Vec<String>) {
    (verification.checks, verification.problems)
}

/// What is checked of an answer whose body is known, and what is wrong with it.
fn exchanged(subject: &Subject<'_>, exchange: Exchange) -> (Vec<String>, Vec<String>) {
    let check = format!("{}: status, header fields, {} bytes one by one", exchange.path, exchange.body.len());
    (vec![check], suite_engine::verify::problems(subject, &[exchange]))
}
