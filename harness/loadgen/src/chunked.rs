//! Takes the chunked coding off a body, however it is cut (RFC 9112 §7.1). Leaves what the body says to `expect.rs`.

/// Where in the coding the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a chunk's size, of which so many digits were read.
    Size { digits: u8 },
    /// In a chunk extension or behind it, up to the line's end.
    SizeRest,
    /// In a chunk's data; the rest is `left_bytes`.
    Data,
    /// Behind a chunk's data: CR and LF.
    DataEnd { cr: bool },
    /// In the trailer section; `empty` while nothing but CR stands on the line.
    Trailer { empty: bool },
}

/// A body in chunked coding that is being read.
#[derive(Debug, Clone)]
pub(crate) struct Chunked {
    place: Place,
    left_bytes: u64,
}

impl Chunked {
    /// A body of which nothing was read.
    pub(crate) fn new() -> Self {
        Self { place: Place::Size { digits: 0 }, left_bytes: 0 }
    }

    /// Reads on from the front of `input`, hands pieces of the body to `body`, and says whether the body is at its end.
    ///
    /// # Errors
    /// In words, when the bytes are no chunked coding.
    pub(crate) fn read(&mut self, input: &mut &[u8], mut body: impl FnMut(&[u8])) -> Result<bool, String> {
        while let Some((&byte, rest)) = input.split_first() {
            if self.place == Place::Data {
                let here = usize::try_from(self.left_bytes).map_or(input.len(), |left| left.min(input.len()));
                let (data, after) = input.split_at(here);
                body(data);
                *input = after;
                self.left_bytes -= here as u64;
                if self.left_bytes == 0 {
                    self.place = Place::DataEnd { cr: false };
                }
                continue;
            }
            *input = rest;
            if self.step(byte)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes one byte outside a chunk's data; says whether it was the body's last.
    fn step(&mut self, byte: u8) -> Result<bool, String> {
        self.place = match (self.place, byte) {
            (Place::Size { digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if digits < 15 => {
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                self.left_bytes = self.left_bytes << 4 | u64::from(digit);
                Place::Size { digits: digits + 1 }
            }
            (Place::Size { digits: 1.. }, b'\r' | b';' | b' ' | b'\t') => Place::SizeRest,
            (Place::Size { digits: 1.. } | Place::SizeRest, b'\n') if self.left_bytes == 0 => {
                Place::Trailer { empty: true }
            }
            (Place::Size { digits: 1.. } | Place::SizeRest, b'\n') => Place::Data,
            (Place::SizeRest, _) => Place::SizeRest,
            (Place::DataEnd { cr: false }, b'\r') => Place::DataEnd { cr: true },
            (Place::DataEnd { cr: true }, b'\n') => Place::Size { digits: 0 },
            (Place::Trailer { empty: true }, b'\n') => return Ok(true),
            (Place::Trailer { empty: false }, b'\n') => Place::Trailer { empty: true },
            (Place::Trailer { empty: true }, b'\r') => Place::Trailer { empty: true },
            (Place::Trailer { .. }, _) => Place::Trailer { empty: false },
            (place, byte) => {
                let byte = byte.escape_ascii();
                return Err(format!("byte '{byte}' breaks the chunked coding ({place:?})"));
            }
        };
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::Chunked;

    /// The body and what follows it, read in pieces of `piece` bytes; `None` if it does not end.
    fn decode(text: &str, piece: usize) -> Result<Option<(String, usize)>, String> {
        let mut chunked = Chunked::new();
        let mut body = Vec::new();
        let mut read = 0;
        for mut part in text.as_bytes().chunks(piece) {
            let before = part.len();
            let end = chunked.read(&mut part, |data| body.extend_from_slice(data))?;
            read += before - part.len();
            if end {
                return Ok(Some((String::from_utf8(body).unwrap(), text.len() - read)));
            }
        }
        Ok(None)
    }

    #[test]
    fn bodies_come_out_however_they_are_cut() {
        let cases = [
            ("0\r\n\r\n", Some(("", 0))),
            ("5\r\nhello\r\n0\r\n\r\nHTTP", Some(("hello", 4))),
            ("5;a=b\r\nhello\r\n0A\r\n 123456789\r\n000\r\n\r\n", Some(("hello 123456789", 0))),
            ("1\r\nx\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n", Some(("x", 0))),
            ("5\r\nhello\r\n0\r\n", None),
            ("5\r\nhel", None),
        ];
        for (text, expected) in cases {
            for piece in 1..=text.len() {
                let found = decode(text, piece).unwrap();
                let expected = expected.map(|(body, rest)| (body.to_owned(), rest));
                // What follows the body may lie in a piece that was never handed over.
                assert_eq!(found, expected, "{text:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn what_is_no_chunked_coding_is_refused() {
        for text in
            ["x\r\n", "\r\n", "-1\r\n", "1\r\nab\r\n", "1\r\na\n", "1000000000000000\r\n", "ffffffffffffffff\r\n"]
        {
            assert!(decode(text, 1).is_err(), "{text:?}");
        }
    }
}
