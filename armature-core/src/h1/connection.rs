//! The protocol state of one connection: what is read next, and how each answer is framed (RFC 9112 §9).
//!
//! Reads no clock, socket or global: bytes go in, decisions come out. `conn` owns one per socket and is its only caller
//! in a running server. Read next: `../conn/mod.rs`.

use http::StatusCode;

use super::{
    chunked::BodyDecoder,
    encode::{BodyHead, Persistence},
    framing::Framing,
    head::{self, HeadIndex},
    refusal::Refusal,
    scan::LineScan,
};
use crate::{
    http::{Method, Version},
    limits::Limits,
};

/// The protocol state of one connection.
///
/// ```
/// use armature_core::{Limits, h1::{connection::{Connection, NextHead}, head::HeadIndex}};
///
/// let (mut connection, mut index, limits) = (Connection::default(), HeadIndex::default(), Limits::default());
/// let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/// // However the network cuts it.
/// assert_eq!(connection.next_head(&bytes[..9], &limits, &mut index), Ok(NextHead::Partial { skip: 0 }));
/// assert_eq!(connection.next_head(bytes, &limits, &mut index), Ok(NextHead::Complete { skip: 0 }));
/// ```
#[derive(Debug, Default)]
pub struct Connection {
    scan: LineScan,
    empty_lines: u8,
    closing: bool,
    exchange: Exchange,
    /// The protocols that the request at hand offers to change to, a list as in Upgrade; empty once it is answered.
    offered: Vec<u8>,
    body: BodyDecoder,
}

/// What must be remembered of a request until its response is framed.
#[derive(Debug, Clone, Copy)]
struct Exchange {
    head_only: bool,
    version: Version,
    keep_alive: bool,
    upgrade: bool,
    awaits_continue: bool,
}

impl Default for Exchange {
    fn default() -> Self {
        Self { head_only: false, version: Version::Http11, keep_alive: true, upgrade: false, awaits_continue: false }
    }
}

/// Whether a refused request was one of HEAD, whose answer has no body, as far as its method had to be read to refuse
/// it: what stands behind the mistake may not have arrived yet, and must not matter.
fn is_head(mut bytes: &[u8], refusal: Refusal) -> bool {
    while let [b'\r', b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    refusal != Refusal::EmptyLines && bytes.starts_with(b"HEAD ")
}

/// What the start of the input holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextHead {
    /// Part of a head, or nothing; so many bytes of empty lines are done with.
    Partial {
        /// Bytes that need not be shown again.
        skip: usize,
    },
    /// A whole head, described by the index.
    Complete {
        /// Bytes before it that need not be shown again.
        skip: usize,
    },
}

/// How long a response's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// So many bytes.
    Known(u64),
    /// Known when it ends.
    Unknown,
}

/// How a response goes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framed {
    /// What the head says about the body.
    pub head: BodyHead,
    /// What the head says about the connection.
    pub persistence: Persistence,
    /// Whether the body is sent at all.
    pub sends_body: bool,
}

impl Connection {
    /// Looks for a request head at the start of `bytes`.
    ///
    /// # Errors
    /// The first rule that the head breaks; the connection is closing from then on.
    #[inline]
    pub fn next_head(&mut self, bytes: &[u8], limits: &Limits, index: &mut HeadIndex) -> Result<NextHead, Refusal> {
        let found = self.find_head(bytes, limits, index);
        if let Err(refusal) = found {
            self.refuse_head(bytes, refusal);
        }
        found
    }

    /// Gives up on the head of which `bytes` are there: what is answered next answers it, and not the request before it;
    /// the connection is closing from then on.
    #[cold]
    pub fn refuse_head(&mut self, bytes: &[u8], refusal: Refusal) {
        self.closing = true;
        self.exchange = Exchange { keep_alive: false, head_only: is_head(bytes, refusal), ..Exchange::default() };
    }

    #[inline]
    fn find_head(&mut self, bytes: &[u8], limits: &Limits, index: &mut HeadIndex) -> Result<NextHead, Refusal> {
        let skip = if matches!(bytes.first(), Some(b'\r' | b'\n')) { self.skip_empty_lines(bytes, limits)? } else { 0 };
        let bytes = &bytes[skip..];
        if matches!(bytes, [] | [b'\r']) {
            return Ok(NextHead::Partial { skip });
        }
        let complete = if self.scan.is_fresh() {
            let complete = head::parse(bytes, limits, index)?;
            if !complete {
                self.scan.find_end(bytes)?;
            }
            complete
        } else {
            self.scan.find_end(bytes)?.is_some() && head::parse(bytes, limits, index)?
        };
        if !complete {
            return self.partial_head(bytes, limits).map(|()| NextHead::Partial { skip });
        }
        self.scan = LineScan::default();
        self.empty_lines = 0;
        self.exchange = Exchange {
            head_only: index.method == Method::Head,
            version: index.version,
            keep_alive: index.keeps_alive(),
            upgrade: index.connection.upgrade,
            awaits_continue: index.expects_continue && index.framing != Framing::None,
        };
        if self.exchange.upgrade {
            self.note_offer(bytes, index);
        }
        if index.framing != Framing::None {
            self.body = BodyDecoder::new(index.framing);
        }
        Ok(NextHead::Complete { skip })
    }

    #[cold]
    fn note_offer(&mut self, bytes: &[u8], index: &HeadIndex) {
        self.offered.clear();
        for field in &index.fields {
            if field.name.of(bytes).eq_ignore_ascii_case(b"upgrade") {
                self.offered.extend_from_slice(field.value.of(bytes));
                self.offered.push(b',');
            }
        }
    }

    #[cold]
    fn skip_empty_lines(&mut self, bytes: &[u8], limits: &Limits) -> Result<usize, Refusal> {
        let mut skip = 0;
        loop {
            match bytes[skip..] {
                [b'\r', b'\n', ..] => {
                    if self.empty_lines >= limits.empty_lines_max {
                        return Err(Refusal::EmptyLines);
                    }
                    self.empty_lines += 1;
                    skip += 2;
                }
                [b'\n', ..] | [b'\r', _, ..] => return Err(Refusal::LineEnd),
                _ => return Ok(skip),
            }
        }
    }

    /// A head that is not complete must not be over its limits already.
    fn partial_head(&self, bytes: &[u8], limits: &Limits) -> Result<(), Refusal> {
        if bytes.len() <= limits.head_bytes_max {
            return Ok(());
        }
        // Without a line end the whole of it is request line, and nearly all of that is target.
        match memchr::memchr(b'\n', bytes) {
            None => Err(Refusal::TargetTooLong),
            Some(line) if head::is_target_too_long(line.saturating_sub(32), limits) => Err(Refusal::TargetTooLong),
            Some(_) => Err(Refusal::HeadTooLarge),
        }
    }

    /// Whether a head has begun to arrive and is not whole.
    #[must_use]
    pub fn is_inside_head(&self) -> bool {
        !self.scan.is_fresh()
    }

    /// Whether no further request may be read.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Ends the connection after what is under way.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// The body of the request at hand.
    pub fn body(&mut self) -> &mut BodyDecoder {
        &mut self.body
    }

    /// Whether the whole body of the request at hand has been read.
    #[must_use]
    pub fn body_is_read(&self) -> bool {
        self.body.is_end()
    }

    /// Whether the client waits for an interim response before it sends its body. Asked when the body is wanted;
    /// answers `true` once.
    pub fn take_continue(&mut self) -> bool {
        std::mem::take(&mut self.exchange.awaits_continue)
    }

    /// Whether the request may be answered with 101 and this Upgrade field: it must offer each protocol in it, by a name
    /// whose case does not matter (RFC 9110 §7.8).
    #[must_use]
    pub fn may_upgrade(&self, protocols: &[u8]) -> bool {
        let exchange = self.exchange;
        let is_offered = |protocol: &[u8]| {
            self.offered.split(|byte| *byte == b',').any(|offer| offer.trim_ascii().eq_ignore_ascii_case(protocol))
        };
        exchange.upgrade
            && exchange.version == Version::Http11
            && self.body.is_end()
            && !self.closing
            && protocols
                .split(|byte| *byte == b',')
                .map(<[u8]>::trim_ascii)
                .all(|one| !one.is_empty() && is_offered(one))
    }

    /// Whether what is left of the request's body is worth reading for the connection's sake.
    fn rest_is_drainable(&self, limits: &Limits) -> bool {
        // A client that still waits for an invitation may send the body or not; only closing is unambiguous.
        if self.exchange.awaits_continue {
            return self.body.is_end();
        }
        self.body.remaining().is_none_or(|left| left <= limits.unread_body_bytes_max)
    }

    /// Decides how a response to the request at hand goes on the wire, and whether the connection goes on after it.
    #[inline]
    pub fn frame(&mut self, status: StatusCode, length: BodyLength, close: bool, limits: &Limits) -> Framed {
        let exchange = self.exchange;
        if let (StatusCode::OK, BodyLength::Known(length), Version::Http11) = (status, length, exchange.version)
            && exchange.keep_alive
            && !exchange.upgrade
            && !close
            && !self.closing
            && self.body.is_end()
        {
            let head = BodyHead::Length(length);
            return Framed { head, persistence: Persistence::Implicit, sends_body: !exchange.head_only };
        }
        self.frame_other(status, length, close, limits)
    }

    fn frame_other(&mut self, status: StatusCode, length: BodyLength, close: bool, limits: &Limits) -> Framed {
        let exchange = self.exchange;
        // What it had room for does not stay with a connection that waits.
        self.offered = Vec::new();
        let code = status.as_u16();
        let bodyless = code < 200 || code == 204 || code == 304;
        let mut keep_alive = exchange.keep_alive && !close && !self.closing;
        if keep_alive && !self.body.is_end() {
            keep_alive = self.rest_is_drainable(limits);
        }
        // 205 has no content, and says so (RFC 9110 §15.3.6).
        let resets = code == 205;
        let head = match length {
            _ if bodyless => BodyHead::Silent,
            _ if resets => BodyHead::Length(0),
            BodyLength::Known(length) => BodyHead::Length(length),
            BodyLength::Unknown if exchange.version == Version::Http11 => BodyHead::Chunked,
            // HTTP/1.0 has no chunks: the body ends with the connection (RFC 9112 §6.3).
            BodyLength::Unknown => {
                keep_alive = keep_alive && exchange.head_only;
                BodyHead::Silent
            }
        };
        self.closing = !keep_alive;
        let persistence = match (keep_alive, exchange.version) {
            (false, _) => Persistence::Close,
            (true, Version::Http10) => Persistence::KeepAlive,
            (true, Version::Http11 | Version::Http2) => Persistence::Implicit,
        };
        Framed { head, persistence, sends_body: !bodyless && !resets && !exchange.head_only }
    }
}
