//! Every metric the lab records: its unit, which direction is better, and the sentence that explains it.
//!
//! A sample may only carry metrics named here; `summary.rs` and the reports take units and order from this table.

/// Which way a figure should move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// Neither: it describes the conditions of the measurement.
    Neither,
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name in records; the unit is its last part.
    pub name: &'static str,
    /// Column heading.
    pub title: &'static str,
    /// Unit as printed, empty for plain numbers.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// What it is, in one sentence.
    pub about: &'static str,
}

const fn metric(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    better: Better,
    about: &'static str,
) -> Metric {
    Metric { name, title, unit, better, about }
}

/// All metrics, in the order in which reports show them.
pub const ALL: &[Metric] = &[
    metric(
        "requests_per_s",
        "Requests/s",
        "1/s",
        Better::Higher,
        "Answers that arrived within the closed-loop window, per second.",
    ),
    metric(
        "cpu_us_per_request",
        "CPU/request",
        "µs",
        Better::Lower,
        "CPU time of the server, user and system over all threads, per answered request; read while nothing was in flight.",
    ),
    metric(
        "cpu_user_us_per_request",
        "user CPU/request",
        "µs",
        Better::Lower,
        "The part of CPU/request spent in the server's own code.",
    ),
    metric(
        "cpu_system_us_per_request",
        "system CPU/request",
        "µs",
        Better::Lower,
        "The part of CPU/request spent in the kernel.",
    ),
    metric(
        "instructions_per_request",
        "instructions/request",
        "",
        Better::Lower,
        "Instructions of the server in user mode for one more request on an open connection (callgrind).",
    ),
    metric(
        "ns_per_operation",
        "time/operation",
        "ns",
        Better::Lower,
        "Time of one operation in process: the median of criterion's points in one launch.",
    ),
    metric(
        "instructions_per_operation",
        "instructions/operation",
        "",
        Better::Lower,
        "Instructions of one operation in process, in user mode (callgrind).",
    ),
    metric(
        "drop_ns_p50",
        "drop p50",
        "ns",
        Better::Lower,
        "Time of the destructor of one value: median of a launch, over the means of values that are dropped together.",
    ),
    metric(
        "drop_ns_p99",
        "drop p99",
        "ns",
        Better::Lower,
        "Time of the destructor of one value: 99th percentile of a launch, over the means of values that are dropped together.",
    ),
    metric(
        "drain_to_last_drop_ms",
        "drain to last drop",
        "ms",
        Better::Lower,
        "From the order to stop until the last value of the server, its connections and handlers was dropped.",
    ),
    metric(
        "drop_after_last_byte_us_p50",
        "drop after last byte p50",
        "µs",
        Better::Neither,
        "From the last byte of an answer, as the client sees it come over loopback, to the drop; negative before it: median.",
    ),
    metric(
        "drop_after_last_byte_us_p99",
        "drop after last byte p99",
        "µs",
        Better::Neither,
        "From the last byte of an answer, as the client sees it come over loopback, to the drop: 99th percentile.",
    ),
    metric(
        "system_calls_per_request",
        "system calls/request",
        "",
        Better::Lower,
        "System calls of the server for one more request at saturation, its waits and accepts included (strace).",
    ),
    metric(
        "system_calls_per_lone_request",
        "system calls/lone request",
        "",
        Better::Lower,
        "System calls of the server for one more request with nothing else under way, its waits included (strace).",
    ),
    metric(
        "allocations_per_request",
        "allocations/request",
        "",
        Better::Lower,
        "Blocks of memory that the server asked its allocator for, per request in steady state; growing one counts as one.",
    ),
    metric("allocated_bytes_per_request", "allocated/request", "B", Better::Lower, "Sizes of those blocks together."),
    metric(
        "live_bytes_per_request",
        "kept/request",
        "B",
        Better::Lower,
        "Growth of the bytes that the server has allocated and not freed, per request in steady state; below zero it shrinks.",
    ),
    metric(
        "allocations_per_operation",
        "allocations/operation",
        "",
        Better::Lower,
        "Blocks of memory that one operation asks its allocator for, in process; growing one counts as one.",
    ),
    metric(
        "allocated_bytes_per_operation",
        "allocated/operation",
        "B",
        Better::Lower,
        "Sizes of those blocks together.",
    ),
    metric(
        "peak_live_bytes",
        "peak live",
        "B",
        Better::Lower,
        "The most bytes that one operation, after others like it, has allocated and not freed at once.",
    ),
    metric(
        "bytes_per_idle_connection",
        "allocated/idle connection",
        "B",
        Better::Lower,
        "Bytes that the server has allocated and not freed for one more keep-alive connection that waits after its answer.",
    ),
    metric(
        "rss_bytes_per_idle_connection",
        "resident/idle connection",
        "B",
        Better::Lower,
        "Resident memory of the server for one more keep-alive connection that waits after its answer.",
    ),
    metric(
        "leaked_bytes_per_request",
        "leaked/request",
        "B",
        Better::Lower,
        "Growth of the bytes that the server has allocated and not freed, per request, over identical cycles of traffic (Theil–Sen).",
    ),
    metric(
        "leaked_bytes_per_request_low",
        "leaked/request at least",
        "B",
        Better::Lower,
        "Lower end of the 95 % interval of that growth; above zero it is a leak.",
    ),
    metric(
        "leaked_blocks_per_request",
        "leaked blocks/request",
        "",
        Better::Lower,
        "Growth of the number of blocks that the server has allocated and not freed, per request (Theil–Sen).",
    ),
    metric(
        "rss_growth_bytes_per_min",
        "RSS growth/min",
        "B",
        Better::Lower,
        "Growth of the server's resident memory a minute, over a soak of mixed traffic (smaps_rollup, Theil–Sen).",
    ),
    metric(
        "rss_growth_bytes_per_min_low",
        "RSS growth/min at least",
        "B",
        Better::Lower,
        "Lower end of the 95 % interval of that growth; pages that an allocator keeps make it no leak.",
    ),
    metric(
        "rss_growth_bytes_per_min_high",
        "RSS growth/min at most",
        "B",
        Better::Lower,
        "Upper end of the 95 % interval of that growth.",
    ),
    metric(
        "pss_growth_bytes_per_min",
        "PSS growth/min",
        "B",
        Better::Lower,
        "The same of the memory that is the server's own, shared pages counted by their share.",
    ),
    metric(
        "pss_growth_bytes_per_min_low",
        "PSS growth/min at least",
        "B",
        Better::Lower,
        "Lower end of the 95 % interval of that growth.",
    ),
    metric(
        "pss_growth_bytes_per_min_high",
        "PSS growth/min at most",
        "B",
        Better::Lower,
        "Upper end of the 95 % interval of that growth.",
    ),
    metric(
        "open_latency_us_p50",
        "latency p50",
        "µs",
        Better::Lower,
        "Open loop, from the instant the request was due: median.",
    ),
    metric(
        "open_latency_us_p90",
        "latency p90",
        "µs",
        Better::Lower,
        "Open loop, from the instant the request was due: 90th percentile.",
    ),
    metric(
        "open_latency_us_p99",
        "latency p99",
        "µs",
        Better::Lower,
        "Open loop, from the instant the request was due: 99th percentile.",
    ),
    metric(
        "open_latency_us_p999",
        "latency p99.9",
        "µs",
        Better::Lower,
        "Open loop, from the instant the request was due: 99.9th percentile.",
    ),
    metric(
        "open_latency_us_max",
        "latency max",
        "µs",
        Better::Lower,
        "Open loop, from the instant the request was due: largest.",
    ),
    metric(
        "open_sent_latency_us_p50",
        "latency from sending p50",
        "µs",
        Better::Lower,
        "Open loop, from the instant the request was written (not corrected for coordinated omission): median.",
    ),
    metric(
        "open_sent_latency_us_p90",
        "latency from sending p90",
        "µs",
        Better::Lower,
        "Open loop, from the instant the request was written (not corrected): 90th percentile.",
    ),
    metric(
        "open_sent_latency_us_p99",
        "latency from sending p99",
        "µs",
        Better::Lower,
        "Open loop, from the instant the request was written (not corrected): 99th percentile.",
    ),
    metric(
        "open_sent_latency_us_p999",
        "latency from sending p99.9",
        "µs",
        Better::Lower,
        "Open loop, from the instant the request was written (not corrected): 99.9th percentile.",
    ),
    metric(
        "open_sent_latency_us_max",
        "latency from sending max",
        "µs",
        Better::Lower,
        "Open loop, from the instant the request was written (not corrected): largest.",
    ),
    metric(
        "closed_latency_us_p50",
        "closed-loop latency p50",
        "µs",
        Better::Lower,
        "Closed loop at saturation, flattered by coordinated omission: median.",
    ),
    metric(
        "closed_latency_us_p90",
        "closed-loop latency p90",
        "µs",
        Better::Lower,
        "Closed loop at saturation, flattered by coordinated omission: 90th percentile.",
    ),
    metric(
        "closed_latency_us_p99",
        "closed-loop latency p99",
        "µs",
        Better::Lower,
        "Closed loop at saturation, flattered by coordinated omission: 99th percentile.",
    ),
    metric(
        "closed_latency_us_p999",
        "closed-loop latency p99.9",
        "µs",
        Better::Lower,
        "Closed loop at saturation, flattered by coordinated omission: 99.9th percentile.",
    ),
    metric(
        "closed_latency_us_max",
        "closed-loop latency max",
        "µs",
        Better::Lower,
        "Closed loop at saturation, flattered by coordinated omission: largest.",
    ),
    metric(
        "rss_peak_bytes",
        "peak memory",
        "B",
        Better::Lower,
        "Largest resident memory of the server from its start to the end of the launch.",
    ),
    metric(
        "context_switches_voluntary_per_request",
        "waits/request",
        "",
        Better::Lower,
        "Context switches because a server thread waited, per answered request.",
    ),
    metric(
        "context_switches_involuntary_per_request",
        "preemptions/request",
        "",
        Better::Lower,
        "Context switches because the kernel took the CPU away, per answered request.",
    ),
    metric(
        "queries_per_request",
        "queries/request",
        "",
        Better::Neither,
        "Statements that the database ran, by its own count, per answered request of the closed-loop window; a case demands one number exactly.",
    ),
    metric(
        "database_connections",
        "database connections",
        "",
        Better::Neither,
        "Connections that the server had open, as the database shows them.",
    ),
    metric("errors", "errors", "", Better::Lower, "Wrong or missing answers and broken connections, warm-up included."),
    metric("requests", "requests", "", Better::Neither, "Answers within the closed-loop window."),
    metric("open_rate_per_s", "open-loop rate", "1/s", Better::Neither, "The fixed rate of the open-loop window."),
    metric(
        "server_cpu_share",
        "server CPU share",
        "",
        Better::Neither,
        "Server CPU time over window and server CPUs; near 1 means that the server was the bottleneck.",
    ),
    metric(
        "generator_cpu_share",
        "generator CPU share",
        "",
        Better::Neither,
        "Load generator CPU time over window and its CPUs.",
    ),
    metric(
        "dropped_before_last_byte_share",
        "dropped before last byte",
        "",
        Better::Neither,
        "Share of the values that were dropped before the client saw the last byte of the answer.",
    ),
    metric("values_created", "values created", "", Better::Neither, "Values with a destructor that were made."),
    metric(
        "values_dropped",
        "values dropped",
        "",
        Better::Neither,
        "Those of them that were dropped; where it is another number, the run has a failure that says so.",
    ),
    metric(
        "values_per_reading",
        "values/reading",
        "",
        Better::Neither,
        "Values that are dropped together, between two readings of the clock: few where one takes long enough by itself.",
    ),
    metric(
        "clock_ns_p50",
        "clock p50",
        "ns",
        Better::Neither,
        "What a pair of clock readings shows with nothing between them; a part of the time of values that are dropped together.",
    ),
    metric(
        "send_lag_us_p99",
        "send lag p99",
        "µs",
        Better::Neither,
        "How late the generator wrote requests that were due, open loop, 99th percentile.",
    ),
];

/// The metric of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Metric> {
    ALL.iter().find(|metric| metric.name == name)
}
