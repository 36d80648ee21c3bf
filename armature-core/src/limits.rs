//! Every bound on what a peer may make a server hold or wait for, in one struct.
//!
//! Each field has a unit in its name, a default with its reason, and exactly one reader. Read next: `server.rs`.

use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// The most header fields that [`Limits::head_fields_max`] can allow; the parser's table is this long.
pub const HEAD_FIELDS_CEILING: usize = 256;

/// The most bytes that [`Limits::head_bytes_max`] can allow: offsets into the head are 32 bits wide, and a head this long is
/// no head.
pub(crate) const HEAD_BYTES_CEILING: usize = 16 * 1024 * 1024;

/// Bounds on what a peer may make a server hold or wait for.
///
/// Byte and count limits are inclusive: a head of exactly [`head_bytes_max`](Self::head_bytes_max) bytes is served.
/// Deadlines are kept by a clock that ticks every 50 ms and are rounded up to its next tick.
///
/// ```no_run
/// use armature_core::{Limits, Router, Server, get};
/// use std::time::Duration;
///
/// let limits = Limits { body_bytes_max: 100_000, idle_deadline: Duration::from_secs(10), ..Limits::default() };
/// Server::bind("127.0.0.1:8080")?.limits(limits).serve(|_| Router::new().route("/", get(async || "hello")))?;
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request head, from the request line to the empty line. Refused with 431.
    ///
    /// Default 32,768: the target and cookies of browsers stay under 16 KiB together; twice that is the most
    /// a connection may make the server hold before a request is known.
    pub head_bytes_max: usize,
    /// Header fields of a request, at most [`HEAD_FIELDS_CEILING`]. Refused with 431.
    ///
    /// Default 100: what other servers of this kind allow; browsers send fewer than 30.
    pub head_fields_max: usize,
    /// Bytes of the request target. Refused with 414.
    ///
    /// Default 8,192: RFC 9112 §3 asks for at least 8,000.
    pub target_bytes_max: usize,
    /// Empty lines skipped before a request line (RFC 9112 §2.2). More are refused with 400.
    ///
    /// Default 4: old clients send one after a POST.
    pub empty_lines_max: u8,
    /// Bytes of a request body after decoding. Refused with 413, at once where the length is declared.
    ///
    /// Default 2 MiB: forms and JSON fit; an upload route asks for more by itself.
    pub body_bytes_max: u64,
    /// Bytes of chunk extensions over one message, which are read and ignored. Refused with 400.
    ///
    /// Default 4,096: nobody is known to send any; the bound keeps a body from being all overhead.
    pub chunk_extension_bytes_max: usize,
    /// Bytes of the trailer section of one message. Refused with 431.
    ///
    /// Default 8,192: trailers carry a checksum or a signature.
    pub trailer_bytes_max: usize,
    /// Bytes of a request body that are read and thrown away after its response, so that the connection can go on.
    /// A longer one closes the connection.
    ///
    /// Default 65,536: reading this much costs less than a new connection on a local network.
    pub unread_body_bytes_max: u64,
    /// Requests answered, or steps of bodies taken, on one connection before others get their turn: a piece handed to a
    /// handler, a read, or a write, each of one buffer at most.
    ///
    /// Default 32: twice the usual pipelining depth; at some µs each, others wait well under a millisecond.
    pub requests_per_poll_max: u32,
    /// Bytes of answers gathered on one connection before they are written and others get their turn.
    ///
    /// Default 65,536: one socket buffer's worth.
    pub output_bytes_per_poll_max: usize,
    /// Connections open on one worker. Further ones wait in the listener's queue until an idle one is closed for them.
    ///
    /// Default 16,384: at some KiB each while they are active this stays under 256 MiB per worker.
    pub connections_max: usize,
    /// Connections that may wait in the listener's queue to be accepted (`listen(2)`).
    ///
    /// Default 1,024: a burst of connects within one scheduling delay; the kernel caps it at `somaxconn`.
    pub backlog_connections: u32,
    /// From accept, or from the first byte of a later head, to the end of the head. Refused with 408.
    ///
    /// Default 15 s: a head is one or two packets; slower senders hold sockets open on purpose or are gone.
    pub head_deadline: Duration,
    /// How long a connection may wait for its next request. Closed without a word.
    ///
    /// Default 75 s: longer than the 60 s after which common proxies and browsers drop a connection themselves, so
    /// that the client closes first and no request crosses our close.
    pub idle_deadline: Duration,
    /// What [`idle_deadline`](Self::idle_deadline) shrinks to as the worker fills up: from half of
    /// [`connections_max`](Self::connections_max) on, in proportion, reaching this when all are taken.
    ///
    /// Default 5 s: what servers with a fixed short time use; a page's requests still share a connection.
    pub idle_deadline_min: Duration,
    /// How long a connection must have been idle before it may be closed to make room: oldest first, when all
    /// connections are taken or memory is over [`memory_bytes_max`](Self::memory_bytes_max).
    ///
    /// Default 1 s: a client in the middle of its work is never the one.
    pub cull_idle_min: Duration,
    /// Resident memory of the process above which an eighth of each worker's idle connections is closed every second.
    ///
    /// Default: no bound, as only the operator knows what else the machine is for.
    pub memory_bytes_max: u64,
    /// How long a body may make no progress to speak of: its first byte is due in this time, and the time is extended
    /// by the bytes that arrive, at [`body_rate_bytes_per_s_min`](Self::body_rate_bytes_per_s_min). Time in which the
    /// handler does not ask for the body is not counted. Refused with 408.
    ///
    /// Default 20 s: covers a retransmission time-out or a change of radio cell.
    pub body_deadline: Duration,
    /// The slowest average rate at which a body may arrive, bytes per second.
    ///
    /// Default 500: a tenth of a 56k modem's rate.
    pub body_rate_bytes_per_s_min: u32,
    /// How long a client may take none of the bytes that wait for it. The connection is closed.
    ///
    /// Default 30 s: a live client's socket buffer drains in milliseconds.
    pub write_deadline: Duration,
    /// How long a closed connection is still read, so that no reset overtakes the last answer (RFC 9112 §9.6).
    ///
    /// Default 2 s: several round trips on any path.
    pub linger_deadline: Duration,
    /// Bytes read and thrown away in that time.
    ///
    /// Default 262,144: more than a sender has in flight on most paths.
    pub linger_bytes_max: usize,
    /// Tasks that handlers have started beside their answers ([`Background`](crate::Background)) and that still run, of one
    /// worker. Who asks for more is told.
    ///
    /// Default 1,024: what a worker answers in some ms, so that one that is behind shows before its memory does.
    pub background_tasks_max: usize,
    /// How long a stopping server waits for requests in flight and background tasks. Then their connections are cut.
    ///
    /// Default 10 s: the usual patience of supervisors is 30 s, and there is other work in stopping.
    pub drain_deadline: Duration,
    /// How long a connection must have been silent before a stopping server closes it; an earlier request is still
    /// answered, with `Connection: close`.
    ///
    /// Default 200 ms: a busy client's next request is a round trip away.
    pub drain_idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes_max: 32_768,
            head_fields_max: 100,
            target_bytes_max: 8_192,
            empty_lines_max: 4,
            body_bytes_max: 2 * 1024 * 1024,
            chunk_extension_bytes_max: 4_096,
            trailer_bytes_max: 8_192,
            unread_body_bytes_max: 65_536,
            requests_per_poll_max: 32,
            output_bytes_per_poll_max: 65_536,
            connections_max: 16_384,
            backlog_connections: 1_024,
            head_deadline: Duration::from_secs(15),
            idle_deadline: Duration::from_secs(75),
            idle_deadline_min: Duration::from_secs(5),
            cull_idle_min: Duration::from_secs(1),
            memory_bytes_max: u64::MAX,
            body_deadline: Duration::from_secs(20),
            body_rate_bytes_per_s_min: 500,
            write_deadline: Duration::from_secs(30),
            linger_deadline: Duration::from_secs(2),
            linger_bytes_max: 262_144,
            background_tasks_max: 1_024,
            drain_deadline: Duration::from_secs(10),
            drain_idle: Duration::from_millis(200),
        }
    }
}

impl Limits {
    /// Says which limit, if any, has a value with which no server can work.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let positive: [(&str, u64); 9] = [
            ("head_bytes_max", self.head_bytes_max as u64),
            ("head_fields_max", self.head_fields_max as u64),
            ("target_bytes_max", self.target_bytes_max as u64),
            ("requests_per_poll_max", u64::from(self.requests_per_poll_max)),
            ("output_bytes_per_poll_max", self.output_bytes_per_poll_max as u64),
            ("connections_max", self.connections_max as u64),
            ("backlog_connections", u64::from(self.backlog_connections)),
            ("body_rate_bytes_per_s_min", u64::from(self.body_rate_bytes_per_s_min)),
            ("trailer_bytes_max", self.trailer_bytes_max as u64),
        ];
        for (name, value) in positive {
            if value == 0 {
                return Err(Error::new(ErrorKind::Limits, format!("limit {name} is 0; it must be at least 1")));
            }
        }
        if self.head_fields_max > HEAD_FIELDS_CEILING {
            return Err(Error::new(
                ErrorKind::Limits,
                format!("limit head_fields_max is {}; it can be at most {HEAD_FIELDS_CEILING}", self.head_fields_max),
            ));
        }
        if self.head_bytes_max > HEAD_BYTES_CEILING {
            return Err(Error::new(
                ErrorKind::Limits,
                format!("limit head_bytes_max is {}; it can be at most 16 MiB", self.head_bytes_max),
            ));
        }
        Ok(())
    }
}
