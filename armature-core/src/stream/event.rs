//! One server-sent event, as bytes.
//!
//! What is put in is text; what comes out is lines of the format, and no text can become a line of its own. See
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>. Leaves sending to `sse.rs`.

use std::{error, fmt, time::Duration};

use bytes::Bytes;

/// One server-sent event, or a comment. `sender.send(event)` sends it.
///
/// ```
/// use std::time::Duration;
/// use armature_core::stream::sse::{Event, InvalidField};
/// use bytes::Bytes;
///
/// let event = Event::data("two\nlines").with_id("7")?.with_name("note")?.with_retry(Duration::from_secs(3));
/// assert_eq!(Bytes::from(event), "data: two\ndata: lines\nid: 7\nevent: note\nretry: 3000\n\n");
/// # Ok::<(), InvalidField>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Lines of the format, each with its line end.
    lines: String,
}

/// An id or a name that the format cannot hold.
///
/// ```
/// use armature_core::stream::sse::{Event, InvalidField};
///
/// assert_eq!(Event::data("text").with_name("two\nlines"), Err(InvalidField));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidField;

impl Event {
    /// An event with this data. Each kind of line end in it is received as `\n`.
    ///
    /// ```
    /// use armature_core::stream::sse::Event;
    /// use bytes::Bytes;
    ///
    /// assert_eq!(Bytes::from(Event::data("two\r\nlines")), "data: two\ndata: lines\n\n");
    /// ```
    #[must_use]
    pub fn data(text: &str) -> Self {
        Self::of_lines("data: ", text)
    }

    /// An event with this value, as JSON, for its data.
    ///
    /// # Errors
    /// Those of `serde_json`, from the value's own serialization.
    ///
    /// ```
    /// use armature_core::stream::sse::Event;
    /// use bytes::Bytes;
    ///
    /// assert_eq!(Bytes::from(Event::json(&[1, 2])?), "data: [1,2]\n\n");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn json(value: &impl serde::Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self::data(&serde_json::to_string(value)?))
    }

    /// No event, but text that clients skip.
    ///
    /// ```
    /// use armature_core::stream::sse::Event;
    /// use bytes::Bytes;
    ///
    /// assert_eq!(Bytes::from(Event::comment("still here")), ": still here\n\n");
    /// ```
    #[must_use]
    pub fn comment(text: &str) -> Self {
        Self::of_lines(": ", text)
    }

    fn of_lines(start: &str, text: &str) -> Self {
        let mut lines = String::with_capacity(start.len() + text.len() + 2);
        let mut rest = text;
        loop {
            let end = rest.find(['\r', '\n']);
            lines.push_str(start);
            lines.push_str(&rest[..end.unwrap_or(rest.len())]);
            lines.push('\n');
            let Some(end) = end else { return Self { lines } };
            rest = &rest[end..];
            rest = rest.strip_prefix("\r\n").unwrap_or_else(|| &rest[1..]);
        }
    }

    /// The same event with an id, which a client that comes back sends as Last-Event-ID.
    ///
    /// # Errors
    /// When it holds a line end, or NUL, for which clients ignore it.
    ///
    /// ```
    /// use armature_core::stream::sse::{Event, InvalidField};
    /// use bytes::Bytes;
    ///
    /// assert_eq!(Bytes::from(Event::data("a").with_id("7")?), "data: a\nid: 7\n\n");
    /// assert_eq!(Event::data("a").with_id("7\n8"), Err(InvalidField));
    /// # Ok::<(), InvalidField>(())
    /// ```
    pub fn with_id(self, id: &str) -> Result<Self, InvalidField> {
        self.with_field("id: ", id)
    }

    /// The same event with a name, by which listeners tell it from others; `message` if it has none.
    ///
    /// # Errors
    /// When it holds a line end or NUL.
    ///
    /// ```
    /// use armature_core::stream::sse::{Event, InvalidField};
    /// use bytes::Bytes;
    ///
    /// assert_eq!(Bytes::from(Event::data("a").with_name("note")?), "data: a\nevent: note\n\n");
    /// # Ok::<(), InvalidField>(())
    /// ```
    pub fn with_name(self, name: &str) -> Result<Self, InvalidField> {
        self.with_field("event: ", name)
    }

    fn with_field(mut self, start: &str, value: &str) -> Result<Self, InvalidField> {
        if value.contains(['\r', '\n', '\0']) {
            return Err(InvalidField);
        }
        self.lines.push_str(start);
        self.lines.push_str(value);
        self.lines.push('\n');
        Ok(self)
    }

    /// The same event, which tells clients to wait for so long before they come back, in whole milliseconds.
    ///
    /// ```
    /// use armature_core::stream::sse::Event;
    /// use bytes::Bytes;
    /// use std::time::Duration;
    ///
    /// assert_eq!(Bytes::from(Event::data("a").with_retry(Duration::from_secs(3))), "data: a\nretry: 3000\n\n");
    /// ```
    #[must_use]
    pub fn with_retry(mut self, after: Duration) -> Self {
        self.lines.push_str("retry: ");
        self.lines.push_str(&after.as_millis().to_string());
        self.lines.push('\n');
        self
    }
}

impl From<Event> for Bytes {
    /// The event as it goes on the wire, with the empty line behind it.
    fn from(mut event: Event) -> Self {
        event.lines.push('\n');
        event.lines.into()
    }
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event's id and name are one line of text without NUL")
    }
}

impl error::Error for InvalidField {}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client that follows the format makes of a stream: data, id and name of each event.
    fn received(stream: &str) -> Vec<[String; 3]> {
        let lines = stream.replace("\r\n", "\n").replace('\r', "\n");
        let (mut events, mut data, mut id, mut name) = (Vec::new(), String::new(), String::new(), String::new());
        for line in lines.split('\n') {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => data += &format!("{value}\n"),
                "id" => id = value.into(),
                "event" => name = value.into(),
                "" if line.is_empty() => {
                    let name = std::mem::take(&mut name);
                    if let Some(data) = std::mem::take(&mut data).strip_suffix('\n') {
                        events.push([data.into(), id.clone(), name]);
                    }
                }
                _ => {}
            }
        }
        events
    }

    fn encoded(event: Event) -> String {
        String::from_utf8(Bytes::from(event).to_vec()).unwrap()
    }

    #[test]
    fn data_comes_back_as_it_was_and_becomes_no_field() {
        for text in [
            "",
            "a",
            " a",
            "a b: c",
            "a\nb",
            "a\r\nb",
            "a\rb",
            "\n",
            "\r\n\r\n",
            "a\n",
            "\ra",
            "a\n\nb",
            "a\n\rb",
            ": a",
            "data: a",
            "a\nid: 1",
            "a\r\rdata: b\r\r",
            "\u{e9}\n\u{2028}\u{85}\u{feff}",
        ] {
            let event = Event::data(text).with_id("7").unwrap().with_name("n").unwrap();
            let stream = encoded(Event::comment(text)) + &encoded(event.with_retry(Duration::MAX));
            let normal = text.replace("\r\n", "\n").replace('\r', "\n");
            assert_eq!(received(&stream), [[normal, "7".into(), "n".into()]], "{text:?}");
        }
    }

    #[test]
    fn an_id_or_name_that_would_be_two_lines_is_refused() {
        for value in ["a\nb", "a\rb", "a\r\nb", "\n", "a\n", "a\0"] {
            assert_eq!(Event::data("").with_id(value), Err(InvalidField), "{value:?}");
            assert_eq!(Event::data("").with_name(value), Err(InvalidField), "{value:?}");
        }
        for value in ["", " a", "a: b", "\u{2028}"] {
            let event = Event::data("a").with_id(value).unwrap().with_name(value).unwrap();
            assert_eq!(received(&encoded(event)), [["a", value, value]], "{value:?}");
        }
    }

    #[test]
    fn json_is_one_line() {
        assert_eq!(encoded(Event::json(&"a\nb").unwrap()), "data: \"a\\nb\"\n\n");
    }
}
