//! Reads JSON with `simd-json`, which works in the memory that the text stands in.
//!
//! Answers are to be those of `serde_json`: what the one refuses is given back to the other, and what the two are known to
//! read differently is not read here. Two differences are left: a number beyond the range of an `f32` is infinite in place
//! of refused, and the tag of an internally tagged enum may be the number of a variant.

use bytes::Bytes;
use memchr::{memchr, memmem};
use serde::de::DeserializeOwned;
use simd_json::Buffers;

/// Levels of nesting, as `serde_json` bounds them: its limit of 128 is not reached by one level less.
const DEPTH_MAX: usize = 127;

/// The value, or the body as it was, for another reader.
pub(super) fn parse<T: DeserializeOwned>(body: Bytes) -> Result<T, Bytes> {
    if has_negative_zero(&body) {
        return Err(body);
    }
    // Strings with escapes are rewritten where they stand, and a body that is refused must still be here to say why.
    if memchr(b'\\', &body).is_some() {
        return read(&mut body.to_vec()).ok_or(body);
    }
    match body.try_into_mut() {
        Ok(mut own) => read(&mut own).ok_or_else(|| own.freeze()),
        Err(shared) => read(&mut shared.to_vec()).ok_or(shared),
    }
}

fn read<T: DeserializeOwned>(text: &mut [u8]) -> Option<T> {
    let mut buffers = Buffers::with_max_depth(text.len(), DEPTH_MAX);
    simd_json::serde::from_slice_with_buffers(text, &mut buffers).ok()
}

/// Whether there may be the number `-0`: an integer here, a float to `serde_json`.
fn has_negative_zero(text: &[u8]) -> bool {
    memmem::find_iter(text, b"-0")
        .any(|at| at == 0 || matches!(text[at - 1], b' ' | b'\t' | b'\r' | b'\n' | b'[' | b':' | b','))
}
