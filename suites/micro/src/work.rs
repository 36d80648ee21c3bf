//! What can be measured: each kind of work by its id, with the family it belongs to and the runs that include it.
//!
//! Also the figures that others have published for the same work, as far as there are any. Read next: `target/mod.rs`.

use probe::suite::{Case, Depth, Goal, Reference};

use crate::{
    document::Size,
    exchange::Ask,
    route::{Kind, Place},
};

/// Something to be done with a framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// Nothing: what measuring costs by itself. No case; counts are held against it.
    Nothing,
    /// A path is looked up in a table of so many routes.
    Lookup(usize, Kind, Place),
    /// A request goes through an application of so many routes.
    Dispatch(usize, Kind, Place),
    /// A document becomes the JSON body of a response.
    Serialize(Size),
    /// The JSON body of a request becomes a document.
    Deserialize(Size),
    /// A response is made.
    Respond(Answer),
    /// A request goes through so many middlewares, each of which adds a field to the answer.
    Middleware(usize),
    /// A request is made from its text, goes through an application, and its answer is read.
    Exchange(Ask),
}

/// What response is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// 200 without a body.
    Empty,
    /// A status that is not known before, without a body.
    Status,
    /// A small document as JSON.
    Json,
    /// 200 without a body, with ten header fields.
    TenFields,
}

/// How many routes there are in a table.
const TABLES: &[usize] = &[10, 100, 1_000, 10_000];

/// How many middlewares there are around a handler.
const LAYERS: &[usize] = &[0, 1, 2, 4, 8];

/// The metric of all published figures.
const TIME: &str = "ns_per_operation";

/// All work that has a case, in the order of reports.
#[must_use]
pub fn all() -> Vec<Work> {
    let mut all: Vec<Work> = [Ask::Health, Ask::Parameter, Ask::Json].map(Work::Exchange).into();
    let places = |kind| [Place::First, Place::Middle, Place::Last, Place::Miss].map(|place| (kind, place));
    let kinds = [Kind::Literal, Kind::Parameter];
    for table in TABLES {
        all.extend(kinds.iter().flat_map(|kind| places(*kind)).map(|(kind, place)| Work::Lookup(*table, kind, place)));
    }
    for table in TABLES {
        all.extend(
            kinds.iter().flat_map(|kind| places(*kind)).map(|(kind, place)| Work::Dispatch(*table, kind, place)),
        );
    }
    all.extend([Answer::Empty, Answer::Status, Answer::Json, Answer::TenFields].map(Work::Respond));
    all.extend([Size::Small, Size::Medium, Size::Large].map(Work::Serialize));
    all.extend([Size::Small, Size::Medium, Size::Large].map(Work::Deserialize));
    all.extend(LAYERS.iter().map(|layers| Work::Middleware(*layers)));
    all.extend([Ask::ThreeParameters, Ask::Query, Ask::State, Ask::Text].map(Work::Exchange));
    all
}

impl Work {
    /// The work of that id.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        [Self::Nothing].into_iter().chain(all()).find(|work| work.id() == id)
    }

    /// Its id, unique within the suite.
    #[must_use]
    pub fn id(self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Lookup(routes, kind, place) => format!("route-{}-{routes}-{}", kind.word(), place.word()),
            Self::Dispatch(routes, kind, place) => format!("dispatch-{}-{routes}-{}", kind.word(), place.word()),
            Self::Serialize(size) => format!("serialize-{}", size.word()),
            Self::Deserialize(size) => format!("deserialize-{}", size.word()),
            Self::Respond(answer) => format!("respond-{}", answer.word()),
            Self::Middleware(layers) => format!("middleware-{layers}"),
            Self::Exchange(ask @ (Ask::Health | Ask::Parameter | Ask::Json)) => format!("cycle-{}", ask.word()),
            Self::Exchange(ask) => format!("extract-{}", ask.word()),
        }
    }

    /// The family that it belongs to: the first word of its id.
    #[must_use]
    pub fn test(self) -> String {
        self.id().split('-').next().unwrap_or_default().to_owned()
    }

    /// What it is, for people.
    fn title(self) -> String {
        match self {
            Self::Nothing => "Nothing".to_owned(),
            Self::Lookup(routes, kind, place) => format!("Lookup among {routes} routes: {}", sought(kind, place)),
            Self::Dispatch(routes, kind, place) => {
                format!("Request through an application of {routes} routes: {}", sought(kind, place))
            }
            Self::Serialize(size) => format!("{} document into the JSON body of a response", size.word()),
            Self::Deserialize(size) => format!("JSON body of a request into a {} document", size.word()),
            Self::Respond(Answer::Empty) => "Response: 200, empty".to_owned(),
            Self::Respond(Answer::Status) => "Response: a status, empty".to_owned(),
            Self::Respond(Answer::Json) => "Response: small JSON".to_owned(),
            Self::Respond(Answer::TenFields) => "Response: ten header fields, empty".to_owned(),
            Self::Middleware(layers) => format!("Health check through {layers} middleware(s) that add a field"),
            Self::Exchange(Ask::Health) => "Full cycle: health check".to_owned(),
            Self::Exchange(Ask::Parameter) => "Full cycle: GET with a parameter".to_owned(),
            Self::Exchange(Ask::Json) => "Full cycle: POST with a JSON body".to_owned(),
            Self::Exchange(Ask::ThreeParameters) => "Handler that takes three numbers from the path".to_owned(),
            Self::Exchange(Ask::Query) => "Handler that takes a struct from the query".to_owned(),
            Self::Exchange(Ask::State) => "Handler that takes shared state".to_owned(),
            Self::Exchange(Ask::Text) => "Handler that takes a body of text".to_owned(),
        }
    }

    /// The shortest kind of run that includes it. Tables of 1,000 routes tell no more than those around them, and a
    /// request through an application is mostly what the lookup is not.
    fn depth(self) -> Depth {
        let quick_place = |kind, place| kind == Kind::Literal && place != Place::Last || place == Place::First;
        match self {
            Self::Lookup(1_000, ..) => Depth::Full,
            Self::Lookup(100, kind, place) if quick_place(kind, place) => Depth::Quick,
            Self::Lookup(..) => Depth::Default,
            Self::Dispatch(100, ..) => Depth::Default,
            Self::Dispatch(..) => Depth::Full,
            Self::Serialize(Size::Medium) | Self::Deserialize(Size::Medium) => Depth::Default,
            Self::Middleware(_) => Depth::Default,
            Self::Exchange(Ask::ThreeParameters | Ask::Query | Ask::State | Ask::Text) => Depth::Default,
            _ => Depth::Quick,
        }
    }

    /// Figures of others for this work: those of the original study (2024, its authors' machine) and of its code run again
    /// on a virtual machine of two cores; and what is aimed at there.
    fn references(self) -> Vec<Reference> {
        let reference =
            |study: f64, rerun: f64, goal: Goal| vec![Reference { metric: TIME.to_owned(), study, rerun, goal }];
        let at_most = |figure| Goal::AtMost { figure };
        let serde_json = || Goal::AtMostTarget { target: "serde_json".to_owned() };
        match self {
            Self::Exchange(Ask::Health) => reference(386.0, 818.0, at_most(150.0)),
            Self::Exchange(Ask::Parameter) => reference(692.0, 1_334.0, at_most(250.0)),
            Self::Exchange(Ask::Json) => reference(778.0, 1_544.0, at_most(450.0)),
            Self::Lookup(100, Kind::Literal, Place::First) => reference(51.0, 92.0, at_most(30.0)),
            Self::Lookup(100, Kind::Literal, Place::Middle) => reference(343.0, 595.0, at_most(30.0)),
            Self::Lookup(100, Kind::Literal, Place::Miss) => reference(1_300.0, 2_400.0, at_most(30.0)),
            Self::Respond(Answer::Empty) => reference(1.0, 3.5, at_most(1.0)),
            Self::Respond(Answer::Status) => reference(5.0, 19.0, at_most(2.0)),
            Self::Respond(Answer::Json) => reference(55.0, 127.0, at_most(55.0)),
            Self::Serialize(Size::Small) => reference(17.0, 30.0, serde_json()),
            Self::Serialize(Size::Large) => reference(14_400.0, 21_600.0, serde_json()),
            _ => Vec::new(),
        }
    }

    /// The case that it makes.
    #[must_use]
    pub fn case(self) -> Case {
        Case {
            id: self.id(),
            test: self.test(),
            title: self.title(),
            connections: None,
            depth: self.depth(),
            counted: true,
            references: self.references(),
            claim: None,
        }
    }
}

fn sought(kind: Kind, place: Place) -> String {
    match (kind, place) {
        (Kind::Literal, Place::Miss) => "no route, like a literal one".to_owned(),
        (Kind::Parameter, Place::Miss) => "no route, like one with a parameter".to_owned(),
        (Kind::Literal, place) => format!("the {} literal one", place.word()),
        (Kind::Parameter, place) => format!("the {} one with a parameter", place.word()),
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Literal => "literal",
            Self::Parameter => "parameter",
        }
    }
}

impl Place {
    fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Middle => "middle",
            Self::Last => "last",
            Self::Miss => "miss",
        }
    }
}

impl Size {
    fn word(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }
}

impl Answer {
    fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Status => "status",
            Self::Json => "json",
            Self::TenFields => "ten-fields",
        }
    }
}

impl Ask {
    fn word(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Parameter => "parameter",
            Self::Json => "json",
            Self::ThreeParameters => "three-parameters",
            Self::Query => "query",
            Self::State => "state",
            Self::Text => "text",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_lead_back_to_their_work() {
        let all = all();
        assert_eq!(all.iter().map(|work| work.id()).collect::<BTreeSet<_>>().len(), all.len());
        for work in all {
            assert_eq!(Work::named(&work.id()), Some(work));
        }
        assert_eq!(Work::named("route-literal-7-first"), None);
    }

    #[test]
    fn a_quick_run_has_every_family_but_the_extractors_and_every_published_figure() {
        let quick: Vec<Case> = all().into_iter().map(Work::case).filter(|case| case.depth == Depth::Quick).collect();
        let families: BTreeSet<&str> = quick.iter().map(|case| case.test.as_str()).collect();
        assert_eq!(families, BTreeSet::from(["cycle", "deserialize", "respond", "route", "serialize"]));
        let published =
            |cases: &mut dyn Iterator<Item = Case>| cases.filter(|case| !case.references.is_empty()).count();
        assert_eq!(published(&mut quick.clone().into_iter()), published(&mut all().into_iter().map(Work::case)));
    }
}
