//! What the connections of one thread share. `worker.rs` owns it, and lends it to one `connection.rs` at a time.

use std::sync::Arc;

use mio::Registry;

use crate::{clock::Clock, head::Memory, load::Load, request::Picker, schedule::Schedule, tally::Tally};

/// What the connections of one thread share.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) load: Arc<Load>,
    pub(crate) clock: Clock,
    pub(crate) registry: Registry,
    pub(crate) picker: Picker,
    /// The last head seen in answer to each of the plan's requests.
    pub(crate) memories: Vec<Memory>,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) tally: Tally,
    /// When the thread last woke up, ns.
    pub(crate) woken_ns: u64,
    /// Requests are written before this instant, ns.
    pub(crate) send_until_ns: u64,
    /// Answers count as the window's up to this instant, ns.
    pub(crate) count_until_ns: u64,
    /// While set, a connection that cannot be made ends the load: nothing has been measured yet.
    pub(crate) strict: bool,
    /// Why the load cannot be run.
    pub(crate) failure: Option<String>,
}
