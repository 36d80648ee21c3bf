//! Content types and their parameters (RFC 9110 §8.3.1), as far as extractors look at them.

use std::borrow::Cow;

use crate::{extract::Rejection, http::StatusCode, service::Request};

/// The parameters of the request's content type if its type and subtype are as they should be; else the rejection, 415,
/// which is one of absence where there is neither a type nor a body.
pub(super) fn expect<'a>(
    request: &Request<'a>,
    name: &'static str,
    is_expected: impl FnOnce(&str) -> bool,
) -> Result<Parameters<'a>, Rejection> {
    let content_type = request.head.header("content-type");
    if content_type == Some(name.as_bytes()) {
        return Ok(Parameters(""));
    }
    let (essence, parameters) = content_type.and_then(|value| std::str::from_utf8(value).ok()).map_or(("", ""), split);
    if is_expected(essence) {
        return Ok(Parameters(parameters));
    }
    let rejection =
        Rejection::quoting(StatusCode::UNSUPPORTED_MEDIA_TYPE, format_args!("a body of type {name} is expected"));
    let is_absent = content_type.is_none() && request.body.declared_length() == Some(0);
    Err(if is_absent { rejection.of_absence() } else { rejection })
}

/// Parts what stands before the first `;` from the parameters behind it.
pub(super) fn split(value: &str) -> (&str, &str) {
    let (first, parameters) = value.split_at(memchr::memchr(b';', value.as_bytes()).unwrap_or(value.len()));
    (first.trim_matches([' ', '\t']), parameters)
}

/// Parameters behind a value, `; name=value; name="value"`, as names in the case they were sent in and values without their
/// quotes. `None` for one that is malformed, after which nothing comes.
pub(super) struct Parameters<'a>(pub(super) &'a str);

impl<'a> Iterator for Parameters<'a> {
    type Item = Option<(&'a str, Cow<'a, str>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.0).trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() {
            return None;
        }
        Some(parameter(rest).map(|(name, value, rest)| {
            self.0 = rest;
            (name, value)
        }))
    }
}

/// One parameter, and what is left behind it.
fn parameter(text: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let (name, rest) = text.split_once('=')?;
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None => {
            let (value, rest) = rest.split_at(rest.find([';', ' ', '\t']).unwrap_or(rest.len()));
            (Cow::Borrowed(value), rest)
        }
    };
    let rest = rest.trim_start_matches([' ', '\t']);
    let is_token =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<>?@[\\]{}".contains(&byte));
    (is_token && (rest.is_empty() || rest.starts_with(';'))).then_some((name, value, rest))
}

/// The text of a quoted string whose first quote has been read, and what is left behind it.
///
/// A backslash escapes a quote or a backslash (RFC 9110 §5.6.4); before anything else it is one, as in the file names that
/// some clients send.
fn unquote(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut unescaped = String::new();
    let mut from = 0;
    let mut at = 0;
    loop {
        at += text[at..].find(['"', '\\'])?;
        let escaped = text[at + 1..].chars().next().filter(|next| matches!(next, '"' | '\\'));
        match (text.as_bytes()[at], escaped) {
            (b'"', _) => break,
            (_, None) => at += 1,
            (_, Some(_)) => {
                unescaped.push_str(&text[from..at]);
                (from, at) = (at + 1, at + 2);
            }
        }
    }
    let rest = &text[at + 1..];
    if from == 0 {
        return Some((Cow::Borrowed(&text[..at]), rest));
    }
    unescaped.push_str(&text[from..at]);
    Some((Cow::Owned(unescaped), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters as they are sent, and as they are read.
    type Case<'a> = (&'a str, &'a [Option<(&'a str, &'a str)>]);

    #[test]
    fn parameters_are_read_or_refused() {
        let cases: &[Case<'_>] = &[
            ("", &[]),
            (";", &[]),
            ("; a=b", &[Some(("a", "b"))]),
            (";a=b;C=\"d;e\" ; ; f=", &[Some(("a", "b")), Some(("C", "d;e")), Some(("f", ""))]),
            (r#"; a="\"b\\""#, &[Some(("a", r#""b\"#))]),
            (r#"; a="C:\dir\file.txt""#, &[Some(("a", r"C:\dir\file.txt"))]),
            ("; a=\"é\"; b=c", &[Some(("a", "é")), Some(("b", "c"))]),
            ("; a=\"\"", &[Some(("a", ""))]),
            ("; a", &[None]),
            ("; =b", &[None]),
            ("; a =b", &[None]),
            ("; a=\"b", &[None]),
            (r#"; a="b\"#, &[None]),
            (r#"; a="b\""#, &[None]),
            ("; a=\"b\"c; d=e", &[None]),
            ("; a=b c", &[None]),
            ("; a=b; c; d=e", &[Some(("a", "b")), None]),
        ];
        for (text, expected) in cases {
            let read: Vec<_> = Parameters(text).collect();
            let read: Vec<_> = read.iter().map(|it| it.as_ref().map(|(name, value)| (*name, &**value))).collect();
            assert_eq!(read, *expected, "{text}");
        }
    }
}
