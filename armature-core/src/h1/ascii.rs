//! Text from bytes that are ASCII, checked a word at a time.
//!
//! Paths, methods and names are ASCII by the time they are asked for as text; the general check for UTF-8 takes ten
//! instructions a byte to find that out again.

#![allow(unsafe_code, reason = "ASCII is UTF-8, which the standard library only knows by an unstable function")]

/// The bytes as text if all are ASCII, else nothing of them.
#[inline]
#[must_use]
pub(crate) fn text(bytes: &[u8]) -> &str {
    if bytes.is_ascii() {
        // SAFETY: every byte is below 0x80, as was checked on the line above, and such bytes are UTF-8 each by itself.
        unsafe { std::str::from_utf8_unchecked(bytes) }
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn ascii_is_text_and_nothing_else_is() {
        for length in 0..70 {
            let bytes: Vec<u8> = (0..length).collect();
            assert_eq!(text(&bytes).as_bytes(), bytes);
            for at in 0..bytes.len() {
                let mut other = bytes.clone();
                other[at] |= 0x80;
                assert_eq!(text(&other), "", "{at} of {length}");
            }
        }
    }
}
