//! The part of a body that a client asks for (RFC 9110 §14).
//!
//! One range is given. Several are not: a server may ignore Range (§14.2), the clients that resume, seek or fetch in pieces
//! ask for one at a time, and lists of ranges are known as a way to make a server work.

use std::ops::Range;

/// What a Range field comes to for a body of known length.
///
/// ```
/// use armature_core::{StatusCode, respond::{RangeOf, byte_range}};
///
/// let status = match byte_range(b"bytes=200-", 100) {
///     RangeOf::Whole => StatusCode::OK,
///     RangeOf::Part(_) => StatusCode::PARTIAL_CONTENT,
///     RangeOf::Nothing => StatusCode::RANGE_NOT_SATISFIABLE,
/// };
/// assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeOf {
    /// All of it: no range, several, another unit than bytes, or malformed. 200.
    Whole,
    /// These bytes of it. 206.
    Part(Range<u64>),
    /// None of it. 416.
    Nothing,
}

/// What the value of a Range field comes to for a body of `length` bytes. An empty body is given whole.
///
/// ```
/// use armature_core::respond::{RangeOf, byte_range};
///
/// assert_eq!(byte_range(b"bytes=0-99", 1_000), RangeOf::Part(0..100));
/// assert_eq!(byte_range(b"bytes=-100", 1_000), RangeOf::Part(900..1_000));
/// assert_eq!(byte_range(b"bytes=1000-", 1_000), RangeOf::Nothing);
/// assert_eq!(byte_range(b"bytes=0-1, 5-9", 1_000), RangeOf::Whole);
/// ```
#[must_use]
pub fn byte_range(value: &[u8], length: u64) -> RangeOf {
    match ends(value) {
        None => RangeOf::Whole,
        Some(_) if length == 0 => RangeOf::Whole,
        Some((None, Some(0))) => RangeOf::Nothing,
        Some((None, Some(last))) => RangeOf::Part(length.saturating_sub(last)..length),
        Some((Some(first), _)) if first >= length => RangeOf::Nothing,
        Some((Some(first), Some(last))) => RangeOf::Part(first..last.saturating_add(1).min(length)),
        Some((Some(first), None)) => RangeOf::Part(first..length),
        Some((None, None)) => RangeOf::Whole,
    }
}

/// The numbers before and after the dash of a single range in bytes.
fn ends(value: &[u8]) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, range) = std::str::from_utf8(value).ok()?.split_once('=')?;
    let (first, last) = range.trim_matches([' ', '\t']).split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let is_backwards = matches!((first, last), (Some(first), Some(last)) if last < first);
    (unit.eq_ignore_ascii_case("bytes") && !is_backwards).then_some((first, last))
}

/// A number, or that there is none. One that is too large is more than any length.
fn number(digits: &str) -> Option<Option<u64>> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::{RangeOf::*, *};

    #[test]
    fn one_range_of_bytes_is_given() {
        for (value, length, expected) in [
            ("bytes=0-0", 10, Part(0..1)),
            ("bytes=0-9", 10, Part(0..10)),
            ("bytes=9-", 10, Part(9..10)),
            ("bytes=3-99", 10, Part(3..10)),
            ("bytes= 3-4\t", 10, Part(3..5)),
            ("BYTES=-3", 10, Part(7..10)),
            ("bytes=-99", 10, Part(0..10)),
            ("bytes=0-18446744073709551615", 10, Part(0..10)),
            ("bytes=0-99999999999999999999999", 10, Part(0..10)),
            ("bytes=007-8", 10, Part(7..9)),
            ("bytes=10-", 10, Nothing),
            ("bytes=99999999999999999999999-", 10, Nothing),
            ("bytes=-0", 10, Nothing),
            ("bytes=0-", 0, Whole),
            ("bytes=-1", 0, Whole),
            ("bytes=-", 10, Whole),
            ("bytes=5-3", 10, Whole),
            ("bytes=1-2,4-5", 10, Whole),
            ("bytes=1-2,", 10, Whole),
            ("bytes=+1-2", 10, Whole),
            ("bytes=1--2", 10, Whole),
            ("bytes=a-b", 10, Whole),
            ("bytes 0-1", 10, Whole),
            ("bytes", 10, Whole),
            ("lines=0-1", 10, Whole),
            ("bytes=\u{660}-1", 10, Whole),
            ("", 10, Whole),
        ] {
            assert_eq!(byte_range(value.as_bytes(), length), expected, "{value} of {length}");
        }
    }
}
