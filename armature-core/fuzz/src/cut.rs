//! Cuts input into pieces, as a network may: the places follow from the bytes, so that a finding stays one.

/// The input in pieces of 1 to 16 bytes, or up to 256 now and then.
pub(crate) fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut number = Number::of(bytes);
    let mut left = bytes;
    std::iter::from_fn(move || {
        let bound = if number.below(8) == 0 { 256 } else { 16 };
        let length = (number.below(bound) + 1).min(left.len());
        let (piece, rest) = left.split_at(length);
        left = rest;
        (length > 0).then_some(piece)
    })
}

/// Numbers that follow from some bytes.
pub(crate) struct Number(u64);

impl Number {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        // FNV-1a with its 64-bit constants.
        let hash = |state: u64, byte: &u8| (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(bytes.iter().fold(0xcbf2_9ce4_8422_2325, hash) | 1)
    }

    /// The next number, less than `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // Marsaglia's xorshift64 (doi:10.18637/jss.v008.i14), which never reaches 0 from another state.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}
