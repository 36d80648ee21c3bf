//! What can be measured: each kind of work by its id, with the family it belongs to and the runs that include it.
//!
//! Read next: `structure.rs`, `target/mod.rs`.

use probe::suite::{Case, Depth};

/// Something whose destructors are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A structure of the standard library is dropped.
    Std(Structure),
    /// A framework's own value is dropped.
    Own(Own),
    /// A request is answered over a socket, with a value in this place.
    Exchange(Place),
    /// A server with so many idle connections stops.
    Drain(usize),
}

/// A structure of the standard library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structure {
    /// A vector of so many elements.
    Vector(usize),
    /// A tree: each node has ten children, down to the third generation.
    Nested,
    /// A hash map of so many elements.
    HashMap(usize),
    /// An ordered map of so many elements.
    TreeMap(usize),
}

/// A value of the framework's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// A request with three fields and a body, as a handler's extractors see it.
    Request,
    /// A response with ten fields and a body.
    Response,
    /// A body that is made while it is sent.
    Body,
    /// A router of so many routes.
    Router(usize),
}

/// Where a value is while a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// With the handler: in a variable of its own.
    Handler,
    /// Among the request's extensions.
    Extension,
    /// In the source of the response's body.
    Body,
    /// With the connection.
    Connection,
}

/// Nodes of [`Structure::Nested`].
pub const NODES: usize = 1 + 10 + 100 + 1_000;

/// All work, in the order of reports.
#[must_use]
pub fn all() -> Vec<Work> {
    let structures = [
        Structure::Vector(100),
        Structure::Vector(100_000),
        Structure::Nested,
        Structure::HashMap(1_000),
        Structure::TreeMap(1_000),
    ];
    let mut all: Vec<Work> = structures.map(Work::Std).into();
    all.extend([Own::Request, Own::Response, Own::Body, Own::Router(1_000)].map(Work::Own));
    all.extend([Place::Handler, Place::Extension, Place::Body, Place::Connection].map(Work::Exchange));
    all.push(Work::Drain(1_000));
    all
}

impl Work {
    /// The work of that id.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        all().into_iter().find(|work| work.id() == id)
    }

    /// Its id, unique within the suite.
    #[must_use]
    pub fn id(self) -> String {
        match self {
            Self::Std(Structure::Vector(length)) => format!("std-vector-{length}"),
            Self::Std(Structure::Nested) => format!("std-nested-{NODES}"),
            Self::Std(Structure::HashMap(length)) => format!("std-hash-map-{length}"),
            Self::Std(Structure::TreeMap(length)) => format!("std-tree-map-{length}"),
            Self::Own(Own::Request) => "own-request".to_owned(),
            Self::Own(Own::Response) => "own-response".to_owned(),
            Self::Own(Own::Body) => "own-body".to_owned(),
            Self::Own(Own::Router(routes)) => format!("own-router-{routes}"),
            Self::Exchange(Place::Handler) => "exchange-handler".to_owned(),
            Self::Exchange(Place::Extension) => "exchange-extension".to_owned(),
            Self::Exchange(Place::Body) => "exchange-body".to_owned(),
            Self::Exchange(Place::Connection) => "exchange-connection".to_owned(),
            Self::Drain(connections) => format!("drain-{connections}"),
        }
    }

    /// What it is, for people.
    fn title(self) -> String {
        match self {
            Self::Std(Structure::Vector(length)) => format!("Drop of a vector of {length} elements"),
            Self::Std(Structure::Nested) => format!("Drop of a tree of {NODES} nodes"),
            Self::Std(Structure::HashMap(length)) => format!("Drop of a hash map of {length} elements"),
            Self::Std(Structure::TreeMap(length)) => format!("Drop of an ordered map of {length} elements"),
            Self::Own(Own::Request) => "Drop of a request with three fields and a body".to_owned(),
            Self::Own(Own::Response) => "Drop of a response with ten fields and a body".to_owned(),
            Self::Own(Own::Body) => "Drop of a streamed body".to_owned(),
            Self::Own(Own::Router(routes)) => format!("Drop of a router of {routes} routes"),
            Self::Exchange(Place::Handler) => "When what a handler holds is dropped".to_owned(),
            Self::Exchange(Place::Extension) => "When a request's extension is dropped".to_owned(),
            Self::Exchange(Place::Body) => "When the source of a body is dropped".to_owned(),
            Self::Exchange(Place::Connection) => "When what a connection has is dropped".to_owned(),
            Self::Drain(connections) => format!("Whole server at drain, {connections} idle connections"),
        }
    }

    /// The shortest kind of run that includes it. A drain waits for deadlines of the frameworks, so a first look leaves it.
    fn depth(self) -> Depth {
        match self {
            Self::Std(Structure::Vector(_)) | Self::Own(_) | Self::Exchange(_) => Depth::Quick,
            Self::Std(_) | Self::Drain(_) => Depth::Default,
        }
    }

    /// Its case.
    #[must_use]
    pub fn case(self) -> Case {
        let id = self.id();
        Case {
            test: id.split('-').next().unwrap_or_default().to_owned(),
            id,
            title: self.title(),
            connections: match self {
                Self::Drain(connections) => u32::try_from(connections).ok(),
                Self::Exchange(_) => Some(1),
                Self::Std(_) | Self::Own(_) => None,
            },
            depth: self.depth(),
            counted: false,
            references: Vec::new(),
            claim: None,
        }
    }
}
