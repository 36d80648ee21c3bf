//! Which experiments there are, in the order of the ledger; found by the id of a case.

use probe::suite::Case;

use crate::{
    allocator, connection,
    experiment::{Experiment, Input},
    fields, handler, head, inline, json, memory, name, output, pool, respond, route_cache, routing, state, transfer,
};

/// One list a subject.
const SUBJECTS: &[&[Experiment]] = &[
    routing::EXPERIMENTS,
    route_cache::EXPERIMENTS,
    head::EXPERIMENTS,
    name::EXPERIMENTS,
    inline::EXPERIMENTS,
    fields::EXPERIMENTS,
    json::EXPERIMENTS,
    output::EXPERIMENTS,
    memory::EXPERIMENTS,
    pool::EXPERIMENTS,
    allocator::EXPERIMENTS,
    connection::EXPERIMENTS,
    transfer::EXPERIMENTS,
    respond::EXPERIMENTS,
    handler::EXPERIMENTS,
    state::EXPERIMENTS,
];

/// All experiments.
pub(crate) fn all() -> impl Iterator<Item = &'static Experiment> {
    SUBJECTS.iter().copied().flatten()
}

/// What there is to be run.
pub(crate) fn cases() -> Vec<Case> {
    all().flat_map(Experiment::cases).collect()
}

/// The experiment and the input of a case.
pub(crate) fn find(id: &str) -> Option<(&'static Experiment, &'static Input)> {
    all().find_map(|experiment| Some((experiment, experiment.inputs.iter().find(|input| experiment.id(input) == id)?)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{experiment::Side, measure, operation::INPUTS};

    #[test]
    fn every_experiment_says_what_it_is_and_has_several_inputs() {
        let cases = cases();
        assert_eq!(cases.iter().map(|case| &case.id).collect::<BTreeSet<_>>().len(), cases.len());
        for experiment in all() {
            assert!(experiment.inputs.len() >= 2, "{}", experiment.name);
            assert!(experiment.claim.ends_with('.') && !experiment.claim.contains(". "), "{}", experiment.claim);
            for text in [experiment.source, experiment.baseline, experiment.candidate, experiment.group] {
                assert!(!text.is_empty(), "{}", experiment.name);
            }
            assert_ne!(experiment.baseline, experiment.candidate, "{}", experiment.name);
        }
    }

    #[test]
    fn baseline_and_candidate_give_the_same_answers() {
        for experiment in all() {
            for input in experiment.inputs {
                assert_eq!(measure::problem(experiment, input), None, "{}", experiment.id(input));
            }
        }
    }

    /// With one thread every input is told of, and twice the scale is twice the inputs: the count that shows whether something
    /// was folded away rests on it.
    #[test]
    fn twice_the_scale_is_twice_the_inputs() {
        for experiment in all().filter(|experiment| experiment.threads == 1) {
            for input in experiment.inputs {
                for side in [Side::Baseline, Side::Candidate] {
                    let [one, two] = [1, 2].map(|scale| (experiment.make)(side, input, scale).answers());
                    assert!(one.len() >= INPUTS, "{}", experiment.id(input));
                    assert_eq!(two.len(), 2 * one.len(), "{}", experiment.id(input));
                }
            }
        }
    }
}
