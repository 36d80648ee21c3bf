//! What an experiment is: a claim, two ways to do one thing, and the inputs that it is done on.
//!
//! Which experiments there are is `catalogue.rs`'s; what is repeated, and how nothing of it is folded away, `operation.rs`'s.

use probe::suite::{Case, Claim, Depth};

use crate::operation::Operation;

/// One side of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// What a competent person writes without the optimisation.
    Baseline,
    /// The same with it.
    Candidate,
}

/// An optimisation, what it is held against, and on what.
pub(crate) struct Experiment {
    /// Unique; the family of its cases.
    pub(crate) name: &'static str,
    /// What kind of optimisation it is; the ledger's sections.
    pub(crate) group: &'static str,
    /// What is said of it, in one sentence.
    pub(crate) claim: &'static str,
    /// Who says so.
    pub(crate) source: &'static str,
    /// What the baseline does.
    pub(crate) baseline: &'static str,
    /// What the candidate does.
    pub(crate) candidate: &'static str,
    /// At least two, so that it shows where it pays and where not.
    pub(crate) inputs: &'static [Input],
    /// Threads that take part. With more than one, who waits for whom moves every count, so nothing is counted.
    pub(crate) threads: usize,
    /// Makes one side on an input, at a scale: so many times the inputs.
    pub(crate) make: fn(Side, &Input, usize) -> Box<dyn Operation>,
}

/// What an experiment is done on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input {
    /// Unique within its experiment.
    pub(crate) id: &'static str,
    /// How large it is, in what the experiment says.
    pub(crate) size: usize,
    /// What it is, for people.
    pub(crate) about: &'static str,
}

/// An input.
pub(crate) const fn input(id: &'static str, size: usize, about: &'static str) -> Input {
    Input { id, size, about }
}

impl Experiment {
    /// Its cases: one for each input. The first and the last are enough for a first look.
    pub(crate) fn cases(&self) -> impl Iterator<Item = Case> {
        let last = self.inputs.len() - 1;
        self.inputs.iter().enumerate().map(move |(at, input)| Case {
            id: self.id(input),
            test: self.name.to_owned(),
            title: format!("{}: {}", self.name, input.about),
            connections: None,
            depth: if at == 0 || at == last { Depth::Quick } else { Depth::Default },
            counted: self.threads == 1,
            references: Vec::new(),
            claim: Some(Claim {
                group: self.group.to_owned(),
                claim: self.claim.to_owned(),
                source: self.source.to_owned(),
                baseline: self.baseline.to_owned(),
                candidate: self.candidate.to_owned(),
                input: input.about.to_owned(),
            }),
        })
    }

    /// The id of the case that an input makes.
    pub(crate) fn id(&self, input: &Input) -> String {
        format!("{}-{}", self.name, input.id)
    }
}

impl Side {
    /// The side of that name: those of a comparison.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "base" => Some(Self::Baseline),
            "head" => Some(Self::Candidate),
            _ => None,
        }
    }
}
