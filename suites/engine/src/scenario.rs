//! What is sent: small and large bodies both ways, one request at a time and sixteen, few connections and thousands.
//!
//! A case's family is the route it asks for, which is what a target serves or does not. What an answer must be is
//! checked here for every one under load; the thorough checks before timing are in `verify.rs`.

use harness::{count::Count, trial::Scenario};
use probe::{
    load::{Body, Expect, Pick, Request},
    suite::{Case, Depth},
};

/// Requests in a batch of the pipelined case, as in the plaintext test of the TechEmpower Framework Benchmarks.
const DEEP: u32 = 16;

/// Answers that a connection of the churn case lives for.
const CHURN_ANSWERS: u32 = 10;

/// Bytes of the body that is sent and comes back.
pub(crate) const ECHO_BYTES: usize = 1024;

/// Bytes of the body that is fetched.
pub(crate) const DOWNLOAD_BYTES: usize = 64 * 1024;

/// Connections of the cases that show how a server bears many of them.
const CONNECTION_LEVELS: &[u32] = &[1, 16, 256, 1_000, 4_000];

/// Path parameters, so that no answer can be kept from the one before. None is percent-encoded: decoding one makes a copy,
/// which is checked before anything is timed and is no part of what most requests cost.
const USERS: &[&str] = &["1", "42", "977", "4711", "65536", "7654321", "alice", "bob"];

/// All scenarios; those without connections of their own get the plan's.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let mut deep = plaintext("plaintext-16-deep", &format!("Plaintext, pipelined {DEEP} deep"));
    deep.pipeline = DEEP;
    let mut churn = plaintext("churn", &format!("Plaintext, a new connection every {CHURN_ANSWERS} requests"));
    churn.reconnect_every = Some(CHURN_ANSWERS);
    let mut scenarios = vec![
        deep,
        plaintext("plaintext-1-deep", "Plaintext, one request at a time"),
        one("json", "json", "JSON", vec![get("/json", exact(r#"{"message":"Hello, World!"}"#))]),
        one("users", "users", "A path parameter", USERS.iter().map(|user| users(user)).collect()),
        one("echo", "echo-1-kib", "POST, 1 KiB there and back", vec![echo()]),
        one("download", "download-64-kib", "Download of 64 KiB", vec![download()]),
        churn,
    ];
    scenarios.extend(CONNECTION_LEVELS.iter().map(|level| {
        let mut scenario = plaintext(&format!("connections-{level}"), &format!("Plaintext, {level} connection(s)"));
        scenario.case.connections = Some(*level);
        scenario.case.depth = Depth::Default;
        scenario
    }));
    for scenario in &mut scenarios {
        scenario.counts = counts(&scenario.case);
        scenario.case.counted = !scenario.counts.is_empty();
    }
    scenarios
}

/// What is counted in a case: the cost of a request, which does not depend on the number of connections, in the shapes,
/// and the memory of idle connections where there are most of them.
fn counts(case: &Case) -> Vec<Count> {
    match case.connections {
        None => vec![Count::Instructions, Count::SystemCalls, Count::Allocations],
        Some(level) if CONNECTION_LEVELS.last() == Some(&level) => vec![Count::IdleConnections],
        Some(_) => Vec::new(),
    }
}

fn one(test: &str, id: &str, title: &str, requests: Vec<Request>) -> Scenario {
    Scenario {
        case: Case {
            id: id.to_owned(),
            test: test.to_owned(),
            title: title.to_owned(),
            connections: None,
            depth: Depth::Quick,
            counted: false,
            references: Vec::new(),
            claim: None,
        },
        pipeline: 1,
        requests,
        pick: Pick::Cycle,
        reconnect_every: None,
        database: false,
        queries: None,
        pool: None,
        counts: Vec::new(),
    }
}

fn plaintext(id: &str, title: &str) -> Scenario {
    one("plaintext", id, title, vec![get("/plaintext", exact("Hello, World!"))])
}

fn users(user: &str) -> Request {
    get(&format!("/users/{user}"), exact(user))
}

fn echo() -> Request {
    let text = echo_text();
    let headers = vec![("content-type".to_owned(), "application/octet-stream".to_owned())];
    Request { method: "POST".to_owned(), headers, body: Some(text.clone()), ..get("/echo", Body::Exact { text }) }
}

/// The body that is sent to be echoed: every line is another, so that a piece in the wrong place shows.
pub(crate) fn echo_text() -> String {
    let lines = (0..).flat_map(|line| format!("line {line}, ").into_bytes());
    lines.take(ECHO_BYTES).map(char::from).collect()
}

fn download() -> Request {
    get(&format!("/download/{DOWNLOAD_BYTES}"), Body::Length { bytes: DOWNLOAD_BYTES as u64 })
}

fn exact(text: &str) -> Body {
    Body::Exact { text: text.to_owned() }
}

fn get(path: &str, body: Body) -> Request {
    Request {
        method: "GET".to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: None,
        expect: Expect { status: 200, body },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use harness::rounds;

    use super::*;

    #[test]
    fn a_quick_run_has_every_shape_and_a_longer_one_the_numbers_of_connections() {
        for (depth, expected) in [(Depth::Quick, 7), (Depth::Default, 12), (Depth::Full, 12)] {
            assert_eq!(rounds::chosen(&all(), &[64], &[], depth).len(), expected, "{depth:?}");
        }
        let all = rounds::chosen(&all(), &[64], &[], Depth::Full);
        assert_eq!(all.iter().map(|scenario| &scenario.case.id).collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn bodies_have_the_length_that_their_case_names() {
        let text = echo_text();
        assert_eq!(text.len(), 1024);
        assert!(text.starts_with("line 0, line 1, "), "{text}");
        let all = all();
        let path = |id: &str| all.iter().find(|scenario| scenario.case.id == id).unwrap().requests[0].path.clone();
        assert_eq!(path("download-64-kib"), "/download/65536");
    }
}
