//! The body of a request, as its handler reads it.
//!
//! A body that has arrived with its head is handed over whole. Any other is fed by the connection through a [`Feed`],
//! one piece at a time and only when the handler asks, so that a handler that does not read holds nothing in memory.

use std::{
    cell::{Cell, RefCell},
    error, fmt,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};

use crate::h1::Refusal;

/// The body of a request.
#[derive(Debug)]
pub struct RequestBody {
    source: Source,
    limit: u64,
    received: u64,
    trailers: Option<Box<HeaderMap>>,
}

#[derive(Debug)]
enum Source {
    Empty,
    Whole(Bytes),
    Feed { feed: Rc<Feed>, declared: Option<u64> },
}

/// Why a request body could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyError {
    /// It is longer than allowed.
    TooLarge,
    /// The client closed the connection inside it.
    Ended,
    /// Its coding is malformed, or it came too slowly.
    Refused(Refusal),
}

impl BodyError {
    /// The status that a handler that passes the error on answers with.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => Refusal::BodyTooLarge.status(),
            Self::Ended => StatusCode::BAD_REQUEST,
            Self::Refused(refusal) => refusal.status(),
        }
    }

    /// What was wrong, in words.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => Refusal::BodyTooLarge.reason(),
            Self::Ended => "the connection ended inside the request body",
            Self::Refused(refusal) => refusal.reason(),
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl error::Error for BodyError {}

impl RequestBody {
    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self { source: Source::Empty, limit: u64::MAX, received: 0, trailers: None }
    }

    /// A body that is here as a whole, with its trailer fields.
    pub(crate) fn whole(bytes: Bytes, limit: u64, trailers: Option<Box<HeaderMap>>) -> Self {
        Self { source: Source::Whole(bytes), limit, received: 0, trailers }
    }

    /// A body that `feed` will bring.
    pub(crate) fn fed(feed: Rc<Feed>, declared: Option<u64>, limit: u64) -> Self {
        Self { source: Source::Feed { feed, declared }, limit, received: 0, trailers: None }
    }

    /// The number of bytes, where it is known before the body is read.
    #[must_use]
    pub fn declared_length(&self) -> Option<u64> {
        match &self.source {
            Source::Empty => Some(0),
            Source::Whole(bytes) => Some(bytes.len() as u64),
            Source::Feed { declared, .. } => *declared,
        }
    }

    /// The most bytes that may be read; the server's `body_bytes_max` unless changed.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Allows so many bytes to be read.
    pub fn set_limit(&mut self, bytes: u64) {
        self.limit = bytes;
    }

    /// The trailer fields, once the body has been read to its end.
    #[must_use]
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_deref()
    }

    /// The next piece, `None` at the end.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] before anything is read where the length is declared, else when the limit is passed.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, BodyError> {
        std::future::poll_fn(|cx| self.poll_piece(cx)).await
    }

    /// As [`piece`](Self::piece), to be polled.
    ///
    /// # Errors
    /// As [`piece`](Self::piece).
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        if self.declared_length().is_some_and(|declared| declared > self.limit) {
            return Poll::Ready(Err(BodyError::TooLarge));
        }
        match &mut self.source {
            Source::Empty => Poll::Ready(Ok(None)),
            Source::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.source = Source::Empty;
                Poll::Ready(Ok(Some(bytes).filter(|bytes| !bytes.is_empty())))
            }
            Source::Feed { feed, .. } => {
                let piece = std::task::ready!(feed.poll_take(cx))?;
                if let Some(piece) = &piece {
                    self.received += piece.len() as u64;
                    if self.received > self.limit {
                        return Poll::Ready(Err(BodyError::TooLarge));
                    }
                } else {
                    self.trailers = feed.trailers.take();
                }
                Poll::Ready(Ok(piece))
            }
        }
    }

    /// The whole body in one piece; without a copy where it arrived in one.
    ///
    /// # Errors
    /// As [`piece`](Self::piece).
    pub async fn collect(mut self) -> Result<Bytes, BodyError> {
        let Some(first) = self.piece().await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.piece().await? else {
            return Ok(first);
        };
        // Room grows with what has arrived, never with what was announced: an announcement costs a peer nothing.
        let mut whole = BytesMut::with_capacity((first.len() + second.len()) * 2);
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(piece) = self.piece().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

/// Between a connection, which reads a body off the wire, and its reader. Holds one piece at most.
#[derive(Default)]
pub(crate) struct Feed {
    piece: RefCell<Option<Bytes>>,
    end: Cell<Option<Result<(), BodyError>>>,
    trailers: Cell<Option<Box<HeaderMap>>>,
    wanted: Cell<bool>,
    reader: Cell<Option<Waker>>,
    /// The connection's task, to be woken when a reader outside of the handler's own poll wants more.
    connection: Cell<Option<Waker>>,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("end", &self.end).field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

impl Feed {
    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        if let Some(piece) = self.piece.take() {
            return Poll::Ready(Ok(Some(piece)));
        }
        if let Some(end) = self.end.get() {
            return Poll::Ready(end.map(|()| None));
        }
        self.wanted.set(true);
        self.reader.set(Some(cx.waker().clone()));
        if let Some(connection) = self.connection.take() {
            connection.wake();
        }
        Poll::Pending
    }

    /// Whether the reader waits for a piece.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.get()
    }

    /// Names the task to wake when the reader asks from outside of that task's own poll.
    pub(crate) fn watch(&self, connection: Option<Waker>) {
        self.connection.set(connection);
    }

    /// Hands over a piece. The place is free: pieces are only fetched when one is wanted.
    pub(crate) fn push(&self, piece: Bytes) {
        self.piece.replace(Some(piece));
        self.wake_reader();
    }

    /// Says how the body ended.
    pub(crate) fn finish(&self, end: Result<(), BodyError>, trailers: Option<Box<HeaderMap>>) {
        self.end.set(Some(end));
        self.trailers.set(trailers);
        self.wake_reader();
    }

    fn wake_reader(&self) {
        self.wanted.set(false);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}
