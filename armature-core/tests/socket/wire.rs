//! Runs wire cases over a real socket: whole, cut in two at every byte, one byte at a time, and with a request behind.
//!
//! Many connections run at once, one per cut. Between the first parts and the second, a request and its answer on a
//! connection of their own let the server's one worker see every first part by itself.

use std::fs;

use armature_core::Limits;

use crate::{
    answer,
    app::Running,
    case::{self, Case, End, Expected},
    client::Client,
};

/// What is sent behind a case to see whether the connection still answers, and how often.
const BEHIND: &[u8] = b"GET /second HTTP/1.1\r\nHost: behind\r\nConnection: close\r\n\r\n";

/// Connections open at once.
const AT_ONCE: usize = 200;

/// Cases up to this length are cut at every byte; longer ones at their first and last hundred, and here and there.
const CUT_EVERYWHERE_BYTES: usize = 700;

/// Cases up to this length are also sent one byte at a time.
const BYTE_BY_BYTE_BYTES: usize = 2_000;

fn limits() -> Limits {
    Limits {
        head_bytes_max: 12_000,
        head_fields_max: 20,
        body_bytes_max: 1_000,
        chunk_extension_bytes_max: 40,
        trailer_bytes_max: 200,
        unread_body_bytes_max: 500,
        ..Limits::default()
    }
}

/// Runs all cases of one file.
fn run(name: &str) {
    run_under(limits(), name);
}

/// Runs all cases of one file against a server with these limits.
fn run_under(limits: Limits, name: &str) {
    let path = format!("{}/tests/wire/{name}.wire", env!("CARGO_MANIFEST_DIR"));
    let cases = case::parse(&fs::read_to_string(path).unwrap());
    assert!(!cases.is_empty());
    let server = Running::start(limits);
    let mut beacon = Client::connect(server.address);
    let mut problems = Vec::new();
    for case in &cases {
        if let Err(problem) = run_case(case, &server, &mut beacon) {
            problems.push(format!("{}: {problem}", case.title));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn run_case(case: &Case, server: &Running, beacon: &mut Client) -> Result<(), String> {
    let mut with_behind = case.sent.clone();
    with_behind.extend_from_slice(BEHIND);
    // What is sent, in how many parts, and whether a request follows.
    let mut scripts: Vec<(Vec<&[u8]>, bool)> = Vec::new();
    if case.end == End::Open && !case.half_closes {
        scripts.push((vec![&case.sent, BEHIND], true));
    } else {
        scripts.push((vec![&case.sent], false));
        if case.sent.len() <= BYTE_BY_BYTE_BYTES {
            scripts.push((case.sent.chunks(1).collect(), false));
        }
        scripts.extend(cuts(&case.sent).map(|(first, second)| (vec![first, second], false)));
    }
    if !case.half_closes {
        scripts.push((vec![&with_behind], true));
        if with_behind.len() <= BYTE_BY_BYTE_BYTES {
            scripts.push((with_behind.chunks(1).collect(), true));
        }
        scripts.extend(cuts(&with_behind).map(|(first, second)| (vec![first, second], true)));
    }
    for batch in scripts.chunks(AT_ONCE) {
        run_batch(case, batch, server, beacon)?;
    }
    Ok(())
}

fn cuts(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let everywhere = bytes.len() <= CUT_EVERYWHERE_BYTES;
    (1..bytes.len())
        .filter(move |at| everywhere || *at < 100 || bytes.len() - at < 100 || at % (509 + bytes.len() / 50) == 0)
        .map(|at| bytes.split_at(at))
}

fn run_batch(case: &Case, batch: &[(Vec<&[u8]>, bool)], server: &Running, beacon: &mut Client) -> Result<(), String> {
    let mut clients: Vec<_> = batch.iter().map(|_| Client::connect(server.address)).collect();
    let parts = batch.iter().map(|(parts, _)| parts.len()).max().unwrap_or(0);
    for part in 0..parts {
        for (client, (parts, _)) in clients.iter_mut().zip(batch) {
            if let Some(bytes) = parts.get(part) {
                client.send(bytes);
                if case.half_closes && part + 1 == parts.len() {
                    client.finish();
                }
            }
        }
        beacon.send(b"GET /second HTTP/1.1\r\nHost: beacon\r\n\r\n");
        beacon.read_answer()?;
    }
    for (client, (parts, behind)) in clients.iter_mut().zip(batch) {
        let cut = parts.first().map_or(0, |part| part.len());
        let context = |problem: String| format!("{} parts, first {cut} bytes, behind {behind}: {problem}", parts.len());
        let got = client.read_to_end().map_err(context)?;
        check(case, *behind, &got).map_err(context)?;
    }
    Ok(())
}

/// Compares everything that came on a connection with everything that had to come.
fn check(case: &Case, behind: bool, got: &[u8]) -> Result<(), String> {
    let mut rest = got;
    for (number, expected) in case.answers.iter().enumerate() {
        let is_last = number + 1 == case.answers.len();
        if is_last && case.end == End::Cut {
            return match answer::read(rest, expected.to_head, false)? {
                None => Ok(()),
                Some((answer, _)) => Err(format!("complete although it had to be cut: {answer:?}")),
            };
        }
        let Some((answer, after)) = answer::read(rest, expected.to_head, true)? else {
            return Err(format!("answer {number} is missing or not complete in {:?}", got.escape_ascii().to_string()));
        };
        compare(expected, &answer)?;
        rest = after;
    }
    if behind && case.end == End::Open {
        let Some((answer, after)) = answer::read(rest, false, true)? else {
            return Err(format!("the request behind was not answered: {:?}", got.escape_ascii().to_string()));
        };
        compare(&Expected { status: 200, body: Some(b"second".to_vec()), ..Expected::default() }, &answer)?;
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(format!("more came than had to: {:?}", rest.escape_ascii().to_string())) }
}

fn compare(expected: &Expected, answer: &answer::Answer) -> Result<(), String> {
    let mut wrong = expected.status != answer.status;
    wrong |= expected.body.as_ref().is_some_and(|body| *body != answer.body);
    wrong |= expected.with.iter().any(|(name, value)| answer.header(name) != Some(value));
    wrong |= expected.without.iter().any(|name| answer.header(name).is_some());
    if wrong { Err(format!("expected {expected:?}, got {answer:?}")) } else { Ok(()) }
}

#[test]
fn framing() {
    run("framing");
}

#[test]
fn syntax() {
    run("syntax");
}

#[test]
fn chunked() {
    run("chunked");
}

#[test]
fn host_and_target() {
    run("target");
}

#[test]
fn methods_and_responses() {
    run("response");
}

#[test]
fn connection() {
    run("connection");
}

#[test]
fn limits_on_heads_and_bodies() {
    run("limits");
}

#[test]
fn limits_away_from_their_defaults() {
    run_under(Limits { target_bytes_max: 20, empty_lines_max: 6, ..Limits::default() }, "limits-moved");
}
