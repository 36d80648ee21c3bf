//! A connection without a socket: the server's own, over a pipe in memory.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::{Future, poll_fn},
    io::{self, Read as _},
    mem,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{
    answer::{Read, TestResponse, read},
    fault,
};
use crate::{
    buffer::Output,
    conn::Conn,
    error::{Error, ErrorKind},
    io::{Stream, TaskKey},
    limits::Limits,
    respond::Response,
    service::Request,
    service::{ConnectionInfo, Service, Slot},
    tuning::Tuning,
    upgrade::Duplex,
    worker::{Opened, Runtime, Worker, runtime},
};
use bytes::{BufMut, BytesMut};

/// An application, and the connection to it that is open.
pub(super) struct InProcess {
    worker: Rc<Worker<Box<dyn Service>>>,
    open: Option<Open>,
    /// What handlers that wait run on.
    runtime: Runtime,
}

/// A connection, and the client's end of it.
struct Open {
    conn: Pin<Box<Conn<Pipe, Box<dyn Service>>>>,
    pipe: Pipe,
}

impl Service for Box<dyn Service> {
    #[inline]
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        (**self).call(request, slot, cx)
    }
}

impl InProcess {
    pub(super) fn new(limits: Limits, app: impl Service) -> Result<Self, Error> {
        let runtime = runtime(&Tuning::default()).map_err(|error| fault("no runtime", error))?;
        let app: Box<dyn Service> = Box::new(app);
        Ok(Self { worker: Rc::new(Worker::new(app, limits, "", Arc::default())), open: None, runtime })
    }

    /// Sends a request and waits for its response.
    pub(super) fn send(&mut self, bytes: &[u8], is_head: bool) -> Result<TestResponse, Error> {
        let open = self.open.take().unwrap_or_else(|| Open::new(&self.worker));
        let (open, guard) = (self.open.insert(open), self.runtime.enter());
        open.pipe.0.borrow_mut().sent.extend(bytes);
        let ended = open.conn.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        let answer = open.answer(is_head, ended);
        drop(guard);
        let answer = match answer {
            Ok(Read::Partial) => self.runtime.block_on(poll_fn(|cx| open.poll_answer(is_head, cx))),
            at_once => at_once,
        };
        match answer {
            Ok(Read::Whole(response, len, keeps_alive)) => {
                open.pipe.0.borrow_mut().received.drain(..len);
                if !keeps_alive {
                    self.open = None;
                }
                Ok(*response)
            }
            Ok(Read::Partial) => Err(Error::new(ErrorKind::Test, "no response")),
            Err(error) => {
                self.open = None;
                Err(error)
            }
        }
    }

    /// Sends bytes, takes one turn, and appends what was answered.
    pub(super) fn exchange(&mut self, sent: &[u8], received: &mut Vec<u8>) -> Result<(), Error> {
        let open = self.open.get_or_insert_with(|| Open::new(&self.worker));
        open.pipe.0.borrow_mut().sent.extend(sent);
        let ended = open.conn.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        let mut ends = open.pipe.0.borrow_mut();
        if received.is_empty() {
            // No copy that a socket would not make.
            mem::swap(received, &mut ends.received);
        } else {
            received.append(&mut ends.received);
        }
        drop(ends);
        if ended {
            self.open = None;
            return Err(Error::new(ErrorKind::Test, "the connection has ended"));
        }
        Ok(())
    }
}

impl Open {
    fn new(worker: &Rc<Worker<Box<dyn Service>>>) -> Self {
        let pipe = Pipe::default();
        // The only task there is: one connection is open at a time.
        let conn = Conn::new(pipe.clone(), ConnectionInfo::default(), Opened::new(worker.clone()), TaskKey::new(0));
        Self { conn: Box::pin(conn), pipe }
    }

    fn answer(&self, is_head: bool, ended: bool) -> Result<Read, Error> {
        let ends = &self.pipe.0.borrow();
        read(&ends.received, is_head, ended || ends.is_shut)
    }

    fn poll_answer(&mut self, is_head: bool, cx: &mut Context<'_>) -> Poll<Result<Read, Error>> {
        let ended = self.conn.as_mut().poll(cx).is_ready();
        match self.answer(is_head, ended) {
            Ok(Read::Partial) if !ended => Poll::Pending,
            answer => Poll::Ready(answer),
        }
    }
}

/// Both ends of a connection.
#[derive(Debug, Clone, Default)]
struct Pipe(Rc<RefCell<Ends>>);

#[derive(Debug, Default)]
struct Ends {
    /// From the client.
    sent: VecDeque<u8>,
    /// From the server.
    received: Vec<u8>,
    /// The server has shut its side.
    is_shut: bool,
    /// Who waits for bytes from the client.
    reader: Option<Waker>,
}

impl Ends {
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.sent.is_empty() {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl Stream for Pipe {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_sent(cx).map(Ok)
    }

    fn poll_read(&mut self, buffer: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut ends = self.0.borrow_mut();
        if ends.poll_sent(cx).is_pending() {
            return Poll::Pending;
        }
        let (first, _) = ends.sent.as_slices();
        let read = first.len().min(buffer.capacity() - buffer.len());
        buffer.put_slice(&first[..read]);
        ends.sent.drain(..read);
        Poll::Ready(Ok(read))
    }

    fn has_arrived(&self) -> bool {
        !self.0.borrow().sent.is_empty()
    }

    fn poll_write(&mut self, output: &mut Output, _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (encoded, tail) = output.parts();
        let mut ends = self.0.borrow_mut();
        ends.received.extend_from_slice(encoded);
        ends.received.extend_from_slice(tail);
        let written = encoded.len() + tail.len();
        output.advance(written);
        Poll::Ready(Ok(written))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().is_shut = true;
        Poll::Ready(Ok(()))
    }

    fn into_duplex(self) -> Box<dyn Duplex> {
        Box::new(self)
    }
}

impl Duplex for Pipe {
    fn poll_read(&mut self, room: &mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut ends = self.0.borrow_mut();
        match ends.poll_sent(cx) {
            Poll::Ready(()) => Poll::Ready(ends.sent.read(room)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_write(&mut self, bytes: &[u8], _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().received.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Stream::poll_shutdown(self, cx)
    }
}
