//! Requests and the answers that must come: what is sent through a whole application, without a socket.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    document,
    operation::INPUTS,
    route::{self, Kind, Place},
};

/// What a request asks of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ask {
    /// `GET /health`, answered with a fixed text.
    Health,
    /// `GET /users/{id}`, answered with the id.
    Parameter,
    /// `POST /notes` with JSON, answered with the same as JSON.
    Json,
    /// `GET /shops/{shop}/orders/{order}/items/{item}`: three numbers, answered with their sum.
    ThreeParameters,
    /// `GET /search?term=…&page=…&size=…`, answered with the term.
    Query,
    /// `GET /state`, answered with a text that all handlers share.
    State,
    /// `POST /text`, answered with the same text.
    Text,
}

/// A request, and what must come back.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The target, as in the request line.
    pub target: String,
    /// The body; a request with one is a POST, without one a GET.
    pub body: Option<Bytes>,
    /// Header fields besides Host, User-Agent and Accept, which all requests have.
    pub content_type: Option<&'static str>,
    /// All of it as bytes, with all fields.
    pub bytes: Vec<u8>,
    /// The answer's status.
    pub status: u16,
    /// The answer's body; not looked at where there is none.
    pub answer: Option<Vec<u8>>,
    /// How many fields of [`LAYER`] the answer has.
    pub layers: usize,
}

/// Fields of every request, as a command-line client sends them.
pub const FIELDS: [(&str, &str); 3] = [("host", "shop.example:8080"), ("user-agent", "curl/8.14.1"), ("accept", "*/*")];

/// The field that each middleware adds to an answer.
pub const LAYER: (&str, &str) = ("x-layer", "passed");

/// What [`Ask::Health`] is answered with.
pub const HEALTH: &str = "ok";

/// What [`Ask::State`] is answered with.
pub const SHARED: &str = "shared by all handlers";

/// The query of [`Ask::Query`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// What is searched for.
    pub term: String,
    /// Which page of it.
    pub page: u32,
    /// How many on a page.
    pub size: u32,
}

impl Exchange {
    fn get(target: String, status: u16, answer: Option<Vec<u8>>) -> Self {
        let bytes = head("GET", &target, &[]);
        Self { target, body: None, content_type: None, bytes, status, answer, layers: 0 }
    }

    fn post(target: &str, content_type: &'static str, body: Vec<u8>) -> Self {
        let length = body.len().to_string();
        let head = head("POST", target, &[("content-type", content_type), ("content-length", &length)]);
        Self {
            target: target.to_owned(),
            content_type: Some(content_type),
            bytes: [head.as_slice(), &body].concat(),
            status: 200,
            answer: Some(body.clone()),
            layers: 0,
            body: Some(body.into()),
        }
    }

    /// Whether an answer is the right one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, status: u16, body: &[u8], layers: usize) -> Result<(), String> {
        match &self.answer {
            _ if status != self.status => Err(format!("{}: status {status} instead of {}", self.target, self.status)),
            _ if layers != self.layers => {
                Err(format!("{}: {layers} middlewares instead of {}", self.target, self.layers))
            }
            Some(answer) if answer != body => Err(format!(
                "{}: {:?} instead of {:?}",
                self.target,
                String::from_utf8_lossy(body),
                String::from_utf8_lossy(answer)
            )),
            _ => Ok(()),
        }
    }
}

fn head(method: &str, target: &str, further: &[(&str, &str)]) -> Vec<u8> {
    let fields: String = FIELDS.iter().chain(further).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} {target} HTTP/1.1\r\n{fields}\r\n").into_bytes()
}

/// Requests of one kind, at scale 1 [`INPUTS`].
#[must_use]
pub fn exchanges(ask: Ask, scale: usize) -> Vec<Exchange> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let notes = document::notes(scale);
    (0..INPUTS * scale)
        .map(|at| match ask {
            Ask::Health => Exchange::get("/health".to_owned(), 200, text(HEALTH)),
            Ask::Parameter => {
                let id = (100_003 + at * 7919).to_string();
                Exchange::get(format!("/users/{id}"), 200, text(&id))
            }
            Ask::Json => {
                let body = serde_json::to_vec(&notes[at]).expect("a note is JSON");
                Exchange::post("/notes", "application/json", body)
            }
            Ask::ThreeParameters => {
                let [shop, order, item] = [7 + at as u32, 100_003 + 31 * at as u32, 1 + at as u32 % 9];
                let sum = (shop + order + item).to_string();
                Exchange::get(format!("/shops/{shop}/orders/{order}/items/{item}"), 200, text(&sum))
            }
            Ask::Query => {
                let term = format!("rust-{at}");
                Exchange::get(format!("/search?term={term}&page={}&size=20", at % 7 + 1), 200, text(&term))
            }
            Ask::State => Exchange::get("/state".to_owned(), 200, text(SHARED)),
            Ask::Text => Exchange::post("/text", "text/plain", format!("The quick brown fox, take {at}").into_bytes()),
        })
        .collect()
}

/// Requests that go through so many middlewares.
#[must_use]
pub fn layered(layers: usize, scale: usize) -> Vec<Exchange> {
    exchanges(Ask::Health, scale).into_iter().map(|exchange| Exchange { layers, ..exchange }).collect()
}

/// Requests for routes of a table; every route answers with its own pattern.
#[must_use]
pub fn dispatches(routes: usize, kind: Kind, place: Place, scale: usize) -> Vec<Exchange> {
    route::lookups(routes, kind, place, scale)
        .into_iter()
        .map(|lookup| match lookup.found {
            Some(number) => Exchange::get(lookup.path, 200, Some(route::pattern(number).into_bytes())),
            None => Exchange::get(lookup.path, 404, None),
        })
        .collect()
}
