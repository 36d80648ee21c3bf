//! Experiments on reads and writes: how much is asked for at once, and how often is written. They go through a pair of
//! connected sockets within the process, so that system calls cost what they cost; counted are instructions outside of the kernel.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use armature_core::{
    Limits, StatusCode,
    buffer::ReadSizes,
    h1::{
        self,
        connection::{BodyLength, NextHead},
        encode::{ResponseHead, response_head},
        head::HeadIndex,
    },
};

use crate::{
    experiment::{Experiment, Input, Side, input},
    operation::{INPUTS, Operation, over},
};

const LIST: &str = "the project's inherited list of optimisations";

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "read-size",
        group: "connections",
        claim: "A read buffer as large as nearly all recent reads needed saves system calls.",
        source: LIST,
        baseline: "a buffer of 8 KiB",
        candidate: "a buffer of the size that `buffer::ReadSizes` says, as connections have it: 4 to 64 KiB",
        inputs: &[
            input("200-b", 200, "messages of 200 bytes"),
            input("16-kib", 16 * 1_024, "messages of 16 KiB"),
            input("64-kib", 64 * 1_024, "messages of 64 KiB"),
            input("mixed", 0, "messages of 200 bytes, and one in eight of 64 KiB"),
        ],
        threads: 1,
        make: read_size,
    },
    Experiment {
        name: "pipelined-writes",
        group: "connections",
        claim: "Answering every request that has arrived before writing once saves system calls.",
        source: "engine behaviour of ARCHITECTURE.md, “The life of a request”",
        baseline: "each response is written when it is there",
        candidate: "all responses to the requests of a read are written together",
        inputs: &[
            input("1", 1, "1 request at a time"),
            input("4", 4, "4 pipelined requests at a time"),
            input("16", 16, "16 at a time"),
            input("64", 64, "64 at a time"),
        ],
        threads: 1,
        make: pipelined,
    },
];

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap_or_else(|error| panic!("a pair of sockets: {error}"))
}

/// Reads so many bytes, as much at once as `room` is asked for before each read; `note` is told what each brought. Gives the
/// sum of the last byte of each read.
fn read_all(stream: &mut UnixStream, buffer: &mut Vec<u8>, length: usize, sizes: Option<&mut ReadSizes>) -> usize {
    let (mut left, mut sizes) = (length, sizes);
    while left > 0 {
        let room = sizes.as_ref().map_or(8_192, |sizes| sizes.bytes());
        if buffer.len() != room {
            buffer.resize(room, 0);
        }
        let Ok(read @ 1..) = stream.read(buffer) else { return left };
        if let Some(sizes) = &mut sizes {
            sizes.note(read, room);
        }
        left -= read.min(left);
    }
    left
}

fn read_size(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let length = |at: usize| match input.size {
        0 if at % 8 == 7 => 64 * 1_024,
        0 => 200,
        length => length,
    };
    let messages: Vec<Vec<u8>> = (0..INPUTS * scale).map(|at| vec![at as u8; length(at)]).collect();
    let (mut client, mut server) = pair();
    let mut sizes = (side == Side::Candidate).then(ReadSizes::new);
    let mut buffer = Vec::new();
    let mut pass = move |message: &Vec<u8>| {
        // It fits into the sockets' own buffers, so that nobody has to read meanwhile.
        let sent = client.write_all(message).map_or(0, |()| message.len());
        (sent, read_all(&mut server, &mut buffer, sent, sizes.as_mut()))
    };
    // As a worker that has read for a while: the policy looks at its history every 64 reads.
    messages.iter().cycle().take(1_000).for_each(|message| {
        pass(message);
    });
    over(messages, pass, |told| format!("{told:?}"))
}

const BODY: &[u8] = b"Hello, World!";

/// The server's side of a connection.
struct Server {
    stream: UnixStream,
    protocol: h1::Connection,
    index: HeadIndex,
    limits: Limits,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Server {
    /// Answers what has arrived; gives how many requests that were.
    fn serve(&mut self, writes_each: bool) -> usize {
        let Ok(read) = self.stream.read(&mut self.input) else { return 0 };
        let (mut at, mut answered) = (0, 0);
        while let Ok(NextHead::Complete { skip }) =
            self.protocol.next_head(&self.input[at..read], &self.limits, &mut self.index)
        {
            at += skip + self.index.len;
            let length = BodyLength::Known(BODY.len() as u64);
            let framed = self.protocol.frame(StatusCode::OK, length, false, &self.limits);
            let head = ResponseHead {
                status: StatusCode::OK,
                content_type: "text/plain; charset=utf-8",
                body: framed.head,
                persistence: framed.persistence,
                fields: b"",
                stamp: b"Server: armature\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
            };
            response_head(&mut self.output, &head);
            self.output.extend_from_slice(BODY);
            answered += 1;
            if writes_each {
                self.write();
            }
            if at == read {
                break;
            }
        }
        self.write();
        answered
    }

    fn write(&mut self) {
        if !self.output.is_empty() {
            let _ = self.stream.write_all(&self.output);
            self.output.clear();
        }
    }
}

fn pipelined(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let depth = input.size;
    let one = |at: usize| {
        format!("GET /articles/{at} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: load/1.{at}\r\nAccept: */*\r\n\r\n")
    };
    let batches: Vec<String> =
        (0..INPUTS * scale).map(|at| (0..depth).map(|part| one(at * depth + part)).collect()).collect();
    let (mut client, stream) = pair();
    let (protocol, index, limits) = (h1::Connection::default(), HeadIndex::default(), Limits::default());
    let mut server = Server { stream, protocol, index, limits, input: vec![0; 65_536], output: Vec::new() };
    let mut received = vec![0; 65_536];
    over(
        batches,
        move |batch| {
            let sent = client.write_all(batch.as_bytes()).is_ok();
            let answered = server.serve(side == Side::Baseline);
            // Each answer is as long as any other, and all have left: one read for each that was written by itself.
            let mut length = client.read(&mut received).unwrap_or(0);
            let each =
                received[..length].windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |end| end + 4 + BODY.len());
            while length < each * answered {
                length += client.read(&mut received[length..]).ok().filter(|read| *read > 0).unwrap_or(usize::MAX / 2);
            }
            (sent, answered, length)
        },
        |told| format!("{told:?}"),
    )
}
