//! Reads a request body off the wire: by length, or in chunks with their extensions and trailers (RFC 9112 §6, §7.1).
//!
//! Decoding happens in place: the data of successive chunks is moved together, so that a thousand chunks of one byte
//! reach the handler as one piece. Leaves limits on the body's size to whoever reads it. Read next: `encode.rs`.

use std::ops::Range;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{framing::Framing, refusal::Refusal, scan::LineScan};
use crate::limits::Limits;

/// What one step of decoding found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of input that are done with.
    pub consumed: usize,
    /// Where, within those, the body's data now is.
    pub data: Range<usize>,
}

/// Reads one body.
#[derive(Debug, Default)]
pub struct BodyDecoder {
    state: State,
    /// Bytes of the body, or of the chunk at hand, that are still to come.
    remaining: u64,
    extension_bytes: usize,
    trailer_scan: LineScan,
    trailers: Option<Box<HeaderMap>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// The body is over, or there was none.
    #[default]
    End,
    /// In a body of known length.
    Length,
    /// Before the first digit of a chunk's size.
    SizeStart,
    /// After so many digits of it.
    Size(u8),
    /// After a `;`.
    Extension,
    /// After the CR of the size line.
    SizeLf,
    /// In a chunk's data.
    Data,
    /// After the data.
    DataCr,
    /// After the CR behind the data.
    DataLf,
    /// After the last chunk's size line.
    Trailer,
}

impl BodyDecoder {
    /// A decoder for a body framed so.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        let (state, remaining) = match framing {
            Framing::None => (State::End, 0),
            Framing::Length(length) => (State::Length, length),
            Framing::Chunked => (State::SizeStart, 0),
        };
        Self { state, remaining, ..Self::default() }
    }

    /// Whether the whole body has been read.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.state == State::End
    }

    /// Bytes still to come, where that is known.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::End => Some(0),
            State::Length => Some(self.remaining),
            _ => None,
        }
    }

    /// The trailer fields, once the body is over. Those that frame or route a message are left out (RFC 9110 §6.5.1).
    pub fn take_trailers(&mut self) -> Option<Box<HeaderMap>> {
        self.trailers.take()
    }

    /// Decodes what has arrived. Without progress, nothing is consumed and more input is needed.
    ///
    /// # Errors
    /// The first rule that the coding breaks.
    pub fn decode(&mut self, bytes: &mut [u8], limits: &Limits) -> Result<Decoded, Refusal> {
        let mut at = 0;
        let mut data = 0..0;
        while at < bytes.len() && self.state != State::End {
            match self.state {
                State::Length | State::Data => {
                    let take =
                        usize::try_from(self.remaining).map_or(bytes.len() - at, |left| left.min(bytes.len() - at));
                    if data.is_empty() {
                        data = at..at + take;
                    } else {
                        bytes.copy_within(at..at + take, data.end);
                        data.end += take;
                    }
                    at += take;
                    self.remaining -= take as u64;
                    if self.remaining == 0 {
                        self.state = if self.state == State::Length { State::End } else { State::DataCr };
                    }
                }
                State::Trailer => match self.trailer(&bytes[at..], limits)? {
                    0 => break,
                    read => at += read,
                },
                _ => {
                    self.line_byte(bytes[at], limits)?;
                    at += 1;
                }
            }
        }
        Ok(Decoded { consumed: at, data })
    }

    /// One byte of a size line, or of the line end behind a chunk's data.
    fn line_byte(&mut self, byte: u8, limits: &Limits) -> Result<(), Refusal> {
        self.state = match (self.state, byte) {
            (State::SizeStart, _) => {
                self.remaining = hex_digit(byte)?;
                State::Size(1)
            }
            (State::Size(_), b'\r') | (State::Extension, b'\r') => State::SizeLf,
            (State::Size(_), b';') => {
                self.count_extension(limits)?;
                State::Extension
            }
            // Sixteen digits fill 64 bits, so the shift cannot overflow.
            (State::Size(digits @ ..16), _) => {
                self.remaining = self.remaining << 4 | hex_digit(byte)?;
                State::Size(digits + 1)
            }
            (State::Extension, b'\t' | b' '..=0x7e | 0x80..) => {
                self.count_extension(limits)?;
                State::Extension
            }
            (State::SizeLf, b'\n') if self.remaining == 0 => State::Trailer,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::SizeStart,
            _ => return Err(Refusal::Chunk),
        };
        Ok(())
    }

    fn count_extension(&mut self, limits: &Limits) -> Result<(), Refusal> {
        self.extension_bytes += 1;
        if self.extension_bytes > limits.chunk_extension_bytes_max {
            return Err(Refusal::ChunkExtensions);
        }
        Ok(())
    }

    /// Reads the trailer section once it is there as a whole; says how many bytes it had, or 0.
    fn trailer(&mut self, bytes: &[u8], limits: &Limits) -> Result<usize, Refusal> {
        if bytes.starts_with(b"\r\n") {
            self.state = State::End;
            return Ok(2);
        }
        let end = self.trailer_scan.find_end(bytes)?;
        if end.unwrap_or(bytes.len()) > limits.trailer_bytes_max {
            return Err(Refusal::TrailerTooLarge);
        }
        let Some(end) = end else { return Ok(0) };
        self.trailers = Some(Box::new(parse_trailers(&bytes[..end])?));
        self.state = State::End;
        Ok(end)
    }
}

fn hex_digit(byte: u8) -> Result<u64, Refusal> {
    char::from(byte).to_digit(16).map(u64::from).ok_or(Refusal::Chunk)
}

fn parse_trailers(section: &[u8]) -> Result<HeaderMap, Refusal> {
    const TRAILER_FIELDS_MAX: usize = 32;
    let mut room = [httparse::EMPTY_HEADER; TRAILER_FIELDS_MAX];
    let fields = match httparse::parse_headers(section, &mut room) {
        Ok(httparse::Status::Complete((_, fields))) => fields,
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TrailerTooLarge),
        _ => return Err(Refusal::Trailer),
    };
    let mut trailers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Refusal::Trailer)?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| Refusal::Trailer)?;
        if !is_forbidden_in_trailers(&name) {
            trailers.append(name, value);
        }
    }
    Ok(trailers)
}

/// Fields whose meaning is needed before the body (RFC 9110 §6.5.1).
fn is_forbidden_in_trailers(name: &HeaderName) -> bool {
    [
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
        header::HOST,
        header::CONNECTION,
        header::TRAILER,
        header::TE,
        header::UPGRADE,
        header::EXPECT,
        header::CONTENT_ENCODING,
        header::CONTENT_TYPE,
        header::CONTENT_RANGE,
        header::AUTHORIZATION,
        header::SET_COOKIE,
        header::COOKIE,
        header::CACHE_CONTROL,
        header::MAX_FORWARDS,
    ]
    .contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `wire` in pieces of `piece` bytes; gives the body, and what was left over.
    fn run(framing: Framing, wire: &[u8], piece: usize) -> Result<(Vec<u8>, Vec<u8>, BodyDecoder), Refusal> {
        let limits = Limits { chunk_extension_bytes_max: 8, trailer_bytes_max: 32, ..Limits::default() };
        let mut decoder = BodyDecoder::new(framing);
        let (mut body, mut held) = (Vec::new(), Vec::new());
        for arrival in wire.chunks(piece) {
            held.extend_from_slice(arrival);
            let step = decoder.decode(&mut held, &limits)?;
            body.extend_from_slice(&held[step.data]);
            held.drain(..step.consumed);
        }
        Ok((body, held, decoder))
    }

    #[test]
    fn bodies_are_read_in_pieces_of_any_size() {
        let cases: [(&str, &str, &str); 6] = [
            ("0\r\n\r\n", "", ""),
            ("5\r\nhello\r\n0\r\n\r\nGET", "hello", "GET"),
            ("1\r\na\r\n2\r\nbc\r\n00\r\n\r\n", "abc", ""),
            ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""),
            ("1;a=b\r\nx\r\n0;c\r\n\r\n", "x", ""),
            ("1\r\nx\r\n0\r\nA: b\r\nHost: c\r\n\r\nmore", "x", "more"),
        ];
        for (wire, body, left) in cases {
            for piece in 1..=wire.len() {
                let (got, rest, decoder) = run(Framing::Chunked, wire.as_bytes(), piece).unwrap();
                assert_eq!((&*got, &*rest), (body.as_bytes(), left.as_bytes()), "{wire:?} by {piece}");
                assert!(decoder.is_end(), "{wire:?}");
            }
        }
        let (body, rest, _) = run(Framing::Length(3), b"abcd", 2).unwrap();
        assert_eq!((&*body, &*rest), (&b"abc"[..], &b"d"[..]));
    }

    #[test]
    fn trailers_are_kept_apart_from_framing_fields() {
        let (_, _, mut decoder) = run(Framing::Chunked, b"0\r\nA: b\r\nHost: c\r\n\r\n", 1).unwrap();
        let trailers = decoder.take_trailers().unwrap();
        assert_eq!((trailers.len(), trailers["a"].as_bytes()), (1, &b"b"[..]));
    }

    #[test]
    fn malformed_coding_is_refused_at_any_cut() {
        let cases = [
            ("\r\nx", Refusal::Chunk),
            ("0x5\r\nhello", Refusal::Chunk),
            ("+5\r\nhello", Refusal::Chunk),
            ("-1\r\nhello", Refusal::Chunk),
            (" 5\r\nhello", Refusal::Chunk),
            ("5 \r\nhello", Refusal::Chunk),
            ("5 ;a\r\nhello", Refusal::Chunk),
            ("g\r\n", Refusal::Chunk),
            ("00000000000000005\r\n", Refusal::Chunk),
            ("10000000000000000\r\n", Refusal::Chunk),
            ("5\nhello", Refusal::Chunk),
            ("5\r\rhello", Refusal::Chunk),
            ("5\r\nhello!\r\n", Refusal::Chunk),
            ("5\r\nhello\n0\r\n\r\n", Refusal::Chunk),
            ("5;\x01\r\nhello", Refusal::Chunk),
            ("5;a\nhello", Refusal::Chunk),
            ("1;aaaaaaaa\r\nx", Refusal::ChunkExtensions),
            ("1;aaaa\r\nx\r\n1;aaaa\r\nx\r\n", Refusal::ChunkExtensions),
            ("0\r\nA: b\n\r\n", Refusal::LineEnd),
            ("0\r\nA b\r\n\r\n", Refusal::Trailer),
            ("0\r\nA: 9012345678901234567890123456789\r\n\r\n", Refusal::TrailerTooLarge),
        ];
        for (wire, expected) in cases {
            for piece in 1..=wire.len() {
                assert_eq!(run(Framing::Chunked, wire.as_bytes(), piece).err(), Some(expected), "{wire:?} by {piece}");
            }
        }
    }
}
