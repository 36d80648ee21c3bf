//! The words of the control channel between the lab and a server under test.
//!
//! The lab writes [`Command`]s to the server's standard input; the server writes [`Reply`]s to its standard output,
//! the first of them [`Reply::Ready`]. Each is one JSON object on a line of its own:
//!
//! ```text
//! ← {"reply":"ready","protocol":1,"server":"axum","address":"127.0.0.1:40133","pid":4711,"versions":{"axum":"0.8.9"}}
//! → {"command":"counters"}
//! ← {"reply":"counters","cpu_user_us":1200,"cpu_system_us":800,…}
//! → {"command":"shutdown"}
//! ← {"reply":"stopping"}
//! ```

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};

/// The version of the control channel; a server that speaks another one is refused.
pub const PROTOCOL: u32 = 1;

/// What the lab asks of a server under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Answer with the process's counters as they stand.
    Counters,
    /// Wait until the process has used no CPU for a moment, then answer with its counters.
    Quiesce,
    /// Remember from now on where allocated blocks come from; only a build that counts allocations can.
    Watch,
    /// Answer with the blocks that were allocated since [`Command::Watch`] and are still there.
    Sites,
    /// Answer with all that was allocated since [`Command::Watch`], given back or not, by the stack that asked for it.
    Allocated,
    /// Note from now on, so many times in a second of CPU time, which stack is running.
    Sample {
        /// Times in a second of CPU time; the kernel's own timer may be coarser.
        rate_hz: u32,
    },
    /// Note no more, and answer with what was noted.
    Samples,
    /// Stop accepting, finish what is in flight, end with exit code 0.
    Shutdown,
}

/// What a server under test answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// The listener is open; sent once, first.
    Ready(Ready),
    /// Answer to [`Command::Counters`], [`Command::Quiesce`], [`Command::Watch`] and [`Command::Sample`].
    Counters(Counters),
    /// Answer to [`Command::Sites`].
    Sites {
        /// By call site, the largest first.
        sites: Vec<Site>,
    },
    /// Answer to [`Command::Allocated`] and [`Command::Samples`].
    Stacks {
        /// In no order.
        stacks: Vec<Stack>,
        /// Samples for which there was no room.
        lost: u64,
    },
    /// Answer to [`Command::Shutdown`]; the process ends when its connections have.
    Stopping,
    /// The server has ended and given back what it held; the last line, of a build that counts allocations.
    Ended {
        /// What is still allocated then.
        allocations: Allocations,
        /// Where it comes from, the largest first; empty unless it was watched.
        sites: Vec<Site>,
    },
    /// A line that could not be read as a [`Command`], or a command that failed.
    Error {
        /// What was wrong, for a person.
        message: String,
    },
}

/// The first line of a server under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The name the server goes by in reports.
    pub server: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process id.
    pub pid: u32,
    /// Versions of the packages that make up the server, by name.
    pub versions: BTreeMap<String, String>,
}

/// What a process has used since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// CPU time in user mode over all threads, µs.
    pub cpu_user_us: u64,
    /// CPU time in the kernel over all threads, µs.
    pub cpu_system_us: u64,
    /// Resident memory now, bytes.
    pub rss_bytes: u64,
    /// The largest resident memory so far, bytes.
    pub rss_peak_bytes: u64,
    /// Context switches because a thread waited.
    pub context_switches_voluntary: u64,
    /// Context switches because the kernel took the CPU away.
    pub context_switches_involuntary: u64,
    /// What it allocated; only a build that counts allocations knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocations: Option<Allocations>,
    /// Statements that a database inside the process has run; none where there is no such database, or nobody counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statements: Option<u64>,
}

/// What a process has allocated since it began, the lab's own thread in it left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocations {
    /// Blocks that were asked for; a block that grows counts as a new one.
    pub calls: u64,
    /// Sizes of all those blocks, bytes.
    pub bytes: u64,
    /// Sizes of the blocks that have not been given back, bytes.
    pub live_bytes: u64,
    /// How many blocks have not been given back.
    #[serde(default)]
    pub live_blocks: u64,
}

/// A place in the program, and the blocks that come from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The calls that led there, innermost first, the standard library's left out: a function, and its file and line where
    /// the program has them.
    pub calls: Vec<String>,
    /// Blocks from there that have not been given back.
    pub blocks: u64,
    /// Their sizes together, bytes.
    pub bytes: u64,
}

/// A stack of calls, and what was seen of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// Addresses in the process, innermost first: of the instruction that was running in a sample, and of where calls return to.
    pub addresses: Vec<u64>,
    /// Samples, or blocks that were allocated.
    pub count: u64,
    /// The sizes of those blocks together, bytes; 0 for samples.
    #[serde(default)]
    pub bytes: u64,
}
