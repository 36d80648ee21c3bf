//! Responses: encoded into the output, with their bodies copied, attached or streamed.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;

use super::{Conn, End, deadline::Wait};
use crate::{
    body::{Body, BodySource, FilePart, StreamError},
    h1::{
        connection::{BodyLength, Framed},
        encode::{self, BodyHead, Persistence, ResponseHead},
    },
    http::StatusCode,
    io::Stream,
    respond::Response,
    service::Service,
};

/// A stream is asked for more while less than this waits to be written.
const STREAM_BYTES_AHEAD: usize = 65_536;

/// A response body that is made while it is sent.
pub(super) struct Sending {
    source: Pin<Box<dyn BodySource>>,
    chunked: bool,
    /// Bytes that were declared and not yet sent.
    remaining: Option<u64>,
    /// The line end of a chunk whose data was attached is still to be written.
    owes_chunk_end: bool,
    /// What is left of the file that the body is from, for as long as the kernel sends it.
    file: Option<FilePart>,
}

impl Sending {
    fn new(source: Pin<Box<dyn BodySource>>, head: BodyHead, sends_files: bool) -> Box<Self> {
        let remaining = match head {
            BodyHead::Length(length) => Some(length),
            _ => None,
        };
        let sent = |part: &FilePart| sends_files && part.length() > 0 && remaining == Some(part.length());
        let file = source.file().filter(sent);
        Box::new(Self { source, chunked: head == BodyHead::Chunked, remaining, owes_chunk_end: false, file })
    }
}

/// A stream without a piece.
struct Nothing;

impl BodySource for Nothing {
    fn poll_piece(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        Poll::Ready(None)
    }
}

impl<IO: Stream, S: Service> Conn<IO, S> {
    /// Encodes a response to the request at hand.
    #[inline]
    pub(super) fn respond(&mut self, response: Response) {
        if self.info.is_watched() {
            let interim = self.info.end_interim();
            self.output.buffer().extend_from_slice(&interim);
        }
        if response.status.is_informational() || response.rare.is_some() || matches!(response.body, Body::Stream(_)) {
            return self.respond_otherwise(response);
        }
        let Response { status, close, content_type, fields, body, .. } = response;
        let bytes = body.as_slice();
        let framed = self.encode(status, content_type, &fields, BodyLength::Known(bytes.len() as u64), close, false);
        drop(fields);
        if framed.sends_body {
            if !self.worker.tuning.copies(bytes.len()) {
                return self.output.set_tail(body);
            }
            self.output.buffer().extend_from_slice(bytes);
        }
    }

    /// Encodes the head of a response. In line, because the common answer knows most of what is asked here.
    #[inline(always)]
    fn encode(
        &mut self,
        status: StatusCode,
        content_type: &str,
        fields: &[u8],
        length: BodyLength,
        close: bool,
        upgrades: bool,
    ) -> Framed {
        let worker = &self.worker;
        let framed = self.protocol.frame(status, length, close || worker.is_draining(), &worker.limits);
        self.answered = self.answered.saturating_add(1);
        let persistence = match framed.persistence {
            // With 101 the connection ceases to be one of HTTP, whatever was to become of it (RFC 9110 §7.8).
            _ if status == StatusCode::SWITCHING_PROTOCOLS => Persistence::Upgrade,
            Persistence::Implicit if upgrades => Persistence::Upgrade,
            persistence => persistence,
        };
        let out = self.output.buffer();
        let stamp = worker.stamp.at(worker.timers.unix_s());
        let head =
            ResponseHead { status, content_type, body: framed.head, persistence, fields, stamp: stamp.as_bytes() };
        encode::response_head(out, &head);
        framed
    }

    /// Encodes a response that is streamed, leaves HTTP, or says how long it would be.
    #[inline(never)]
    fn respond_otherwise(&mut self, mut response: Response) {
        if response.status.is_informational() {
            self.settle_upgrade(&mut response);
        }
        let declared_length = response.declared_length();
        let Response { status, close, content_type, fields, body, rare } = response;
        let upgrade = rare.and_then(|rare| rare.upgrade);
        let length = match (&body, declared_length) {
            // A handler of HEAD may say how long the body of GET would be.
            (Body::Stream(_) | Body::Empty, Some(declared)) => BodyLength::Known(declared),
            (body, _) => body.length().map_or(BodyLength::Unknown, BodyLength::Known),
        };
        let framed = self.encode(status, content_type, &fields, length, close, upgrade.is_some());
        let sends_files = self.worker.tuning.sends_files;
        match body {
            _ if !framed.sends_body => {}
            Body::Stream(source) => self.sending = Some(Sending::new(source, framed.head, sends_files)),
            // What was declared and is not there cuts the connection, as for a stream that ends too early.
            Body::Empty if length != BodyLength::Known(0) => {
                self.sending = Some(Sending::new(Box::pin(Nothing), framed.head, sends_files));
            }
            body => self.output.set_tail(body),
        }
        if status == StatusCode::SWITCHING_PROTOCOLS {
            self.upgrade = upgrade.map(|switch| switch.run);
        }
    }

    /// A handler's 101 stands if the client asked for its protocol; any other interim status is no answer.
    #[cold]
    fn settle_upgrade(&mut self, response: &mut Response) {
        match response.rare.as_ref().and_then(|rare| rare.upgrade.as_ref()) {
            None => response.status = StatusCode::INTERNAL_SERVER_ERROR,
            Some(switch) if self.protocol.may_upgrade(switch.protocol.as_bytes()) => {}
            Some(_) => response.status = StatusCode::UPGRADE_REQUIRED,
        }
    }

    /// Sends the next pieces of a streamed body; ready when it is done.
    pub(super) fn send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        loop {
            if self.output.has_tail() || self.output.len() >= STREAM_BYTES_AHEAD {
                match self.flush(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(End::Abort)),
                    Poll::Pending => return Poll::Pending,
                }
                ready!(self.take_turn(cx));
            }
            if let Err(end) = ready!(self.send_file(cx)) {
                return Poll::Ready(Err(end));
            }
            let Some(sending) = &mut self.sending else { return Poll::Ready(Ok(())) };
            if std::mem::take(&mut sending.owes_chunk_end) {
                self.output.buffer().extend_from_slice(encode::CHUNK_END);
            }
            let polled = catch_unwind(AssertUnwindSafe(|| sending.source.as_mut().poll_piece(cx)));
            match polled {
                Ok(Poll::Ready(Some(Ok(piece)))) if piece.is_empty() => {}
                Ok(Poll::Ready(Some(Ok(piece)))) => {
                    if let Some(remaining) = &mut sending.remaining {
                        // Never more bytes than were declared.
                        match remaining.checked_sub(piece.len() as u64) {
                            Some(left) => *remaining = left,
                            None => return self.cut(cx),
                        }
                    }
                    let chunked = sending.chunked;
                    let attached = !self.worker.tuning.copies(piece.len());
                    sending.owes_chunk_end = chunked && attached;
                    let out = self.output.buffer();
                    if chunked {
                        encode::chunk_head(out, piece.len());
                    }
                    if attached {
                        self.output.set_tail(Body::Bytes(piece));
                    } else {
                        out.extend_from_slice(&piece);
                        if chunked {
                            out.extend_from_slice(encode::CHUNK_END);
                        }
                    }
                }
                Ok(Poll::Ready(None)) => {
                    if sending.remaining.is_some_and(|left| left > 0) {
                        return self.cut(cx);
                    }
                    if sending.chunked {
                        match sending.source.as_mut().trailers() {
                            Some(trailers) => encode::last_chunk_with(self.output.buffer(), &trailers),
                            None => self.output.buffer().extend_from_slice(encode::LAST_CHUNK),
                        }
                    }
                    self.sending = None;
                    return Poll::Ready(Ok(()));
                }
                Ok(Poll::Ready(Some(Err(_)))) => return self.cut(cx),
                Ok(Poll::Pending) => {
                    // It may be made of the request's body.
                    match self.feed_body(cx) {
                        Poll::Ready(Ok(())) => continue,
                        Poll::Ready(Err(end)) => return Poll::Ready(Err(end)),
                        Poll::Pending => {}
                    }
                    if let Err(end) = self.look_ahead(cx) {
                        return Poll::Ready(Err(end));
                    }
                    return match self.flush(cx) {
                        Poll::Ready(Err(_)) => Poll::Ready(Err(End::Abort)),
                        _ => Poll::Pending,
                    };
                }
                Err(_) => {
                    self.worker.counters.panics.add(1);
                    return self.cut(cx);
                }
            }
        }
    }

    /// Has the kernel send a body that is a file; ready when it has, or when the body has to be sent in pieces after all.
    fn send_file(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        while self.sending.as_ref().is_some_and(|sending| sending.file.is_some()) {
            if ready!(self.flush_ahead(cx)).is_err() {
                return Poll::Ready(Err(End::Abort));
            }
            ready!(self.take_turn(cx));
            let Self { sending: Some(sending), stream: Some(stream), .. } = self else { break };
            let Some(part) = &mut sending.file else { break };
            match stream.poll_send_file(part, cx) {
                // The file has shrunk.
                Poll::Ready(Ok(0)) => return self.cut(cx),
                Poll::Ready(Ok(sent)) => {
                    part.bytes.start += sent as u64;
                    if part.length() == 0 {
                        self.sending = None;
                    }
                    self.wait_not(Wait::Write);
                }
                // The back end or the file's system cannot, which shows before anything is sent.
                Poll::Ready(Err(error))
                    if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
                        && sending.remaining == Some(part.length()) =>
                {
                    sending.file = None;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Err(End::Abort)),
                Poll::Pending => {
                    self.wait_for(Wait::Write, self.worker.patience.write);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ends a response that cannot be finished. Where its end is framed, what is there is still written and the connection
    /// closed in order: the client sees that something is missing, and no reset takes what it has. Where the end of the
    /// connection would be that of the body, as for HTTP/1.0, it is cut.
    fn cut(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let is_framed = self.sending.take().is_some_and(|sending| sending.chunked || sending.remaining.is_some());
        if is_framed {
            return Poll::Ready(Err(End::Close));
        }
        let _ = self.flush(cx);
        Poll::Ready(Err(End::Abort))
    }
}
