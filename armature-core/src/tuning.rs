//! How a server uses the kernel and its runtime, in one struct. No field changes what is answered, only what it costs.
//!
//! Each field has a unit in its name, a default with its reason, and exactly one reader. What a peer may make a server hold is
//! `limits.rs`'s. Whether a field pays is measured: `suites/knobs`, and the ledger has a row for each.

use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// The longest [`Tuning::busy_poll`]: the socket option takes µs, and a worker that looks for longer serves nobody meanwhile.
const BUSY_POLL_CEILING: Duration = Duration::from_millis(10);

/// How a server uses the kernel and its runtime.
///
/// What the kernel cannot do, or not for this process, is an error of [`Server::serve`](crate::Server::serve) before anything is
/// served; no field is silently ignored.
///
/// ```
/// use armature_core::{Router, Server, Tuning, get, test::TestClient};
///
/// let tuning = Tuning { sends_files: false, blocking_threads_max: 8, ..Tuning::default() };
/// let server = Server::bind("127.0.0.1:0")?.tuning(tuning);
/// let mut client = TestClient::over_socket_with(server, |_| Router::new().route("/", get(async || "hello")))?;
/// assert_eq!(client.get("/").send()?.text(), "hello");
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    /// Whether a segment that is not full is sent at once (TCP_NODELAY, tcp(7)), instead of after what was sent before it is
    /// acknowledged.
    ///
    /// Default true: answers are written whole, so there is nothing to wait for but the peer's delayed acknowledgement.
    pub no_delay: bool,
    /// Connections of a listener that have sent their first request with their SYN and are not accepted yet (TCP_FASTOPEN,
    /// RFC 7413); 0 is off. Needs the bit 2 of `net.ipv4.tcp_fastopen`.
    ///
    /// Default 0: such a request may arrive twice, which only who knows all handlers can allow; and few clients send one.
    pub syn_data_connections_max: u32,
    /// How long the kernel looks into the queue of the network card when a socket has nothing to read (SO_BUSY_POLL, socket(7)),
    /// at most 10 ms; rounded down to µs. More than `net.core.busy_read` needs CAP_NET_ADMIN.
    ///
    /// Default 0, the kernel's: it spends a CPU on latency, and loopback has no card to look into.
    pub busy_poll: Duration,
    /// A body up to this size, bytes, is copied behind its head; a larger one is a second buffer of the same write (writev(2)).
    ///
    /// Default 8,192: two pages, under which most answers that are made for a request stay. The ledger's row `writev` tells what
    /// either way costs by size.
    pub copy_bytes_max: usize,
    /// Answers of one connection that wait for one another before they are written together; a batch is also bounded by
    /// [`Limits::requests_per_poll_max`](crate::Limits::requests_per_poll_max).
    ///
    /// Default: no other bound. Less is of use where handlers keep the CPU for long and a pipelining client wants the first
    /// answer soon.
    pub answers_per_write_max: u32,
    /// Whether the kernel sends a file's bytes by itself (sendfile(2)), on the worker's thread; otherwise they are read on a
    /// thread for what blocks, and written.
    ///
    /// Default true: served files are mostly in the page cache. On a slow disk or a network file system a worker that waits for
    /// it serves nobody, so there it is better off.
    pub sends_files: bool,
    /// Whether the head of an answer waits for the first bytes of the file that the kernel sends behind it, so that both are one
    /// segment (MSG_MORE, send(2), which is TCP_CORK for one call).
    ///
    /// Default true: it is a packet less, and not a call more.
    pub joins_file_heads: bool,
    /// Whether read buffers become as large as nearly all recent reads needed, between 4 and 64 KiB; otherwise they have 8 KiB.
    ///
    /// Default true. False makes what a worker's connections hold a matter of their number alone.
    pub adapts_read_size: bool,
    /// Whether a connection keeps its read buffer while it waits for a request.
    ///
    /// Default false: most connections are idle most of the time, and what each holds then is held as often as there are
    /// connections. The ledger's row `idle-release` tells how much that is, and what giving it back costs.
    pub keeps_idle_buffers: bool,
    /// Polls of tokio tasks after which a worker's runtime looks for timers and sockets of tokio's
    /// ([`event_interval`](tokio::runtime::Builder::event_interval)). Connections are no such tasks.
    ///
    /// Default 61, tokio's.
    pub event_interval_polls: u32,
    /// Polls of tokio tasks after which a worker's runtime looks for what other threads have woken, while its own tasks have work
    /// ([`global_queue_interval`](tokio::runtime::Builder::global_queue_interval)).
    ///
    /// Default 31, tokio's for a runtime of one thread.
    pub global_queue_interval_polls: u32,
    /// Threads for what blocks (`tokio::task::spawn_blocking`), of each worker. What finds none waits.
    ///
    /// Default 512, tokio's: enough for files and name look-ups; a bound of memory and of what may be asked of a disk at once.
    pub blocking_threads_max: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            no_delay: true,
            syn_data_connections_max: 0,
            busy_poll: Duration::ZERO,
            copy_bytes_max: 8_192,
            answers_per_write_max: u32::MAX,
            sends_files: true,
            joins_file_heads: true,
            adapts_read_size: true,
            keeps_idle_buffers: false,
            event_interval_polls: 61,
            global_queue_interval_polls: 31,
            blocking_threads_max: 512,
        }
    }
}

impl Tuning {
    /// Whether a body or piece of so many bytes is copied behind what is encoded, rather than attached to it.
    #[inline]
    pub(crate) fn copies(&self, bytes: usize) -> bool {
        bytes <= self.copy_bytes_max
    }

    /// Says which field, if any, has a value with which no server can work.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let positive = [
            ("answers_per_write_max", self.answers_per_write_max as usize),
            ("event_interval_polls", self.event_interval_polls as usize),
            ("global_queue_interval_polls", self.global_queue_interval_polls as usize),
            ("blocking_threads_max", self.blocking_threads_max),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(Error::new(ErrorKind::Tuning, format!("tuning {name} is 0; it must be at least 1")));
        }
        if self.busy_poll > BUSY_POLL_CEILING {
            let (asked, most) = (self.busy_poll, BUSY_POLL_CEILING);
            return Err(Error::new(
                ErrorKind::Tuning,
                format!("tuning busy_poll is {asked:?}; it can be at most {most:?}"),
            ));
        }
        Ok(())
    }
}
