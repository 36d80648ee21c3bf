//! How large a fresh read buffer is: as large as nearly all recent reads needed, and no larger.

/// The smallest buffer to read into: some dozen small requests.
pub(crate) const READ_BYTES_MIN: usize = 4_096;

/// The largest: what a socket's receive buffer holds of a fast sender.
pub(crate) const READ_BYTES_MAX: usize = 65_536;

/// Sizes between the two, each twice the one before.
const STEPS: usize = (READ_BYTES_MAX / READ_BYTES_MIN).ilog2() as usize + 1;

/// Reads that are remembered; older ones count half as much each time that so many more have come.
const HISTORY: u32 = 1_000;

/// The recent reads of a thread, by the size of buffer that each would have needed.
#[derive(Debug)]
pub struct ReadSizes {
    counts: [u32; STEPS],
    total: u32,
    /// What [`bytes`](Self::bytes) says until the history is next looked at.
    bytes: usize,
}

impl Default for ReadSizes {
    fn default() -> Self {
        Self::new()
    }
}

impl ReadSizes {
    /// No reads yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { counts: [0; STEPS], total: 0, bytes: 2 * READ_BYTES_MIN }
    }

    /// How large a buffer to read into.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Notes a read of `read` bytes where there was room for `room`.
    #[inline]
    pub fn note(&mut self, read: usize, room: usize) {
        // A read that filled its room would have taken more.
        let needed = if read == room { read * 2 } else { read };
        let step = (needed.saturating_sub(1) / READ_BYTES_MIN).checked_ilog2().map_or(0, |log| log as usize + 1);
        self.counts[step.min(STEPS - 1)] += 1;
        self.total += 1;
        if self.total.is_multiple_of(64) {
            self.review();
        }
    }

    #[cold]
    fn review(&mut self) {
        self.bytes = percentile_95(&self.counts, self.total);
        if self.total >= HISTORY {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().sum();
        }
    }
}

/// The smallest size that is enough for 95 in 100 of the reads.
fn percentile_95(counts: &[u32; STEPS], total: u32) -> usize {
    let mut covered = 0;
    for (step, count) in counts.iter().enumerate() {
        covered += count;
        if u64::from(covered) * 100 >= u64::from(total) * 95 {
            return READ_BYTES_MIN << step;
        }
    }
    READ_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninety_five_in_a_hundred_decide() {
        let cases: [([u32; STEPS], usize); 5] = [
            ([0, 0, 0, 0, 0], 4_096),
            ([100, 0, 0, 0, 0], 4_096),
            ([95, 0, 0, 0, 5], 4_096),
            ([94, 1, 0, 0, 5], 8_192),
            ([90, 0, 0, 0, 10], 65_536),
        ];
        for (counts, bytes) in cases {
            assert_eq!(percentile_95(&counts, counts.iter().sum()), bytes, "{counts:?}");
        }
    }

    #[test]
    fn follows_the_traffic_both_ways_with_a_bounded_history() {
        let mut sizes = ReadSizes::new();
        for round in 0..3 {
            for _ in 0..2_000 {
                let room = sizes.bytes();
                sizes.note(room, room);
            }
            assert_eq!(sizes.bytes(), READ_BYTES_MAX, "round {round}");
            for _ in 0..6_000 {
                sizes.note(100, sizes.bytes());
            }
            assert_eq!(sizes.bytes(), READ_BYTES_MIN, "round {round}");
            assert!(sizes.total <= HISTORY);
        }
    }
}
