//! From a producer to a response body: a queue of pieces between watermarks.
//!
//! All that both ends share stands under one mutex: what is held, whether the producer stands still, who is to be woken.
//! An end that finds nothing to do leaves its waker there before it lets go of the mutex, so that whoever changes that
//! finds it. Wakers are woken and pieces freed after the mutex has been let go of. `channel/model.rs` runs this in the
//! orders that two threads can take, and says how it is run.
//!
//! Leaves the decisions to `watermark.rs`.

#[cfg(not(armature_loom))]
use std::sync::{Arc, Mutex, MutexGuard};
use std::{
    collections::VecDeque,
    error, fmt,
    future::poll_fn,
    mem,
    pin::Pin,
    sync::PoisonError,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
#[cfg(armature_loom)]
use loom::sync::{Arc, Mutex, MutexGuard};

use super::watermark::{Overflow, PIECE_BYTES, Watermarks};
use crate::body::{Body, BodySource, StreamError};

/// A way from a producer to a response body.
///
/// ```
/// use armature_core::{MediaType, Response, stream::{self, Closed, Overflow, Watermarks}};
///
/// async fn numbers() -> Response {
///     let (mut sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
///     tokio::task::spawn_local(async move {
///         for number in 0..1_000_000 {
///             sender.send(format!("{number}\n")).await?;
///         }
///         sender.finish();
///         Ok::<(), Closed>(())
///     });
///     Response::new(MediaType::TEXT, receiver)
/// }
/// # let _ = numbers;
/// ```
#[must_use]
pub fn channel(watermarks: Watermarks, overflow: Overflow) -> (Sender, Receiver) {
    let shared = Arc::new(Shared(Mutex::new(State {
        watermarks,
        overflow,
        pieces: VecDeque::new(),
        held_bytes: 0,
        is_paused: false,
        dropped: Dropped::default(),
        end: None,
        is_closed: false,
        sender: None,
        receiver: None,
    })));
    (Sender { shared: shared.clone() }, Receiver { shared })
}

/// The producer's end. It may go to any thread.
///
/// A body is whole when [`finish`](Self::finish) was called. If the sender is dropped before, because its task has failed
/// or was cancelled, the connection is cut behind what was sent, so that the client sees that something is missing.
///
/// ```
/// use armature_core::stream::{self, Overflow, Watermarks};
///
/// let (mut sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
/// let producer = std::thread::spawn(move || {
///     let sent = sender.try_send("a piece");
///     sender.finish();
///     sent
/// });
/// assert_eq!(producer.join().unwrap(), Ok(()));
/// # drop(receiver);
/// ```
pub struct Sender {
    shared: Arc<Shared>,
}

/// The end that is a response body: `Response::new(MediaType::BYTES, receiver)`.
///
/// ```
/// use armature_core::{MediaType, Response, Router, get, stream::{self, Overflow, Watermarks}, test::TestClient};
///
/// async fn greeting() -> Response {
///     let (mut sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
///     sender.try_send("hello").unwrap();
///     sender.finish();
///     Response::new(MediaType::TEXT, receiver)
/// }
///
/// assert_eq!(TestClient::in_process(Router::new().route("/", get(greeting)))?.get("/").send()?.text(), "hello");
/// # Ok::<(), armature_core::Error>(())
/// ```
pub struct Receiver {
    shared: Arc<Shared>,
}

/// The client has gone, or nobody else wants the body any more.
///
/// Of a client that has only closed its socket, a connection with nothing to write does not hear that: it may still be
/// reading. It shows when something is sent, which the client resets.
///
/// ```
/// use armature_core::stream::{self, Closed, Overflow, Watermarks};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (mut sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
/// drop(receiver); // As a connection does whose client has gone.
/// assert_eq!(sender.send("a piece").await, Err(Closed));
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// Why a piece was not taken.
///
/// ```
/// use armature_core::stream::{self, Overflow, TrySendError, Watermarks};
///
/// let (mut sender, receiver) = stream::channel(Watermarks::new(0, 1), Overflow::Wait);
/// assert_eq!(sender.try_send("first"), Ok(()));
/// assert_eq!(sender.try_send("second"), Err(TrySendError::Paused("second".into())));
/// drop(receiver);
/// assert_eq!(sender.try_send("third"), Err(TrySendError::Closed));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrySendError {
    /// The producer is to stand still; here is the piece again. Only with [`Overflow::Wait`].
    Paused(Bytes),
    /// As [`Closed`].
    Closed,
}

/// What an overflow has cost.
///
/// ```
/// use armature_core::stream::{self, Dropped, Overflow, Watermarks};
///
/// let (mut sender, receiver) = stream::channel(Watermarks::new(0, 1), Overflow::DropNewest);
/// for piece in ["first", "second", "third"] {
///     sender.try_send(piece).unwrap();
/// }
/// assert_eq!(sender.dropped(), Dropped { pieces: 2, bytes: 11 });
/// # drop(receiver);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Pieces that were dropped.
    pub pieces: u64,
    /// Their bytes.
    pub bytes: u64,
}

struct Shared(Mutex<State>);

struct State {
    watermarks: Watermarks,
    overflow: Overflow,
    pieces: VecDeque<Bytes>,
    held_bytes: usize,
    is_paused: bool,
    dropped: Dropped,
    /// How the producer has ended.
    end: Option<Result<(), StreamError>>,
    /// The receiver is gone.
    is_closed: bool,
    /// Waits for leave to go on, or for the receiver's end.
    sender: Option<Waker>,
    /// Waits for a piece, or for the producer's end.
    receiver: Option<Waker>,
}

/// What a piece counts for.
fn weight(piece: &Bytes) -> usize {
    piece.len() + PIECE_BYTES
}

impl Shared {
    /// What is under the lock is whole at every point that could panic, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, piece: Bytes) {
        self.held_bytes += weight(&piece);
        self.pieces.push_back(piece);
        self.is_paused = self.watermarks.is_paused(self.is_paused, self.held_bytes);
    }

    fn pop(&mut self) -> Option<Bytes> {
        let piece = self.pieces.pop_front()?;
        self.held_bytes -= weight(&piece);
        self.is_paused = self.watermarks.is_paused(self.is_paused, self.held_bytes);
        Some(piece)
    }

    fn drop_piece(&mut self, piece: &Bytes) {
        self.dropped.pieces += 1;
        self.dropped.bytes += piece.len() as u64;
    }

    /// Makes room under the high mark, and gives out what had to go for it.
    fn drop_oldest(&mut self) -> Vec<Bytes> {
        let mut gone = Vec::new();
        while self.watermarks.is_paused(false, self.held_bytes) {
            let Some(piece) = self.pop() else { break };
            self.drop_piece(&piece);
            gone.push(piece);
        }
        gone
    }
}

impl Sender {
    /// Sends a piece; an empty one is nothing. With [`Overflow::Wait`] it waits while the producer is to stand still,
    /// otherwise it does not wait. A future that is dropped while it waits has sent nothing.
    ///
    /// A piece is kept as it is: a small part of a large `Bytes` keeps all of that in memory.
    ///
    /// # Errors
    /// [`Closed`] when nobody takes the body any more.
    ///
    /// ```
    /// use armature_core::{body::BodySource, stream::{self, Overflow, Watermarks}};
    /// use std::{future::poll_fn, pin::pin};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let (mut sender, receiver) = stream::channel(Watermarks::new(0, 1), Overflow::Wait);
    /// let mut receiver = pin!(receiver);
    /// sender.send("first").await?;
    /// // The second waits until the first has been taken.
    /// let (sent, first) = tokio::join!(sender.send("second"), poll_fn(|cx| receiver.as_mut().poll_piece(cx)));
    /// assert_eq!((sent, first.unwrap()?), (Ok(()), "first".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(&mut self, piece: impl Into<Bytes>) -> Result<(), Closed> {
        let mut waiting = Some(piece.into());
        poll_fn(|cx| {
            let Some(piece) = waiting.take() else { return Poll::Ready(Ok(())) };
            match self.offer(piece, Some(cx)) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(TrySendError::Closed) => Poll::Ready(Err(Closed)),
                Err(TrySendError::Paused(piece)) => {
                    waiting = Some(piece);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// As [`send`](Self::send), but never waits: for whoever feeds many clients.
    ///
    /// # Errors
    /// [`TrySendError::Closed`] as there; [`TrySendError::Paused`] where it would wait.
    ///
    /// ```
    /// use armature_core::stream::{self, Overflow, TrySendError, Watermarks};
    ///
    /// let (mut sender, receiver) = stream::channel(Watermarks::new(0, 1), Overflow::Wait);
    /// sender.try_send("first").unwrap();
    /// assert!(matches!(sender.try_send("second"), Err(TrySendError::Paused(_))));
    /// # drop(receiver);
    /// ```
    pub fn try_send(&mut self, piece: impl Into<Bytes>) -> Result<(), TrySendError> {
        self.offer(piece.into(), None)
    }

    /// Has a piece taken or dropped; if it has to wait, `cx` is woken when it need not any more.
    fn offer(&mut self, piece: Bytes, cx: Option<&mut Context<'_>>) -> Result<(), TrySendError> {
        let mut state = self.shared.lock();
        if state.is_closed {
            return Err(TrySendError::Closed);
        }
        if piece.is_empty() {
            return Ok(());
        }
        let mut gone = Vec::new();
        match state.overflow {
            _ if !state.is_paused => {}
            Overflow::Wait => {
                if let Some(cx) = cx {
                    state.sender = Some(cx.waker().clone());
                }
                return Err(TrySendError::Paused(piece));
            }
            Overflow::DropNewest => {
                state.drop_piece(&piece);
                return Ok(());
            }
            Overflow::DropOldest => gone = state.drop_oldest(),
        }
        state.push(piece);
        let receiver = state.receiver.take();
        drop(state);
        drop(gone);
        wake(receiver);
        Ok(())
    }

    /// Waits until nobody takes the body any more, as [`Closed`] says.
    ///
    /// ```
    /// use armature_core::stream::{self, Overflow, Watermarks};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (mut sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
    /// let ((), ()) = tokio::join!(sender.closed(), async { drop(receiver) });
    /// assert!(sender.try_send("too late").is_err());
    /// # }
    /// ```
    pub async fn closed(&mut self) {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if state.is_closed {
                return Poll::Ready(());
            }
            state.sender = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Whether the producer is to stand still: the high mark was reached, and the low one was not since.
    ///
    /// ```
    /// use armature_core::stream::{self, Overflow, Watermarks};
    ///
    /// let (mut sender, receiver) = stream::channel(Watermarks::new(0, 100), Overflow::Wait);
    /// sender.try_send("a".repeat(10)).unwrap();
    /// assert!(!sender.is_paused());
    /// sender.try_send("a".repeat(90)).unwrap();
    /// assert!(sender.is_paused());
    /// # drop(receiver);
    /// ```
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.shared.lock().is_paused
    }

    /// Bytes that are held, as [`Watermarks`] counts them.
    ///
    /// ```
    /// use armature_core::stream::{self, Overflow, Watermarks};
    ///
    /// let (mut sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
    /// sender.try_send("a".repeat(100)).unwrap();
    /// assert_eq!(sender.held_bytes(), 132); // The piece, and what it takes to hold it.
    /// # drop(receiver);
    /// ```
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.shared.lock().held_bytes
    }

    /// What was dropped so far, as [`Overflow`] says.
    ///
    /// ```
    /// use armature_core::stream::{self, Overflow, Watermarks};
    ///
    /// let (mut sender, receiver) = stream::channel(Watermarks::new(0, 1), Overflow::DropOldest);
    /// for piece in ["first", "second", "third"] {
    ///     sender.try_send(piece).unwrap();
    /// }
    /// assert_eq!(sender.dropped().pieces, 2);
    /// # drop(receiver);
    /// ```
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.shared.lock().dropped
    }

    /// Says that the body is whole.
    ///
    /// ```
    /// use armature_core::{MediaType, Response, Router, get, stream::{self, Overflow, Watermarks}, test::TestClient};
    ///
    /// async fn whole() -> Response {
    ///     let (mut sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
    ///     sender.try_send("all of it").unwrap();
    ///     sender.finish();
    ///     Response::new(MediaType::TEXT, receiver)
    /// }
    ///
    /// assert_eq!(TestClient::in_process(Router::new().route("/", get(whole)))?.get("/").send()?.text(), "all of it");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn finish(self) {
        self.shared.end(Ok(()));
    }

    /// Says that the body will never be whole: what was sent still goes out, then the connection is cut.
    ///
    /// ```
    /// use armature_core::{MediaType, Response, Router, get, stream::{self, Overflow, Watermarks}, test::TestClient};
    ///
    /// async fn half() -> Response {
    ///     let (mut sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
    ///     sender.try_send("half of it, and ").unwrap();
    ///     sender.fail("the source is gone");
    ///     Response::new(MediaType::TEXT, receiver)
    /// }
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(half)))?;
    /// assert!(client.get("/").send().is_err()); // The connection is cut.
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn fail(self, error: impl Into<StreamError>) {
        self.shared.end(Err(error.into()));
    }
}

impl Shared {
    /// The producer has ended; what it said first counts.
    fn end(&self, end: Result<(), StreamError>) {
        let mut state = self.lock();
        if state.end.is_some() {
            return;
        }
        state.end = Some(end);
        let receiver = state.receiver.take();
        drop(state);
        wake(receiver);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.end(Err("the producer has ended before its body was whole".into()));
    }
}

impl BodySource for Receiver {
    fn poll_piece(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        let mut state = self.shared.lock();
        let was_paused = state.is_paused;
        if let Some(piece) = state.pop() {
            let sender = if was_paused && !state.is_paused { state.sender.take() } else { None };
            drop(state);
            wake(sender);
            return Poll::Ready(Some(Ok(piece)));
        }
        match &mut state.end {
            None => {
                state.receiver = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(end) => Poll::Ready(mem::replace(end, Ok(())).err().map(Err)),
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        state.held_bytes = 0;
        let (pieces, sender) = (mem::take(&mut state.pieces), state.sender.take());
        drop(state);
        drop(pieces);
        wake(sender);
    }
}

impl From<Receiver> for Body {
    fn from(receiver: Receiver) -> Self {
        Self::stream(receiver)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("held_bytes", &self.held_bytes()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("held_bytes", &self.shared.lock().held_bytes).finish_non_exhaustive()
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body is not taken any more")
    }
}

impl error::Error for Closed {}

impl fmt::Display for TrySendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused(_) => f.write_str("the body is taken more slowly than it is made"),
            Self::Closed => Closed.fmt(f),
        }
    }
}

impl error::Error for TrySendError {}

#[cfg(all(test, armature_loom))]
mod model;
#[cfg(all(test, not(armature_loom)))]
mod tests;
