//! Which experiments there are, in the order of the ledger.
//!
//! What has no knob has no row here. Connections are not recycled as a whole: a connection's task is one allocation, and the buffers
//! and handlers' storage that it uses come from the worker, as they do for connections that stay, so that there is nothing to
//! turn off; what a new connection costs is the suite engine's case churn, and what pools save is told by the experiments in
//! process. TCP Fast Open has a knob and no row: the load generator sends no data with its SYN.

use harness::count::Count;

use crate::experiment::{Ask, Experiment, input};

/// Where most of them come from.
const INHERITED: &str = "the project's inherited list of optimisations";

/// What a request costs.
const COST: &[Count] = &[Count::Instructions, Count::SystemCalls, Count::Allocations];

/// What a request costs, and what a connection that waits.
const COST_AND_IDLE: &[Count] = &[Count::Instructions, Count::SystemCalls, Count::Allocations, Count::IdleConnections];

/// What a request of database rows costs: instructions of some thousands of them take minutes to count.
const COST_OF_ROWS: &[Count] = &[Count::SystemCalls, Count::Allocations];

const SENDING: &str = "sending, over a socket";
const READING: &str = "reading, over a socket";
const CONNECTIONS: &str = "connections, over a socket";
const WORKERS: &str = "workers, over a socket";

/// All experiments.
pub(crate) const ALL: &[Experiment] = &[
    Experiment {
        name: "batched-answers",
        group: SENDING,
        claim: "Writing the answers to all requests that are there at once saves a system call for each.",
        source: INHERITED,
        baseline: "each answer is written before the next request is looked at (`Tuning::answers_per_write_max` of 1)",
        candidate: "all that are there are answered first",
        counts: COST,
        inputs: &[
            input("1", "1 request at a time", Ask::Plaintext, 16),
            input("4", "4 requests at once", Ask::Plaintext, 16).deep(4),
            input("16", "16 requests at once", Ask::Plaintext, 16).deep(16),
            input("64", "64 requests at once, two turns of the worker", Ask::Plaintext, 16).deep(64),
        ],
    },
    Experiment {
        name: "requests-per-poll",
        group: SENDING,
        claim: "Answering up to 32 requests of a connection before others have their turn saves a turn and a write for each.",
        source: INHERITED,
        baseline: "after each request others have their turn (`Limits::requests_per_poll_max` of 1)",
        candidate: "after 32, the default",
        counts: COST,
        inputs: &[
            input("1", "1 request at a time", Ask::Plaintext, 16),
            input("4", "4 requests at once", Ask::Plaintext, 16).deep(4),
            input("16", "16 requests at once", Ask::Plaintext, 16).deep(16),
            input("64", "64 requests at once", Ask::Plaintext, 16).deep(64),
        ],
    },
    Experiment {
        name: "writev",
        group: SENDING,
        claim: "A large body that is written from where it is, as a second buffer, is not copied.",
        source: INHERITED,
        baseline: "every body is copied behind its head and written with it (`Tuning::copy_bytes_max` of 16 MiB)",
        candidate: "one of more than 8 KiB, the default, is a second buffer of the same writev(2)",
        counts: COST,
        inputs: &[
            input("1-kib", "a body of 1 KiB", Ask::Download(1 << 10), 16),
            input("16-kib", "a body of 16 KiB", Ask::Download(16 << 10), 16),
            input("256-kib", "a body of 256 KiB", Ask::Download(256 << 10), 16),
            input("1-mib", "a body of 1 MiB", Ask::Download(1 << 20), 16),
        ],
    },
    Experiment {
        name: "sendfile",
        group: SENDING,
        claim: "A file that the kernel sends by itself is not copied through the process.",
        source: INHERITED,
        baseline: "files are read on a thread for what blocks, 64 KiB at a time, and written (`Tuning::sends_files` off)",
        candidate: "sendfile(2), the default; files of up to 32 KiB are read whole on either side",
        counts: COST,
        inputs: &[
            input("16-kib", "a file of 16 KiB, alike on both sides", Ask::File(16), 16),
            input("64-kib", "a file of 64 KiB", Ask::File(64), 16),
            input("256-kib", "a file of 256 KiB", Ask::File(256), 16),
            input("1-mib", "a file of 1 MiB", Ask::File(1024), 16),
        ],
    },
    Experiment {
        name: "cork",
        group: SENDING,
        claim: "A head that waits for the first bytes of its file saves a packet.",
        source: INHERITED,
        baseline: "the head is written, then the file sent (`Tuning::joins_file_heads` off)",
        candidate: "the head is written with MSG_MORE, TCP_CORK for one call, the default",
        counts: COST,
        inputs: &[
            input("16-kib", "a file of 16 KiB, which is written with its head on both sides", Ask::File(16), 16),
            input("64-kib", "a file of 64 KiB", Ask::File(64), 16),
            input("256-kib", "a file of 256 KiB", Ask::File(256), 16),
            input("1-mib", "a file of 1 MiB", Ask::File(1024), 16),
        ],
    },
    Experiment {
        name: "no-delay",
        group: SENDING,
        claim: "Without Nagle's algorithm an answer does not wait for the acknowledgement of the one before.",
        source: INHERITED,
        baseline: "Nagle's algorithm (`Tuning::no_delay` off)",
        candidate: "TCP_NODELAY, the default",
        counts: COST,
        inputs: &[
            input("1", "1 request at a time", Ask::Plaintext, 16),
            input("64", "64 requests at once, written in two turns", Ask::Plaintext, 16).deep(64),
            input("64-kib", "a body of 64 KiB", Ask::Download(64 << 10), 16),
        ],
    },
    Experiment {
        name: "adaptive-reads",
        group: READING,
        claim: "Read buffers that are as large as reads have been lately save reads of large bodies, and memory else.",
        source: INHERITED,
        baseline: "every read has room for 8 KiB (`Tuning::adapts_read_size` off)",
        candidate: "between 4 and 64 KiB, what 95 in 100 of the last reads needed, the default",
        counts: COST,
        inputs: &[
            input("1", "1 small request at a time", Ask::Plaintext, 16),
            input("64", "64 small requests at once", Ask::Plaintext, 16).deep(64),
            input("64-kib", "a body of 64 KiB there and back", Ask::Echo(64 << 10), 16),
            input("256-kib", "a body of 256 KiB there and back", Ask::Echo(256 << 10), 16),
        ],
    },
    Experiment {
        name: "idle-release",
        group: READING,
        claim: "A connection that gives its buffer back while it waits holds some hundred bytes, and pays for that with nothing.",
        source: INHERITED,
        baseline: "each connection keeps its read buffer (`Tuning::keeps_idle_buffers` on)",
        candidate: "buffers are the worker's, and with a connection only while there is something to read, the default",
        counts: COST_AND_IDLE,
        inputs: &[
            input("16", "16 connections", Ask::Plaintext, 16),
            input("1000", "1,000 connections", Ask::Plaintext, 1_000),
        ],
    },
    Experiment {
        name: "keep-alive",
        group: CONNECTIONS,
        claim: "Shortening the time of idle connections as they fill up makes room, and costs requests nothing.",
        source: INHERITED,
        baseline: "idle connections have 75 s however many there are (`Limits::idle_deadline_min` of 75 s); 100 may be open",
        candidate: "from half of them on it shrinks towards 5 s, the default",
        counts: COST,
        inputs: &[
            input("16", "16 of 100 connections, where both have 75 s", Ask::Plaintext, 16),
            input("90", "90 of 100 connections", Ask::Plaintext, 90),
        ],
    },
    Experiment {
        name: "busy-poll",
        group: CONNECTIONS,
        claim: "A socket that looks into the network card's queue does not wait for an interrupt.",
        source: INHERITED,
        baseline: "sockets wait, the default",
        candidate: "SO_BUSY_POLL of 50 µs (`Tuning::busy_poll`); loopback, over which this runs, has no card to look into",
        counts: COST,
        inputs: &[input("1", "1 connection", Ask::Plaintext, 1), input("64", "64 connections", Ask::Plaintext, 64)],
    },
    Experiment {
        name: "reuseport",
        group: CONNECTIONS,
        claim: "A listener for each worker saves handing connections from thread to thread.",
        source: INHERITED,
        baseline: "one thread accepts for two workers and hands each connection over (`Balance::LeastConnections`)",
        candidate: "two workers accept for themselves (SO_REUSEPORT), the default",
        counts: &[Count::SystemCalls],
        inputs: &[
            input("stay", "64 connections that stay", Ask::Plaintext, 64),
            input("10", "64 connections, each anew after 10 answers", Ask::Plaintext, 64).reconnecting(10),
            input("1", "64 connections, each anew after every answer", Ask::Plaintext, 64).reconnecting(1),
        ],
    },
    Experiment {
        name: "affinity",
        group: WORKERS,
        claim: "A worker that stays on its CPU finds its caches warm.",
        source: INHERITED,
        baseline: "two workers run where the kernel puts them, the default",
        candidate: "each has a CPU of those that the server may use (`Server::pin_workers`), in turn",
        counts: &[Count::SystemCalls],
        inputs: &[
            input("plaintext", "small answers on 64 connections", Ask::Plaintext, 64),
            input("64-kib", "bodies of 64 KiB on 16 connections", Ask::Download(64 << 10), 16),
        ],
    },
    Experiment {
        name: "event-interval",
        group: WORKERS,
        claim: "A runtime that looks for events more rarely has more time for its tasks.",
        source: INHERITED,
        baseline: "every 61 polls, tokio's default",
        candidate: "every 610 (`Tuning::event_interval_polls`)",
        counts: COST_OF_ROWS,
        inputs: &[
            input("plaintext", "requests that pass no task of tokio's", Ask::Plaintext, 64),
            input("row", "a row of the database", Ask::Row, 64),
            input("rows", "20 rows of the database", Ask::Rows(20), 64),
        ],
    },
    Experiment {
        name: "global-queue-interval",
        group: WORKERS,
        claim: "A runtime that looks more rarely for what other threads have woken has more time for its tasks.",
        source: INHERITED,
        baseline: "every 31 polls, tokio's default",
        candidate: "every 310 (`Tuning::global_queue_interval_polls`)",
        counts: COST_OF_ROWS,
        inputs: &[
            input("plaintext", "requests that pass no task of tokio's", Ask::Plaintext, 64),
            input("row", "a row of the database", Ask::Row, 64),
            input("rows", "20 rows of the database", Ask::Rows(20), 64),
        ],
    },
    Experiment {
        name: "per-core",
        group: WORKERS,
        claim: "A runtime and a listener for each thread save the atomics and wake-ups of one whose threads steal tasks.",
        source: INHERITED,
        baseline: "hyper on one runtime of two threads that steal (`target-hyper --stealing`); armature-core has no such mode",
        candidate: "hyper with a runtime and a listener for each of two threads, as armature-core has them",
        counts: COST,
        inputs: &[
            input("1", "1 request at a time", Ask::Plaintext, 64),
            input("16", "16 requests at once", Ask::Plaintext, 64).deep(16),
            input("churn", "connections anew after 10 answers", Ask::Plaintext, 64).reconnecting(10),
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use harness::{layout, target};

    use super::*;

    #[test]
    fn every_experiment_says_what_it_is_and_has_several_inputs() {
        let ids: Vec<String> = ALL.iter().flat_map(Experiment::scenarios).map(|scenario| scenario.case.id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        for experiment in ALL {
            assert!(experiment.inputs.len() >= 2, "{}", experiment.name);
            assert!(experiment.claim.ends_with('.') && !experiment.claim.contains(". "), "{}", experiment.claim);
            assert_ne!(experiment.baseline, experiment.candidate, "{}", experiment.name);
        }
    }

    #[test]
    fn every_experiment_has_two_sides_that_differ_and_serve_it_alone() {
        let entries = target::entries(&layout::lab_of("knobs").unwrap()).unwrap();
        assert_eq!(entries.len(), 2 * ALL.len());
        for experiment in ALL {
            let [base, head] = ["base", "head"].map(|side| {
                let name = format!("{}@{side}", experiment.name);
                entries.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("there is no {name}"))
            });
            for side in [base, head] {
                assert_eq!(side.serves, [experiment.name], "{}", side.name);
            }
            assert_eq!(base.package, head.package, "{}", experiment.name);
            assert_ne!(base.arguments, head.arguments, "{}", experiment.name);
        }
    }
}
