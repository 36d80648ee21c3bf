//! Request bodies that may go to other threads, as services of tower ask for: the connection that reads a body stays on its
//! own, and a relay hands the pieces over.

use std::{
    fmt, mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};

use crate::{
    body::{BodyError, RequestBody},
    http::HeaderMap,
};

/// The body of a request to a service of tower. It can be read until the service has answered.
///
/// ```
/// use armature_core::{Router, test::TestClient, tower::{SendBody, from_tower}};
/// use http_body_util::BodyExt;
///
/// let echo = tower::service_fn(async |request: http::Request<SendBody>| {
///     let body = request.into_body().collect().await?;
///     Ok::<_, armature_core::body::BodyError>(http::Response::new(http_body_util::Full::new(body.to_bytes())))
/// });
/// let mut client = TestClient::in_process(Router::new().route_service("/", from_tower(echo)))?;
/// assert_eq!(client.post("/").body("hello").send()?.text(), "hello");
/// # Ok::<(), armature_core::Error>(())
/// ```
pub struct SendBody(Source);

enum Source {
    Whole(Bytes, Option<HeaderMap>),
    Relayed { relay: Arc<Mutex<Relay>>, length: Option<u64> },
}

/// Between the connection's thread and a reader on any. Holds one frame at most.
#[derive(Default)]
struct Relay {
    is_wanted: bool,
    frame: Option<Result<Frame<Bytes>, BodyError>>,
    is_over: bool,
    reader: Option<Waker>,
    /// Whoever polls the [`Sender`].
    sender: Option<Waker>,
}

fn lock(relay: &Mutex<Relay>) -> MutexGuard<'_, Relay> {
    // Each critical section leaves the relay whole, also where it panics.
    relay.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SendBody {
    /// The body for the reader, and what has to be polled meanwhile to feed it.
    pub(super) fn new(body: RequestBody) -> (Self, Option<Sender>) {
        match body.into_whole() {
            Ok((bytes, trailers)) => (Self(Source::Whole(bytes, trailers)), None),
            Err(body) => {
                let relay = Arc::new(Mutex::new(Relay::default()));
                let length = body.remaining_length();
                (Self(Source::Relayed { relay: relay.clone(), length }), Some(Sender { body, relay }))
            }
        }
    }
}

impl http_body::Body for SendBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let (relay, length) = match &mut self.get_mut().0 {
            Source::Whole(bytes, trailers) if bytes.is_empty() => {
                return Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            Source::Whole(bytes, _) => return Poll::Ready(Some(Ok(Frame::data(mem::take(bytes))))),
            Source::Relayed { relay, length } => (relay, length),
        };
        let mut relay = lock(relay);
        if let Some(frame) = relay.frame.take() {
            if let (Some(left), Some(data)) = (length, frame.as_ref().ok().and_then(Frame::data_ref)) {
                *left = left.saturating_sub(data.len() as u64);
            }
            return Poll::Ready(Some(frame));
        }
        if relay.is_over {
            return Poll::Ready(None);
        }
        relay.is_wanted = true;
        relay.reader = Some(cx.waker().clone());
        if let Some(sender) = relay.sender.take() {
            sender.wake();
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Whole(bytes, trailers) => bytes.is_empty() && trailers.is_none(),
            Source::Relayed { relay, .. } => {
                let relay = lock(relay);
                relay.is_over && relay.frame.is_none()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        let length = match &self.0 {
            Source::Whole(bytes, _) => Some(bytes.len() as u64),
            Source::Relayed { length, .. } => *length,
        };
        length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl fmt::Debug for SendBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendBody({:?})", self.size_hint().exact())
    }
}

/// Reads the body on its thread when the reader wants more. When it is dropped, the reader finds the body cut off.
pub(super) struct Sender {
    body: RequestBody,
    relay: Arc<Mutex<Relay>>,
}

impl Sender {
    /// Hands over a frame if one is wanted; `true` if it did.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        {
            let mut relay = lock(&self.relay);
            relay.sender = Some(cx.waker().clone());
            if !relay.is_wanted {
                return false;
            }
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else { return false };
        let mut relay = lock(&self.relay);
        relay.is_over = !matches!(frame, Some(Ok(_)));
        relay.frame = frame;
        relay.is_wanted = false;
        if let Some(reader) = relay.reader.take() {
            reader.wake();
        }
        true
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut relay = lock(&self.relay);
        if !relay.is_over {
            relay.is_over = true;
            relay.frame = relay.frame.take().or(Some(Err(BodyError::Ended)));
            if let Some(reader) = relay.reader.take() {
                reader.wake();
            }
        }
    }
}
