//! Request bodies: handed over whole, fed to a handler as it asks, or read and thrown away.

use std::{
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};

use super::{
    Conn, End, call,
    deadline::{Wait, body_allowance},
};
use crate::{
    body::{BodyError, Feed, RequestBody},
    h1::{Refusal, encode, framing::Framing},
    io::Stream,
    limits::Limits,
    service::{Request, RequestHead, Service},
};

/// A request body that is being fed to a handler.
pub(super) struct Incoming {
    pub(super) feed: Rc<Feed>,
    /// How long the client has been waited for, but for the present wait.
    waited: Duration,
    /// When the present wait for the client began, on the worker's clock.
    waits_since: Option<Duration>,
    received_bytes: u64,
}

impl Incoming {
    fn new(feed: Rc<Feed>, received_bytes: u64) -> Self {
        Self { feed, waited: Duration::ZERO, waits_since: None, received_bytes }
    }

    /// Notes that something came. Time in which nobody asked for bytes is not held against the client that has none.
    fn received(&mut self, bytes: u64, now: Duration) {
        self.received_bytes += bytes;
        if let Some(since) = self.waits_since.take() {
            self.waited += now.saturating_sub(since);
        }
    }

    /// Notes that the client is waited for, and says for how long it may be.
    fn wait(&mut self, now: Duration, limits: &Limits) -> Duration {
        let since = *self.waits_since.get_or_insert(now);
        let waited = self.waited + now.saturating_sub(since);
        body_allowance(self.received_bytes, limits).saturating_sub(waited)
    }
}

impl<IO: Stream, S: Service> Conn<IO, S> {
    /// Answers the request at the start of the input, whose head is in the worker's index and which has a body.
    pub(super) fn answer_with_body(&mut self, cx: &mut Context<'_>) -> bool {
        let worker = self.worker.clone();
        let index = worker.index.borrow();
        let head = self.input.split_to(index.len);
        if !self.input.is_empty() {
            // The body is on its way, so nobody waits to be told to send it (RFC 9110 §10.1.1).
            self.protocol.take_continue();
        }
        let piece = match self.decode() {
            Ok(piece) => piece,
            Err(refusal) => {
                drop(index);
                self.protocol.close();
                self.refuse(refusal);
                return true;
            }
        };
        let limit = worker.limits.body_bytes_max;
        let declared = match index.framing {
            Framing::Length(length) => Some(length),
            _ => None,
        };
        let body = if self.protocol.body_is_read() {
            RequestBody::whole(piece, declared.is_some(), limit, self.protocol.body().take_trailers())
        } else {
            let feed = Rc::new(Feed::default());
            let received_bytes = piece.len() as u64;
            if received_bytes > 0 {
                feed.push(piece);
            }
            self.incoming = Some(Box::new(Incoming::new(feed.clone(), received_bytes)));
            RequestBody::fed(feed, declared, limit)
        };
        let request = Request { head: RequestHead::new(&head, &index, &self.info), body };
        let answer = call(&worker, request, cx);
        drop(index);
        self.settle(answer);
        true
    }

    /// Takes what has arrived of the body out of the input.
    fn decode(&mut self) -> Result<Bytes, Refusal> {
        let decoded = self.protocol.body().decode(&mut self.input, &self.worker.limits)?;
        if decoded.consumed == 0 {
            return Ok(Bytes::new());
        }
        let mut piece = self.input.split_to(decoded.consumed);
        piece.truncate(decoded.data.end);
        piece.advance(decoded.data.start);
        Ok(piece.freeze())
    }

    /// Brings the handler the piece that it asks for; pending when it asks for none or none is there.
    pub(super) fn feed_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        loop {
            let Some(incoming) = &mut self.incoming else { return Poll::Pending };
            if !incoming.feed.is_wanted() {
                // The reader may be in another task of this thread; it will wake this one.
                incoming.feed.watch(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            let feed = incoming.feed.clone();
            ready!(self.take_turn(cx));
            match self.decode() {
                Err(refusal) => {
                    self.protocol.close();
                    feed.finish(Err(BodyError::Refused(refusal)), None);
                    return Poll::Ready(Ok(()));
                }
                Ok(piece) if !piece.is_empty() => {
                    feed.push(piece);
                    if self.protocol.body_is_read() {
                        feed.finish(Ok(()), self.protocol.body().take_trailers());
                    }
                    return Poll::Ready(Ok(()));
                }
                Ok(_) if self.protocol.body_is_read() => {
                    feed.finish(Ok(()), self.protocol.body().take_trailers());
                    return Poll::Ready(Ok(()));
                }
                Ok(_) => {}
            }
            if self.protocol.take_continue() && self.sending.is_none() {
                self.output.buffer().extend_from_slice(encode::CONTINUE);
            }
            match self.flush(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(End::Abort)),
                Poll::Pending => return Poll::Pending,
            }
            match self.read_body(cx) {
                Poll::Ready(Ok(0)) => {
                    feed.finish(Err(BodyError::Ended), None);
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(end)) => return Poll::Ready(Err(end)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Reads and throws away what a handler left of its request's body, as far as that is allowed.
    pub(super) fn discard_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        loop {
            let before = self.input.len() as u64;
            if self.decode().is_err() {
                self.protocol.close();
                return Poll::Ready(Ok(()));
            }
            self.discarded_bytes += before - self.input.len() as u64;
            if self.discarded_bytes > self.worker.limits.unread_body_bytes_max {
                self.protocol.close();
                return Poll::Ready(Ok(()));
            }
            if self.protocol.body_is_read() {
                self.discarded_bytes = 0;
                self.wait_not(Wait::Body);
                return Poll::Ready(Ok(()));
            }
            if ready!(self.flush(cx)).is_err() {
                return Poll::Ready(Err(End::Abort));
            }
            ready!(self.take_turn(cx));
            if ready!(self.read_body(cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Reads once, under the body's deadline; 0 is the end of the stream.
    fn read_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, End>> {
        if self.peer_ended {
            self.protocol.close();
            return Poll::Ready(Ok(0));
        }
        match self.fill(cx) {
            Poll::Ready(Ok(read)) => {
                if read == 0 {
                    self.peer_ended = true;
                    self.protocol.close();
                }
                if let Some(incoming) = &mut self.incoming {
                    incoming.received(read as u64, self.worker.timers.now());
                    // Set anew below, with what this read has earned.
                    self.wait = Wait::Nothing;
                }
                Poll::Ready(Ok(read))
            }
            Poll::Ready(Err(_)) => Poll::Ready(Err(End::Abort)),
            Poll::Pending => {
                let (now, limits) = (self.worker.timers.now(), &self.worker.limits);
                let after = match &mut self.incoming {
                    Some(incoming) => incoming.wait(now, limits),
                    None => limits.body_deadline,
                };
                self.wait_for(Wait::Body, after.into());
                Poll::Pending
            }
        }
    }

    /// Parts from the handler's end of the body; a reader that is still there is told that no more comes.
    pub(super) fn end_incoming(&mut self) {
        if let Some(incoming) = self.incoming.take() {
            incoming.feed.watch(None);
            incoming.feed.finish(Err(BodyError::Ended), None);
        }
    }
}
