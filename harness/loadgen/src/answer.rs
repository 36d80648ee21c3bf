//! Reads one answer after another from bytes as they arrive, however they are cut, and judges each. No socket and no
//! clock; `connection.rs` hands the bytes in. Read next: `head.rs`, `chunked.rs`, `expect.rs`.

use crate::{
    chunked::Chunked,
    expect::Fault,
    head::{Framing, Head, Memory},
    request::Prepared,
};

/// The largest body that is kept to be checked whole, bytes: 64 MiB, far above what the lab's contract asks for, so
/// that an answer without end is reported and not kept until memory is gone.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// What reading led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The input is used up and the answer goes on.
    More,
    /// The answer is complete; what follows it is left in the input.
    Done {
        /// The server will close the connection now.
        close: bool,
        /// What is wrong with the answer.
        fault: Option<Fault>,
    },
}

/// Where in an answer the next byte stands.
#[derive(Debug)]
enum Stage {
    Head,
    Length { left_bytes: u64 },
    Chunked(Chunked),
    Close,
}

/// The answer that is being read on one connection.
#[derive(Debug)]
pub(crate) struct Answer {
    stage: Stage,
    /// The part of a head that has arrived, if it was cut.
    cut_head: Vec<u8>,
    status: u16,
    close: bool,
    length_bytes: u64,
    /// The part of a body that has arrived, if it was cut and is checked whole.
    kept: Vec<u8>,
}

impl Answer {
    /// An answer of which nothing has arrived.
    pub(crate) fn new() -> Self {
        Self { stage: Stage::Head, cut_head: Vec::new(), status: 0, close: false, length_bytes: 0, kept: Vec::new() }
    }

    /// Forgets what has arrived, for a new connection.
    pub(crate) fn reset(&mut self) {
        self.stage = Stage::Head;
        self.cut_head.clear();
        self.length_bytes = 0;
        self.kept.clear();
    }

    /// Reads on from the front of `input` in the answer to `request`; `whole` asks for its body to be checked, and
    /// stays the same from an answer's first byte to its last.
    ///
    /// # Errors
    /// In words, when the bytes are not HTTP/1.1; the connection is then of no more use.
    pub(crate) fn read(
        &mut self,
        input: &mut &[u8],
        request: &Prepared,
        memory: &mut Memory,
        whole: bool,
    ) -> Result<Step, String> {
        while let Stage::Head = self.stage {
            let Some(head) = self.read_head(input, memory)? else {
                return Ok(Step::More);
            };
            self.begin_body(&head, request.is_head);
        }
        match &mut self.stage {
            Stage::Length { left_bytes } => {
                let here = usize::try_from(*left_bytes).map_or(input.len(), |left| left.min(input.len()));
                let (data, rest) = input.split_at(here);
                *input = rest;
                *left_bytes -= here as u64;
                self.length_bytes += here as u64;
                let at_end = *left_bytes == 0;
                if at_end && self.kept.is_empty() {
                    return Ok(self.finish(request, whole.then_some(data)));
                }
                if whole {
                    keep(&mut self.kept, data)?;
                }
                Ok(if at_end { self.finish_kept(request, whole) } else { Step::More })
            }
            Stage::Chunked(chunked) => {
                let (kept, length_bytes) = (&mut self.kept, &mut self.length_bytes);
                let mut kept_all = Ok(());
                let at_end = chunked.read(input, |data| {
                    *length_bytes += data.len() as u64;
                    if whole && kept_all.is_ok() {
                        kept_all = keep(kept, data);
                    }
                })?;
                kept_all?;
                Ok(if at_end { self.finish_kept(request, whole) } else { Step::More })
            }
            Stage::Close => {
                self.length_bytes += input.len() as u64;
                if whole {
                    keep(&mut self.kept, input)?;
                }
                *input = &[];
                Ok(Step::More)
            }
            Stage::Head => Ok(Step::More),
        }
    }

    /// Tells that the connection has ended: completes an answer whose body ends so (RFC 9112 §6.3), if there is one.
    pub(crate) fn read_end(&mut self, request: &Prepared, whole: bool) -> Option<Step> {
        matches!(self.stage, Stage::Close).then(|| {
            self.close = true;
            self.finish_kept(request, whole)
        })
    }

    /// The next head, if all of it is there.
    fn read_head(&mut self, input: &mut &[u8], memory: &mut Memory) -> Result<Option<Head>, String> {
        if self.cut_head.is_empty() {
            let head = memory.read(input)?;
            match head {
                Some(head) => *input = &input[head.length_bytes..],
                None => {
                    self.cut_head.extend_from_slice(input);
                    *input = &[];
                }
            }
            return Ok(head);
        }
        let had_bytes = self.cut_head.len();
        self.cut_head.extend_from_slice(input);
        let head = memory.read(&self.cut_head)?;
        match head {
            Some(head) => {
                *input = &input[head.length_bytes.saturating_sub(had_bytes)..];
                self.cut_head.clear();
            }
            None => *input = &[],
        }
        Ok(head)
    }

    /// Goes from a head to what follows it: another head after an interim answer (RFC 9110 §15.2), else a body.
    fn begin_body(&mut self, head: &Head, to_head_request: bool) {
        self.status = head.status;
        self.close = head.close;
        let bodiless = to_head_request || matches!(head.status, 204 | 304);
        self.stage = match head.framing {
            _ if matches!(head.status, 100 | 102..=199) => Stage::Head,
            _ if bodiless => Stage::Length { left_bytes: 0 },
            Framing::Length(left_bytes) => Stage::Length { left_bytes },
            Framing::Chunked => Stage::Chunked(Chunked::new()),
            Framing::Close => Stage::Close,
        };
    }

    fn finish_kept(&mut self, request: &Prepared, whole: bool) -> Step {
        let mut kept = std::mem::take(&mut self.kept);
        let step = self.finish(request, whole.then_some(&kept));
        kept.clear();
        self.kept = kept;
        step
    }

    fn finish(&mut self, request: &Prepared, body: Option<&[u8]>) -> Step {
        let outline = request.check.outline(self.status, self.length_bytes);
        let verdict = outline.and_then(|()| body.map_or(Ok(()), |body| request.check.whole(body)));
        self.stage = Stage::Head;
        self.length_bytes = 0;
        Step::Done { close: self.close, fault: verdict.err() }
    }
}

fn keep(kept: &mut Vec<u8>, data: &[u8]) -> Result<(), String> {
    if kept.len() + data.len() > KEPT_BYTES_MAX {
        return Err(format!("a body of more than {KEPT_BYTES_MAX} bytes"));
    }
    kept.extend_from_slice(data);
    Ok(())
}

#[cfg(test)]
mod tests {
    use probe::load::{Body, Expect, Request};

    use super::{Answer, Step};
    use crate::{expect::Fault, head::Memory, request::Prepared};

    fn prepared(method: &str, status: u16, body: Body) -> Prepared {
        let request = Request {
            method: method.to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body: None,
            expect: Expect { status, body },
        };
        Prepared::new(&request, "127.0.0.1:80".parse().unwrap())
    }

    fn hello() -> Prepared {
        prepared("GET", 200, Body::Exact { text: "hello".to_owned() })
    }

    /// Reads `parts` one after the other and gives what each answer was found to be.
    fn read(parts: &[&[u8]], request: &Prepared, whole: bool) -> Result<Vec<(bool, Option<Fault>)>, String> {
        let mut answer = Answer::new();
        let mut memory = Memory::default();
        let mut found = Vec::new();
        for part in parts {
            let mut input = *part;
            while !input.is_empty() {
                match answer.read(&mut input, request, &mut memory, whole)? {
                    Step::Done { close, fault } => found.push((close, fault)),
                    Step::More => assert!(input.is_empty(), "an answer that goes on leaves no input"),
                }
            }
        }
        if let Some(Step::Done { close, fault }) = answer.read_end(request, whole) {
            found.push((close, fault));
        }
        Ok(found)
    }

    #[test]
    fn pipelined_answers_read_the_same_cut_at_every_byte() {
        let request = hello();
        let text = b"HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 06:00:00 GMT\r\nContent-Length: 5\r\n\r\nhello\
            HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 06:00:01 GMT\r\nContent-Length: 5\r\n\r\nhello\
            HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n\
            HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        let expected = vec![(false, None), (false, None), (false, None), (true, None)];
        for whole in [false, true] {
            for cut in 0..=text.len() {
                let (left, right) = text.split_at(cut);
                assert_eq!(read(&[left, right], &request, whole).unwrap(), expected, "cut at {cut}");
            }
            let bytes: Vec<&[u8]> = text.chunks(1).collect();
            assert_eq!(read(&bytes, &request, whole).unwrap(), expected);
        }
    }

    #[test]
    fn answers_are_judged() {
        let hello = hello();
        let head = prepared("HEAD", 200, Body::Exact { text: "hello".to_owned() });
        let none = prepared("GET", 204, Body::Any);
        let cases: &[(&Prepared, &str, &str)] = &[
            (&hello, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "right"),
            (&hello, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellO", "body"),
            (&hello, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "body"),
            (&hello, "HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nhello", "status"),
            (&hello, "HTTP/1.1 200 OK\r\n\r\nhello", "right"),
            (&hello, "HTTP/1.0 200 OK\r\n\r\nhell", "body"),
            (&hello, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n0\r\n\r\n", "body"),
            (&hello, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello", "not HTTP"),
            (&hello, "hello\r\n\r\n", "not HTTP"),
            (&hello, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "unfinished"),
            (&head, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "right"),
            (&none, "HTTP/1.1 204 No Content\r\n\r\n", "right"),
        ];
        for (request, text, expected) in cases {
            for piece in [1, 7, text.len()] {
                let parts: Vec<&[u8]> = text.as_bytes().chunks(piece).collect();
                let found = match read(&parts, request, true).as_deref() {
                    Ok([]) => "unfinished",
                    Ok([(_, None)]) => "right",
                    Ok([(_, Some(Fault::Status(_)))]) => "status",
                    Ok([(_, Some(Fault::Body(_)))]) => "body",
                    Ok(_) => "more than one",
                    Err(_) => "not HTTP",
                };
                assert_eq!(found, *expected, "{text:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn an_unsampled_answer_is_judged_by_status_and_length_alone() {
        let request = hello();
        let same_length = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellO";
        assert_eq!(read(&[same_length], &request, false).unwrap(), vec![(false, None)]);
    }
}
