//! Checks a server's answers before anything is timed: status, media type, declared length and body, byte by byte.
//!
//! It reads answers with a client that none of the servers under test contains. What must come back is written in
//! comparisons/README.md, the contract.

use std::time::Duration;

use harness::subject::Subject;
use probe::suite::Verification;

use crate::scenario::{DOWNLOAD_BYTES, ECHO_BYTES, echo_text};

/// Longer than any body that is asked for.
const BODY_BYTES_MAX: u64 = 4 << 20;

/// One exchange and what must come of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What is asked for.
    pub path: String,
    /// The body of a POST; none makes it a GET.
    pub sent: Option<Vec<u8>>,
    /// The media type of the answer, and of the body that is sent.
    pub media_type: &'static str,
    /// The answer's body.
    pub body: Vec<u8>,
}

impl Exchange {
    /// A GET of the first so many bytes of `/download`, by that path or where else they are served.
    #[must_use]
    pub fn of_bytes(path: String, bytes: usize) -> Self {
        let body = (0..=250).cycle().take(bytes).collect();
        Self { path, sent: None, media_type: "application/octet-stream", body }
    }

    /// A POST whose body comes back.
    #[must_use]
    pub fn of_echo(sent: Vec<u8>) -> Self {
        Self { path: "/echo".to_owned(), sent: Some(sent.clone()), media_type: "application/octet-stream", body: sent }
    }
}

/// Checks one family of cases.
#[must_use]
pub fn verify(subject: &mut Subject<'_>, test: &str) -> Verification {
    let (exchanges, checked) = exchanges(test);
    let problems = problems(subject, &exchanges)
        .into_iter()
        .chain(exchanges.is_empty().then(|| format!("there are no checks for the test {test}")))
        .collect();
    Verification { target: subject.target.to_owned(), test: test.to_owned(), checks: vec![checked], problems }
}

/// What is wrong with a server's answers, each with its request.
#[must_use]
pub fn problems(subject: &Subject<'_>, exchanges: &[Exchange]) -> Vec<String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        .build()
        .into();
    let problems = exchanges.iter().filter_map(|exchange| {
        let method = if exchange.sent.is_some() { "POST" } else { "GET" };
        let found = problem(&agent, &format!("http://{}{}", subject.address, exchange.path), exchange)?;
        Some(format!("{method} {}: {found}", exchange.path))
    });
    problems.collect()
}

/// What is asked of a server in a family of cases, and what that checks, in words.
fn exchanges(test: &str) -> (Vec<Exchange>, String) {
    let get = |path: &str, media_type, body: &[u8]| Exchange {
        path: path.to_owned(),
        sent: None,
        media_type,
        body: body.to_vec(),
    };
    match test {
        "plaintext" => (
            vec![get("/plaintext", "text/plain", b"Hello, World!")],
            "GET /plaintext: status, header fields, body byte by byte".to_owned(),
        ),
        "json" => (
            vec![get("/json", "application/json", br#"{"message":"Hello, World!"}"#)],
            "GET /json: status, header fields, body byte by byte".to_owned(),
        ),
        "health" => (
            vec![get("/health", "text/plain", b"ok")],
            "GET /health: status, header fields, body byte by byte".to_owned(),
        ),
        "users" => (
            [("7", "7"), ("4711", "4711"), ("zo%C3%AB", "zoë"), ("a%2Fb", "a/b")]
                .map(|(id, body)| get(&format!("/users/{id}"), "text/plain", body.as_bytes()))
                .into(),
            "GET /users/{id}: four ids come back, percent-decoded".to_owned(),
        ),
        "echo" => {
            let every_byte: Vec<u8> = (0..=u8::MAX).cycle().take(ECHO_BYTES).collect();
            (
                [echo_text().into_bytes(), every_byte, Vec::new()].map(Exchange::of_echo).into(),
                format!("POST /echo: {ECHO_BYTES} bytes of text, {ECHO_BYTES} of every value, and none, come back"),
            )
        }
        "download" => {
            let path = format!("/download/{DOWNLOAD_BYTES}");
            (
                vec![Exchange::of_bytes(path.clone(), DOWNLOAD_BYTES)],
                format!("GET {path}: status, header fields, {DOWNLOAD_BYTES} bytes one by one"),
            )
        }
        _ => (Vec::new(), String::new()),
    }
}

/// What is wrong with the answer, if anything is.
fn problem(agent: &ureq::Agent, url: &str, exchange: &Exchange) -> Option<String> {
    let called = match &exchange.sent {
        Some(sent) => agent.post(url).content_type(exchange.media_type).send(sent),
        None => agent.get(url).call(),
    };
    let mut answer = match called {
        Ok(answer) => answer,
        Err(error) => return Some(format!("no answer: {error}")),
    };
    if answer.status().as_u16() != 200 {
        return Some(format!("status {} instead of 200", answer.status().as_u16()));
    }
    let field = |name: &str| {
        answer
            .headers()
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default()
    };
    let (media_type, length) = (field("content-type"), field("content-length"));
    if let Some(missing) = ["server", "date"].into_iter().find(|name| field(name).is_empty()) {
        return Some(format!("no {missing} header field"));
    }
    if media_type.split(';').next().map(str::trim) != Some(exchange.media_type) {
        return Some(format!("Content-Type is {media_type:?} instead of {}", exchange.media_type));
    }
    let body = match answer.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec() {
        Ok(body) => body,
        Err(error) => return Some(format!("the body breaks off: {error}")),
    };
    if length != body.len().to_string() {
        return Some(format!("Content-Length is {length:?} for {} bytes", body.len()));
    }
    wrong_body(&body, &exchange.body)
}

/// Where a body departs from what it should be.
fn wrong_body(found: &[u8], expected: &[u8]) -> Option<String> {
    let at = found.iter().zip(expected).position(|(found, expected)| found != expected);
    match at {
        Some(at) => Some(format!("byte {at} of the body is {:#04x} instead of {:#04x}", found[at], expected[at])),
        None if found.len() != expected.len() => {
            Some(format!("the body has {} bytes instead of {}", found.len(), expected.len()))
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_compared_byte_by_byte() {
        for (found, expected, problem) in [
            ("abc", "abc", None),
            ("abd", "abc", Some("byte 2 of the body is 0x64 instead of 0x63")),
            ("ab", "abc", Some("the body has 2 bytes instead of 3")),
            ("abcd", "abc", Some("the body has 4 bytes instead of 3")),
        ] {
            assert_eq!(wrong_body(found.as_bytes(), expected.as_bytes()).as_deref(), problem, "{found}");
        }
    }

    #[test]
    fn every_case_has_its_checks() {
        for scenario in crate::scenario::all() {
            assert!(!exchanges(&scenario.case.test).0.is_empty(), "{}", scenario.case.id);
        }
    }
}
