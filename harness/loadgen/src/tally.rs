//! What one thread counted, and how the threads' counts become one outcome.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Serializer, V2DeflateSerializer},
};
use probe::load::{Errors, Health, Outcome};

use crate::{
    clock::{SECOND_NS, micros},
    expect::Fault,
};

/// The largest latency that is told apart, µs: an hour. A histogram never grows while the load runs.
const LATENCY_US_MAX: u64 = 3_600_000_000;

/// What one thread counted.
#[derive(Debug)]
pub(crate) struct Tally {
    requests: u64,
    requests_total: u64,
    bytes_read: u64,
    connects: u64,
    errors: Errors,
    verified: u64,
    first_error: Option<(u64, String)>,
    sent: Histogram<u64>,
    due: Option<Histogram<u64>>,
    lag: Histogram<u64>,
    cpu_ns: u64,
    wall_ns: u64,
}

/// Answers that came in together: written at one instant, read at another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answers {
    /// How many.
    pub(crate) count: u64,
    /// When their requests were due, ns.
    pub(crate) due_ns: u64,
    /// When their requests were written, ns.
    pub(crate) written_ns: u64,
    /// When they were read, ns.
    pub(crate) read_ns: u64,
}

impl Tally {
    /// An empty tally, with a histogram from the due instants for an open loop.
    pub(crate) fn new(open_loop: bool) -> Self {
        Self {
            requests: 0,
            requests_total: 0,
            bytes_read: 0,
            connects: 0,
            errors: Errors::default(),
            verified: 0,
            first_error: None,
            sent: histogram(),
            due: open_loop.then(histogram),
            lag: histogram(),
            cpu_ns: 0,
            wall_ns: 0,
        }
    }

    /// Throws away what the warm-up counted and timed; its errors and checks stay.
    pub(crate) fn begin_window(&mut self) {
        self.requests = 0;
        self.requests_total = 0;
        self.bytes_read = 0;
        self.connects = 0;
        self.sent.reset();
        self.lag.reset();
        if let Some(due) = &mut self.due {
            due.reset();
        }
    }

    /// Notes what the thread used of its CPU in the window.
    pub(crate) fn end_window(&mut self, cpu_ns: u64, wall_ns: u64) {
        self.cpu_ns = cpu_ns;
        self.wall_ns = wall_ns;
    }

    /// Counts bytes read within the window.
    pub(crate) fn bytes(&mut self, count: usize) {
        self.bytes_read += count as u64;
    }

    /// Counts a connection that was made.
    pub(crate) fn connected(&mut self) {
        self.connects += 1;
    }

    /// Counts answers; `in_window` tells those that came before the window's close.
    pub(crate) fn answered(&mut self, answers: Answers, in_window: bool) {
        self.requests_total += answers.count;
        if in_window {
            self.requests += answers.count;
        }
        self.time(answers);
    }

    /// Counts answers that were given up; the time for which they were awaited stands in for their latency, so that
    /// the slowest requests are not the ones left out.
    pub(crate) fn timed_out(&mut self, answers: Answers, request: &str) {
        self.errors.timeout += answers.count;
        self.time(answers);
        let waited_ms = micros(answers.read_ns.saturating_sub(answers.written_ns)) / 1000;
        self.note(answers.read_ns, || format!("{request}: no answer in {waited_ms} ms"));
    }

    /// Counts requests that were due and could not even be written before the drain's end.
    pub(crate) fn never_sent(&mut self, due_ns: u64, now_ns: u64) {
        self.errors.timeout += 1;
        if let Some(due) = &mut self.due {
            due.saturating_record(micros(now_ns.saturating_sub(due_ns)));
        }
        self.note(now_ns, || "the server fell so far behind the rate that requests could not be sent".to_owned());
    }

    /// Notes how late a request was written.
    pub(crate) fn lagged(&mut self, lag_ns: u64) {
        self.lag.saturating_record(micros(lag_ns));
    }

    /// Counts an answer that was checked whole.
    pub(crate) fn verified(&mut self) {
        self.verified += 1;
    }

    /// Counts a wrong answer to `request`.
    pub(crate) fn fault(&mut self, fault: &Fault, request: &str, now_ns: u64) {
        let words = match fault {
            Fault::Status(words) => {
                self.errors.status += 1;
                words
            }
            Fault::Body(words) => {
                self.errors.body += 1;
                words
            }
        };
        self.note(now_ns, || format!("{request}: {words}"));
    }

    /// Counts a connection that could not be made.
    pub(crate) fn connect_failed(&mut self, words: &str, now_ns: u64) {
        self.errors.connect += 1;
        self.note(now_ns, || format!("connecting: {words}"));
    }

    /// Counts a connection that broke while `lost` answers were awaited.
    pub(crate) fn broken(&mut self, words: &str, lost: usize, now_ns: u64) {
        self.errors.read += 1;
        self.note(now_ns, || format!("{words}, {lost} awaited answer(s) lost"));
    }

    fn time(&mut self, answers: Answers) {
        let latency_us = |from_ns: u64| micros(answers.read_ns.saturating_sub(from_ns));
        self.sent.saturating_record_n(latency_us(answers.written_ns), answers.count);
        if let Some(due) = &mut self.due {
            due.saturating_record_n(latency_us(answers.due_ns), answers.count);
        }
    }

    fn note(&mut self, now_ns: u64, words: impl FnOnce() -> String) {
        if self.first_error.is_none() {
            self.first_error = Some((now_ns, words()));
        }
    }

    /// Adds another thread's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.requests_total += other.requests_total;
        self.bytes_read += other.bytes_read;
        self.connects += other.connects;
        self.errors.connect += other.errors.connect;
        self.errors.read += other.errors.read;
        self.errors.timeout += other.errors.timeout;
        self.errors.status += other.errors.status;
        self.errors.body += other.errors.body;
        self.verified += other.verified;
        self.cpu_ns += other.cpu_ns;
        self.wall_ns += other.wall_ns;
        let earlier = |mine: &(u64, String), theirs: &(u64, String)| theirs.0 < mine.0;
        match (&self.first_error, &other.first_error) {
            (None, Some(_)) => self.first_error.clone_from(&other.first_error),
            (Some(mine), Some(theirs)) if earlier(mine, theirs) => self.first_error.clone_from(&other.first_error),
            _ => {}
        }
        merge(&mut self.sent, &other.sent);
        merge(&mut self.lag, &other.lag);
        if let (Some(mine), Some(theirs)) = (&mut self.due, &other.due) {
            merge(mine, theirs);
        }
    }

    /// The counts as the lab reads them, of a window of `duration_ns`.
    pub(crate) fn outcome(&self, duration_ns: u64) -> Outcome {
        Outcome {
            requests: self.requests,
            requests_total: self.requests_total,
            duration_s: ratio(duration_ns, SECOND_NS),
            bytes_read: self.bytes_read,
            connects: self.connects,
            errors: self.errors,
            verified: self.verified,
            first_error: self.first_error.as_ref().map(|(_, words)| words.clone()),
            histogram_sent: encode(&self.sent),
            histogram_due: self.due.as_ref().map(encode),
            health: Health {
                cpu_share: ratio(self.cpu_ns, self.wall_ns.max(1)),
                send_lag_us_p99: self.lag.value_at_quantile(0.99),
            },
        }
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("bounds and digits are in hdrhistogram's range")
}

fn merge(into: &mut Histogram<u64>, from: &Histogram<u64>) {
    into.add(from).expect("all histograms have the same bounds");
}

fn encode(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .expect("writing to memory does not fail, and the counts fit");
    STANDARD.encode(bytes)
}

#[expect(clippy::cast_precision_loss, reason = "times of a load stay below 2^52 ns")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
