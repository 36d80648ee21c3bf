//! When the requests of an open loop are due: arithmetic over one thread's share of the connections, no clock and no
//! socket. What is done at those instants is `worker.rs`'s business.
//!
//! Connection `g` of `n` owes its `k`-th request at `start + (g + k·n) / rate`. Each instant is computed from whole
//! numbers and never by adding up periods, so that the schedule does not drift however long it runs.

use crate::clock::SECOND_NS;

/// The due instants of the connections that one thread holds.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    rate_per_s: f64,
    connections: u64,
    /// The first connection of this thread among all; the others follow at a distance of `stride`.
    first: u64,
    stride: u64,
    local: usize,
    start_ns: u64,
    end_ns: u64,
    next_local: usize,
    next_round: u64,
}

impl Schedule {
    /// The schedule of thread `thread` of `threads`, over `connections` in all; nothing is due until it is begun.
    pub(crate) fn new(rate_per_s: f64, connections: u32, thread: u32, threads: u32) -> Self {
        Self {
            rate_per_s,
            connections: u64::from(connections),
            first: u64::from(thread),
            stride: u64::from(threads),
            local: connections.saturating_sub(thread).div_ceil(threads) as usize,
            start_ns: 0,
            end_ns: 0,
            next_local: 0,
            next_round: 0,
        }
    }

    /// Lets requests be due from `start_ns` up to, not including, `end_ns`.
    pub(crate) fn begin(&mut self, start_ns: u64, end_ns: u64) {
        self.start_ns = start_ns;
        self.end_ns = end_ns;
        self.next_local = 0;
        self.next_round = 0;
    }

    /// When connection `local` of this thread owes its `round`-th request, counted from 0, ns.
    pub(crate) fn due_ns(&self, local: usize, round: u64) -> u64 {
        let slot = self.first + local as u64 * self.stride + round * self.connections;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "slots stay far below 2^52 and the quotient is finite and positive"
        )]
        let offset_ns = (slot as f64 * SECOND_NS as f64 / self.rate_per_s).round() as u64;
        self.start_ns.saturating_add(offset_ns)
    }

    /// The next instant at which a request is due that [`Schedule::pop`] has not handed out, ns; none at the end.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        let due_ns = self.due_ns(self.next_local, self.next_round);
        (due_ns < self.end_ns).then_some(due_ns)
    }

    /// The next connection that owes one more request by `now_ns`, if any.
    pub(crate) fn pop(&mut self, now_ns: u64) -> Option<usize> {
        if self.next_ns()? > now_ns {
            return None;
        }
        let local = self.next_local;
        self.next_local += 1;
        if self.next_local == self.local {
            self.next_local = 0;
            self.next_round += 1;
        }
        Some(local)
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    /// All due instants of all threads, in order, ns.
    fn instants(rate_per_s: f64, connections: u32, threads: u32, end_ns: u64) -> Vec<u64> {
        let mut all = Vec::new();
        for thread in 0..threads {
            let mut schedule = Schedule::new(rate_per_s, connections, thread, threads);
            schedule.begin(0, end_ns);
            let mut rounds = vec![0; connections as usize];
            let mut before = 0;
            while let Some(local) = schedule.pop(end_ns) {
                let due = schedule.due_ns(local, rounds[local]);
                assert!(due >= before, "a thread's instants come in order");
                before = due;
                rounds[local] += 1;
                all.push(due);
            }
        }
        all.sort_unstable();
        all
    }

    #[test]
    fn threads_share_one_even_schedule() {
        for (rate_per_s, connections, threads) in [(1000.0, 4, 1), (1000.0, 4, 2), (1000.0, 5, 2), (1000.0, 7, 3)] {
            let found = instants(rate_per_s, connections, threads, 20_000_000);
            let expected: Vec<u64> = (0..20).map(|slot| slot * 1_000_000).collect();
            assert_eq!(found, expected, "{connections} connections on {threads} threads");
        }
    }

    #[test]
    fn nothing_is_due_early_or_after_the_end() {
        let mut schedule = Schedule::new(10.0, 1, 0, 1);
        schedule.begin(1_000, 150_000_000);
        assert_eq!(schedule.pop(999), None);
        assert_eq!(schedule.pop(1_000), Some(0));
        assert_eq!(schedule.next_ns(), Some(100_001_000));
        assert_eq!(schedule.pop(100_000_999), None);
        assert_eq!(schedule.pop(100_001_000), Some(0));
        assert_eq!(schedule.next_ns(), None);
        assert_eq!(schedule.pop(u64::MAX), None);
    }

    #[test]
    fn a_late_caller_gets_every_request_it_missed() {
        let mut schedule = Schedule::new(1000.0, 3, 0, 1);
        schedule.begin(0, 10_000_000);
        let owed = std::iter::from_fn(|| schedule.pop(9_500_000)).count();
        assert_eq!(owed, 10);
    }
}
