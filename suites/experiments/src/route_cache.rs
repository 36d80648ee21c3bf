//! The experiment on a cache of routes that were found, which the framework does not have.
//!
//! The cache is as good as one can be that belongs to a worker: no lock, no allocation on a miss, the least used of a set makes
//! room. The paths that it is for are those with a parameter; literal ones are found in the map before, on both sides.

use std::hash::{BuildHasher, RandomState};

use armature_core::{Method, route::RouteTable};

use crate::{
    experiment::{Experiment, Input, Side, input},
    operation::{INPUTS, Operation, over},
    routing::{Kept, LIST, look_up, path, table},
};

pub(crate) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "route-cache",
    group: "routing",
    claim: "A bounded cache of routes that were found saves looking them up again.",
    source: LIST,
    baseline: "a path is looked up in the map of literal ones, then in the tree, as the framework's router does",
    candidate: "between the two it is looked up in a worker's own LRU cache of 1,024 paths with a secret seed, and put there when it is missing",
    inputs: &[
        input("hot-100", 100, "16 paths with a parameter, all in the cache, among 100 routes"),
        input(
            "skewed-100",
            10_000,
            "paths of 10,000 objects under 100 routes, the n-th asked for 1/n as often as the first",
        ),
        input(
            "cold-100",
            100,
            "4,096 paths of as many objects in turn under 100 routes: none is in the cache when it is asked for",
        ),
    ],
    threads: 1,
    make,
}];

/// Numerical Recipes' generator: variety, not chance.
fn drawn(count: usize) -> impl Iterator<Item = f64> {
    let next = |seed: &u32| Some(seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(1_u32), next).skip(1).take(count).map(|seed| f64::from(seed >> 8) / f64::from(1 << 24))
}

/// Paths with a parameter; odd routes have one.
fn paths(input: &Input, scale: usize) -> Vec<String> {
    let of = |object: usize| path(1 + 2 * (object % 50), object);
    match input.id {
        "hot-100" => (0..INPUTS * scale).map(|at| of(at % INPUTS)).collect(),
        // The inverse of the distribution of 1/n over 1 to the number of objects, as of a continuous one.
        "skewed-100" => drawn(4_096 * scale).map(|part| of((input.size as f64).powf(part) as usize - 1)).collect(),
        _ => (0..4_096 * scale).map(of).collect(),
    }
}

const SETS: usize = 256;
const WAYS: usize = 4;

/// A path and what was found; its text has room that is used again.
#[derive(Default)]
struct Way {
    hash: u64,
    path: String,
    kept: Option<Kept>,
}

/// Sets of four; the first of a set was used last.
struct Lru {
    sets: Vec<[Way; WAYS]>,
    seed: RandomState,
}

impl Lru {
    fn get_or_insert(&mut self, path: &str, find: impl FnOnce() -> Option<Kept>) -> Option<Kept> {
        let hash = self.seed.hash_one(path);
        let set = &mut self.sets[hash as usize % SETS];
        let place = set.iter().position(|way| way.hash == hash && way.path == path);
        set[..=place.unwrap_or(WAYS - 1)].rotate_right(1);
        if place.is_none() {
            set[0].hash = hash;
            set[0].path.clear();
            set[0].path.push_str(path);
            set[0].kept = find();
        }
        set[0].kept
    }
}

fn make(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let (table, paths): (RouteTable<usize>, _) = (table(100), paths(input, scale));
    let tell = |found: &Option<Kept>| format!("{found:?}");
    let exact = |table: &RouteTable<usize>, path: &str| {
        table.find_exact(Method::Get, path.as_bytes()).map(|number| (*number, None))
    };
    match side {
        Side::Baseline => over(paths, move |path| exact(&table, path).or_else(|| look_up(&table, path)), tell),
        Side::Candidate => {
            let sets = std::iter::repeat_with(Default::default).take(SETS).collect();
            let mut cache = Lru { sets, seed: RandomState::new() };
            let mut find =
                move |path: &str| exact(&table, path).or_else(|| cache.get_or_insert(path, || look_up(&table, path)));
            over(paths, move |path| find(path), tell)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_used_of_a_set_makes_room_and_answers_stay_the_same() {
        let mut cache =
            Lru { sets: std::iter::repeat_with(Default::default).take(SETS).collect(), seed: RandomState::new() };
        let mut missed = 0;
        for round in 0..2 {
            for number in 0..4_096 {
                let found = cache.get_or_insert(&format!("/{number}"), || {
                    missed += 1;
                    Some((number, None))
                });
                assert_eq!(found, Some((number, None)), "round {round}");
            }
        }
        // A set has more than four of 4,096 paths, but for one in a million.
        assert!(missed > 2 * 4_096 - 100, "{missed}");
        assert_eq!(cache.get_or_insert("/4095", || None), Some((4_095, None)));
    }
}
