//! Checks a side's answers before anything is timed: every request of its experiment is made once, and what comes back compared
//! byte by byte where it is known, or by the suite that knows it.

use std::time::Duration;

use harness::subject::Subject;
use probe::suite::Verification;

use crate::{
    catalogue::ALL,
    experiment::{Ask, Input},
};

/// Longer than any body of this suite.
const BODY_BYTES_MAX: u64 = 4 << 20;

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
            Ask::Download(_) | Ask::File(_) | Ask::Echo(_) => {
                let request = ask.request();
                let check = format!("{} {}: status and every byte of the body", request.method, request.path);
                let url = format!("http://{}{}", subject.address, request.path);
                (
                    vec![check],
                    problem(&url, *ask).map(|problem| format!("{}: {problem}", request.path)).into_iter().collect(),
                )
            }
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

/// What is wrong with an answer whose body is known.
fn problem(url: &str, ask: Ask) -> Option<String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        .build()
        .into();
    let sent = ask.request().body;
    let called = match &sent {
        Some(sent) => agent.post(url).send(sent),
        None => agent.get(url).call(),
    };
    let mut answer = match called {
        Ok(answer) => answer,
        Err(error) => return Some(format!("no answer: {error}")),
    };
    if answer.status().as_u16() != 200 {
        return Some(format!("status {} instead of 200", answer.status().as_u16()));
    }
    let body = match answer.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec() {
        Ok(body) => body,
        Err(error) => return Some(format!("the body breaks off: {error}")),
    };
    let expected = match (sent, ask) {
        (Some(sent), _) => sent.into_bytes(),
        (None, Ask::File(kib)) => counting(kib * 1024),
        (None, Ask::Download(bytes)) => counting(bytes),
        (None, _) => return None,
    };
    (body != expected).then(|| format!("{} bytes that are not the {} expected", body.len(), expected.len()))
}

/// The bytes of `/download`, and of the files.
fn counting(bytes: usize) -> Vec<u8> {
    (0..=250).cycle().take(bytes).collect()
}
