//! The words between the lab and its load generator: a [`Plan`] in, [`Event`]s out, one JSON object a line.
//!
//! The generator connects, warms up, lets every answer that is under way arrive, and says [`Event::Warm`]. Then it is
//! silent on the wire until it reads `{"command":"go"}` ([`Go`]), so that the lab can read the server's counters at a
//! moment when nothing is in flight: CPU per request is then exact, not an estimate over two overlapping windows.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Everything the generator needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The server.
    pub address: SocketAddr,
    /// Connections held open, over all threads; at least one per thread.
    pub connections: u32,
    /// Requests written at once on a connection before its answers are awaited; 1 is no pipelining.
    pub pipeline: u32,
    /// Generator threads.
    pub threads: u32,
    /// The CPUs the threads are bound to, in turn; empty leaves placement to the kernel.
    pub cpus: Vec<usize>,
    /// When requests are sent.
    pub mode: Mode,
    /// Load before the window, s; its answers are checked, its times thrown away.
    pub warmup_s: f64,
    /// The timed window, s.
    pub duration_s: f64,
    /// An answer that takes longer than this counts as a timeout, s.
    pub timeout_s: f64,
    /// What is sent; at least one.
    pub requests: Vec<Request>,
    /// In which order the requests are taken.
    pub pick: Pick,
    /// One answer in this many, and the first on each connection, is checked whole; status and length always are.
    pub verify_every: u32,
    /// A connection is closed after so many answers and made anew; none keeps it for as long as the server does.
    #[serde(default)]
    pub reconnect_every: Option<u32>,
}

/// When requests are sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "loop", rename_all = "snake_case")]
pub enum Mode {
    /// Each connection sends when it is answered. Finds the saturation rate; its latencies leave out the time in
    /// which a slow server kept requests from being sent (coordinated omission).
    Closed,
    /// Requests are due at fixed instants, whatever the server does.
    Open {
        /// Requests per second over all connections.
        rate_per_s: f64,
    },
}

/// In which order the requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "pick", rename_all = "snake_case")]
pub enum Pick {
    /// One after the other, from the first.
    Cycle,
    /// Uniformly at random.
    Random {
        /// Seed; equal seeds give equal sequences on each thread.
        seed: u64,
    },
}

/// One request and what its answer must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Method, for example `GET`.
    pub method: String,
    /// Request target, for example `/queries?queries=20`.
    pub path: String,
    /// Header fields. Content-Length follows from the body; Host is the plan's address unless it is given here.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Body, sent with a Content-Length.
    #[serde(default)]
    pub body: Option<String>,
    /// What the answer must be.
    pub expect: Expect,
}

/// What an answer must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expect {
    /// Status code.
    pub status: u16,
    /// What the body must be.
    pub body: Body,
}

/// What a body must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "body", rename_all = "snake_case")]
pub enum Body {
    /// Anything.
    Any,
    /// These bytes.
    Exact {
        /// The text.
        text: String,
    },
    /// Any bytes of this number.
    Length {
        /// Bytes.
        bytes: u64,
    },
    /// A JSON object with (at least) integer fields of these names.
    JsonObject {
        /// Field names.
        integers: Vec<String>,
    },
    /// A JSON array of so many objects with integer fields of these names.
    JsonArray {
        /// Objects in the array.
        count: u32,
        /// Field names in each.
        integers: Vec<String>,
    },
    /// Text that holds each of these pieces and none of those.
    Contains {
        /// What must be in it.
        pieces: Vec<String>,
        /// What must not be in it, for example markup that should have been escaped.
        #[serde(default)]
        absent: Vec<String>,
    },
}

/// The lab's word that a timed window may begin: the first, or another one over the same connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Go {
    /// Begin.
    Go,
}

/// What the generator says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Warm-up is over and nothing is in flight; the generator waits for [`Go`].
    Warm,
    /// The window is over and every answer is in, or given up; the generator waits for another [`Go`], or for the end of its
    /// standard input.
    Done(Outcome),
    /// The load could not be run at all.
    Failed {
        /// Why, for a person.
        message: String,
    },
}

/// What a window showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Answers that arrived within the window.
    pub requests: u64,
    /// Answers that arrived from [`Go`] to the end, those after the window's close included: what the server worked for.
    pub requests_total: u64,
    /// The window's length as it was, s.
    pub duration_s: f64,
    /// Bytes read within the window, heads included.
    pub bytes_read: u64,
    /// Connections made since [`Go`].
    #[serde(default)]
    pub connects: u64,
    /// What went wrong.
    pub errors: Errors,
    /// Answers checked whole, warm-up included.
    pub verified: u64,
    /// The first thing that went wrong, in words.
    pub first_error: Option<String>,
    /// Latency from the instant a request was written, µs: base64 of an HdrHistogram V2 with deflate, three digits.
    ///
    /// It holds every request written since [`Go`], those answered after the window's close included, and those given
    /// up with the time for which they were awaited: else the slowest would be the ones left out. Only requests lost
    /// with their connection are missing; they are read errors.
    pub histogram_sent: String,
    /// Latency from the instant a request was due, µs; open loop only. Requests that were due in the window and could
    /// not be sent until a timeout after its close are in it as well.
    pub histogram_due: Option<String>,
    /// How the generator itself fared.
    pub health: Health,
}

/// What went wrong in a load, warm-up included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errors {
    /// Connections that could not be made.
    pub connect: u64,
    /// Connections that the server closed or broke.
    pub read: u64,
    /// Answers that did not come in time, and requests of an open loop that could not even be sent in time.
    pub timeout: u64,
    /// Answers with another status.
    pub status: u64,
    /// Answers with another body, or that are not HTTP/1.1.
    pub body: u64,
}

impl Errors {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.connect + self.read + self.timeout + self.status + self.body
    }

    /// Those of two loads together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            connect: self.connect + other.connect,
            read: self.read + other.read,
            timeout: self.timeout + other.timeout,
            status: self.status + other.status,
            body: self.body + other.body,
        }
    }
}

/// How the generator itself fared; a generator at its limit measures itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// CPU time over wall time and threads, 0 to 1.
    pub cpu_share: f64,
    /// How late requests were written after they were due and their connection was free, 99th percentile, µs. In a
    /// closed loop: after the generator woke up to the answer before.
    pub send_lag_us_p99: u64,
}
