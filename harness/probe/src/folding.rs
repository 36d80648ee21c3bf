//! When the instructions of an operation are to be believed: what the compiler has folded away shows in counts.
//!
//! An operation is counted twice on its inputs and once on twice as many. Counting is its suite's business; this is what all that
//! count operations have in common. Read next: `stability.rs`, which lists counts that differ at all.

/// How far the counts on the inputs and on twice as many may lie apart, as a share of the larger: the second half of the
/// inputs is not the first.
const APART_MAX: f64 = 0.05;

/// How far two counts of the same thing may lie apart, as a share of the larger: the lab's rule for counts.
const UNSTABLE_MIN: f64 = 0.005;

/// Instructions that an operation must cost more than an empty one.
const LEAST: f64 = 1.0;

/// The instructions of one operation, by launch.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    /// On its inputs, twice.
    pub alike: [f64; 2],
    /// On twice as many.
    pub doubled: f64,
}

/// Why the counts of an operation are not to be believed; an empty one costs `floor`.
#[must_use]
pub fn doubt(counts: Counts, floor: f64) -> Option<String> {
    let Counts { alike: [one, other], doubled } = counts;
    let apart = |a: f64, b: f64| (a - b).abs() / a.max(b);
    let larger = one.max(doubled);
    if larger < floor + LEAST {
        Some(format!("it costs {larger:.1} instructions and an empty operation {floor:.1}: it was folded away"))
    } else if apart(one, other) > UNSTABLE_MIN {
        let percent = apart(one, other) * 100.0;
        Some(format!("counted twice, {one:.1} and {other:.1}: {percent:.1} % apart, so it is unstable"))
    } else if apart(one, doubled) > APART_MAX {
        let percent = apart(one, doubled) * 100.0;
        Some(format!(
            "{one:.1} instructions for an operation, {doubled:.1} on twice the inputs: {percent:.1} % apart, so it is \
             partly folded away"
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_do_not_grow_with_the_inputs_are_doubted() {
        for (alike, doubled, floor, piece) in [
            ([1_000.0, 1_000.0], 1_010.0, 3.0, None),
            ([1_000.0, 1_004.0], 1_010.0, 3.0, None),
            ([1_000.0, 1_006.0], 1_000.0, 3.0, Some("counted twice, 1000.0 and 1006.0: 0.6 % apart")),
            // Done once for all: twice the inputs cost the same in all, so half as much each.
            ([1_000.0, 1_000.0], 500.0, 3.0, Some("50.0 % apart, so it is partly folded away")),
            ([3.2, 3.2], 3.2, 3.0, Some("folded away")),
            ([4.5, 4.5], 4.5, 3.0, None),
            ([0.0, 0.0], 0.0, 3.0, Some("folded away")),
        ] {
            let doubt = doubt(Counts { alike, doubled }, floor);
            assert_eq!(doubt.is_some(), piece.is_some(), "{alike:?}, {doubled}: {doubt:?}");
            assert!(piece.is_none_or(|piece| doubt.unwrap().contains(piece)));
        }
    }
}
