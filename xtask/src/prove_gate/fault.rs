//! The faults that the gate has to catch, each by the metric that is meant for it.

use anyhow::Result;
use harness::name;

use crate::compare::{COUNTS, DROPS, LEAKS, Part, TIMES};

/// The case in which work is added.
pub(super) const WORK_CASE: &str = "json";

/// Something that is put wrong.
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What the faulty target is started with.
    pub(super) arguments: &'static [&'static str],
    /// For added work: which share of a request's CPU time.
    pub(super) work: Option<f64>,
    /// What has to show it.
    pub(super) metric: &'static str,
    pub(super) part: Part,
    pub(super) cases: &'static [&'static str],
}

const fn work(name: &'static str, about: &'static str, share: f64) -> Fault {
    let metric = "cpu_us_per_request";
    Fault { name, about, arguments: &[], work: Some(share), metric, part: TIMES, cases: &[WORK_CASE] }
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "allocation",
        about: "one more allocation in each request",
        arguments: &["--fault=allocation"],
        work: None,
        metric: "allocations_per_request",
        part: COUNTS,
        cases: &["json"],
    },
    work("work-3", "3 % more work in each request", 0.03),
    work("work-5", "5 % more work in each request", 0.05),
    work("work-10", "10 % more work in each request", 0.10),
    Fault {
        name: "arc",
        about: "an Arc leaked in one of 1,000 requests",
        arguments: &["--fault=arc"],
        work: None,
        metric: "leaked_bytes_per_request_low",
        part: LEAKS,
        cases: &["keep-alive"],
    },
    Fault {
        name: "stall",
        about: "a stall of 1 ms in one of 1,000 requests",
        arguments: &["--fault=stall"],
        work: None,
        metric: "open_latency_us_p99",
        part: TIMES,
        cases: &["json"],
    },
    Fault {
        name: "drop",
        about: "a destructor that takes 50 µs",
        arguments: &[],
        work: None,
        metric: "drop_ns_p50",
        part: DROPS,
        cases: &["own-body"],
    },
];

/// The faults of those names; all if there is none, none for `none`.
pub(super) fn chosen(names: &[String]) -> Result<Vec<&'static Fault>> {
    let known = || FAULTS.iter().map(|fault| fault.name).chain(["none"]);
    for wanted in names {
        if !known().any(|name| name == wanted) {
            return Err(name::Unknown::new("fault", wanted, known()).into());
        }
    }
    Ok(FAULTS.iter().filter(|fault| names.is_empty() || names.iter().any(|name| name == fault.name)).collect())
}

/// Flags that put the functions of a binary in another order: what a rebuild may do at any time.
///
/// Every function is a section of its own, and the linker (lld, which rustc brings and uses by itself on x86-64 Linux) shuffles those whose name begins so.
pub(super) fn shuffled(seed: u64) -> Vec<String> {
    vec![format!("-Clink-arg=-Wl,--shuffle-sections=.text*={seed}")]
}
