//! Server-sent events: a response that goes on for as long as there is something to tell.
//!
//! The events themselves are in `event.rs`, their queue is in `channel.rs`. Time belongs to `interval.rs`, two floors up: what
//! is due between events is asked of a function that the handler gives.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::channel::Receiver;
pub use super::event::{Event, InvalidField};
use crate::{
    body::{Body, BodySource, StreamError},
    http::{HeaderValue, header},
    respond::{IntoResponse, MediaType, Response},
};

/// A response of server-sent events: `text/event-stream`, never stored by caches.
///
/// A client that loses the connection comes back with the id of the last event that it has seen in Last-Event-ID. A
/// slow one is a matter of the channel: events may be dropped whole, so [`Overflow::DropOldest`](super::Overflow)
/// keeps it up to date.
///
/// ```
/// use std::time::Duration;
/// use armature_core::{every, http::HeaderMap, stream::{self, Closed, Overflow, Watermarks, sse::{Event, Sse}}};
///
/// async fn count(headers: HeaderMap) -> Sse {
///     let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
///     let (mut sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
///     tokio::task::spawn_local(async move {
///         for number in seen.map_or(0, |seen: u64| seen.saturating_add(1)).. {
///             let id = number.to_string();
///             let Ok(event) = Event::data(&id).with_id(&id) else { break };
///             sender.send(event).await?;
///             tokio::time::sleep(Duration::from_secs(1)).await;
///         }
///         Ok::<(), Closed>(())
///     });
///     Sse::new(receiver).keep_alive(every(Duration::from_secs(15)))
/// }
/// # let _ = count;
/// ```
pub struct Sse {
    events: Receiver,
    is_due: Option<Box<IsDue>>,
}

/// Ready when the next comment is due.
type IsDue = dyn FnMut(&mut Context<'_>) -> Poll<()>;

impl Sse {
    /// A response of what is sent to `events`.
    ///
    /// ```
    /// use armature_core::{Router, get, stream::{self, Overflow, Watermarks, sse::{Event, Sse}}, test::TestClient};
    ///
    /// async fn news() -> Sse {
    ///     let (mut sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
    ///     sender.try_send(Event::data("hello")).unwrap();
    ///     sender.finish();
    ///     Sse::new(receiver)
    /// }
    ///
    /// let answer = TestClient::in_process(Router::new().route("/", get(news)))?.get("/").send()?;
    /// assert_eq!((answer.header("content-type"), answer.text()), (Some("text/event-stream"), "data: hello\n\n"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn new(events: Receiver) -> Self {
        Self { events, is_due: None }
    }

    /// The same response, with an empty comment whenever nothing else is there to be sent and `is_due` is ready:
    /// [`every`](crate::every) so many seconds, for example.
    ///
    /// Proxies close connections that are silent for long, often after 60 s; and that a client has gone shows only when
    /// something is sent to it.
    ///
    /// ```
    /// use armature_core::{body::BodySource, stream::{self, Overflow, Watermarks, sse::Sse}};
    /// use std::{pin::pin, task::{Context, Poll, Waker}};
    ///
    /// let (sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
    /// let mut events = pin!(Sse::new(receiver).keep_alive(|_| Poll::Ready(()))); // `every` in programs.
    /// let Poll::Ready(Some(Ok(comment))) = events.as_mut().poll_piece(&mut Context::from_waker(Waker::noop())) else {
    ///     panic!("a comment is due");
    /// };
    /// assert_eq!(comment, ":\n\n");
    /// # drop(sender);
    /// ```
    #[must_use]
    pub fn keep_alive(mut self, is_due: impl FnMut(&mut Context<'_>) -> Poll<()> + 'static) -> Self {
        self.is_due = Some(Box::new(is_due));
        self
    }
}

impl BodySource for Sse {
    fn poll_piece(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        if let Poll::Ready(piece) = Pin::new(&mut self.events).poll_piece(cx) {
            return Poll::Ready(piece);
        }
        match &mut self.is_due {
            Some(is_due) => is_due(cx).map(|()| Some(Ok(Bytes::from_static(b":\n\n")))),
            None => Poll::Pending,
        }
    }
}

impl IntoResponse for Sse {
    fn into_response(self) -> Response {
        const EVENT_STREAM: MediaType = MediaType::from_static("text/event-stream");
        Response::new(EVENT_STREAM, Body::stream(self))
            .with_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
    }
}

impl fmt::Debug for Sse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sse").field("events", &self.events).finish_non_exhaustive()
    }
}
