//! A request head read by the letter of RFC 9112 and of `engine` rules, with no thought of the time it takes.
//!
//! It looks at whole heads only and shares no code with the parser under test: lines are split at CR LF, fields at the
//! first colon. What the server deliberately refuses beyond the RFCs is refused here as well.

/// What a head says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    /// Bytes, the empty line included.
    pub(crate) len: usize,
    pub(crate) method: &'a [u8],
    pub(crate) target: Target<'a>,
    /// The minor version as it was sent.
    pub(crate) minor: u8,
    pub(crate) fields: Vec<(&'a [u8], &'a [u8])>,
    pub(crate) body: Length,
    pub(crate) keeps_alive: bool,
    pub(crate) upgrade: bool,
    pub(crate) expects_continue: bool,
}

/// How long the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    None,
    Bytes(u64),
    Chunked,
}

/// Path, query and authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) query: Option<&'a [u8]>,
    pub(crate) authority: Option<&'a [u8]>,
}

/// The bounds that the targets set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) head_bytes: usize,
    pub(crate) fields: usize,
    pub(crate) target_bytes: usize,
}

/// The head at the start of `bytes`, if it is there as a whole and breaks no rule.
pub(crate) fn head(bytes: &[u8], bounds: Bounds) -> Option<Head<'_>> {
    let len = find(bytes, b"\r\n\r\n")? + 4;
    let mut lines = split(&bytes[..len - 4], b"\r\n").into_iter();
    let request_line = lines.next()?;
    let fields = lines.map(field).collect::<Option<Vec<_>>>()?;
    let mut words = request_line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'0'..=b'9'] = version else { return None };
    let too_large = len > bounds.head_bytes || fields.len() > bounds.fields || target.len() > bounds.target_bytes;
    if words.next().is_some() || !is_token(method) || too_large {
        return None;
    }
    let is_10 = *minor == b'0';
    let hosts = values(&fields, "host");
    if hosts.len() > 1 || (hosts.is_empty() && !is_10) || !hosts.iter().all(|host| is_host(host)) {
        return None;
    }
    let options = list(&values(&fields, "connection"));
    let has = |option: &str| options.iter().any(|it| it.eq_ignore_ascii_case(option.as_bytes()));
    let expectations = if is_10 { Vec::new() } else { values(&fields, "expect") };
    if !expectations.iter().all(|it| it.eq_ignore_ascii_case(b"100-continue")) {
        return None;
    }
    Some(Head {
        len,
        method,
        target: split_target(method, target)?,
        minor: *minor,
        body: body(&fields, is_10)?,
        keeps_alive: !has("close") && (!is_10 || has("keep-alive")),
        upgrade: has("upgrade"),
        expects_continue: !expectations.is_empty(),
        fields,
    })
}

fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
    let is_text = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
    (is_token(name) && value.iter().all(is_text)).then_some((name, value))
}

/// RFC 9112 §6, without the codings that this server does not know.
fn body(fields: &[(&[u8], &[u8])], is_10: bool) -> Option<Length> {
    let (lengths, codings) = (values(fields, "content-length"), values(fields, "transfer-encoding"));
    match (&lengths[..], &codings[..]) {
        ([], []) => Some(Length::None),
        ([one], []) => {
            let digits = std::str::from_utf8(one).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
            let length = digits.parse().ok()?;
            Some(if length == 0 { Length::None } else { Length::Bytes(length) })
        }
        ([], [one]) if !is_10 && one.eq_ignore_ascii_case(b"chunked") => Some(Length::Chunked),
        _ => None,
    }
}

/// RFC 9112 §3.2 for a server that is no proxy.
pub(crate) fn split_target<'a>(method: &[u8], target: &'a [u8]) -> Option<Target<'a>> {
    let is_plain = |byte: &u8| matches!(byte, b'!'..=b'~') && *byte != b'#';
    if target.is_empty() || !target.iter().all(is_plain) || method == b"CONNECT" {
        return None;
    }
    if method == b"OPTIONS" && target == b"*" {
        return Some(Target { path: target, query: None, authority: None });
    }
    let (before, query) = match target.iter().position(|byte| *byte == b'?') {
        Some(mark) => (&target[..mark], Some(&target[mark + 1..])),
        None => (target, None),
    };
    if before.starts_with(b"/") {
        return Some(Target { path: before, query, authority: None });
    }
    let lower = before.to_ascii_lowercase();
    let scheme =
        [7, 8].into_iter().find(|len| [&b"http://"[..], b"https://"].contains(&&lower[..*len.min(&lower.len())]))?;
    let rest = &before[scheme..];
    let slash = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(slash);
    let path = if path.is_empty() { b"/" } else { path };
    (!authority.is_empty() && is_host(authority)).then_some(Target { path, query, authority: Some(authority) })
}

/// `uri-host [ ":" port ]` (RFC 3986 §3.2.2, §3.2.3), with ports of 16 bits; the empty host is allowed without a port.
pub(crate) fn is_host(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let Some((literal, port)) = rest.split_once(']') else { return false };
            if !is_ip_literal(literal) {
                return false;
            }
            ("literal", port)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let digits = port.strip_prefix(':').unwrap_or(if port.is_empty() { "" } else { "x" });
    let significant = digits.trim_start_matches('0');
    let is_port = digits.bytes().all(|byte| byte.is_ascii_digit())
        && (significant.is_empty() || significant.parse::<u16>().is_ok());
    is_port && is_name(host) && (!host.is_empty() || port.is_empty())
}

/// reg-name (RFC 3986 §3.2.2).
fn is_name(host: &str) -> bool {
    let mut letters = host.bytes();
    while let Some(letter) = letters.next() {
        let is_hex = |digit: Option<u8>| digit.is_some_and(|digit| digit.is_ascii_hexdigit());
        if !(is_host_letter(letter) || letter == b'%' && is_hex(letters.next()) && is_hex(letters.next())) {
            return false;
        }
    }
    true
}

fn is_ip_literal(literal: &str) -> bool {
    if let Some((version, address)) = literal.strip_prefix(['v', 'V']).and_then(|rest| rest.split_once('.')) {
        let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_hexdigit());
        return is_version && !address.is_empty() && address.bytes().all(|byte| is_host_letter(byte) || byte == b':');
    }
    literal.parse::<std::net::Ipv6Addr>().is_ok()
}

fn is_host_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// Whether these bytes, which begin with a head or with empty lines before one, hold less than the whole of it.
pub(crate) fn is_part_of_head(mut bytes: &[u8]) -> bool {
    while let [b'\r', b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    find(bytes, b"\r\n\r\n").is_none()
}

/// The values of all fields of this name.
pub(crate) fn values<'a>(fields: &[(&'a [u8], &'a [u8])], name: &str) -> Vec<&'a [u8]> {
    let named = fields.iter().filter(|(candidate, _)| candidate.eq_ignore_ascii_case(name.as_bytes()));
    named.map(|(_, value)| *value).collect()
}

fn list<'a>(values: &[&'a [u8]]) -> Vec<&'a [u8]> {
    values.iter().flat_map(|value| value.split(|byte| *byte == b',')).map(trim).collect()
}

/// Without spaces and tabs around it (OWS, RFC 9110 §5.6.3).
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

pub(crate) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

pub(crate) fn split<'a>(mut bytes: &'a [u8], at: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(place) = find(bytes, at) {
        parts.push(&bytes[..place]);
        bytes = &bytes[place + at.len()..];
    }
    parts.push(bytes);
    parts
}
