//! What an experiment over a socket is: a claim, its two sides in words, and the loads that both are put under.
//!
//! What the sides are started with is `lab.toml`'s, under the experiment's name; which there are is `catalogue.rs`'s.

use harness::{count::Count, trial::Scenario};
use probe::{
    load::{Body, Expect, Pick, Request},
    suite::{Case, Claim, Depth},
};

/// An optimisation, what it is held against, and under which loads.
pub(crate) struct Experiment {
    /// Unique; the family of its cases, and the name of its two targets before `@base` and `@head`.
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
    /// What is counted of each load.
    pub(crate) counts: &'static [Count],
    /// At least two, so that it shows where it pays and where not.
    pub(crate) inputs: &'static [Input],
}

/// A load that both sides are put under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input {
    /// Unique within its experiment.
    pub(crate) id: &'static str,
    /// What it is, for people.
    pub(crate) about: &'static str,
    /// What is asked for.
    pub(crate) ask: Ask,
    /// Connections.
    pub(crate) connections: u32,
    /// Requests at once on each.
    pub(crate) pipeline: u32,
    /// Answers after which a connection is closed and made anew.
    pub(crate) reconnect_every: Option<u32>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// `GET /plaintext`.
    Plaintext,
    /// `GET /download/N` of so many bytes, from memory.
    Download(usize),
    /// `GET /files/N-kib`, from a file of so many KiB.
    File(usize),
    /// `POST /echo` of so many bytes.
    Echo(usize),
    /// `GET /db`: one row.
    Row,
    /// `GET /queries?queries=N`: so many rows, each by a statement of its own.
    Rows(u32),
}

/// A load of one request at a time.
pub(crate) const fn input(id: &'static str, about: &'static str, ask: Ask, connections: u32) -> Input {
    Input { id, about, ask, connections, pipeline: 1, reconnect_every: None }
}

impl Input {
    /// The same with so many requests at once on a connection.
    pub(crate) const fn deep(self, pipeline: u32) -> Self {
        Self { pipeline, ..self }
    }

    /// The same on connections that live for so many answers.
    pub(crate) const fn reconnecting(self, every: u32) -> Self {
        Self { reconnect_every: Some(every), ..self }
    }
}

impl Experiment {
    /// Its scenarios: one for each input. The first and the last are enough for a first look.
    pub(crate) fn scenarios(&self) -> impl Iterator<Item = Scenario> {
        let last = self.inputs.len() - 1;
        self.inputs.iter().enumerate().map(move |(at, input)| Scenario {
            case: Case {
                id: format!("{}-{}", self.name, input.id),
                test: self.name.to_owned(),
                title: format!("{}: {}", self.name, input.about),
                connections: Some(input.connections),
                depth: if at == 0 || at == last { Depth::Quick } else { Depth::Default },
                counted: !self.counts.is_empty(),
                references: Vec::new(),
                claim: Some(self.claim(input)),
            },
            pipeline: input.pipeline,
            requests: vec![input.ask.request()],
            pick: Pick::Cycle,
            reconnect_every: input.reconnect_every,
            database: input.ask.needs_database(),
            queries: None,
            pool: None,
            counts: self.counts.to_vec(),
        })
    }

    fn claim(&self, input: &Input) -> Claim {
        Claim {
            group: self.group.to_owned(),
            claim: self.claim.to_owned(),
            source: self.source.to_owned(),
            baseline: self.baseline.to_owned(),
            candidate: self.candidate.to_owned(),
            input: input.about.to_owned(),
        }
    }
}

impl Ask {
    /// The request, and what its answer must be.
    pub(crate) fn request(self) -> Request {
        let world = || vec!["id".to_owned(), "randomNumber".to_owned()];
        let (path, body) = match self {
            Self::Plaintext => ("/plaintext".to_owned(), Body::Exact { text: "Hello, World!".to_owned() }),
            Self::Download(bytes) => (format!("/download/{bytes}"), Body::Length { bytes: bytes as u64 }),
            Self::File(kib) => (format!("/files/{kib}-kib"), Body::Length { bytes: (kib * 1024) as u64 }),
            Self::Echo(bytes) => ("/echo".to_owned(), Body::Exact { text: text(bytes) }),
            Self::Row => ("/db".to_owned(), Body::JsonObject { integers: world() }),
            Self::Rows(count) => (format!("/queries?queries={count}"), Body::JsonArray { count, integers: world() }),
        };
        let sent = if let Self::Echo(bytes) = self { Some(text(bytes)) } else { None };
        let headers = sent.iter().map(|_| ("content-type".to_owned(), "application/octet-stream".to_owned())).collect();
        let method = if sent.is_some() { "POST" } else { "GET" };
        Request { method: method.to_owned(), path, headers, body: sent, expect: Expect { status: 200, body } }
    }

    fn needs_database(self) -> bool {
        matches!(self, Self::Row | Self::Rows(_))
    }
}

/// A body to be echoed: every line is another, so that a piece in the wrong place shows.
fn text(bytes: usize) -> String {
    let lines = (0..).flat_map(|line| format!("line {line}, ").into_bytes());
    lines.take(bytes).map(char::from).collect()
}
