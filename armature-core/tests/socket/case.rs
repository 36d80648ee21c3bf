//! Reads wire cases: what is sent, what must come back, and whether the connection must be closed after it.
//!
//! ```text
//! === RFC 9112 6.1: what the case is about
//! > POST /echo HTTP/1.1          a line, sent with CR LF
//! + 5\r\nhello                   bytes, sent as they are
//! eof                            the client shuts its write side after these bytes
//! < 200 = hello                  a response; its body, if given, must be this
//! . content-length: 5            a field that it must have
//! ! connection                   a field that it must not have
//! open                           or: close
//! ```
//! Escapes: `\r \n \t \0 \\ \xNN`; `{x*9}` is nine times x. `<head 200` answers HEAD, so no body follows it. `cut` in
//! place of `close` means that the connection ends in the middle of the last response.

/// A wire case.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) sent: Vec<u8>,
    pub(crate) half_closes: bool,
    pub(crate) answers: Vec<Expected>,
    pub(crate) end: End,
}

/// What a connection does after a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Open,
    Close,
    Cut,
}

/// What a response must be.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    pub(crate) to_head: bool,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) with: Vec<(String, String)>,
    pub(crate) without: Vec<String>,
}

/// All cases of a file.
pub(crate) fn parse(file: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in file.lines().enumerate() {
        let bad = || -> ! { panic!("line {}: {line:?}", number + 1) };
        if let Some(title) = line.strip_prefix("=== ") {
            cases.push(Case {
                title: title.to_owned(),
                sent: Vec::new(),
                half_closes: false,
                answers: Vec::new(),
                end: End::Open,
            });
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some(case) = cases.last_mut() else { bad() };
        match line.split_once(' ').unwrap_or((line, "")) {
            (">", text) => {
                case.sent.extend(unescape(text));
                case.sent.extend(b"\r\n");
            }
            ("+", text) => case.sent.extend(unescape(text)),
            ("<", text) => case.answers.push(expected(text, false)),
            ("<head", text) => case.answers.push(expected(text, true)),
            (".", text) => {
                let Some((name, value)) = text.split_once(": ") else { bad() };
                let Some(answer) = case.answers.last_mut() else { bad() };
                answer.with.push((name.to_owned(), value.to_owned()));
            }
            ("!", name) => {
                let Some(answer) = case.answers.last_mut() else { bad() };
                answer.without.push(name.to_owned());
            }
            ("eof", "") => case.half_closes = true,
            ("open", "") => case.end = End::Open,
            ("close", "") => case.end = End::Close,
            ("cut", "") => case.end = End::Cut,
            _ => bad(),
        }
    }
    cases
}

fn expected(text: &str, to_head: bool) -> Expected {
    let (status, body) = match text.split_once(" =") {
        Some((status, body)) => (status, Some(unescape(body.strip_prefix(' ').unwrap_or(body)))),
        None => (text, None),
    };
    Expected { status: status.trim().parse().expect("a status"), to_head, body, ..Expected::default() }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'\\', [letter, more @ ..]) => {
                rest = more;
                match letter {
                    b'r' => bytes.push(b'\r'),
                    b'n' => bytes.push(b'\n'),
                    b't' => bytes.push(b'\t'),
                    b'0' => bytes.push(0),
                    b'\\' => bytes.push(b'\\'),
                    b'x' => {
                        let digits = std::str::from_utf8(&more[..2]).unwrap();
                        bytes.push(u8::from_str_radix(digits, 16).unwrap());
                        rest = &more[2..];
                    }
                    other => panic!("escape {other}"),
                }
            }
            (b'{', after) if repetition(after).is_some() => {
                let (repeated, more) = repetition(after).unwrap();
                bytes.extend(repeated);
                rest = more;
            }
            _ => bytes.push(*first),
        }
    }
    bytes
}

/// `text*count}` at the start of `bytes`, and what follows it.
fn repetition(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut depth = 0;
    let close = bytes.iter().position(|byte| {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        depth < 0
    })?;
    let inside = std::str::from_utf8(&bytes[..close]).ok()?;
    let (text, count) = inside.rsplit_once('*')?;
    Some((unescape(text).repeat(count.parse().ok()?), &bytes[close + 1..]))
}
