//! What the TechEmpower tests send, and what every single answer under load must be.
//!
//! Source: the test types of the TechEmpower Framework Benchmarks (plaintext pipelined 16 deep, JSON, single query,
//! multiple queries, fortunes, updates, cached queries). The thorough checks before timing are in `verify.rs`.

use harness::trial::Scenario;
use probe::{
    load::{Body, Expect, Pick, Request},
    suite::{Case, Depth},
};

/// Pipelining depth of the plaintext test.
const PLAINTEXT_PIPELINE: u32 = 16;

/// Levels of the multiple-query and update tests.
const QUERY_LEVELS: &[u32] = &[1, 5, 10, 15, 20];

/// Levels of the cached-query test.
const CACHED_LEVELS: &[u32] = &[1, 10, 20, 50, 100];

/// All scenarios; the plan's concurrency levels are added when it is known.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let world = || vec!["id".to_owned(), "randomNumber".to_owned()];
    let text = |text: &str| Body::Exact { text: text.to_owned() };
    let mut plaintext = one("plaintext", "Plaintext, pipelined 16 deep", "/plaintext", text("Hello, World!"));
    plaintext.pipeline = PLAINTEXT_PIPELINE;
    let mut scenarios = vec![
        plaintext,
        one("json", "JSON serialization", "/json", text(r#"{"message":"Hello, World!"}"#)),
        one("db", "Single query", "/db", Body::JsonObject { integers: world() }),
    ];
    let rows = |count| Body::JsonArray { count, integers: world() };
    for count in QUERY_LEVELS {
        scenarios.push(level("queries", "Multiple queries", "/queries?queries=", *count, 20, rows(*count)));
    }
    scenarios.push(random_queries());
    let pieces = ["<td>Additional fortune added at request time.</td>", "<td>フレームワークのベンチマーク</td>"];
    let fortunes = Body::Contains { pieces: pieces.map(str::to_owned).to_vec(), absent: vec!["<script>".to_owned()] };
    scenarios.push(one("fortunes", "Fortunes", "/fortunes", fortunes));
    for count in QUERY_LEVELS {
        scenarios.push(level("updates", "Updates", "/updates?queries=", *count, 20, rows(*count)));
    }
    for count in CACHED_LEVELS {
        scenarios.push(level("cached-queries", "Cached queries", "/cached-queries?count=", *count, 100, rows(*count)));
    }
    scenarios
}

fn one(test: &str, title: &str, path: &str, body: Body) -> Scenario {
    Scenario {
        case: Case {
            id: test.to_owned(),
            test: test.to_owned(),
            title: title.to_owned(),
            connections: None,
            depth: Depth::Quick,
            counted: false,
            references: Vec::new(),
            claim: None,
        },
        pipeline: 1,
        requests: vec![request(path.to_owned(), body)],
        pick: Pick::Cycle,
        reconnect_every: None,
        database: !matches!(test, "plaintext" | "json"),
        queries: None,
        pool: None,
        counts: Vec::new(),
    }
}

/// A scenario at one of several levels; the level named `quick` is the one that a first result shows.
fn level(test: &str, title: &str, path: &str, count: u32, quick: u32, body: Body) -> Scenario {
    let mut scenario = one(test, title, &format!("{path}{count}"), body);
    scenario.case.id = format!("{test}-{count}");
    scenario.case.title = format!("{title}: {count}");
    scenario.case.depth = if count == quick { Depth::Quick } else { Depth::Default };
    scenario
}

/// Each request asks for another number of rows, so that no server can profit from the count being always the same.
fn random_queries() -> Scenario {
    let world = || vec!["id".to_owned(), "randomNumber".to_owned()];
    let mut scenario = one("queries", "Multiple queries: 1 to 20 at random", "/queries", Body::Any);
    scenario.case.id = "queries-random".to_owned();
    scenario.case.depth = Depth::Full;
    scenario.requests = (1..=20)
        .map(|count| request(format!("/queries?queries={count}"), Body::JsonArray { count, integers: world() }))
        .collect();
    scenario.pick = Pick::Random { seed: 0x5eed };
    scenario
}

fn request(path: String, body: Body) -> Request {
    Request { method: "GET".to_owned(), path, headers: Vec::new(), body: None, expect: Expect { status: 200, body } }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use harness::rounds;

    use super::*;

    fn ids(connections: &[u32], names: &[&str], depth: Depth) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        rounds::chosen(&all(), connections, &names, depth).into_iter().map(|scenario| scenario.case.id).collect()
    }

    #[test]
    fn every_kind_of_run_covers_the_seven_tests() {
        for depth in [Depth::Quick, Depth::Default, Depth::Full] {
            let tests: BTreeSet<String> =
                rounds::chosen(&all(), &[64], &[], depth).into_iter().map(|scenario| scenario.case.test).collect();
            assert_eq!(tests.len(), 7, "{depth:?}: {tests:?}");
        }
        assert_eq!(ids(&[64], &[], Depth::Quick).len(), 7);
        assert_eq!(ids(&[64], &[], Depth::Default).len(), 19);
    }

    #[test]
    fn cases_are_named_by_family_or_id() {
        for (connections, names, expected) in [
            (&[64][..], &["json"][..], vec!["json"]),
            (&[64], &["queries-5", "db"], vec!["db", "queries-5"]),
            (&[16, 64], &["json"], vec!["json@16", "json@64"]),
            (&[16, 64], &["json@64", "db"], vec!["db@16", "json@64", "db@64"]),
            (&[64], &["updates"], vec!["updates-1", "updates-5", "updates-10", "updates-15", "updates-20"]),
        ] {
            assert_eq!(ids(connections, names, Depth::Quick), expected, "{names:?}");
        }
    }

    #[test]
    fn ids_are_unique() {
        let all = ids(&[16, 64], &[], Depth::Full);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }
}
