//! How the paths of the exact map are hashed.

use std::hash::Hasher;

/// Hashes a path eight bytes at a time. The keys are the program's own, so nobody can make them collide on purpose, and
/// a looked-up path is compared with the one key that it hashes to.
#[derive(Debug, Default)]
pub(super) struct PathHasher(u64);

impl PathHasher {
    #[inline]
    fn add(&mut self, word: u64) {
        // The multiplier is 2^64 divided by the golden ratio, made odd (Knuth, TAOCP 3, 6.4).
        self.0 = (self.0.rotate_left(26) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for PathHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk::<8>() {
            let (words, _) = bytes.as_chunks::<8>();
            for word in words {
                self.add(u64::from_le_bytes(*word));
            }
            // The last word may overlap the one before it; what counts is that every byte is in one.
            self.add(u64::from_le_bytes(*last));
        } else {
            let mut word = bytes.len() as u64;
            for byte in bytes {
                word = word << 8 | u64::from(*byte);
            }
            self.add(word);
        }
    }

    fn write_usize(&mut self, _: usize) {
        // The length that slices write before their bytes; `write` has it in already.
    }

    fn finish(&self) -> u64 {
        // The table takes its index from the low bits and its tag from the high ones.
        self.0 ^ self.0 >> 32
    }
}
