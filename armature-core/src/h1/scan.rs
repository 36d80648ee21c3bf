//! Waits for the end of a head or a trailer section without looking at any byte twice.
//!
//! A head that arrives in many pieces would otherwise be parsed once per piece, which is quadratic work that a peer can
//! ask for at will. Read next: `head.rs`.

use super::refusal::Refusal;

/// How far the lines of a section have been looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineScan {
    seen: u32,
}

impl LineScan {
    /// Whether nothing has been looked at yet.
    #[must_use]
    pub fn is_fresh(self) -> bool {
        self.seen == 0
    }

    /// Looks at the bytes that are new since the last call, and says where the section ends: after CR LF CR LF.
    ///
    /// # Errors
    /// [`Refusal::LineEnd`] as soon as a line ends in a bare LF.
    pub fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        loop {
            let from = self.seen as usize;
            let Some(newline) = bytes.get(from..).and_then(|new| memchr::memchr(b'\n', new)) else {
                self.seen = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                return Ok(None);
            };
            let end = from + newline + 1;
            match bytes[..end] {
                [.., b'\r', b'\n', b'\r', b'\n'] => return Ok(Some(end)),
                [.., b'\r', b'\n'] => self.seen = end as u32,
                _ => return Err(Refusal::LineEnd),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_however_the_bytes_arrive() {
        let section = b"a: b\r\nc: d\r\n\r\nmore\r\n\r\n";
        for piece in 1..section.len() {
            let mut scan = LineScan::default();
            let mut found = None;
            for end in (piece..=section.len()).step_by(piece) {
                found = scan.find_end(&section[..end]).unwrap();
                if found.is_some() {
                    break;
                }
            }
            let reached = section.len() / piece * piece >= 14;
            assert_eq!(found, reached.then_some(14), "pieces of {piece}");
        }
        // Lines that have been looked at are not looked at again, whatever is in them now.
        let mut scan = LineScan::default();
        assert_eq!(scan.find_end(b"a: b\r\nc: d\r\ne"), Ok(None));
        assert_eq!(scan.find_end(b"\n\n\n\n\n\n\n\n\n\n\r\ne\r\n\r\n"), Ok(Some(17)));
        assert_eq!(LineScan::default().find_end(b"a: b\n"), Err(Refusal::LineEnd));
        assert_eq!(LineScan::default().find_end(b"\n"), Err(Refusal::LineEnd));
    }
}
