//! One connection: moves bytes between its socket, the protocol and the service, one request after the other.
//!
//! The only caller of `h1` and of `io` in a running server, and generic over both stream and service. Every request in
//! the buffer is answered before anything is written, so that a batch of pipelined requests costs one write; and nothing
//! waits unwritten while the connection waits for something else. Leaves request bodies to `incoming.rs`, responses
//! to `outgoing.rs`, reads and writes to `transfer.rs`, and which deadline applies to `deadline.rs`.

mod deadline;
mod incoming;
mod outgoing;
mod transfer;

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;

use crate::{
    body::{Body, RequestBody},
    buffer::{self, Output},
    h1::{self, Refusal, connection::NextHead, framing::Framing},
    http::StatusCode,
    io::{Stream, TaskKey},
    respond::{MediaType, Response},
    service::{ConnectionInfo, Request, RequestHead, Service, Slot},
    upgrade::{Run, Upgraded},
    worker::{Opened, Worker},
};
pub(crate) use deadline::Patience;
use deadline::Wait;
use incoming::Incoming;
use outgoing::Sending;

/// Bytes that are read ahead behind a request whose handler waits: more are left to the kernel's buffer, so that who pipelines
/// without end fills no memory here.
const AHEAD_BYTES_MAX: usize = 4_096;

/// One connection, as the task that serves it.
pub(crate) struct Conn<IO: Stream, S: Service> {
    /// Gone when the connection has left HTTP.
    stream: Option<IO>,
    info: Rc<ConnectionInfo>,
    worker: Opened<S>,
    task: TaskKey,
    wait: Wait,
    phase: Phase,
    /// The peer has shut its write side.
    peer_ended: bool,
    /// The last read brought less than there was room for, so another can wait for the socket.
    is_drained: bool,
    /// Answers so far, as far as it can be counted.
    answered: u32,
    /// Reads so far, as far as it can be counted.
    reads: u8,
    /// Steps that this poll may still take before other connections get their turn.
    turns: u32,
    /// At so many turns left the answers that wait are written, for they are as many as may wait for one another.
    write_at: u32,
    /// Bytes of the present request's body that were read and thrown away.
    discarded_bytes: u64,
    protocol: h1::Connection,
    input: BytesMut,
    /// Bytes at the start of the input that are answered already.
    answered_bytes: usize,
    output: Output,
    /// The handler that is running.
    running: Option<Slot>,
    /// It has just been called, and waits.
    is_polled: bool,
    /// The request body that is being fed to a handler.
    incoming: Option<Box<Incoming>>,
    /// The response body that is being sent.
    sending: Option<Box<Sending>>,
    /// What is to run when the answer that ends HTTP on this connection has been written.
    upgrade: Option<Run>,
    /// What runs on the connection since it has left HTTP.
    upgraded: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Requests are read and answered.
    Serving,
    /// No more requests; what is left is written.
    Flushing,
    /// HTTP is over; something else has the socket.
    Upgraded,
    /// The write side is shut; so many bytes are still read, so that no reset overtakes the last answer.
    Lingering(usize),
}

/// How serving ended.
enum End {
    /// In order: write what is left, then close.
    Close,
    /// Nothing more can or may be written.
    Abort,
    /// The connection leaves HTTP.
    Upgrade,
}

impl<IO: Stream, S: Service> Conn<IO, S> {
    pub(crate) fn new(stream: IO, info: ConnectionInfo, worker: Opened<S>, task: TaskKey) -> Self {
        worker.timers.insert(task);
        Self {
            stream: Some(stream),
            info: Rc::new(info),
            task,
            worker,
            wait: Wait::Nothing,
            phase: Phase::Serving,
            peer_ended: false,
            is_drained: false,
            answered: 0,
            reads: 0,
            turns: 0,
            write_at: 0,
            discarded_bytes: 0,
            protocol: h1::Connection::default(),
            input: BytesMut::new(),
            answered_bytes: 0,
            output: Output::default(),
            running: None,
            is_polled: false,
            incoming: None,
            sending: None,
            upgrade: None,
            upgraded: None,
        }
    }

    /// The same connection, of which these bytes have been read already.
    #[cfg(feature = "http2")]
    pub(crate) fn with_input(mut self, input: BytesMut) -> Self {
        self.input = input;
        self
    }

    /// Serves until the connection is to end.
    fn serve(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.turns = self.worker.limits.requests_per_poll_max;
        self.begin_batch();
        loop {
            if self.sending.is_some() {
                match ready!(self.send(cx)) {
                    Ok(()) => {
                        self.end_incoming();
                        continue;
                    }
                    Err(end) => return Poll::Ready(end),
                }
            }
            if self.running.is_some() {
                match ready!(self.poll_handler(cx)) {
                    Ok(()) => continue,
                    Err(end) => return Poll::Ready(end),
                }
            }
            if self.upgrade.is_some() {
                return self.flush(cx).map(|flushed| if flushed.is_ok() { End::Upgrade } else { End::Abort });
            }
            if self.protocol.is_closing() {
                return Poll::Ready(End::Close);
            }
            if self.output.len() >= self.worker.limits.output_bytes_per_poll_max {
                self.turns = 0;
            }
            if self.turns <= self.write_at || self.output.has_tail() {
                if ready!(self.flush(cx)).is_err() {
                    return Poll::Ready(End::Abort);
                }
                self.begin_batch();
                if self.turns == 0 {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            if !self.protocol.body_is_read() {
                match ready!(self.discard_body(cx)) {
                    Ok(()) => continue,
                    Err(end) => return Poll::Ready(end),
                }
            }
            if self.answered_bytes < self.input.len() && self.answer_next(cx) {
                self.turns -= 1;
                continue;
            }
            if self.protocol.is_closing() {
                return Poll::Ready(End::Close);
            }
            match ready!(self.more_input(cx)) {
                Ok(()) => {}
                Err(end) => return Poll::Ready(end),
            }
        }
    }

    /// Lets as many answers as may wait for one another wait from now on.
    #[inline]
    fn begin_batch(&mut self) {
        self.write_at = self.turns.saturating_sub(self.worker.tuning.answers_per_write_max);
    }

    /// Answers the request at the start of the input, or hands it to a handler; `false` if none is there as a whole.
    fn answer_next(&mut self, cx: &mut Context<'_>) -> bool {
        let Self { worker, protocol, input, answered_bytes, info, .. } = self;
        let mut index = worker.index.borrow_mut();
        let unanswered = &input[*answered_bytes..];
        match protocol.next_head(unanswered, &worker.limits, &mut index) {
            Ok(NextHead::Complete { skip }) => {
                self.wait = Wait::Nothing;
                worker.counters.requests.add(1);
                if index.framing != Framing::None {
                    drop(index);
                    *answered_bytes += skip;
                    self.forget_answered();
                    return self.answer_with_body(cx);
                }
                let len = index.len;
                let request = Request {
                    head: RequestHead::new(&unanswered[skip..skip + len], &index, info),
                    body: RequestBody::empty(),
                };
                let answer = call(worker, request, cx);
                *answered_bytes += skip + len;
                drop(index);
                self.settle(answer);
                true
            }
            Ok(NextHead::Partial { skip }) => {
                *answered_bytes += skip;
                false
            }
            Err(refusal) => {
                drop(index);
                self.refuse(refusal);
                true
            }
        }
    }

    /// Takes what a handler answered at once, or keeps it running in a slot of this connection's own.
    #[inline]
    fn settle(&mut self, answer: Poll<Response>) {
        match answer {
            Poll::Ready(response) => self.part(response),
            Poll::Pending => {
                self.running = Some(self.worker.slot.take());
                self.is_polled = true;
            }
        }
    }

    /// Takes leave of a handler: its response is sent, and its request's body is fed on only where the response may be made of
    /// it.
    #[inline]
    fn part(&mut self, response: Response) {
        if !matches!(response.body(), Body::Stream(_)) {
            self.end_incoming();
        }
        self.respond(response);
        if self.sending.is_none() {
            self.end_incoming();
        }
    }

    /// Polls the running handler, and brings it the body that it asks for.
    fn poll_handler(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        loop {
            if let Some(incoming) = &self.incoming {
                incoming.feed.watch(None);
            }
            let Some(slot) = &mut self.running else { return Poll::Ready(Ok(())) };
            let polled = if std::mem::take(&mut self.is_polled) {
                Poll::Pending
            } else {
                catch_unwind(AssertUnwindSafe(|| slot.poll(cx)))
                    .unwrap_or_else(|_| Poll::Ready(panicked(&self.worker, slot)))
            };
            match polled {
                Poll::Ready(response) => {
                    self.running = None;
                    self.part(response);
                    return Poll::Ready(Ok(()));
                }
                Poll::Pending => {
                    match self.feed_body(cx) {
                        Poll::Ready(Ok(())) => continue,
                        Poll::Ready(Err(end)) => return Poll::Ready(Err(end)),
                        Poll::Pending => {}
                    }
                    self.write_interim(cx);
                    if let Err(end) = self.look_ahead(cx) {
                        return Poll::Ready(Err(end));
                    }
                    // Whether or not this can be written now, a wake-up is arranged for: the handler's or the socket's.
                    return match self.flush(cx) {
                        Poll::Ready(Err(_)) => Poll::Ready(Err(End::Abort)),
                        _ => Poll::Pending,
                    };
                }
            }
        }
    }

    /// While a handler waits, reads what comes behind its request, a buffer's worth at most, to notice a client that goes.
    ///
    /// One that only shuts its side is still answered (RFC 9112 §9.6), and its handler told; one that resets the connection
    /// ends it.
    fn look_ahead(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        while !self.peer_ended && self.protocol.body_is_read() && self.input.len() < AHEAD_BYTES_MAX {
            match self.fill(cx) {
                Poll::Ready(Ok(0)) => {
                    self.peer_ended = true;
                    self.info.set_gone();
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Err(End::Abort),
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// Takes over what the handler wants to be sent before its response.
    #[inline]
    fn write_interim(&mut self, cx: &mut Context<'_>) {
        if self.info.is_watched() {
            self.info.set_task(cx.waker());
            let interim = self.info.take_interim();
            if !interim.is_empty() {
                self.output.buffer().extend_from_slice(&interim);
            }
        }
    }

    /// Writes what waits, then reads more.
    fn more_input(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        if ready!(self.flush(cx)).is_err() {
            return Poll::Ready(Err(End::Abort));
        }
        if self.peer_ended {
            return Poll::Ready(Err(End::Close));
        }
        match self.fill(cx) {
            Poll::Ready(Ok(0)) => {
                self.peer_ended = true;
                Poll::Ready(Err(End::Close))
            }
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
            Poll::Ready(Err(_)) => Poll::Ready(Err(End::Abort)),
            // An idle connection has nothing under way that a reset could eat; a stopping one may have had an answer just now.
            Poll::Pending if self.is_over() => {
                Poll::Ready(Err(if self.worker.is_draining() { End::Close } else { End::Abort }))
            }
            Poll::Pending => {
                self.wait_for_head();
                Poll::Pending
            }
        }
    }

    /// Answers a peer's mistake; the connection ends after it.
    #[cold]
    fn refuse(&mut self, refusal: Refusal) {
        self.worker.counters.refused.add(1);
        self.protocol.close();
        self.respond(Response::new(MediaType::TEXT, refusal.reason()).with_status(refusal.status()));
    }

    /// Hands the socket, and what was read from it behind the request, to what the handler wants to run on it.
    #[cold]
    fn leave_http(&mut self) {
        self.wait = Wait::Nothing;
        self.phase = Phase::Upgraded;
        if let (Some(run), Some(stream)) = (self.upgrade.take(), self.stream.take()) {
            self.forget_answered();
            let unread = std::mem::take(&mut self.input).freeze();
            self.upgraded = Some(run(Upgraded::new(unread, stream.into_duplex())));
        }
    }

    /// Ends the connection in stages (RFC 9112 §9.6): write, shut the write side, read what is under way, close.
    fn close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.phase == Phase::Flushing {
            if ready!(self.flush(cx)).is_err() {
                return Poll::Ready(());
            }
            if self.peer_ended {
                // Nothing can arrive any more that a reset would be the answer to, so closing is enough.
                return Poll::Ready(());
            }
            let Ok(stream) = Self::socket(&mut self.stream) else { return Poll::Ready(()) };
            if ready!(stream.poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            self.phase = Phase::Lingering(self.worker.limits.linger_bytes_max);
        }
        while let Phase::Lingering(left) = self.phase {
            self.answered_bytes = self.input.len();
            match self.fill(cx) {
                Poll::Ready(Ok(read)) if read > 0 && read < left => self.phase = Phase::Lingering(left - read),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    self.wait_for(Wait::Linger, self.worker.patience.linger);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(())
    }
}

impl<IO: Stream + Unpin, S: Service> Future for Conn<IO, S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.worker.timers.take_passed(this.task) && this.deadline_passed().is_break() {
            return Poll::Ready(());
        }
        // Most wake-ups mean that something has arrived.
        this.is_drained = false;
        if this.phase == Phase::Serving {
            match ready!(this.serve(cx)) {
                End::Close => this.phase = Phase::Flushing,
                End::Abort => return Poll::Ready(()),
                End::Upgrade => this.leave_http(),
            }
        }
        if let Some(upgraded) = &mut this.upgraded {
            return upgraded.as_mut().poll(cx);
        }
        this.close(cx)
    }
}

impl<IO: Stream, S: Service> Drop for Conn<IO, S> {
    fn drop(&mut self) {
        self.end_incoming();
        self.output.clear();
        if let Some(mut slot) = self.running.take() {
            empty(&mut slot);
        }
        self.info.set_gone();
        buffer::give_read(std::mem::take(&mut self.input));
        self.worker.timers.remove(self.task);
    }
}

/// Calls the service; a panic in it becomes 500. What cannot be answered at once is left in the worker's slot.
#[inline]
fn call<S: Service>(worker: &Worker<S>, request: Request<'_>, cx: &mut Context<'_>) -> Poll<Response> {
    let mut slot = worker.slot.borrow_mut();
    catch_unwind(AssertUnwindSafe(|| worker.service.call(request, &mut slot, cx)))
        .unwrap_or_else(|_| Poll::Ready(panicked(worker, &mut slot)))
}

/// A handler that panicked may have left anything behind, so its connection ends.
#[cold]
fn panicked<S: Service>(worker: &Worker<S>, slot: &mut Slot) -> Response {
    worker.counters.panics.add(1);
    empty(slot);
    Response::status(StatusCode::INTERNAL_SERVER_ERROR).with_close()
}

/// Drops what is in a slot, also where that panics.
fn empty(slot: &mut Slot) {
    // The slot forgets its future before it drops it, so a second panic leaves it as empty as a first.
    let _ = catch_unwind(AssertUnwindSafe(|| slot.clear()));
}
