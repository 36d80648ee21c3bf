//! Responses as they are encoded: what a client reads is what the handler said, and nothing else.
//!
//! Input: a line with the status, lines with fields, an empty line, the body; `loopback/app.rs` has the details.

use std::cell::RefCell;

use armature_core::{
    h1::encode::{self, BodyHead, Persistence, ResponseHead},
    http::{HeaderMap, StatusCode, header},
};

use crate::{
    loopback::{self, Answer, Client, Wanted},
    reference::trim,
};

thread_local! {
    static CLIENT: RefCell<Option<Client>> = const { RefCell::new(None) };
}

/// Fields that follow from the connection and the body, not from the handler.
const OURS: &[&str] = &["connection", "content-length", "transfer-encoding", "date", "server"];

/// Has the response made, once by the encoder alone and once by a server, and compares.
pub fn run(bytes: &[u8]) {
    let Some(wanted) = Wanted::parse(bytes) else { return };
    keeps_fields(&wanted);
    encodes(&wanted);
    if bytes.len() as u64 <= loopback::limits().body_bytes_max && wanted.fields.len() < 50 {
        serves(&wanted, bytes);
    }
}

/// A response's map has the fields that were set, but for those that are ours; of types the last.
fn keeps_fields(wanted: &Wanted) {
    let mut map = HeaderMap::new();
    for (name, value) in &wanted.fields {
        if name == "content-type" {
            map.insert(name, value.clone());
        } else if !OURS.contains(&name.as_str()) {
            map.append(name, value.clone());
        }
    }
    assert_eq!(wanted.response().header_map(), map);
}

fn encodes(wanted: &Wanted) {
    let mut fields = Vec::new();
    for (name, value) in &wanted.fields {
        fields.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    let length = wanted.body.len();
    for (body, persistence, ending) in [
        (BodyHead::Silent, Persistence::Close, ("connection", "close".to_owned())),
        (BodyHead::Length(length as u64), Persistence::Implicit, ("content-length", length.to_string())),
        (BodyHead::Length(u64::MAX), Persistence::Implicit, ("content-length", u64::MAX.to_string())),
        (BodyHead::Chunked, Persistence::Implicit, ("transfer-encoding", "chunked".to_owned())),
        (BodyHead::Silent, Persistence::KeepAlive, ("connection", "keep-alive".to_owned())),
        (BodyHead::Silent, Persistence::Upgrade, ("connection", "upgrade".to_owned())),
    ] {
        let stamp = b"Server: s\r\n";
        let head =
            ResponseHead { status: wanted.status, content_type: "a/b", body, persistence, fields: &fields, stamp };
        let mut out = b"before".to_vec();
        encode::response_head(&mut out, &head);
        let (written, reason) = parse(&out[6..], wanted.status);
        assert_eq!(reason, wanted.status.canonical_reason().unwrap_or_default());
        let mut expected = vec![("server".to_owned(), b"s".to_vec()), ("content-type".to_owned(), b"a/b".to_vec())];
        expected.extend(wanted.fields.iter().map(|(name, value)| (name.to_string(), trim(value.as_bytes()).to_vec())));
        let at = if ending.0 == "connection" { 2 } else { expected.len() };
        expected.insert(at, (ending.0.to_owned(), ending.1.into_bytes()));
        assert_eq!(written, expected);
    }
    if length > 0 {
        let mut out = Vec::new();
        encode::chunk_head(&mut out, length);
        assert_eq!(httparse::parse_chunk_size(&out), Ok(httparse::Status::Complete((out.len(), length as u64))));
    }
}

/// The fields, with names in lower case, and the reason phrase.
fn parse(bytes: &[u8], status: StatusCode) -> (Vec<(String, Vec<u8>)>, String) {
    let mut room = vec![httparse::EMPTY_HEADER; bytes.len() / 4];
    let mut response = httparse::Response::new(&mut room);
    assert_eq!(response.parse(bytes), Ok(httparse::Status::Complete(bytes.len())), "{}", bytes.escape_ascii());
    assert_eq!((response.version, response.code), (Some(1), Some(status.as_u16())));
    let fields = response.headers.iter().map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec())).collect();
    (fields, response.reason.unwrap_or_default().to_owned())
}

fn serves(wanted: &Wanted, bytes: &[u8]) {
    let mut message =
        format!("POST /respond-declared HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", bytes.len()).into_bytes();
    message.extend_from_slice(bytes);
    let declared = wanted.fields.iter().rfind(|(name, _)| name == header::CONTENT_LENGTH);
    let declared = declared.and_then(|(_, value)| {
        let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse::<u64>().ok()
    });
    // A declaration is held to where the bytes are not there at once; a wrong one cuts the connection.
    let is_made_later = wanted.body.is_empty() || wanted.body.starts_with(b"~");
    let bodyless = matches!(wanted.status.as_u16(), 204 | 205 | 304);
    if is_made_later && !bodyless && declared.is_some_and(|declared| declared != wanted.content().len() as u64) {
        let mut client = Client::connect();
        // A second answer would be taken for what is missing of the first.
        client.send(&message.repeat(2));
        let came = client.finish();
        let context = || format!("a wrong length passed: {}", came.escape_ascii());
        match loopback::read(&came, false) {
            None => {}
            // Of a longer body the pieces that fit may have come.
            Some((_, after)) => {
                assert!(after.is_empty() && declared < Some(wanted.content().len() as u64), "{}", context());
            }
        }
        return;
    }
    let answer = CLIENT.with_borrow_mut(|client| {
        let connected = client.get_or_insert_with(Client::connect);
        connected.send(&message);
        let answer = connected.answer();
        if answer.closes() {
            *client = None;
        }
        answer
    });
    check(&answer, wanted, bodyless);
    assert_eq!(loopback::counters().handler_panics, 0);
}

fn check(answer: &Answer, wanted: &Wanted, bodyless: bool) {
    let status = wanted.status.as_u16();
    // An interim status is no answer.
    assert_eq!(answer.status, if status < 200 { 500 } else { status });
    assert_eq!(answer.body, if bodyless { &[] } else { wanted.content() });
    let is_ours = |name: &str| OURS.contains(&name);
    let seen: Vec<_> = answer.fields.iter().filter(|(name, _)| !is_ours(name)).cloned().collect();
    let last_type = wanted.fields.iter().rposition(|(name, _)| name == header::CONTENT_TYPE);
    let set = wanted.fields.iter().enumerate();
    let set = set.filter(|(at, (name, _))| name != header::CONTENT_TYPE || Some(*at) == last_type);
    let set = set.map(|(_, (name, value))| (name.to_string(), trim(value.as_bytes()).to_vec()));
    let expected: Vec<_> = set.filter(|(name, _)| !is_ours(name)).collect();
    assert_eq!(seen, expected);
    let is_close = |(name, value): &(_, _)| *name == header::CONNECTION && is_close(value);
    assert_eq!(answer.closes(), wanted.fields.iter().any(is_close));
}

/// Whether `close` is an element of the list that the value is (RFC 9110 §5.6.1, §7.6.1).
fn is_close(value: &armature_core::http::HeaderValue) -> bool {
    value.as_bytes().split(|byte| *byte == b',').any(|option| trim(option).eq_ignore_ascii_case(b"close"))
}
