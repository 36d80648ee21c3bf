//! What is asked of servers: the requests of the engine and the TechEmpower suites, a case for each route of the contract.
//!
//! Left out is the route whose handler panics: its answer ends the connection, so that most of what it costs is the next one.

use harness::{subject::Subject, trial::Scenario};
use probe::{
    load::{Body, Expect, Request},
    suite::{Depth, Verification},
};

/// The cases, in order. Of those with a database the first reads many rows, which warms the server's caches up soonest; the
/// one that changes rows is last, since a change empties the caches of whoever reads afterwards.
const CASES: &[&str] = &[
    "plaintext-1-deep",
    "plaintext-16-deep",
    "json",
    "health",
    "users",
    "echo-1-kib",
    "download-64-kib",
    "queries-20",
    "db",
    "fortunes",
    "cached-queries-100",
    "updates-20",
];

/// Every case with what it sends.
pub(crate) fn all() -> Vec<Scenario> {
    let engine = suite_engine::scenario::all();
    let json = engine.iter().find(|scenario| scenario.case.id == "json").cloned();
    let mut known: Vec<Scenario> = engine.into_iter().chain(json.map(health)).collect();
    known.extend(suite_techempower::scenario::all());
    let named = |id: &&str| known.iter().find(|scenario| scenario.case.id == **id).cloned();
    let mut scenarios: Vec<Scenario> = CASES.iter().filter_map(named).collect();
    for scenario in &mut scenarios {
        scenario.counts = Vec::new();
        scenario.case.counted = true;
        scenario.case.depth = Depth::Quick;
    }
    scenarios
}

/// The route that asks whether a server is well, as far as `like` goes.
fn health(mut like: Scenario) -> Scenario {
    (like.case.id, like.case.test, like.case.title) = ("health".to_owned(), "health".to_owned(), "Health".to_owned());
    like.requests = vec![Request {
        method: "GET".to_owned(),
        path: "/health".to_owned(),
        headers: Vec::new(),
        body: None,
        expect: Expect { status: 200, body: Body::Exact { text: "ok".to_owned() } },
    }];
    like
}

/// Checks one family of cases as the suite does that it comes from.
pub(crate) fn verify(subject: &mut Subject<'_>, test: &str) -> Verification {
    match test {
        "db" | "queries" | "fortunes" | "cached-queries" | "updates" => {
            suite_techempower::verify::verify(subject, test)
        }
        _ => suite_engine::verify::verify(subject, test),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_known_to_the_suite_that_it_comes_from() {
        let all = all();
        let ids: Vec<&str> = all.iter().map(|scenario| scenario.case.id.as_str()).collect();
        assert_eq!(ids, CASES);
    }

    #[test]
    fn every_route_of_the_contract_is_asked_for() {
        let contract = include_str!("../../../comparisons/README.md");
        let routes: Vec<&str> = contract
            .lines()
            .filter_map(|line| line.strip_prefix("| `GET /").or_else(|| line.strip_prefix("| `POST /")))
            .filter_map(|rest| rest.split(['`', '/', '?', '{']).next())
            .collect();
        assert!(routes.len() >= 12, "{routes:?}");
        let asked: Vec<String> =
            all().iter().flat_map(|scenario| &scenario.requests).map(|request| request.path.clone()).collect();
        for route in routes.iter().filter(|route| **route != "panic") {
            let begins = |path: &String| path[1..].split(['/', '?']).next() == Some(route);
            assert!(asked.iter().any(begins), "nobody asks for /{route}: {asked:?}");
        }
    }
}
