//! What is sent: single and multiple queries, fortunes, updates; from few connections and many, through small pools and large.
//!
//! Every case says how many statements the database is to run for a request. The thorough checks before timing are in
//! `verify.rs`.

use harness::trial::Scenario;
use probe::{
    load::{Body, Expect, Pick, Request},
    suite::{Case, Depth},
};

/// Rows of the multiple queries, each with the shortest kind of run that has it.
pub(crate) const QUERY_LEVELS: &[(u32, Depth)] = &[
    (1, Depth::Default),
    (5, Depth::Default),
    (10, Depth::Default),
    (20, Depth::Quick),
    (100, Depth::Full),
    (500, Depth::Full),
];

/// Rows of the updates, in the same way.
pub(crate) const UPDATE_LEVELS: &[(u32, Depth)] =
    &[(1, Depth::Default), (5, Depth::Default), (10, Depth::Default), (20, Depth::Quick), (100, Depth::Full)];

/// Connections of clients that have a request under way each.
const CONCURRENT_LEVELS: &[(u32, Depth)] = &[(16, Depth::Default), (256, Depth::Quick), (1_024, Depth::Default)];

/// Connections to the database, each worker.
const POOL_LEVELS: &[(u32, Depth)] = &[
    (1, Depth::Quick),
    (2, Depth::Default),
    (4, Depth::Default),
    (8, Depth::Quick),
    (16, Depth::Default),
    (32, Depth::Default),
    (64, Depth::Quick),
];

/// Connections of clients in the cases about pools: several for each connection of the largest.
const POOL_CLIENTS: u32 = 256;

/// Rows of a request in the cases about pools: long enough with its connection for others to wait for one.
pub(crate) const POOL_ROWS: u32 = 20;

/// Statements that update so many rows: one to read each, and one for all of them that stores.
pub(crate) const fn update_statements(rows: u32) -> u32 {
    rows + 1
}

/// All scenarios; those without connections of their own get the plan's.
pub(crate) fn all() -> Vec<Scenario> {
    let rows = |count| Body::JsonArray { count, integers: world() };
    let row = Body::JsonObject { integers: world() };
    let mut scenarios = vec![one("db", "db", "Single query".to_owned(), "/db", row.clone(), 1)];
    for (count, depth) in QUERY_LEVELS {
        let (id, path) = (format!("queries-{count}"), format!("/queries?queries={count}"));
        let queries = one("queries", &id, format!("Multiple queries: {count}"), &path, rows(*count), *count);
        scenarios.push(at(*depth, queries));
    }
    let pieces = ["<td>Additional fortune added at request time.</td>", "<td>フレームワークのベンチマーク</td>"];
    let page = Body::Contains { pieces: pieces.map(str::to_owned).to_vec(), absent: vec!["<script>".to_owned()] };
    scenarios.push(one("fortunes", "fortunes", "Fortunes".to_owned(), "/fortunes", page, 1));
    for (count, depth) in UPDATE_LEVELS {
        let (id, path) = (format!("updates-{count}"), format!("/updates?queries={count}"));
        let title = format!("Updates: {count}");
        scenarios.push(at(*depth, one("updates", &id, title, &path, rows(*count), update_statements(*count))));
    }
    for (level, depth) in CONCURRENT_LEVELS {
        let (id, title) = (format!("concurrent-{level}"), format!("Single query, {level} at once"));
        let mut concurrent = at(*depth, one("concurrent", &id, title, "/db", row.clone(), 1));
        concurrent.case.connections = Some(*level);
        scenarios.push(concurrent);
    }
    for (size, depth) in POOL_LEVELS {
        let (id, path) = (format!("pool-{size}"), format!("/queries?queries={POOL_ROWS}"));
        let title = format!("Multiple queries: {POOL_ROWS}, pool of {size} for each worker");
        let mut pooled = at(*depth, one("pool", &id, title, &path, rows(POOL_ROWS), POOL_ROWS));
        (pooled.case.connections, pooled.pool) = (Some(POOL_CLIENTS), Some(*size));
        scenarios.push(pooled);
    }
    scenarios
}

fn world() -> Vec<String> {
    vec!["id".to_owned(), "randomNumber".to_owned()]
}

fn at(depth: Depth, mut scenario: Scenario) -> Scenario {
    scenario.case.depth = depth;
    scenario
}

fn one(test: &str, id: &str, title: String, path: &str, body: Body, statements: u32) -> Scenario {
    Scenario {
        case: Case {
            id: id.to_owned(),
            test: test.to_owned(),
            title,
            connections: None,
            depth: Depth::Quick,
            counted: false,
            references: Vec::new(),
            claim: None,
        },
        pipeline: 1,
        requests: vec![Request {
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
            expect: Expect { status: 200, body },
        }],
        pick: Pick::Cycle,
        reconnect_every: None,
        database: true,
        queries: Some(statements),
        pool: None,
        counts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use harness::rounds;

    use super::*;

    #[test]
    fn every_kind_of_run_covers_all_kinds_of_access() {
        for (depth, cases) in [(Depth::Quick, 8), (Depth::Default, 20), (Depth::Full, 23)] {
            let chosen = rounds::chosen(&all(), &[64], &[], depth);
            let tests: BTreeSet<&str> = chosen.iter().map(|scenario| scenario.case.test.as_str()).collect();
            assert_eq!((tests.len(), chosen.len()), (6, cases), "{depth:?}: {tests:?}");
        }
    }

    #[test]
    fn a_request_s_statements_are_those_of_its_rows() {
        for (id, statements, pool, path) in [
            ("db", 1, None, "/db"),
            ("queries-500", 500, None, "/queries?queries=500"),
            ("fortunes", 1, None, "/fortunes"),
            ("updates-20", 21, None, "/updates?queries=20"),
            ("concurrent-1024", 1, None, "/db"),
            ("pool-64", 20, Some(64), "/queries?queries=20"),
        ] {
            let all = all();
            let scenario = all.iter().find(|scenario| scenario.case.id == id).unwrap();
            assert_eq!((scenario.queries, scenario.pool), (Some(statements), pool), "{id}");
            assert_eq!(scenario.requests[0].path, path, "{id}");
        }
    }
}
