//! Header fields: as handlers see them, against the plain reading and the `http` crate's map.
//!
//! Input: field lines; they follow a request line and a Host field.

use std::rc::Rc;

use armature_core::{
    h1::head::{self, HeadIndex},
    http::{HeaderMap, HeaderName, HeaderValue},
    service::RequestHead,
};

use crate::{
    reference,
    request_head::{BOUNDS, limits, matches_reference},
};

/// Parses the fields and compares.
pub fn run(bytes: &[u8]) {
    let text = [b"POST / HTTP/1.1\r\nHost: h\r\n", bytes, b"\r\n\r\n"].concat();
    let mut index = HeadIndex::default();
    let parsed = head::parse(&text, &limits(), &mut index);
    let expected = reference::head(&text, BOUNDS);
    let (Ok(true), Some(expected)) = (parsed, &expected) else {
        assert!(parsed.is_err() && expected.is_none(), "{parsed:?} where {expected:?} was expected");
        return;
    };
    matches_reference(&text, &index, expected);
    let connection = Rc::default();
    let head = RequestHead::new(&text[..index.len], &index, &connection);
    let seen: Vec<_> = head.headers().map(|(name, value)| (name.as_bytes(), value)).collect();
    assert_eq!(seen, expected.fields);
    assert_eq!(head.authority(), Some("h"));
    let mut map = HeaderMap::new();
    for (name, value) in &expected.fields {
        map.append(HeaderName::from_bytes(name).unwrap(), HeaderValue::from_bytes(value).unwrap());
        let other_case: String = String::from_utf8_lossy(name).chars().map(swap_case).collect();
        let first = reference::values(&expected.fields, &other_case).first().copied();
        assert_eq!(head.header(&other_case), first);
    }
    assert_eq!(head.header_map(), map);
}

fn swap_case(letter: char) -> char {
    if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
}
