//! What every framework serves here: one route, an answer that is streamed in pieces, and a value in the place that is
//! looked at.
//!
//! How a value gets to its place is each framework's affair (`target/`).

use std::{
    net::SocketAddr,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;

use crate::{
    tally::{Tally, Witness},
    work::Place,
};

/// Bytes of a piece of the answer.
const PIECE_BYTES: usize = 16_384;

/// Pieces of the answer.
const PIECES: usize = 4;

/// One piece of the answer.
static PIECE: [u8; PIECE_BYTES] = [b'x'; PIECE_BYTES];

/// Bytes of the whole answer.
pub const ANSWER_BYTES: usize = PIECE_BYTES * PIECES;

/// How long a server that was asked to stop waits for the requests in flight, as in the comparisons.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// What handlers share.
#[derive(Debug, Clone)]
pub struct Application {
    tally: &'static Tally,
    place: Place,
    /// A value that is dropped with the last of these.
    _shared: Option<Arc<Witness>>,
}

impl Application {
    /// One in which values are in this place.
    #[must_use]
    pub fn new(tally: &'static Tally, place: Place) -> Self {
        Self { tally, place, _shared: None }
    }

    /// The same with one value that all handlers share, in addition.
    #[must_use]
    pub fn with_shared_value(self) -> Self {
        Self { _shared: Some(Arc::new(self.tally.witness())), ..self }
    }

    /// Whether values are in this place.
    #[must_use]
    pub fn is_in(&self, place: Place) -> bool {
        self.place == place
    }

    /// A value, if this is the place for it.
    #[must_use]
    pub fn value(&self, place: Place) -> Option<Witness> {
        self.is_in(place).then(|| self.tally.witness())
    }

    /// The source of an answer's body.
    #[must_use]
    pub fn pieces(&self) -> Pieces<Option<Witness>> {
        Pieces::with(self.value(Place::Body))
    }
}

/// The source of a body, with a value in it.
#[derive(Debug)]
pub struct Pieces<V> {
    left: usize,
    _value: V,
}

impl<V> Pieces<V> {
    /// A body that nobody has read from yet.
    #[must_use]
    pub fn with(value: V) -> Self {
        Self { left: PIECES, _value: value }
    }

    /// The next piece.
    pub fn take(&mut self) -> Option<Bytes> {
        self.left = self.left.checked_sub(1)?;
        Some(Bytes::from_static(&PIECE))
    }

    /// Bytes that are left.
    #[must_use]
    pub fn bytes_left(&self) -> u64 {
        (self.left * PIECE_BYTES) as u64
    }
}

/// A server that runs.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Box<dyn FnOnce()>,
    thread: JoinHandle<Result<(), String>>,
}

impl Server {
    /// One that `thread` serves until `stop` is called.
    #[must_use]
    pub fn new(address: SocketAddr, stop: impl FnOnce() + 'static, thread: JoinHandle<Result<(), String>>) -> Self {
        Self { address, stop: Box::new(stop), thread }
    }

    /// Asks for the end; what comes back waits for it.
    #[must_use]
    pub fn stop(self) -> JoinHandle<Result<(), String>> {
        (self.stop)();
        self.thread
    }
}

/// Waits for the end of a server's thread.
///
/// # Errors
/// What it ended with, unless all went well.
pub fn join(thread: JoinHandle<Result<(), String>>) -> Result<(), String> {
    thread.join().unwrap_or_else(|_| Err("the server's thread panicked".to_owned()))
}

/// Starts a server's thread.
///
/// # Errors
/// When there can be no more threads.
pub fn spawn(
    serve: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<JoinHandle<Result<(), String>>, String> {
    thread::Builder::new().name("server".to_owned()).spawn(serve).map_err(|error| format!("no thread: {error}"))
}
