//! The body of a request, as its handler reads it.
//!
//! A body that has arrived with its head is handed over whole. Any other is fed by the connection through a [`Feed`],
//! one piece at a time and only when the handler asks, so that a handler that does not read holds nothing in memory.

use std::{
    cell::{Cell, RefCell},
    error, fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};

use super::{Body, BodySource, StreamError};
use crate::h1::Refusal;

/// The body of a request.
///
/// ```
/// use armature_core::{RequestBody, body::BodyError};
///
/// /// Counts what is uploaded without holding more than a piece of it.
/// async fn count(mut body: RequestBody) -> Result<String, BodyError> {
///     let mut bytes = 0;
///     while let Some(piece) = body.piece().await? {
///         bytes += piece.len();
///     }
///     Ok(format!("{bytes} bytes"))
/// }
/// # let _ = count;
/// ```
#[derive(Debug, Default)]
pub struct RequestBody(Source);

#[derive(Debug, Default)]
enum Source {
    #[default]
    Empty,
    Whole(Box<Whole>),
    Fed(Box<Fed>),
    Made(Box<Made>),
    /// Read to its end, with the trailer fields.
    Read(Option<Box<HeaderMap>>),
}

#[derive(Debug)]
struct Whole {
    bytes: Bytes,
    /// Whether its length was declared, and not found out by reading it.
    declared: bool,
    limit: u64,
    trailers: Option<Box<HeaderMap>>,
}

#[derive(Debug)]
struct Fed {
    feed: Rc<Feed>,
    declared: Option<u64>,
    limit: u64,
    received: u64,
}

/// A body that does not come off one of this server's own connections.
struct Made {
    source: Pin<Box<dyn BodySource>>,
    limit: u64,
    received: u64,
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Made({:?})", self.source.length())
    }
}

/// Why a request body could not be read to its end.
///
/// ```
/// use armature_core::{RequestBody, Router, StatusCode, body::BodyError, post, test::TestClient};
///
/// async fn upload(mut body: RequestBody) -> String {
///     body.set_limit(3);
///     match body.collect().await {
///         Err(BodyError::TooLarge) => "three bytes at most".to_owned(),
///         read => format!("{read:?}"),
///     }
/// }
///
/// let mut client = TestClient::in_process(Router::new().route("/", post(upload)))?;
/// assert_eq!(client.post("/").body("four").send()?.text(), "three bytes at most");
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyError {
    /// It is longer than allowed.
    TooLarge,
    /// The client closed the connection inside it.
    Ended,
    /// Its coding is malformed, or it came too slowly.
    Refused(Refusal),
    /// What brings it has failed.
    Failed,
}

impl BodyError {
    /// The status that a handler that passes the error on answers with.
    ///
    /// ```
    /// use armature_core::{StatusCode, body::BodyError};
    ///
    /// assert_eq!(BodyError::TooLarge.status(), StatusCode::PAYLOAD_TOO_LARGE);
    /// assert_eq!(BodyError::Ended.status(), StatusCode::BAD_REQUEST);
    /// ```
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => Refusal::BodyTooLarge.status(),
            Self::Ended | Self::Failed => StatusCode::BAD_REQUEST,
            Self::Refused(refusal) => refusal.status(),
        }
    }

    /// What was wrong, in words.
    ///
    /// ```
    /// use armature_core::body::BodyError;
    ///
    /// assert_eq!(BodyError::Ended.reason(), "the connection ended inside the request body");
    /// ```
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => Refusal::BodyTooLarge.reason(),
            Self::Ended => "the connection ended inside the request body",
            Self::Failed => "the request body could not be read",
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

impl From<Bytes> for RequestBody {
    /// A body that is here as a whole, without a limit: for calling handlers and extractors without a connection.
    fn from(bytes: Bytes) -> Self {
        Self::whole(bytes, true, u64::MAX, None)
    }
}

impl RequestBody {
    /// No body.
    ///
    /// ```
    /// use armature_core::RequestBody;
    ///
    /// assert_eq!(RequestBody::empty().declared_length(), Some(0));
    /// ```
    #[must_use]
    #[inline]
    pub const fn empty() -> Self {
        Self(Source::Empty)
    }

    /// A body that is here as a whole, with its trailer fields.
    pub(crate) fn whole(bytes: Bytes, declared: bool, limit: u64, trailers: Option<Box<HeaderMap>>) -> Self {
        Self(Source::Whole(Box::new(Whole { bytes, declared, limit, trailers })))
    }

    /// A body that `feed` will bring.
    pub(crate) fn fed(feed: Rc<Feed>, declared: Option<u64>, limit: u64) -> Self {
        Self(Source::Fed(Box::new(Fed { feed, declared, limit, received: 0 })))
    }

    /// A body that `source` makes, of at most `limit` bytes.
    ///
    /// ```
    /// use armature_core::{Router, RequestBody, StatusCode, body::BodyError, stream::{self, Overflow, Watermarks}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (mut sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
    /// sender.try_send("decoded")?;
    /// sender.finish();
    /// let body = RequestBody::made(receiver, 3);
    /// assert_eq!(body.collect().await, Err(BodyError::TooLarge));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn made(source: impl BodySource + 'static, limit: u64) -> Self {
        Self(Source::Made(Box::new(Made { source: Box::pin(source), limit, received: 0 })))
    }

    /// Whether it has announced to be longer than allowed. What has not is refused when it is read, also where it happens to
    /// be here as a whole: how the network cuts a body must not decide who answers.
    #[inline]
    pub(crate) fn is_announced_too_large(&self) -> bool {
        match &self.0 {
            Source::Empty | Source::Read(_) => false,
            Source::Whole(whole) => whole.declared && whole.bytes.len() as u64 > whole.limit,
            Source::Fed(fed) => fed.declared.is_some_and(|declared| declared > fed.limit),
            Source::Made(made) => made.source.length().is_some_and(|length| length > made.limit),
        }
    }

    /// The number of bytes, where it is known before the body is read.
    ///
    /// ```
    /// use armature_core::{RequestBody, Router, post, test::TestClient};
    ///
    /// let handler = async |body: RequestBody| format!("{:?}", body.declared_length());
    /// let mut client = TestClient::in_process(Router::new().route("/", post(handler)))?;
    /// assert_eq!(client.post("/").body("text").send()?.text(), "Some(4)");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn declared_length(&self) -> Option<u64> {
        match &self.0 {
            Source::Empty | Source::Read(_) => Some(0),
            Source::Whole(whole) => Some(whole.bytes.len() as u64),
            Source::Fed(fed) => fed.declared,
            Source::Made(made) => made.source.length(),
        }
    }

    /// Allows so many bytes to be read in place of the server's `body_bytes_max`.
    ///
    /// ```
    /// use armature_core::{RequestBody, body::BodyError};
    /// use bytes::Bytes;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut body = RequestBody::from(Bytes::from("text"));
    /// body.set_limit(3);
    /// assert_eq!(body.piece().await, Err(BodyError::TooLarge));
    /// # }
    /// ```
    pub fn set_limit(&mut self, bytes: u64) {
        match &mut self.0 {
            Source::Empty | Source::Read(_) => {}
            Source::Whole(whole) => whole.limit = bytes,
            Source::Fed(fed) => fed.limit = bytes,
            Source::Made(made) => made.limit = bytes,
        }
    }

    /// The trailer fields, once the body has been read to its end.
    ///
    /// ```
    /// use armature_core::{RequestBody, Router, body::BodyError, post, test::TestClient};
    ///
    /// async fn checked(mut body: RequestBody) -> Result<String, BodyError> {
    ///     while body.piece().await?.is_some() {}
    ///     let sum = body.trailers().and_then(|trailers| trailers.get("checksum")?.to_str().ok());
    ///     Ok(sum.unwrap_or("none").to_owned())
    /// }
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", post(checked)))?;
    /// let mut answer = Vec::new();
    /// let request = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nchecksum: 61\r\n\r\n";
    /// client.exchange(request, &mut answer)?;
    /// assert!(answer.ends_with(b"61"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn trailers(&self) -> Option<&HeaderMap> {
        match &self.0 {
            Source::Read(trailers) => trailers.as_deref(),
            _ => None,
        }
    }

    /// Takes the trailer fields out, once the body has been read to its end.
    pub(crate) fn take_trailers(&mut self) -> Option<HeaderMap> {
        match &mut self.0 {
            Source::Read(trailers) => trailers.take().map(|trailers| *trailers),
            _ => None,
        }
    }

    /// Whether nothing more can come, trailer fields included.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.0, Source::Empty | Source::Read(None))
    }

    /// The number of bytes that are still to come, where it is known.
    pub(crate) fn remaining_length(&self) -> Option<u64> {
        let received = match &self.0 {
            Source::Fed(fed) => fed.received,
            Source::Made(made) => made.received,
            Source::Empty | Source::Whole(_) | Source::Read(_) => 0,
        };
        self.declared_length().map(|length| length.saturating_sub(received))
    }

    /// The bytes and the trailer fields of a body that is here as a whole; any other is given back.
    pub(crate) fn into_whole(mut self) -> Result<(Bytes, Option<HeaderMap>), Self> {
        match &mut self.0 {
            Source::Empty => Ok((Bytes::new(), None)),
            Source::Whole(whole) if whole.bytes.len() as u64 <= whole.limit => {
                Ok((std::mem::take(&mut whole.bytes), whole.trailers.take().map(|trailers| *trailers)))
            }
            _ => Err(self),
        }
    }

    /// The next piece, `None` at the end.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] before anything is read where the length is declared, else when the limit is passed.
    ///
    /// ```
    /// use armature_core::{RequestBody, Router, body::BodyError, post, test::TestClient};
    ///
    /// async fn count(mut body: RequestBody) -> Result<String, BodyError> {
    ///     let mut bytes = 0;
    ///     while let Some(piece) = body.piece().await? {
    ///         bytes += piece.len();
    ///     }
    ///     Ok(bytes.to_string())
    /// }
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", post(count)))?;
    /// assert_eq!(client.post("/").body("a".repeat(100_000)).send()?.text(), "100000");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub async fn piece(&mut self) -> Result<Option<Bytes>, BodyError> {
        std::future::poll_fn(|cx| self.poll_piece(cx)).await
    }

    /// As [`piece`](Self::piece), to be polled.
    ///
    /// # Errors
    /// As [`piece`](Self::piece).
    ///
    /// ```
    /// use armature_core::RequestBody;
    /// use bytes::Bytes;
    /// use std::task::{Context, Poll, Waker};
    ///
    /// let mut body = RequestBody::from(Bytes::from("text"));
    /// let piece = body.poll_piece(&mut Context::from_waker(Waker::noop()));
    /// assert_eq!(piece, Poll::Ready(Ok(Some(Bytes::from("text")))));
    /// ```
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        if self.is_announced_too_large() {
            return Poll::Ready(Err(BodyError::TooLarge));
        }
        match &mut self.0 {
            Source::Empty | Source::Read(_) => Poll::Ready(Ok(None)),
            Source::Whole(whole) => {
                if whole.bytes.len() as u64 > whole.limit {
                    return Poll::Ready(Err(BodyError::TooLarge));
                }
                let bytes = std::mem::take(&mut whole.bytes);
                self.0 = Source::Read(whole.trailers.take());
                Poll::Ready(Ok(Some(bytes).filter(|bytes| !bytes.is_empty())))
            }
            Source::Fed(fed) => {
                let Some(piece) = std::task::ready!(fed.feed.poll_take(cx))? else {
                    self.0 = Source::Read(fed.feed.trailers.take());
                    return Poll::Ready(Ok(None));
                };
                fed.received += piece.len() as u64;
                if fed.received > fed.limit {
                    return Poll::Ready(Err(BodyError::TooLarge));
                }
                Poll::Ready(Ok(Some(piece)))
            }
            Source::Made(made) => {
                let piece = match std::task::ready!(made.source.as_mut().poll_piece(cx)) {
                    Some(Ok(piece)) => piece,
                    Some(Err(error)) => {
                        let known = error.downcast_ref::<BodyError>().copied();
                        return Poll::Ready(Err(known.unwrap_or(BodyError::Failed)));
                    }
                    None => {
                        self.0 = Source::Read(made.source.as_mut().trailers().map(Box::new));
                        return Poll::Ready(Ok(None));
                    }
                };
                made.received += piece.len() as u64;
                if made.received > made.limit {
                    return Poll::Ready(Err(BodyError::TooLarge));
                }
                Poll::Ready(Ok(Some(piece)))
            }
        }
    }

    /// The whole body in one piece; without a copy where it arrived in one.
    ///
    /// # Errors
    /// As [`piece`](Self::piece).
    ///
    /// ```
    /// use armature_core::RequestBody;
    /// use bytes::Bytes;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let body = RequestBody::from(Bytes::from("text"));
    /// assert_eq!(body.collect().await.unwrap(), "text");
    /// # }
    /// ```
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

/// What comes in goes out, as fast as the slower of the two.
impl BodySource for RequestBody {
    fn poll_piece(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        Self::poll_piece(self.get_mut(), cx).map(|piece| piece.map_err(StreamError::from).transpose())
    }

    fn length(&self) -> Option<u64> {
        self.declared_length()
    }
}

impl From<RequestBody> for Body {
    /// The same body as that of a response. One that is longer than allowed cuts the connection.
    fn from(body: RequestBody) -> Self {
        Self::stream(body)
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
