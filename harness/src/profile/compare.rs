//! What two sides of profiles differ in, function by function: by how much, and whether to believe it.
//!
//! Pure. Figures are of a request, so that a side that served more does not look slower. A function's own cost is compared in launches
//! of one side and the other (Student's t, with no less variance than samples have by chance, which is Poisson's), and all functions
//! together are held to one rate of false discoveries. What is called has to be over a share of the whole too.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{folded::Folded, rules::Roles};
use crate::stats;

/// The share of what is called changed that may be chance.
const FALSE_DISCOVERIES: f64 = 0.01;

/// Changes below this share of a request are nobody's concern: of what is sampled, and of what is counted.
const MARGIN_SAMPLED: f64 = 0.01;
const MARGIN_COUNTED: f64 = 0.001;

/// A function with fewer samples on both sides together is not tested: its chance is not Student's.
const SAMPLES_MIN: u64 = 20;

/// Degrees of freedom of one profile a side: nothing is known of launches then, and chance is all that is judged.
const CHANCE_ALONE: f64 = 1e6;

/// What has become of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing that can be told.
    Same,
    /// It costs more.
    Grown,
    /// It costs less.
    Shrunk,
    /// It is in the head only.
    New,
    /// It is in the base only.
    Gone,
}

/// A function on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name.
    pub frame: String,
    /// What it costs itself in a request, in base and head.
    pub own: [f64; 2],
    /// The same with all that it calls.
    pub total: [f64; 2],
    /// How much more it costs itself in the head.
    pub change: f64,
    /// The interval of that, 95 %.
    pub interval: [f64; 2],
    /// How likely so much is by chance, corrected for the number of functions; 1 for what is not tested.
    pub q: f64,
    /// What has become of it.
    pub verdict: Change,
}

/// Two sides.
#[derive(Debug, Clone)]
pub struct Differential {
    /// Every function of either side; what has changed first, the largest change before the others.
    pub rows: Vec<Row>,
    /// All profiles of each side as one.
    pub sides: [Folded; 2],
    /// How many they were.
    pub profiles: [usize; 2],
    /// A request in base and head.
    pub per_request: [f64; 2],
}

/// What a role costs on both sides, in a request.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleCost {
    /// Its name.
    pub role: String,
    /// On either side.
    pub cost: [f64; 2],
    /// The interval of the second less the first, 95 %.
    pub interval: [f64; 2],
}

/// The counts of one function in the profiles of one side.
#[derive(Debug, Clone, Default)]
struct Counts {
    own: Vec<u64>,
    total: Vec<u64>,
}

/// Compares two sides; each is one profile or more of one thing.
///
/// # Errors
/// When a side has none, or the sides are of different things.
pub fn compare(base: &[Folded], head: &[Folded]) -> Result<Differential> {
    let sides = [Folded::merged(base)?, Folded::merged(head)?];
    Folded::merged(&sides)?;
    let profiles = [base, head];
    let counted = profiles.map(counts);
    let names: BTreeSet<&String> = counted.iter().flat_map(BTreeMap::keys).collect();
    let per_request = [0, 1].map(|side: usize| mean(&rates(profiles[side], &totals(profiles[side]))));
    let sampled = sides[0].header.is_sampled();
    let margin = per_request[0] * if sampled { MARGIN_SAMPLED } else { MARGIN_COUNTED };
    let mut rows = Vec::new();
    let mut tested = Vec::new();
    for name in names {
        let of = |side: usize| counted[side].get(name).cloned().unwrap_or_else(|| Counts::none(profiles[side].len()));
        let both = [of(0), of(1)];
        let own = Test::of(profiles, [&both[0].own, &both[1].own], sampled);
        let total = Test::of(profiles, [&both[0].total, &both[1].total], sampled);
        let sum = |counts: &[u64]| counts.iter().sum::<u64>();
        let there = [sum(&both[0].total), sum(&both[1].total)];
        let lonely = there.contains(&0);
        // Of a function that one side lacks all that it calls has come or gone with it.
        let decisive = if lonely { &total } else { &own };
        let samples = if lonely { there[0] + there[1] } else { sum(&both[0].own) + sum(&both[1].own) };
        let is_tested = (!sampled && samples > 0) || samples >= SAMPLES_MIN;
        tested.extend(is_tested.then_some((rows.len(), decisive.p)));
        let verdict = match there {
            _ if decisive.change.abs() <= margin => Change::Same,
            [0, _] => Change::New,
            [_, 0] => Change::Gone,
            _ if own.change > 0.0 => Change::Grown,
            _ => Change::Shrunk,
        };
        rows.push(Row {
            frame: name.clone(),
            own: own.means,
            total: total.means,
            change: own.change,
            interval: own.interval,
            q: 1.0,
            verdict,
        });
    }
    let corrected = stats::benjamini_hochberg(&tested.iter().map(|(_, p)| *p).collect::<Vec<f64>>());
    for ((row, _), q) in tested.iter().zip(corrected) {
        rows[*row].q = q;
    }
    for row in &mut rows {
        if row.q > FALSE_DISCOVERIES {
            row.verdict = Change::Same;
        }
    }
    let order = |row: &Row| (row.verdict == Change::Same, -row.change.abs(), -(row.total[0] - row.total[1]).abs());
    rows.sort_by(|one, other| {
        let (one_key, other_key) = (order(one), order(other));
        one_key.0.cmp(&other_key.0).then(one_key.1.total_cmp(&other_key.1)).then(one_key.2.total_cmp(&other_key.2))
    });
    Ok(Differential { rows, sides, profiles: profiles.map(<[Folded]>::len), per_request })
}

/// What each role costs on both sides; roles that cost nothing on either are left out.
#[must_use]
pub fn roles(one: &[Folded], other: &[Folded], roles: &Roles) -> Vec<RoleCost> {
    let profiles = [one, other];
    let counted = profiles.map(|side| {
        side.iter()
            .map(|profile| {
                let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
                for (stack, count) in &profile.stacks {
                    *counts.entry(roles.of(stack)).or_default() += count;
                }
                counts
            })
            .collect::<Vec<_>>()
    });
    let cost = |role: &str| {
        let of =
            |side: usize| counted[side].iter().map(|counts| counts.get(role).copied().unwrap_or(0)).collect::<Vec<_>>();
        let sampled = one.first().is_some_and(|profile| profile.header.is_sampled());
        let test = Test::of(profiles, [&of(0), &of(1)], sampled);
        RoleCost { role: role.to_owned(), cost: test.means, interval: test.interval }
    };
    roles.names().into_iter().map(cost).filter(|cost| cost.cost != [0.0; 2]).collect()
}

impl Counts {
    fn none(profiles: usize) -> Self {
        Self { own: vec![0; profiles], total: vec![0; profiles] }
    }
}

/// What each function costs itself and in all, in each profile.
fn counts(profiles: &[Folded]) -> BTreeMap<String, Counts> {
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    for (number, profile) in profiles.iter().enumerate() {
        for (stack, count) in &profile.stacks {
            let frames: Vec<&str> = stack.split(';').collect();
            for frame in frames.iter().copied().collect::<BTreeSet<&str>>() {
                let counts = counts.entry(frame.to_owned()).or_insert_with(|| Counts::none(profiles.len()));
                counts.total[number] += count;
                if frames.last() == Some(&frame) {
                    counts.own[number] += count;
                }
            }
        }
    }
    counts
}

fn totals(profiles: &[Folded]) -> Vec<u64> {
    profiles.iter().map(Folded::total).collect()
}

/// Counts as what a request costs, in each profile.
fn rates(profiles: &[Folded], counts: &[u64]) -> Vec<f64> {
    profiles.iter().zip(counts).map(|(profile, count)| profile.per_request(*count)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The difference between two sides, and how likely it is by chance.
struct Test {
    means: [f64; 2],
    change: f64,
    interval: [f64; 2],
    p: f64,
}

impl Test {
    fn of(profiles: [&[Folded]; 2], counts: [&Vec<u64>; 2], sampled: bool) -> Self {
        let rates = [0, 1].map(|side: usize| rates(profiles[side], counts[side]));
        let means = [mean(&rates[0]), mean(&rates[1])];
        let change = means[1] - means[0];
        let sizes = rates.each_ref().map(|rates| rates.len() as f64);
        let freedom = sizes[0] + sizes[1] - 2.0;
        let squares: f64 = [0, 1]
            .map(|side: usize| rates[side].iter().map(|rate| (rate - means[side]).powi(2)).sum::<f64>())
            .iter()
            .sum();
        let seen = if freedom > 0.0 { squares / freedom * (1.0 / sizes[0] + 1.0 / sizes[1]) } else { 0.0 };
        // A count of samples varies by chance as much as it is large.
        let chance: f64 = [0, 1]
            .map(|side: usize| {
                let of_each = profiles[side].iter().zip(counts[side]);
                of_each.map(|(profile, count)| *count as f64 * profile.per_request(1).powi(2)).sum::<f64>()
                    / sizes[side].powi(2)
            })
            .iter()
            .sum();
        let error = if sampled { seen.max(chance) } else { seen }.sqrt();
        let student = StudentsT::new(0.0, 1.0, if freedom > 0.0 { freedom } else { CHANCE_ALONE });
        let (p, reach) = match student {
            Ok(student) if error > 0.0 => {
                (2.0 * student.sf((change / error).abs()), student.inverse_cdf(0.975) * error)
            }
            _ => (f64::from(u8::from(change == 0.0)), 0.0),
        };
        Self { means, change, interval: [change - reach, change + reach], p }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Profiles of functions whose samples vary by chance, and from launch to launch by `spread`.
    fn profiles(n: usize, costs: &[(&str, f64)], spread: f64, random: &mut fastrand::Rng) -> Vec<Folded> {
        (0..n)
            .map(|_| {
                let mut profile = Folded::parse("", "x").unwrap();
                (profile.header.requests, profile.header.unit) = (1_000, "ns".to_owned());
                let launch = 1.0 + spread * (random.f64() + random.f64() - 1.0);
                for (stack, samples) in costs {
                    profile.stacks.insert((*stack).to_owned(), poisson(samples * launch, random));
                }
                profile
            })
            .collect()
    }

    /// A number that is so large in the mean (by the normal distribution, which it is near to where it is large).
    fn poisson(mean: f64, random: &mut fastrand::Rng) -> u64 {
        let normal: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
        (mean + mean.sqrt() * normal).round().max(0.0) as u64
    }

    const COSTS: &[(&str, f64)] = &[
        ("main;a", 400.0),
        ("main;a;b", 300.0),
        ("main;c", 200.0),
        ("main;c;d", 60.0),
        ("main;c;e", 30.0),
        ("main", 5.0),
    ];

    #[test]
    fn what_differs_by_chance_and_from_launch_to_launch_is_grey() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut called = 0;
        for _ in 0..500 {
            let sides = [profiles(5, COSTS, 0.05, &mut random), profiles(5, COSTS, 0.05, &mut random)];
            let differential = compare(&sides[0], &sides[1]).unwrap();
            called += usize::from(differential.rows.iter().any(|row| row.verdict != Change::Same));
        }
        // One in a hundred may be; twelve of five hundred would be by chance in one of a hundred.
        assert!(called <= 12, "{called} of 500");
    }

    #[test]
    fn what_has_grown_shrunk_come_or_gone_is_called_so_and_leads() {
        let mut random = fastrand::Rng::with_seed(8);
        for (changed, expected) in [
            (&[("main;a;b", 400.0)][..], ("b", Change::Grown)),
            (&[("main;a;b", 200.0)], ("b", Change::Shrunk)),
            (&[("main;c;extra", 80.0)], ("extra", Change::New)),
            (&[("main;c;d", 0.0)], ("d", Change::Gone)),
        ] {
            let mut costs = COSTS.to_vec();
            for (stack, samples) in changed {
                costs.retain(|(other, _)| other != stack);
                costs.push((stack, *samples));
            }
            let sides = [profiles(5, COSTS, 0.03, &mut random), profiles(5, &costs, 0.03, &mut random)];
            let mut sides = sides;
            sides.iter_mut().flatten().for_each(|profile| profile.stacks.retain(|_, count| *count > 0));
            let first = compare(&sides[0], &sides[1]).unwrap().rows.swap_remove(0);
            assert_eq!((first.frame.as_str(), first.verdict), expected, "{first:?}");
            assert!(first.interval[0] <= first.change && first.change <= first.interval[1], "{first:?}");
        }
    }

    #[test]
    fn a_side_that_served_more_does_not_look_slower() {
        let mut random = fastrand::Rng::with_seed(9);
        let base = profiles(4, COSTS, 0.0, &mut random);
        let mut head =
            profiles(4, &COSTS.iter().map(|(stack, cost)| (*stack, cost * 3.0)).collect::<Vec<_>>(), 0.0, &mut random);
        head.iter_mut().for_each(|profile| profile.header.requests *= 3);
        let differential = compare(&base, &head).unwrap();
        assert!(differential.rows.iter().all(|row| row.verdict == Change::Same), "{:?}", differential.rows);
    }

    #[test]
    fn counts_need_no_launches_and_a_single_profile_is_judged_by_chance() {
        let counted = |text: &str| {
            let mut profile = Folded::parse(text, "x").unwrap();
            (profile.header.requests, profile.header.unit) = (10, "bytes".to_owned());
            profile
        };
        let rows = compare(&[counted("a 1000\na;b 10\n")], &[counted("a 1000\na;b 20\n")]).unwrap().rows;
        assert_eq!((rows[0].frame.as_str(), rows[0].verdict, rows[0].change), ("b", Change::Grown, 1.0));
        assert_eq!(rows[1].verdict, Change::Same);
        let sampled = |text: &str| Folded::parse(text, "x").unwrap();
        let rows = compare(&[sampled("a 1000\na;b 1000\n")], &[sampled("a 1030\na;b 2000\n")]).unwrap().rows;
        assert_eq!((rows[0].frame.as_str(), rows[0].verdict), ("b", Change::Grown));
        assert_eq!(rows[1].verdict, Change::Same, "{rows:?}");
    }

    #[test]
    fn a_function_that_calls_itself_is_counted_once() {
        let profile = Folded::parse("a;b;a 3\na;b 2\n", "x").unwrap();
        let counts = counts(&[profile]);
        assert_eq!((counts["a"].own[0], counts["a"].total[0]), (3, 5));
        assert_eq!((counts["b"].own[0], counts["b"].total[0]), (2, 5));
    }
}
