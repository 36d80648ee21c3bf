//! A line in the log for each request.

use std::{net::SocketAddr, time::Instant};

use tracing::{Level, event};

use super::RequestId;
use crate::{
    buffer::{self, Buffer},
    h1::ascii::text,
    http::Method,
    respond::Response,
    service::{Hooks, Request},
};

/// Tells `tracing` of each request when its response's head is known: an event of the target `armature_core::access`, ERROR for a
/// status of 500 or more, WARN for 400 or more, else INFO.
///
/// Its fields are `method`, `path` (without the query, which may hold what is nobody's business), `status`, `duration_us`, and,
/// where they are known, `peer`, `request_id`, `bytes` of the response's body, and the response's
/// [`cause`](Response::cause). A request whose handler is dropped, as its client has reset the connection or a middleware further
/// out has lost patience, is told of at WARN without a status; one whose handler has panicked past the log, at ERROR.
///
/// The id is found where [`SetRequestId`](super::SetRequestId) is outside of the log. Without a subscriber that wants errors of the
/// target, nothing is noted or copied.
///
/// ```
/// use armature_core::{Router, get, middleware::{AccessLog, SetRequestId}};
///
/// let router: Router =
///     Router::new().route("/", get(async || "hello")).layer((SetRequestId::new(), AccessLog::new()));
/// # router.build().unwrap();
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct AccessLog(());

impl AccessLog {
    /// The log.
    ///
    /// ```
    /// use armature_core::{Router, get, middleware::AccessLog, test::TestClient};
    /// use tracing_subscriber::fmt;
    ///
    /// let (log, name) = tempfile::NamedTempFile::new().unwrap().into_parts();
    /// let subscriber = fmt().with_writer(log).finish();
    /// let app = Router::new().route("/", get(async || "hello")).layer(AccessLog::new());
    /// let mut client = TestClient::in_process(app)?;
    /// let answer = tracing::subscriber::with_default(subscriber, || client.get("/").send())?;
    /// assert_eq!(answer.text(), "hello");
    /// assert!(std::fs::read_to_string(&name).unwrap().contains("armature_core::access"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

/// What is noted of a request until there is a response.
// No program names what a hook keeps.
#[doc(hidden)]
#[derive(Debug)]
pub struct Entry {
    /// Method and path, in a buffer of the pool.
    line: Buffer,
    method_bytes: usize,
    is_head: bool,
    peer: Option<SocketAddr>,
    id: Option<RequestId>,
    begun: Instant,
    is_told: bool,
}

macro_rules! tell {
    ($level:expr, $entry:expr, $status:expr, $bytes:expr, $cause:expr, $message:literal) => {{
        let entry: &Entry = $entry;
        let (method, path) = entry.line.split_at(entry.method_bytes);
        event!(
            target: "armature_core::access",
            $level,
            method = text(method),
            path = text(path),
            status = $status,
            duration_us = entry.begun.elapsed().as_micros() as u64,
            peer = entry.peer.as_ref().map(tracing::field::display),
            request_id = entry.id.as_ref().map(RequestId::as_str),
            bytes = $bytes,
            cause = $cause,
            $message
        );
    }};
}

impl Hooks for AccessLog {
    type Kept = Option<Entry>;

    fn before(&self, request: &mut Request<'_>) -> Result<Option<Entry>, Response> {
        if !tracing::enabled!(target: "armature_core::access", Level::ERROR) {
            return Ok(None);
        }
        let head = &request.head;
        let mut line = buffer::take();
        line.extend_from_slice(head.method_token().as_bytes());
        let method_bytes = line.len();
        line.extend_from_slice(head.path().as_bytes());
        Ok(Some(Entry {
            line,
            method_bytes,
            is_head: head.method() == Method::Head,
            peer: head.connection().peer(),
            id: head.extensions().get().copied(),
            begun: Instant::now(),
            is_told: false,
        }))
    }

    fn after(&self, entry: Option<Entry>, response: &mut Response) {
        let Some(mut entry) = entry else { return };
        entry.is_told = true;
        let status = response.status_code().as_u16();
        let length = response.declared_length().or(response.body().length());
        let bytes = length.filter(|_| !entry.is_head);
        let cause = response.cause().map(tracing::field::display);
        match status {
            500.. => tell!(Level::ERROR, &entry, status, bytes, cause, "answered"),
            400.. => tell!(Level::WARN, &entry, status, bytes, cause, "answered"),
            _ => tell!(Level::INFO, &entry, status, bytes, cause, "answered"),
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.is_told {
            let (none, nothing) = (None::<u16>, None::<u64>);
            if std::thread::panicking() {
                tell!(Level::ERROR, &*self, none, nothing, None::<&str>, "the handler has panicked");
            } else {
                tell!(Level::WARN, &*self, none, nothing, None::<&str>, "dropped without an answer");
            }
        }
    }
}
