//! Reads responses off the wire strictly, by hand: whatever RFC 9112 does not allow a server to send is an error.

/// One response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a field that occurs once at most.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(candidate, _)| candidate == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} occurs twice in {self:?}");
        value
    }
}

/// Reads one response from the start of `bytes`. `to_head` says that it answers HEAD; `is_all` that nothing follows.
///
/// Gives the response and what is left, `None` when it is not complete, an error when it is wrong.
pub(crate) fn read(bytes: &[u8], to_head: bool, is_all: bool) -> Result<Option<(Answer, &[u8])>, String> {
    let Some(end) = find(bytes, b"\r\n\r\n") else {
        return check_start(bytes).map(|()| None);
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "head is not ASCII".to_owned())?;
    let mut lines = head.split("\r\n");
    let status = status_line(lines.next().unwrap_or_default())?;
    let mut headers = Vec::new();
    for line in lines {
        headers.push(field(line)?);
    }
    let answer = Answer { status, headers, body: Vec::new() };
    let after = &bytes[end + 4..];
    finish(answer, after, to_head, is_all)
}

fn finish(mut answer: Answer, after: &[u8], to_head: bool, is_all: bool) -> Result<Option<(Answer, &[u8])>, String> {
    let length = answer.header("content-length").map(str::to_owned);
    let coding = answer.header("transfer-encoding").map(str::to_owned);
    if length.is_some() && coding.is_some() {
        return Err(format!("both Content-Length and Transfer-Encoding: {answer:?}"));
    }
    let is_interim = answer.status < 200;
    if !is_interim && answer.header("date").is_none() {
        return Err(format!("no Date: {answer:?}"));
    }
    if is_interim || answer.status == 204 {
        if length.is_some() || coding.is_some() {
            return Err(format!("framing on a response without content: {answer:?}"));
        }
        return Ok(Some((answer, after)));
    }
    if to_head || answer.status == 304 {
        return Ok(Some((answer, after)));
    }
    if let Some(coding) = coding {
        if coding != "chunked" {
            return Err(format!("transfer coding {coding}"));
        }
        return Ok(chunks(after)?.map(|(body, rest)| {
            answer.body = body;
            (answer, rest)
        }));
    }
    let Some(length) = length else {
        // The body ends with the connection.
        if answer.header("connection") != Some("close") {
            return Err(format!("no framing and no close: {answer:?}"));
        }
        answer.body = after.to_vec();
        return Ok(is_all.then_some((answer, &[])));
    };
    if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("Content-Length {length}"));
    }
    let length: usize = length.parse().map_err(|_| format!("Content-Length {length}"))?;
    if after.len() < length {
        return Ok(None);
    }
    answer.body = after[..length].to_vec();
    Ok(Some((answer, &after[length..])))
}

/// What has come of a head so far must at least begin like one.
fn check_start(bytes: &[u8]) -> Result<(), String> {
    let start = b"HTTP/1.1 ";
    let common = bytes.len().min(start.len());
    if bytes[..common] == start[..common] { Ok(()) } else { Err(format!("not a response: {}", bytes.escape_ascii())) }
}

fn status_line(line: &str) -> Result<u16, String> {
    let bad = || format!("status line {line:?}");
    let rest = line.strip_prefix("HTTP/1.1 ").ok_or_else(bad)?;
    let (code, reason) = rest.split_once(' ').ok_or_else(bad)?;
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_digit()) || !reason.bytes().all(is_text) {
        return Err(bad());
    }
    code.parse().map_err(|_| bad())
}

fn field(line: &str) -> Result<(String, String), String> {
    let bad = || format!("field line {line:?}");
    let (name, value) = line.split_once(": ").ok_or_else(bad)?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) || !value.bytes().all(is_text) || value.trim() != value {
        return Err(bad());
    }
    Ok((name.to_ascii_lowercase(), value.to_owned()))
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (b' '..=b'~').contains(&byte)
}

/// A body, and what follows it.
type Chunks<'a> = (Vec<u8>, &'a [u8]);

/// Chunks without extensions, a last chunk, and no trailers: all that this server sends.
fn chunks(mut bytes: &[u8]) -> Result<Option<Chunks<'_>>, String> {
    let mut body = Vec::new();
    loop {
        let Some(end) = find(bytes, b"\r\n") else { return Ok(None) };
        let digits = std::str::from_utf8(&bytes[..end]).unwrap_or("?");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("chunk size {digits:?}"));
        }
        let size = usize::from_str_radix(digits, 16).map_err(|_| format!("chunk size {digits:?}"))?;
        let Some(data) = bytes.get(end + 2..end + 2 + size) else { return Ok(None) };
        let after = &bytes[end + 2 + size..];
        if after.len() < 2 {
            return Ok(None);
        }
        if !after.starts_with(b"\r\n") {
            return Err("a chunk does not end in CR LF".into());
        }
        if size == 0 {
            return Ok(Some((body, &after[2..])));
        }
        body.extend_from_slice(data);
        bytes = &after[2..];
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
