//! Experiments on finding a route: the map of literal paths, and the tree itself. A cache before it is `route_cache.rs`'s.
//!
//! Routes are all different, half of them literal and half with a parameter; an operation looks one path up, and the paths
//! of its inputs are spread over the whole table.

use armature_core::{
    Method,
    route::{Lookup, RouteTable},
};

use crate::{
    experiment::{Experiment, Input, Side, input},
    operation::{INPUTS, Operation, over},
};

/// The inherited list of optimisations, which names them without figures.
pub(crate) const LIST: &str = "the project's inherited list of optimisations";

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "static-path",
        group: "routing",
        claim: "A map of the literal paths in front of the tree saves more than it costs the other paths.",
        source: LIST,
        baseline: "every path goes through matchit's tree",
        candidate: "a path is first looked up in a hash map of the literal ones, as `RouteTable::find_exact` does",
        inputs: &[
            input("literal-10", 10, "literal paths among 10 routes"),
            input("literal-100", 100, "literal paths among 100 routes"),
            input("literal-1000", 1_000, "literal paths among 1,000 routes"),
            input("literal-10000", 10_000, "literal paths among 10,000 routes"),
            input("parameter-100", 100, "paths with a parameter among 100 routes"),
            input("parameter-10000", 10_000, "paths with a parameter among 10,000 routes"),
            input("miss-100", 100, "paths without a route, among 100 routes"),
        ],
        threads: 1,
        make: static_path,
    },
    Experiment {
        name: "route-tree",
        group: "routing",
        claim: "A radix tree finds a route in about the same time whatever the size of the table.",
        source: LIST,
        baseline: "patterns split into segments beforehand and tried in the order in which they were added",
        candidate: "matchit's tree, as `RouteTable::find` does",
        inputs: &[
            input("3", 3, "paths of all kinds among 3 routes"),
            input("10", 10, "paths of all kinds among 10 routes"),
            input("100", 100, "paths of all kinds among 100 routes"),
            input("1000", 1_000, "paths of all kinds among 1,000 routes"),
        ],
        threads: 1,
        make: tree,
    },
];

const WORDS: &[&str] = &[
    "accounts",
    "addresses",
    "articles",
    "audits",
    "baskets",
    "bookings",
    "brands",
    "campaigns",
    "carriers",
    "comments",
    "contacts",
    "contracts",
    "coupons",
    "customers",
    "devices",
    "discounts",
    "documents",
    "employees",
    "events",
    "images",
    "invoices",
    "journeys",
    "messages",
    "offers",
    "orders",
];

/// The pattern of a route by its number; even numbers are literal. A step of a prime that divides no number of words visits
/// every combination once, near ones far apart.
fn pattern(number: usize, id: &str) -> String {
    let words = WORDS.len();
    let combination = number / 2 * 7_919 % (words * words * words);
    let word = |place: u32| WORDS[combination / words.pow(place) % words];
    match number % 2 {
        0 => format!("/api/{}/{}/{}", word(0), word(1), word(2)),
        _ => format!("/api/{}/{}/{id}/{}", word(0), word(1), word(2)),
    }
}

pub(crate) fn table(routes: usize) -> RouteTable<usize> {
    let all = (0..routes).map(|number| (Method::Get, pattern(number, "{id}"), number));
    RouteTable::build(all).unwrap_or_else(|errors| panic!("patterns conflict: {errors:?}"))
}

/// The path of a route, with a parameter of its own for every place.
pub(crate) fn path(number: usize, at: usize) -> String {
    pattern(number, &(100_003 + at * 7_919).to_string())
}

/// So many paths whose routes are spread over the table; only literal ones for `step` 2 and `from` 0, and so on.
fn paths(routes: usize, from: usize, step: usize, count: usize) -> Vec<String> {
    let every = (routes / step).max(1);
    (0..count).map(|at| path(from + step * (at * every / count.min(every) % every), at)).collect()
}

fn number(found: Lookup<'_, usize>) -> Option<usize> {
    match found {
        Lookup::Found { value, .. } => Some(*value),
        Lookup::OtherMethods(_) | Lookup::NotFound => None,
    }
}

fn static_path(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let (table, count) = (table(input.size), INPUTS * scale);
    let paths = match input.id.split_once('-') {
        Some(("literal", _)) => paths(input.size, 0, 2, count),
        Some(("parameter", _)) => paths(input.size, 1, 2, count),
        _ => paths(input.size, 0, 1, count).into_iter().map(|path| path + "-unknown").collect(),
    };
    let tell = |found: &Option<usize>| format!("{found:?}");
    match side {
        Side::Baseline => over(paths, move |path| number(table.find(Method::Get, path)), tell),
        Side::Candidate => over(
            paths,
            move |path| match table.find_exact(Method::Get, path.as_bytes()) {
                Some(number) => Some(*number),
                None => number(table.find(Method::Get, path)),
            },
            tell,
        ),
    }
}

enum Segment {
    Text(String),
    Parameter,
}

fn tree(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let paths = paths(input.size, 0, 1, INPUTS * scale);
    let tell = |found: &Option<usize>| format!("{found:?}");
    if side == Side::Candidate {
        let table = table(input.size);
        return over(paths, move |path| number(table.find(Method::Get, path)), tell);
    }
    let split = |pattern: String| -> Vec<Segment> {
        let segment = |text: &str| if text == "{id}" { Segment::Parameter } else { Segment::Text(text.to_owned()) };
        pattern.split('/').map(segment).collect()
    };
    let patterns: Vec<Vec<Segment>> = (0..input.size).map(|number| split(pattern(number, "{id}"))).collect();
    over(paths, move |path| patterns.iter().position(|pattern| matches(pattern, path)), tell)
}

fn matches(pattern: &[Segment], path: &str) -> bool {
    let mut segments = path.split('/');
    let all = pattern.iter().all(|wanted| match (wanted, segments.next()) {
        (Segment::Text(text), Some(segment)) => text == segment,
        (Segment::Parameter, Some(segment)) => !segment.is_empty(),
        (_, None) => false,
    });
    all && segments.next().is_none()
}

/// What is kept of a lookup: the route, and where its parameter is.
pub(crate) type Kept = (usize, Option<(usize, usize)>);

pub(crate) fn look_up(table: &RouteTable<usize>, path: &str) -> Option<Kept> {
    let Lookup::Found { value, params } = table.find(Method::Get, path) else { return None };
    let place = params.iter().next().map(|(_, text)| (text.as_ptr().addr() - path.as_ptr().addr(), text.len()));
    Some((*value, place))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn routes_are_distinct_and_paths_are_spread_over_the_table() {
        for routes in [3, 10, 100, 1_000, 10_000] {
            assert_eq!((0..routes).map(|number| pattern(number, "{id}")).collect::<BTreeSet<_>>().len(), routes);
            let (table, paths) = (table(routes), paths(routes, 0, 1, INPUTS));
            let found: BTreeSet<usize> =
                paths.iter().filter_map(|path| number(table.find(Method::Get, path))).collect();
            assert_eq!(found.len(), routes.min(INPUTS), "{paths:?}");
        }
    }
}
