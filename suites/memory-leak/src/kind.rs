//! What a case of the suite is: cycles of one kind of traffic, servers that are stopped under load, or a soak.
//!
//! Read next: `trial.rs`, `shutdown.rs` and `soak.rs`, which run them.

use probe::suite::{Case, Depth};

use crate::traffic::Traffic;

/// What is done to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Identical cycles of one kind of traffic.
    Cycles(Traffic),
    /// Launches that end under load, with more and more connections.
    Shutdown,
    /// All kinds of traffic in turn, for as long as is asked for.
    Soak,
}

impl Kind {
    /// All there are, in the order of reports.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Traffic::ALL.iter().map(|traffic| Self::Cycles(*traffic)).chain([Self::Shutdown, Self::Soak])
    }

    /// The case that it makes.
    pub(crate) fn case(self) -> Case {
        let (id, test, title) = match self {
            Self::Cycles(traffic) => traffic.words(),
            Self::Shutdown => {
                ("shutdown", "plaintext", "A stop under load: what is not given back of every connection (not request)")
            }
            Self::Soak => ("soak", "soak", "Mixed traffic for as long as is asked for"),
        };
        Case {
            id: id.to_owned(),
            test: test.to_owned(),
            title: title.to_owned(),
            connections: None,
            depth: if self == Self::Soak { Depth::Named } else { Depth::Quick },
            counted: true,
            references: Vec::new(),
            claim: None,
        }
    }
}

/// The cases that the suite lists.
pub(crate) fn cases() -> Vec<Case> {
    Kind::all().map(Kind::case).collect()
}
