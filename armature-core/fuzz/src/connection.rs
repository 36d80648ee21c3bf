//! Whole connections to a server over a socket: the same answers come back wherever the network cuts the input.
//!
//! Input: everything that a client sends on a connection, before it shuts its write side. Read next: `protocol.rs`, which
//! looks at the protocol alone and more often.

use std::cell::RefCell;

use armature_core::h1::{Connection, connection::NextHead, framing::Framing, head::HeadIndex};

use crate::{
    cut::Number,
    loopback::{self, Answer, Client},
    reference::{find, is_part_of_head},
};

thread_local! {
    static BEACON: RefCell<Option<Client>> = const { RefCell::new(None) };
}

/// Sends the input whole, in two parts, and in several, and compares.
pub fn run(bytes: &[u8]) {
    // A response that is shorter than its head says ends in a reset, and how much comes before that is the network's affair.
    if find(bytes, b"respond-declared").is_some() {
        return;
    }
    let requests = requests(bytes);
    let panics = loopback::counters().handler_panics;
    let whole = send(&[bytes], &requests);
    let mut number = Number::of(bytes);
    for cuts in [1, 3] {
        let mut places: Vec<usize> = (0..cuts).map(|_| number.below(bytes.len() + 1)).collect();
        places.sort_unstable();
        let mut parts = Vec::new();
        let mut from = 0;
        for place in places.into_iter().chain([bytes.len()]) {
            parts.push(&bytes[from..place]);
            from = place;
        }
        compare(&whole, &send(&parts, &requests), &requests, &parts);
    }
    assert_eq!(loopback::counters().handler_panics, panics, "a handler panicked");
}

/// What the server may take for a request.
#[derive(Debug, Default)]
struct Request {
    is_head: bool,
    /// It asks to be told before it sends its body; whether it is told depends on what has arrived.
    expects_continue: bool,
    /// The head or the body breaks a rule.
    is_wrong: bool,
    /// It is part of a head, which may or may not be seen to be wrong before the rest is there.
    is_part: bool,
    is_chunked: bool,
}

/// The requests in the input, up to the first that ends the connection for a reason of its own.
fn requests(bytes: &[u8]) -> Vec<Request> {
    let limits = loopback::limits();
    let (mut connection, mut index) = (Connection::default(), HeadIndex::default());
    let mut held = bytes.to_vec();
    let mut requests = Vec::new();
    loop {
        match connection.next_head(&held, &limits, &mut index) {
            Ok(NextHead::Partial { .. }) => return requests,
            Ok(NextHead::Complete { skip }) => {
                held.drain(..skip);
                let mut request = Request {
                    is_head: index.method == armature_core::Method::Head,
                    expects_continue: index.expects_continue,
                    is_chunked: index.framing == Framing::Chunked,
                    ..Request::default()
                };
                held.drain(..index.len);
                match connection.body().decode(&mut held, &limits) {
                    Ok(step) => drop(held.drain(..step.consumed)),
                    Err(_) => request.is_wrong = true,
                }
                let goes_on = !request.is_wrong && connection.body_is_read() && index.keeps_alive();
                requests.push(request);
                if !goes_on {
                    return requests;
                }
            }
            Err(_) => {
                let is_part = is_part_of_head(&held);
                requests.push(Request { is_wrong: true, is_part, ..Request::default() });
                return requests;
            }
        }
    }
}

/// Sends the parts, each read by the server before the next is sent; gives the answers.
fn send(parts: &[&[u8]], requests: &[Request]) -> Vec<Answer> {
    let mut client = Client::connect();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            light_beacon();
        }
        client.send(part);
    }
    let came = client.finish();
    let mut left = &came[..];
    let mut answers = Vec::new();
    while !left.is_empty() {
        let request = requests.get(answers.len());
        let context = || format!("{} after {answers:?}", left.escape_ascii());
        let is_head = request.is_some_and(|request| request.is_head);
        let (answer, after) = loopback::read(left, is_head)
            // Whether a refused request was one of HEAD, only the server knows.
            .or_else(|| loopback::read(left, true).filter(|_| request.is_some_and(|request| request.is_wrong)))
            .unwrap_or_else(|| panic!("no answer: {}", context()));
        left = after;
        if answer.status == 100 {
            assert!(request.is_some_and(|request| request.expects_continue), "{}", context());
            continue;
        }
        if answer.status == 101 {
            answers.push(Answer { body: left.to_vec(), ..answer });
            break;
        }
        let closes = answer.closes();
        answers.push(answer);
        assert!(answers.len() <= requests.len(), "more answers than requests: {answers:?} to {requests:?}");
        assert!(!closes || left.is_empty(), "more behind the last answer");
    }
    // Every input that holds a request has an answer; later ones may go without when a connection ends.
    let must_answer = requests.first().is_some_and(|request| !request.is_part);
    assert!(!answers.is_empty() || !must_answer, "no answer to {requests:?}");
    answers
}

/// A request and its answer on another connection: the one worker has read what was sent before.
fn light_beacon() {
    BEACON.with_borrow_mut(|beacon| {
        let beacon = beacon.get_or_insert_with(Client::connect);
        beacon.send(b"GET / HTTP/1.1\r\nHost: beacon\r\n\r\n");
        assert_eq!(beacon.answer().status, 200);
    });
}

fn compare(whole: &[Answer], cut: &[Answer], requests: &[Request], parts: &[&[u8]]) {
    for (at, request) in requests.iter().enumerate() {
        // An expectation is met or not, and its connection goes on or not, by what has arrived when it is looked at.
        if request.expects_continue {
            return;
        }
        let context = || {
            format!(
                "{requests:?}\nwhole {whole:?}\ncut {cut:?}\nparts {:?}",
                parts.iter().map(|part| part.escape_ascii().to_string()).collect::<Vec<_>>()
            )
        };
        match (whole.get(at), cut.get(at)) {
            (None, None) => return,
            (Some(one), Some(other)) if one == other => {}
            (Some(one), None) if request.is_part && is_refusal(one) => return,
            // Of several broken rules the first that is seen is named.
            (Some(one), Some(other)) if request.is_wrong && is_refusal(one) && is_refusal(other) => return,
            // A handler that does not read its body may answer before the rest of it turns out to be wrong.
            (Some(one), Some(_)) if request.is_wrong && request.is_chunked && is_refusal(one) => return,
            _ => panic!("answer {at} depends on the cuts: {}", context()),
        }
    }
    assert_eq!(whole.len(), cut.len());
}

fn is_refusal(answer: &Answer) -> bool {
    answer.status >= 400 && answer.closes()
}
