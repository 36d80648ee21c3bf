//! Conditional requests (RFC 9110 §13): what a client has already, and whether it is still right.
//!
//! Times are compared by the second, as HTTP writes them.

use std::{
    convert::Infallible,
    fmt::{self, Write},
    ops::Range,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{RangeOf, Response, byte_range};
use crate::{
    extract::FromHead,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    service::RequestHead,
};

/// A validator that names one state of a resource (RFC 9110 §8.8.3).
///
/// A strong one changes with every byte; a weak one may stay the same over changes that do not matter.
///
/// ```
/// use armature_core::respond::EntityTag;
///
/// let tag = EntityTag::strong("version-7").unwrap();
/// assert_eq!(tag.to_string(), "\"version-7\"");
/// assert_eq!(tag.weak().to_string(), "W/\"version-7\"");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag {
    opaque: Box<str>,
    is_weak: bool,
}

impl EntityTag {
    /// A strong tag; `None` when the text has a quote or anything else that is not printable ASCII, or a space.
    ///
    /// ```
    /// use armature_core::respond::EntityTag;
    ///
    /// assert!(EntityTag::strong("7").is_some());
    /// assert!(EntityTag::strong("with \" inside").is_none());
    /// ```
    #[must_use]
    pub fn strong(opaque: impl Into<Box<str>>) -> Option<Self> {
        let opaque = opaque.into();
        opaque.bytes().all(|byte| matches!(byte, b'!' | b'#'..=b'~')).then_some(Self { opaque, is_weak: false })
    }

    /// The same tag as a weak one.
    ///
    /// ```
    /// use armature_core::respond::EntityTag;
    ///
    /// assert_eq!(EntityTag::strong("7").unwrap().weak().to_string(), "W/\"7\"");
    /// ```
    #[must_use]
    pub fn weak(self) -> Self {
        Self { is_weak: true, ..self }
    }
}

impl fmt::Display for EntityTag {
    /// As it goes on the wire.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\"{}\"", if self.is_weak { "W/" } else { "" }, self.opaque)
    }
}

/// By what a client can tell whether what it has is still right.
///
/// ```
/// use armature_core::{IntoResponse, http::header, respond::Validators};
/// use std::time::{Duration, SystemTime};
///
/// let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
/// let mut response = "text".into_response();
/// Validators { tag: None, modified: Some(modified) }.add_to(&mut response);
/// assert_eq!(response.header(&header::LAST_MODIFIED), Some(&b"Sun, 06 Nov 1994 08:49:37 GMT"[..]));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// The tag of the present state.
    pub tag: Option<EntityTag>,
    /// When it last changed.
    pub modified: Option<SystemTime>,
}

impl Validators {
    /// A resource with this tag.
    ///
    /// ```
    /// use armature_core::respond::{EntityTag, Validators};
    ///
    /// let validators = Validators::tag(EntityTag::strong("7").unwrap());
    /// assert_eq!((validators.tag.unwrap().to_string().as_str(), validators.modified), ("\"7\"", None));
    /// ```
    #[must_use]
    pub fn tag(tag: EntityTag) -> Self {
        Self { tag: Some(tag), modified: None }
    }

    /// Adds ETag and Last-Modified to a response.
    ///
    /// ```
    /// use armature_core::{IntoResponse, http::header, respond::{EntityTag, Validators}};
    ///
    /// let mut response = "text".into_response();
    /// Validators::tag(EntityTag::strong("7").unwrap()).add_to(&mut response);
    /// assert_eq!(response.header(&header::ETAG), Some(&b"\"7\""[..]));
    /// ```
    pub fn add_to(&self, response: &mut Response) {
        self.add_tag(response);
        if let Some(modified) = self.modified {
            insert(response, &header::LAST_MODIFIED, httpdate::HttpDate::from(in_dates(modified)));
        }
    }

    fn add_tag(&self, response: &mut Response) {
        if let Some(tag) = &self.tag {
            insert(response, &header::ETAG, tag);
        }
    }
}

/// Sets a field to a value that is printable ASCII.
pub(crate) fn insert(response: &mut Response, name: &HeaderName, value: impl fmt::Display) {
    let mut text = String::with_capacity(64);
    if write!(text, "{value}").is_ok()
        && let Ok(value) = HeaderValue::try_from(text)
    {
        response.insert_header(name, &value);
    }
}

/// A time by the second, within what HTTP can write: the years 1970 to 9999.
fn in_dates(time: SystemTime) -> SystemTime {
    const LAST_S: u64 = 253_402_300_799;
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).min(LAST_S);
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The extractor of what a request makes its answer depend on: the fields If-Match, If-None-Match, If-Modified-Since,
/// If-Unmodified-Since, If-Range and Range.
///
/// ```
/// use armature_core::{Response, respond::{Conditions, EntityTag, IntoResponse, Validators}};
///
/// async fn page(conditions: Conditions) -> Response {
///     let validators = Validators { tag: EntityTag::strong("version-7"), modified: None };
///     if let Err(answer) = conditions.check(&validators) {
///         return answer; // 304: the client has it already.
///     }
///     let mut response = "what takes a while to make".into_response();
///     validators.add_to(&mut response);
///     response
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// Values by their place in `FIELDS`, lines of one name joined by commas.
    values: [Option<Box<[u8]>>; FIELDS.len()],
    reads: bool,
    is_get: bool,
}

/// The fields that conditions are in.
const FIELDS: [&str; 6] =
    ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range"];
const IF_MATCH: usize = 0;
const IF_NONE_MATCH: usize = 1;
const IF_MODIFIED_SINCE: usize = 2;
const IF_UNMODIFIED_SINCE: usize = 3;
const IF_RANGE: usize = 4;
const RANGE: usize = 5;

impl Conditions {
    /// Those of this request.
    ///
    /// ```
    /// use armature_core::{RequestBody, respond::{Conditions, RangeOf, Validators}, service::OwnedRequest};
    ///
    /// let head = "GET / HTTP/1.1\r\nhost: a\r\nrange: bytes=0-9\r\n\r\n";
    /// let conditions = Conditions::of(&OwnedRequest::parse(head, RequestBody::empty())?.head());
    /// assert_eq!(conditions.range(100, &Validators::default()), RangeOf::Part(0..10));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn of(head: &RequestHead<'_>) -> Self {
        let is_get = head.method() == Method::Get;
        let mut conditions = Self { reads: is_get || head.method() == Method::Head, is_get, ..Self::default() };
        for (name, value) in head.headers() {
            let Some(place) = FIELDS.iter().position(|field| name.eq_ignore_ascii_case(field)) else { continue };
            let known = &mut conditions.values[place];
            // Lines of one name are one list (RFC 9110 §5.3).
            *known = Some(match known.take() {
                None => value.into(),
                Some(lines) => [&*lines, value].join(&b","[..]).into(),
            });
        }
        conditions
    }

    fn value(&self, field: usize) -> Option<&[u8]> {
        self.values[field].as_deref()
    }

    /// Whether the request is to go on, by the precedence of RFC 9110 §13.2.2.
    ///
    /// # Errors
    /// The response in its place: 304 when the client has the present state already, 412 when it wants to change one that is
    /// no longer there.
    ///
    /// ```
    /// use armature_core::{Response, Router, get, respond::{Conditions, EntityTag, Validators}, test::TestClient};
    ///
    /// async fn page(conditions: Conditions) -> Result<&'static str, Response> {
    ///     conditions.check(&Validators::tag(EntityTag::strong("7").unwrap()))?;
    ///     Ok("what takes a while to make")
    /// }
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(page)))?;
    /// assert_eq!(client.get("/").header("if-none-match", "\"6\"").send()?.status().as_u16(), 200);
    /// assert_eq!(client.get("/").header("if-none-match", "\"7\"").send()?.status().as_u16(), 304);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn check(&self, present: &Validators) -> Result<(), Response> {
        let failed = || Err(Response::status(StatusCode::PRECONDITION_FAILED));
        match (self.value(IF_MATCH), self.date(IF_UNMODIFIED_SINCE), present.modified) {
            (Some(tags), _, _) if !lists(tags, present.tag.as_ref(), true) => return failed(),
            (None, Some(date), Some(modified)) if in_dates(modified) > date => return failed(),
            _ => {}
        }
        let is_known = match (self.value(IF_NONE_MATCH), self.date(IF_MODIFIED_SINCE), present.modified) {
            (Some(tags), _, _) => lists(tags, present.tag.as_ref(), false),
            (None, Some(date), Some(modified)) => self.reads && in_dates(modified) <= date,
            _ => false,
        };
        match is_known {
            false => Ok(()),
            true if self.reads => {
                let mut response = Response::status(StatusCode::NOT_MODIFIED);
                present.add_tag(&mut response);
                Err(response)
            }
            true => failed(),
        }
    }

    fn date(&self, field: usize) -> Option<SystemTime> {
        httpdate::parse_http_date(std::str::from_utf8(self.value(field)?).ok()?).ok()
    }

    /// The part that is asked for of a body of `length` bytes.
    ///
    /// Everything but one range of a GET is ignored, as is a range of another state than the present one, which If-Range
    /// tells by a strong tag. A date there is not relied on: a body may change twice in a second (RFC 9110 §8.8.2.2), and a
    /// client that has a tag must not send one (§13.1.5).
    ///
    /// ```
    /// use armature_core::{RequestBody, respond::{Conditions, RangeOf, Validators}, service::OwnedRequest};
    ///
    /// let head = "GET / HTTP/1.1\r\nhost: a\r\nrange: bytes=-10\r\n\r\n";
    /// let conditions = Conditions::of(&OwnedRequest::parse(head, RequestBody::empty())?.head());
    /// assert_eq!(conditions.range(100, &Validators::default()), RangeOf::Part(90..100));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn range(&self, length: u64, present: &Validators) -> RangeOf {
        let Some(range) = self.value(RANGE).filter(|_| self.is_get) else { return RangeOf::Whole };
        let is_current = self.value(IF_RANGE).is_none_or(|value| {
            present.tag.as_ref().is_some_and(|tag| !tag.is_weak && value == tag.to_string().as_bytes())
        });
        if is_current { byte_range(range, length) } else { RangeOf::Whole }
    }

    /// Whether the body is wanted.
    pub(crate) fn wants_body(&self) -> bool {
        self.is_get
    }
}

impl<S> FromHead<S> for Conditions {
    type Rejection = Infallible;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(head))
    }
}

/// Content-Range of a part of so many bytes (RFC 9110 §14.4), or of none of them.
pub(crate) fn content_range(response: &mut Response, part: Option<&Range<u64>>, length: u64) {
    match part {
        Some(part) => {
            let last = part.end - 1;
            insert(response, &header::CONTENT_RANGE, format_args!("bytes {}-{last}/{length}", part.start));
        }
        None => insert(response, &header::CONTENT_RANGE, format_args!("bytes */{length}")),
    }
}

/// Whether a list of tags, or `*`, has this one. Tags that are malformed are equal to none.
fn lists(mut list: &[u8], tag: Option<&EntityTag>, strong: bool) -> bool {
    if list.trim_ascii() == b"*" {
        return true;
    }
    let Some(tag) = tag else { return false };
    // An opaque tag may hold commas, so the list is read by its quotes.
    while let Some(opening) = memchr::memchr(b'"', list) {
        let is_weak = list[..opening].ends_with(b"W/");
        let rest = &list[opening + 1..];
        let Some(closing) = memchr::memchr(b'"', rest) else { return false };
        let is_same = rest[..closing] == *tag.opaque.as_bytes();
        if is_same && !(strong && (is_weak || tag.is_weak)) {
            return true;
        }
        list = &rest[closing + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{body::RequestBody, service::OwnedRequest};

    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sunday, 06-Nov-94 08:49:38 GMT";

    fn conditions(method: &str, fields: &str) -> Conditions {
        let fields =
            fields.replace("MODIFIED", MODIFIED).replace("BEFORE", BEFORE).replace("AFTER", AFTER).replace('|', "\r\n");
        let head = format!("{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        Conditions::of(&OwnedRequest::parse(head, RequestBody::empty()).unwrap().head())
    }

    fn present() -> Validators {
        // Within the second, which HTTP cannot write.
        let modified = httpdate::parse_http_date(MODIFIED).unwrap() + Duration::from_millis(700);
        Validators { tag: EntityTag::strong("a,b"), modified: Some(modified) }
    }

    #[test]
    fn conditions_are_judged_in_the_order_of_rfc_9110_13_2_2() {
        for (fields, of_get, of_put) in [
            ("A: b", 200, 200),
            // Step 1.
            ("If-Match: \"a,b\"", 200, 200),
            ("If-Match: *", 200, 200),
            ("If-Match: \"x\", \"a,b\"", 200, 200),
            ("If-Match: \"x\"|If-Match: \"a,b\"", 200, 200),
            ("If-Match: \"x\"", 412, 412),
            ("If-Match: \"a\"", 412, 412),
            ("If-Match: W/\"a,b\"", 412, 412),
            ("If-Match: a,b", 412, 412),
            ("If-Match: \"a,b", 412, 412),
            ("If-Match:", 412, 412),
            // Step 2, unless there was step 1.
            ("If-Unmodified-Since: MODIFIED", 200, 200),
            ("If-Unmodified-Since: AFTER", 200, 200),
            ("If-Unmodified-Since: BEFORE", 412, 412),
            ("If-Unmodified-Since: yesterday", 200, 200),
            ("If-Match: \"a,b\"|If-Unmodified-Since: BEFORE", 200, 200),
            ("If-Match: \"x\"|If-Unmodified-Since: AFTER", 412, 412),
            // Step 3.
            ("If-None-Match: \"a,b\"", 304, 412),
            ("If-None-Match: W/\"a,b\"", 304, 412),
            ("if-none-match: \"x\" , \"a,b\"", 304, 412),
            ("If-None-Match: *", 304, 412),
            ("If-None-Match: \"x\"", 200, 200),
            ("If-None-Match: a,b", 200, 200),
            ("If-Match: \"x\"|If-None-Match: \"a,b\"", 412, 412),
            ("If-Match: \"a,b\"|If-None-Match: \"a,b\"", 304, 412),
            // Step 4, unless there was step 3; for GET and HEAD only.
            ("If-Modified-Since: MODIFIED", 304, 200),
            ("If-Modified-Since: AFTER", 304, 200),
            ("If-Modified-Since: BEFORE", 200, 200),
            ("If-Modified-Since: 1994", 200, 200),
            ("If-Modified-Since: MODIFIED|If-Modified-Since: MODIFIED", 200, 200),
            ("If-None-Match: \"x\"|If-Modified-Since: AFTER", 200, 200),
            ("If-None-Match: \"a,b\"|If-Modified-Since: BEFORE", 304, 412),
        ] {
            for (method, expected) in [("GET", of_get), ("HEAD", of_get), ("PUT", of_put)] {
                let status = match conditions(method, fields).check(&present()) {
                    Ok(()) => 200,
                    Err(response) => response.status_code().as_u16(),
                };
                assert_eq!(status, expected, "{method} {fields}");
            }
        }
    }

    #[test]
    fn a_range_is_of_the_present_state() {
        let part = RangeOf::Part(0..2);
        for (method, fields, expected) in [
            ("GET", "Range: bytes=0-1", &part),
            ("HEAD", "Range: bytes=0-1", &RangeOf::Whole),
            ("GET", "Range: bytes=0-1|Range: bytes=3-4", &RangeOf::Whole),
            ("GET", "Range: bytes=0-1|If-Range: \"a,b\"", &part),
            ("GET", "Range: bytes=0-1|If-Range: \"x\"", &RangeOf::Whole),
            ("GET", "Range: bytes=0-1|If-Range: W/\"a,b\"", &RangeOf::Whole),
            ("GET", "Range: bytes=0-1|If-Range: MODIFIED", &RangeOf::Whole),
            ("GET", "Range: bytes=99-", &RangeOf::Nothing),
            ("GET", "Range: bytes=99-|If-Range: \"x\"", &RangeOf::Whole),
            ("GET", "If-Range: \"a,b\"", &RangeOf::Whole),
        ] {
            assert_eq!(conditions(method, fields).range(10, &present()), *expected, "{method} {fields}");
        }
        let weak = Validators { tag: present().tag.map(EntityTag::weak), ..present() };
        let resumed = conditions("GET", "Range: bytes=0-1|If-Range: W/\"a,b\"").range(10, &weak);
        assert_eq!(resumed, RangeOf::Whole);
    }

    #[test]
    fn tags_and_times_are_what_a_field_can_hold() {
        for text in ["a b", "a\"b", "a\r\n", "\u{e4}"] {
            assert_eq!(EntityTag::strong(text), None, "{text}");
        }
        for time in [UNIX_EPOCH - Duration::from_secs(9), UNIX_EPOCH + Duration::from_secs(1 << 40)] {
            let mut response = Response::status(StatusCode::OK);
            Validators { tag: None, modified: Some(time) }.add_to(&mut response);
            assert!(response.header(&header::LAST_MODIFIED).is_some_and(|date| date.len() == 29));
        }
    }
}
