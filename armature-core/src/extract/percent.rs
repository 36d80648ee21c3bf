//! Percent-decoding (RFC 3986 §2.1), and the plus signs of forms. Strict: a `%` without two digits is an error, not text.

use std::{borrow::Cow, error, fmt};

/// Where text came from, which decides what a plus sign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// A path, in which a plus sign is one.
    Path,
    /// `application/x-www-form-urlencoded`, in which it is a space.
    Form,
}

/// Why text cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    /// The `%` at this byte, counted from 1, does not have two hexadecimal digits behind it.
    Escape(usize),
    /// What the bytes are in the end is not UTF-8.
    NotUtf8,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escape(at) => write!(f, "the % at byte {at} is not followed by two hexadecimal digits"),
            Self::NotUtf8 => f.write_str("it is not UTF-8"),
        }
    }
}

impl error::Error for Malformed {}

/// The text that was meant; borrowed where nothing had to be decoded.
#[inline]
pub(super) fn decode(sent: &str, coding: Coding) -> Result<Cow<'_, str>, Malformed> {
    let first = match coding {
        Coding::Path => memchr::memchr(b'%', sent.as_bytes()),
        Coding::Form => memchr::memchr2(b'%', b'+', sent.as_bytes()),
    };
    match first {
        None => Ok(Cow::Borrowed(sent)),
        Some(first) => decode_from(first, sent.as_bytes(), coding).map(Cow::Owned),
    }
}

fn decode_from(first: usize, sent: &[u8], coding: Coding) -> Result<String, Malformed> {
    let mut decoded = Vec::with_capacity(sent.len());
    decoded.extend_from_slice(&sent[..first]);
    let mut at = first;
    while let Some(byte) = sent.get(at) {
        at += 1;
        match byte {
            b'%' => {
                let digits = (sent.get(at).and_then(digit), sent.get(at + 1).and_then(digit));
                let (Some(high), Some(low)) = digits else { return Err(Malformed::Escape(at)) };
                decoded.push(high << 4 | low);
                at += 2;
            }
            b'+' if coding == Coding::Form => decoded.push(b' '),
            other => decoded.push(*other),
        }
    }
    String::from_utf8(decoded).map_err(|_| Malformed::NotUtf8)
}

fn digit(byte: &u8) -> Option<u8> {
    char::from(*byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_or_refused() {
        let ok = |text: &str| Ok(text.to_owned());
        let escape = |at| Err(Malformed::Escape(at));
        for (sent, path, form) in [
            ("", ok(""), ok("")),
            ("a", ok("a"), ok("a")),
            ("a+b", ok("a+b"), ok("a b")),
            ("%2B+%2b", ok("+++"), ok("+ +")),
            ("%41%c3%A9", ok("Aé"), ok("Aé")),
            ("%2541", ok("%41"), ok("%41")),
            ("%00", ok("\0"), ok("\0")),
            ("é%41", ok("éA"), ok("éA")),
            ("%", escape(1), escape(1)),
            ("ab%4", escape(3), escape(3)),
            ("%zz", escape(1), escape(1)),
            ("%+1", escape(1), escape(1)),
            ("%4é", escape(1), escape(1)),
            ("%41%%41", escape(4), escape(4)),
            ("%ff", Err(Malformed::NotUtf8), Err(Malformed::NotUtf8)),
        ] {
            let decode = |coding| decode(sent, coding).map(Cow::into_owned);
            assert_eq!((decode(Coding::Path), decode(Coding::Form)), (path, form), "{sent}");
        }
    }
}
