//! Decides when a producer stands still and what becomes of what it makes meanwhile. Leaves holding the bytes to
//! `channel.rs`.

use bytes::Bytes;

/// What it takes to hold a piece of any length.
pub(super) const PIECE_BYTES: usize = size_of::<Bytes>();

/// Between which amounts of held bytes a producer stands still: from the high mark on, until the low mark is reached.
///
/// With room between the marks a producer is woken once for many pieces. Each piece counts with its length and the 32
/// bytes that it takes to hold a [`Bytes`], so that many small pieces are bounded as well.
///
/// ```
/// use armature_core::stream::Watermarks;
///
/// const MARKS: Watermarks = Watermarks::new(16_384, 65_536);
/// assert!(MARKS.held_bytes_max(4_096) < 70_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    low_bytes: usize,
    high_bytes: usize,
}

impl Default for Watermarks {
    /// 64 KiB, as much as a connection takes ahead of its socket, so that it finds the next batch made when it has
    /// written one; and on again at a quarter, so that the producer makes the most of that in one go.
    fn default() -> Self {
        Self::new(16_384, 65_536)
    }
}

impl Watermarks {
    /// These marks, in bytes.
    ///
    /// # Panics
    /// When the low mark is above the high one; in a constant, that is an error of the compiler.
    ///
    /// ```
    /// use armature_core::stream::Watermarks;
    ///
    /// const MARKS: Watermarks = Watermarks::new(1_000, 4_000);
    /// assert_ne!(MARKS, Watermarks::default());
    /// ```
    #[must_use]
    pub const fn new(low_bytes: usize, high_bytes: usize) -> Self {
        assert!(low_bytes <= high_bytes, "the low watermark is above the high one");
        Self { low_bytes, high_bytes }
    }

    /// The most that is ever held where no piece is longer than `piece_bytes`, in bytes: a piece that is made just under
    /// the high mark is taken whole.
    ///
    /// ```
    /// use armature_core::stream::Watermarks;
    ///
    /// assert_eq!(Watermarks::new(1_000, 4_000).held_bytes_max(500), 4_532);
    /// ```
    #[must_use]
    pub const fn held_bytes_max(self, piece_bytes: usize) -> usize {
        self.high_bytes + piece_bytes + PIECE_BYTES
    }

    /// Whether the producer is to stand still from here on.
    pub(super) const fn is_paused(self, was_paused: bool, held_bytes: usize) -> bool {
        if was_paused { held_bytes > self.low_bytes } else { held_bytes >= self.high_bytes }
    }
}

/// What becomes of a piece that is made while the producer is to stand still.
///
/// What is dropped is dropped by whole pieces and counted. Dropping is for streams whose pieces mean something each for
/// itself, such as events; a file would be torn by it.
///
/// ```
/// use armature_core::stream::{self, Overflow, Watermarks};
///
/// let (mut sender, receiver) = stream::channel(Watermarks::new(0, 100), Overflow::DropOldest);
/// for number in 0..100 {
///     sender.try_send(format!("event {number}"))?;
/// }
/// assert!(sender.dropped().pieces > 90 && sender.held_bytes() < 200);
/// # drop(receiver);
/// # Ok::<(), stream::TrySendError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// Its sender waits.
    #[default]
    Wait,
    /// It takes the place of the oldest ones: of those, as many are dropped as bring what is held under the high mark.
    DropOldest,
    /// It is dropped itself, and so are all further ones until the low mark is reached.
    DropNewest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_stands_still_from_the_high_mark_to_the_low_one() {
        let marks = Watermarks::new(10, 100);
        for (held_bytes, when_going, when_paused) in [
            (0, false, false),
            (10, false, false),
            (11, false, true),
            (99, false, true),
            (100, true, true),
            (usize::MAX, true, true),
        ] {
            assert_eq!(marks.is_paused(false, held_bytes), when_going, "{held_bytes}, going");
            assert_eq!(marks.is_paused(true, held_bytes), when_paused, "{held_bytes}, paused");
        }
        // One piece at a time.
        let marks = Watermarks::new(0, 0);
        assert!(marks.is_paused(false, 0) && marks.is_paused(true, 1) && !marks.is_paused(true, 0));
    }

    #[test]
    #[should_panic = "the low watermark is above the high one"]
    fn marks_have_an_order() {
        let _ = Watermarks::new(2, 1);
    }
}
