//! Decides how long a request's body is and whether its connection lives on (RFC 9112 §6, §9.3).
//!
//! Leaves finding the fields to `head.rs` and reading the body to `chunked.rs`. Read next: `chunked.rs`.

use super::refusal::Refusal;

/// How the end of a request body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// There is no body.
    #[default]
    None,
    /// So many bytes; never 0.
    Length(u64),
    /// By chunked coding.
    Chunked,
}

/// What the options of the Connection field asked for (RFC 9110 §7.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionOptions {
    /// `close` was listed.
    pub close: bool,
    /// `keep-alive` was listed.
    pub keep_alive: bool,
    /// `upgrade` was listed.
    pub upgrade: bool,
}

impl ConnectionOptions {
    /// Adds what one Connection line lists; its bytes need not be UTF-8.
    pub fn add(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            }
        }
    }
}

/// The value of a Content-Length field: digits and nothing else (RFC 9110 §8.6).
///
/// # Errors
/// [`Refusal::Length`] for a sign, a list, another base, white space inside, nothing at all, or a number over 64 bits.
pub fn content_length(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() {
        return Err(Refusal::Length);
    }
    value.iter().try_fold(0_u64, |length, byte| {
        if !byte.is_ascii_digit() {
            return Err(Refusal::Length);
        }
        length.checked_mul(10).and_then(|tens| tens.checked_add(u64::from(byte - b'0'))).ok_or(Refusal::Length)
    })
}

/// Reads Transfer-Encoding lines one after the other; they are one list (RFC 9110 §5.3).
#[derive(Debug, Clone, Copy, Default)]
pub struct Codings {
    /// A line was seen.
    any: bool,
    /// The last coding so far is `chunked`.
    chunked: bool,
    /// A coding other than `chunked` was seen.
    other: bool,
}

impl Codings {
    /// Adds one line.
    ///
    /// # Errors
    /// [`Refusal::Coding`] when an element is empty or malformed, or something follows `chunked`.
    pub fn add(&mut self, value: &[u8]) -> Result<(), Refusal> {
        self.any = true;
        for element in value.split(|byte| *byte == b',') {
            let element = element.trim_ascii();
            if self.chunked {
                return Err(Refusal::Coding);
            }
            if element.eq_ignore_ascii_case(b"chunked") {
                self.chunked = true;
                continue;
            }
            let name = element.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            // `chunked` has no parameters (RFC 9112 §7.1), so one that carries some is not it.
            if name.is_empty() || !name.iter().copied().all(is_token_byte) || name.eq_ignore_ascii_case(b"chunked") {
                return Err(Refusal::Coding);
            }
            self.other = true;
        }
        Ok(())
    }

    /// Whether a line was seen at all.
    #[must_use]
    pub fn any(self) -> bool {
        self.any
    }

    /// The framing that the codings mean.
    ///
    /// # Errors
    /// [`Refusal::Coding`] when the last is not `chunked`, [`Refusal::CodingUnsupported`] when another comes before it.
    pub fn framing(self) -> Result<Framing, Refusal> {
        match (self.chunked, self.other) {
            (true, false) => Ok(Framing::Chunked),
            (true, true) => Err(Refusal::CodingUnsupported),
            (false, _) => Err(Refusal::Coding),
        }
    }
}

/// Whether a byte may stand in a token (RFC 9110 §5.6.2).
#[must_use]
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_digits_and_fit() {
        let cases: [(&[u8], Result<u64, Refusal>); 13] = [
            (b"0", Ok(0)),
            (b"5", Ok(5)),
            (b"005", Ok(5)),
            (b"18446744073709551615", Ok(u64::MAX)),
            (b"18446744073709551616", Err(Refusal::Length)),
            (b"99999999999999999999999", Err(Refusal::Length)),
            (b"", Err(Refusal::Length)),
            (b"+5", Err(Refusal::Length)),
            (b"-1", Err(Refusal::Length)),
            (b"0x5", Err(Refusal::Length)),
            (b"1_0", Err(Refusal::Length)),
            (b"5, 5", Err(Refusal::Length)),
            (b"5a", Err(Refusal::Length)),
        ];
        for (value, expected) in cases {
            assert_eq!(content_length(value), expected, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn codings_end_in_one_chunked() {
        let cases: [(&[&str], Result<Framing, Refusal>); 17] = [
            (&["chunked"], Ok(Framing::Chunked)),
            (&["ChUnKeD"], Ok(Framing::Chunked)),
            (&[" chunked\t"], Ok(Framing::Chunked)),
            (&["gzip, chunked"], Err(Refusal::CodingUnsupported)),
            (&["gzip", "chunked"], Err(Refusal::CodingUnsupported)),
            (&["gzip;level=1, chunked"], Err(Refusal::CodingUnsupported)),
            (&["gzip"], Err(Refusal::Coding)),
            (&["identity"], Err(Refusal::Coding)),
            (&["chunked, gzip"], Err(Refusal::Coding)),
            (&["chunked, chunked"], Err(Refusal::Coding)),
            (&["chunked", "chunked"], Err(Refusal::Coding)),
            (&["xchunked"], Err(Refusal::Coding)),
            (&["\"chunked\""], Err(Refusal::Coding)),
            (&["chunked;q=1"], Err(Refusal::Coding)),
            (&["", "chunked"], Err(Refusal::Coding)),
            (&[""], Err(Refusal::Coding)),
            (&["chunked,"], Err(Refusal::Coding)),
        ];
        for (lines, expected) in cases {
            let mut codings = Codings::default();
            let got = lines.iter().try_for_each(|line| codings.add(line.as_bytes())).and_then(|()| codings.framing());
            assert_eq!(got, expected, "{lines:?}");
        }
    }

    /// Lines, and whether close, keep-alive and upgrade are found in them.
    type Options = (&'static [&'static [u8]], (bool, bool, bool));

    #[test]
    fn connection_options_are_lists_in_any_case() {
        let cases: [Options; 6] = [
            (&[b"close"], (true, false, false)),
            (&[b"CLOSE"], (true, false, false)),
            (&[b"keep-alive, Upgrade"], (false, true, true)),
            (&[b"foo, close ,bar"], (true, false, false)),
            (&[b"keep-alive", b"close"], (true, true, false)),
            (&[b"\xff\xfe, closed, xclose"], (false, false, false)),
        ];
        for (lines, (close, keep_alive, upgrade)) in cases {
            let mut options = ConnectionOptions::default();
            lines.iter().for_each(|line| options.add(line));
            assert_eq!(options, ConnectionOptions { close, keep_alive, upgrade }, "{lines:?}");
        }
    }
}
