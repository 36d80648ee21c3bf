//! Request targets and hosts: split as the plain reading splits them, and as the `http` crate does where it can.
//!
//! Input: a method, a space, and a target.

use armature_core::{
    Method,
    h1::{line, target},
};
use http::Uri;

use crate::reference;

/// Splits the target and compares.
pub fn run(bytes: &[u8]) {
    assert_eq!(target::check_host(bytes).is_ok(), reference::is_host(bytes), "as a host");
    let Some(space) = bytes.iter().position(|byte| *byte == b' ') else { return };
    let (method, target) = (&bytes[..space], &bytes[space + 1..]);
    let mut text = bytes.to_vec();
    text.extend_from_slice(b" HTTP/1.1\r\n");
    if bytes.windows(2).any(|pair| pair == b"\r\n") {
        // The line would end before the version that is added here.
        return;
    }
    let parsed = line::parse(&text).and_then(|line| match line {
        Some(line) => target::split(&text, &line).map(|parts| Some((line, parts))),
        None => Ok(None),
    });
    let is_line = reference::is_token(method) && !target.contains(&b' ');
    let expected = is_line.then(|| reference::split_target(method, target)).flatten();
    let (Ok(Some((line, parts))), Some(expected)) = (&parsed, expected) else {
        assert!(!matches!(parsed, Ok(None)), "a whole line is taken for a part of one");
        assert!(parsed.is_err() && expected.is_none(), "{parsed:?} where {expected:?} was expected");
        return;
    };
    assert_eq!((line.method_len, line.target_end, line.len), (space, bytes.len(), text.len()));
    assert_eq!(line.method, std::str::from_utf8(method).map_or(Method::Other, Method::from_token));
    assert_eq!(parts.path.of(&text), expected.path);
    assert_eq!(parts.query.map(|span| span.of(&text)), expected.query);
    assert_eq!(parts.authority.map(|span| span.of(&text)), expected.authority);
    if let Ok(uri) = Uri::try_from(target) {
        assert_eq!(uri.path().as_bytes(), expected.path);
        assert_eq!(uri.query().map(str::as_bytes), expected.query);
        assert_eq!(uri.authority().map(|authority| authority.as_str().as_bytes()), expected.authority);
    }
}
