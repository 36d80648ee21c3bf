//! Whether an answer is what its request expects. Leaves finding the answer's status and body to `answer.rs`.

use memchr::memmem;
use probe::load::{Body, Expect};
use serde_json::Value;

/// Why an answer is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Another status.
    Status(String),
    /// Another body.
    Body(String),
}

/// What one request's answers must be.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    status: u16,
    length_bytes: Option<u64>,
    body: Body,
}

impl Check {
    /// Prepares the comparison with `expect`; an answer to HEAD has no body to compare.
    pub(crate) fn new(expect: &Expect, is_head: bool) -> Self {
        let body = if is_head { Body::Any } else { expect.body.clone() };
        let length_bytes = match &body {
            Body::Exact { text } => Some(text.len() as u64),
            Body::Length { bytes } => Some(*bytes),
            Body::Any | Body::JsonObject { .. } | Body::JsonArray { .. } | Body::Contains { .. } => None,
        };
        Self { status: expect.status, length_bytes, body }
    }

    /// What every answer is held against: its status and the length of its body.
    pub(crate) fn outline(&self, status: u16, length_bytes: u64) -> Result<(), Fault> {
        if status != self.status {
            return Err(Fault::Status(format!("status {status} instead of {}", self.status)));
        }
        match self.length_bytes {
            Some(expected) if expected != length_bytes => {
                Err(Fault::Body(format!("a body of {length_bytes} bytes instead of {expected}")))
            }
            _ => Ok(()),
        }
    }

    /// What a sample of the answers is held against as well: the bytes of the body.
    pub(crate) fn whole(&self, body: &[u8]) -> Result<(), Fault> {
        match &self.body {
            Body::Any | Body::Length { .. } => Ok(()),
            Body::Exact { text } if text.as_bytes() == body => Ok(()),
            Body::Exact { text } => Err(format!("body {} instead of {}", excerpt(body), excerpt(text.as_bytes()))),
            Body::JsonObject { integers } => json(body).and_then(|value| object(&value, integers)),
            Body::JsonArray { count, integers } => json(body).and_then(|value| array(&value, *count, integers)),
            Body::Contains { pieces, absent } => contains(body, pieces, absent),
        }
        .map_err(Fault::Body)
    }
}

fn json(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| format!("body {} is not JSON: {error}", excerpt(body)))
}

fn object(value: &Value, integers: &[String]) -> Result<(), String> {
    let Value::Object(fields) = value else {
        return Err("body holds no JSON object where one belongs".to_owned());
    };
    for name in integers {
        match fields.get(name) {
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {}
            Some(other) => return Err(format!("field {name} is {other}, not an integer")),
            None => return Err(format!("field {name} is missing")),
        }
    }
    Ok(())
}

fn array(value: &Value, count: u32, integers: &[String]) -> Result<(), String> {
    let Value::Array(items) = value else {
        return Err("body is not a JSON array".to_owned());
    };
    if items.len() != count as usize {
        return Err(format!("a JSON array of {} rows instead of {count}", items.len()));
    }
    items.iter().try_for_each(|item| object(item, integers))
}

fn contains(body: &[u8], pieces: &[String], absent: &[String]) -> Result<(), String> {
    let holds = |piece: &&String| memmem::find(body, piece.as_bytes()).is_some();
    if let Some(piece) = pieces.iter().find(|piece| !holds(piece)) {
        return Err(format!("body {} lacks {piece:?}", excerpt(body)));
    }
    match absent.iter().find(holds) {
        Some(piece) => Err(format!("body {} holds {piece:?}", excerpt(body))),
        None => Ok(()),
    }
}

/// The beginning of `bytes`, quoted, short enough for one line of a report.
fn excerpt(bytes: &[u8]) -> String {
    const SHOWN_BYTES: usize = 60;
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let more = if bytes.len() > SHOWN_BYTES { "…" } else { "" };
    format!("{:?}{more}", String::from_utf8_lossy(shown))
}

#[cfg(test)]
mod tests {
    use probe::load::{Body, Expect};

    use super::Check;

    #[test]
    fn bodies_are_held_against_what_is_expected() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let exact = Body::Exact { text: "hello".to_owned() };
        let row = Body::JsonObject { integers: names(&["id", "n"]) };
        let rows = Body::JsonArray { count: 2, integers: names(&["id"]) };
        let pieces = Body::Contains { pieces: names(&["<td>1", "&lt;"]), absent: names(&["<script>"]) };
        let cases: &[(&Body, &str, bool)] = &[
            (&Body::Any, "", true),
            (&Body::Length { bytes: 3 }, "abc", true),
            (&exact, "hello", true),
            (&exact, "hellO", false),
            (&row, r#"{"id":1,"n":-2,"more":"x"}"#, true),
            (&row, r#"{"id":1}"#, false),
            (&row, r#"{"id":1,"n":1.5}"#, false),
            (&row, r#"{"id":1,"n":"2"}"#, false),
            (&row, r#"[{"id":1,"n":2}]"#, false),
            (&row, r#"{"id":1,"n":2"#, false),
            (&rows, r#"[{"id":1},{"id":2}]"#, true),
            (&rows, r#"[{"id":1}]"#, false),
            (&rows, r#"[{"id":1},{"id":2},{"id":3}]"#, false),
            (&rows, r#"[{"id":1},7]"#, false),
            (&rows, r#"{"id":1}"#, false),
            (&pieces, "<td>1</td>&lt;", true),
            (&pieces, "<td>1</td><", false),
            (&pieces, "<td>1</td>&lt;<script>", false),
        ];
        for (body, text, right) in cases {
            let check = Check::new(&Expect { status: 200, body: (*body).clone() }, false);
            assert_eq!(check.whole(text.as_bytes()).is_ok(), *right, "{text} for {body:?}");
        }
    }

    #[test]
    fn status_and_length_are_held_against_what_is_expected() {
        let cases: &[(Body, u16, u64, bool)] = &[
            (Body::Any, 200, 9, true),
            (Body::Any, 404, 9, false),
            (Body::Length { bytes: 9 }, 200, 9, true),
            (Body::Length { bytes: 9 }, 200, 8, false),
            (Body::Exact { text: "ä".to_owned() }, 200, 2, true),
            (Body::Exact { text: "ä".to_owned() }, 200, 1, false),
        ];
        for (body, status, length_bytes, right) in cases {
            let check = Check::new(&Expect { status: 200, body: body.clone() }, false);
            assert_eq!(check.outline(*status, *length_bytes).is_ok(), *right, "{body:?}, {status}, {length_bytes}");
        }
        let to_head = Check::new(&Expect { status: 200, body: Body::Length { bytes: 9 } }, true);
        assert!(to_head.outline(200, 0).is_ok());
    }
}
