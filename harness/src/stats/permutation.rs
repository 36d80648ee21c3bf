//! How likely differences of pairs are if their signs are a matter of chance: the sign-flip test, and Holm's correction for many.
//!
//! Sources: Fisher, "The Design of Experiments" (1935), §21: if nothing has changed, each difference might as well have had the
//! other sign. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6 (1979).

use super::bootstrap::seed;

/// Up to so many pairs every assignment of signs is looked at: 65,536 of them.
const EXACT_PAIRS_MAX: usize = 16;

/// Assignments drawn where there are more pairs.
const DRAWN: u32 = 65_535;

/// The two-sided p of `differences` under all assignments of signs, by the sum of their signed ranks (Wilcoxon, "Individual
/// Comparisons by Ranking Methods", Biometrics Bulletin 1, 1945), which a launch that was disturbed does not carry off; `None` for no differences. Exact for up to 16;
/// for more, of assignments drawn by `name`, the observed one among them, so that it is never 0.
#[must_use]
pub fn sign_flip(differences: &[f64], name: &str) -> Option<f64> {
    if differences.is_empty() || differences.iter().any(|difference| !difference.is_finite()) {
        return None;
    }
    let differences = &signed_ranks(differences);
    let observed = differences.iter().sum::<f64>().abs();
    let as_extreme = |sum: f64| sum.abs() >= observed;
    if differences.len() <= EXACT_PAIRS_MAX {
        let assignments = 1_u32 << differences.len();
        let extreme = (0..assignments).filter(|signs| as_extreme(signed(differences, u64::from(*signs)))).count();
        return Some(extreme as f64 / f64::from(assignments));
    }
    let mut random = fastrand::Rng::with_seed(seed(name));
    let extreme = (0..DRAWN)
        .filter(|_| {
            let sum: f64 = differences.iter().map(|value| if random.bool() { *value } else { -value }).sum();
            as_extreme(sum)
        })
        .count();
    Some((extreme as f64 + 1.0) / (f64::from(DRAWN) + 1.0))
}

/// The rank of each difference among all by its size, with its sign; equal sizes share the mean of their ranks. All are multiples of
/// one half, so that their sums are exact. A difference of nothing has none.
fn signed_ranks(differences: &[f64]) -> Vec<f64> {
    let rank = |own: f64| {
        let (mut smaller, mut equal) = (0, 0);
        for other in differences {
            smaller += usize::from(other.abs() < own.abs());
            equal += usize::from(other.abs() == own.abs());
        }
        smaller as f64 + (equal as f64 + 1.0) / 2.0
    };
    let signed = |own: &f64| if *own == 0.0 { 0.0 } else { rank(*own).copysign(*own) };
    differences.iter().map(signed).collect()
}

/// The sum of the differences, those turned over whose bit is set.
fn signed(differences: &[f64], signs: u64) -> f64 {
    differences.iter().enumerate().map(|(bit, value)| if signs >> bit & 1 == 1 { -value } else { *value }).sum()
}

/// The p values of one family of tests, each corrected so that it may be compared with the level meant for all together.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut corrected = vec![1.0; p.len()];
    let mut least = 0.0_f64;
    for (rank, index) in order.into_iter().enumerate() {
        least = least.max((p.len() - rank) as f64 * p[index]).min(1.0);
        corrected[index] = least;
    }
    corrected
}

/// The p values of one family of tests, each corrected so that of those below a level no larger share than that is chance (Benjamini
/// and Hochberg, "Controlling the False Discovery Rate", Journal of the Royal Statistical Society B 57, 1995).
#[must_use]
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*b].total_cmp(&p[*a]));
    let mut corrected = vec![1.0; p.len()];
    let mut most = 1.0_f64;
    for (above, index) in order.into_iter().enumerate() {
        most = most.min(p[index] * p.len() as f64 / (p.len() - above) as f64);
        corrected[index] = most;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values: scipy 1.17.1, `wilcoxon(d, method="exact")`, whose last one is no test there.
    #[test]
    fn exact_p_of_known_differences() {
        for (differences, expected) in [
            (vec![1.0], 1.0),
            (vec![0.2, 0.4, 0.1], 0.25),
            (vec![0.021, 0.033, -0.004, 0.028, 0.017, 0.041, 0.009], 0.03125),
            (vec![0.5, -0.4, 0.3, 0.2, 0.1, 0.6, 0.05, 0.25], 0.109_375),
            (vec![0.0; 5], 1.0),
        ] {
            assert_eq!(sign_flip(&differences, "x"), Some(expected), "{differences:?}");
        }
        assert_eq!(sign_flip(&[], "x"), None);
        assert_eq!(sign_flip(&[0.1, f64::NAN], "x"), None);
    }

    #[test]
    fn more_pairs_than_can_be_enumerated_are_sampled_and_come_near() {
        // Expected value: scipy 1.17.1, `wilcoxon(d, method="exact")`.
        let differences: Vec<f64> = (0..20).map(|index| (f64::from(index * 37 % 20) - 7.3) / 10.0).collect();
        let sampled = sign_flip(&differences, "x").unwrap();
        assert!((sampled - 0.13273).abs() < 0.01, "{sampled}");
        let all_up = sign_flip(&[1.0; 20], "x").unwrap();
        assert!(all_up > 0.0 && all_up < 1e-4, "{all_up}");
    }

    /// Expected values: statsmodels 0.14, `multipletests(p, method="holm")`.
    #[test]
    fn holm_of_known_families() {
        for (p, expected) in [
            (vec![], vec![]),
            (vec![0.04], vec![0.04]),
            (vec![0.01, 0.04, 0.03, 0.005], vec![0.03, 0.06, 0.06, 0.02]),
            (vec![0.5, 0.001, 0.9], vec![1.0, 0.003, 1.0]),
            (vec![0.02, 0.02, 0.02], vec![0.06, 0.06, 0.06]),
        ] {
            for (corrected, expected) in holm(&p).iter().zip(&expected) {
                assert!((corrected - expected).abs() < 1e-12, "{p:?}: {:?}", holm(&p));
            }
        }
    }

    /// Expected values: by hand; statsmodels' `multipletests(p, method="fdr_bh")` is defined alike.
    #[test]
    fn benjamini_hochberg_of_known_families() {
        for (p, expected) in [
            (vec![], vec![]),
            (vec![0.04], vec![0.04]),
            (vec![0.01, 0.04, 0.03, 0.005], vec![0.02, 0.04, 0.04, 0.02]),
            (vec![0.5, 0.001, 0.9], vec![0.75, 0.003, 0.9]),
            (vec![0.02, 0.02, 0.02], vec![0.02, 0.02, 0.02]),
        ] {
            for (corrected, expected) in benjamini_hochberg(&p).iter().zip(&expected) {
                assert!((corrected - expected).abs() < 1e-12, "{p:?}: {:?}", benjamini_hochberg(&p));
            }
        }
    }
}
