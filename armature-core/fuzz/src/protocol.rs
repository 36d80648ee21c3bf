//! The protocol of a whole connection as values: the same requests and bodies come out wherever the input is cut.
//!
//! Input: everything that a client sends on a connection. Read next: `connection.rs`, where sockets are in between.

use armature_core::{
    Limits, Method,
    h1::{
        connection::{BodyLength, Connection, NextHead},
        encode::{BodyHead, Persistence},
        framing::Framing,
        head::HeadIndex,
    },
    http::{StatusCode, Version},
};

use crate::{
    cut::{self, Number},
    reference::{self, is_part_of_head},
    request_head::{BOUNDS, limits, matches_reference},
};

/// What happened on the connection, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    /// A head, as it was sent, and how its answer was framed.
    Head(Vec<u8>, BodyHead, Persistence),
    /// All that came of a body, and whether that was the whole of it.
    Body(Vec<u8>, bool),
    /// A head that was refused, and whether the answer has a body.
    Refused(bool),
    /// A body that was refused.
    RefusedBody,
}

/// Reads the connection's input and compares.
pub fn run(bytes: &[u8]) {
    let limits = Limits { chunk_extension_bytes_max: 32, trailer_bytes_max: 128, ..limits() };
    let (whole, left) = read(std::iter::once(bytes), &limits);
    compare(&whole, &left, read(bytes.chunks(1), &limits).0);
    compare(&whole, &left, read(cut::pieces(bytes), &limits).0);
    let heads = whole.iter().filter(|event| matches!(event, Event::Head(..))).count();
    let ends = bytes.windows(4).filter(|window| window == b"\r\n\r\n").count();
    assert!(heads <= ends, "{heads} heads, but {ends} ends of one");
}

fn compare(whole: &[Event], left: &[u8], mut cut: Vec<Event>) {
    // Part of a head may be seen to be wrong before its end is there; in pieces it is judged when it is whole.
    let is_early = matches!(whole.last(), Some(Event::Refused(_))) && cut.len() < whole.len() && is_part_of_head(left);
    if is_early {
        cut.extend(whole.last().cloned());
    }
    assert_eq!(whole, cut);
}

/// One connection under way.
struct Reading<'a> {
    connection: Connection,
    limits: &'a Limits,
    index: HeadIndex,
    held: Vec<u8>,
    events: Vec<Event>,
}

/// What happens when the input arrives in these pieces, and what is left of it in the end.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> (Vec<Event>, Vec<u8>) {
    let mut reading = Reading {
        connection: Connection::default(),
        limits,
        index: HeadIndex::default(),
        held: Vec::new(),
        events: Vec::new(),
    };
    for piece in pieces {
        reading.held.extend_from_slice(piece);
        while reading.step() {}
    }
    (reading.events, reading.held)
}

impl Reading<'_> {
    /// Reads one thing; `false` when there is none as a whole.
    fn step(&mut self) -> bool {
        if !self.connection.body_is_read() {
            return self.body();
        }
        if self.connection.is_closing() {
            return false;
        }
        match self.connection.next_head(&self.held, self.limits, &mut self.index) {
            Ok(NextHead::Partial { skip }) => {
                self.held.drain(..skip);
                false
            }
            Ok(NextHead::Complete { skip }) => {
                self.held.drain(..skip);
                self.head();
                true
            }
            Err(_) => {
                assert!(self.connection.is_closing());
                let status = StatusCode::BAD_REQUEST;
                let framed = self.connection.frame(status, BodyLength::Known(5), false, self.limits);
                assert_eq!((framed.head, framed.persistence), (BodyHead::Length(5), Persistence::Close));
                self.events.push(Event::Refused(framed.sends_body));
                false
            }
        }
    }

    fn head(&mut self) {
        let expected = reference::head(&self.held, BOUNDS).expect("a head that the plain reading refuses");
        matches_reference(&self.held, &self.index, &expected);
        let head: Vec<u8> = self.held.drain(..self.index.len).collect();
        assert_eq!(self.connection.body_is_read(), self.index.framing == Framing::None);
        // An answer before its request's body was read; what it is follows from the head, as it does in a server.
        let mut number = Number::of(&head);
        let status = StatusCode::from_u16([200, 204, 304, 404, 500][number.below(5)]).unwrap();
        let length = if number.below(2) == 0 { BodyLength::Unknown } else { BodyLength::Known(7) };
        let close = number.below(8) == 0;
        let framed = self.connection.frame(status, length, close, self.limits);
        let bodyless = matches!(status.as_u16(), 204 | 304);
        assert!(!framed.sends_body || (self.index.method != Method::Head && !bodyless), "{framed:?}");
        assert!(framed.head != BodyHead::Chunked || self.index.version == Version::Http11, "{framed:?}");
        assert_eq!(framed.persistence == Persistence::Close, self.connection.is_closing());
        assert!(self.connection.is_closing() || (self.index.keeps_alive() && !close));
        assert!(framed.head != BodyHead::Silent || !framed.sends_body || self.connection.is_closing());
        self.events.push(Event::Head(head, framed.head, framed.persistence));
        if self.index.framing != Framing::None {
            self.events.push(Event::Body(Vec::new(), false));
        }
    }

    fn body(&mut self) -> bool {
        let Some(Event::Body(body, is_whole)) = self.events.last_mut() else { return false };
        match self.connection.body().decode(&mut self.held, self.limits) {
            Ok(step) => {
                body.extend_from_slice(&self.held[step.data]);
                self.held.drain(..step.consumed);
                *is_whole = self.connection.body_is_read();
                *is_whole
            }
            Err(_) => {
                // How much of a body was handed on before it turned out to be wrong depends on the cuts.
                body.clear();
                self.connection.close();
                self.events.push(Event::RefusedBody);
                false
            }
        }
    }
}
