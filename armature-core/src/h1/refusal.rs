//! Everything this server refuses, in one table: the status, the rule's section, and the words.
//!
//! A refusal is answered with its status and `Connection: close`; nothing further is parsed on that connection.
//! Read next: `head.rs`, `framing.rs` and `chunked.rs`, which give the refusals out.

use http::StatusCode;

/// A peer's mistake that ends its connection.
///
/// ```
/// use armature_core::{StatusCode, body::{BodyError, Refusal}};
///
/// let error = BodyError::Refused(Refusal::BodyDeadline);
/// assert_eq!((error.status(), error.reason()), (StatusCode::REQUEST_TIMEOUT, Refusal::BodyDeadline.reason()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The method is not a token.
    Method,
    /// The method is CONNECT; this is no proxy.
    Connect,
    /// The request target has a byte or a form that is not allowed.
    Target,
    /// The request target is over its limit.
    TargetTooLong,
    /// The version is not `HTTP/` digit `.` digit.
    Version,
    /// The major version is not 1.
    VersionUnsupported,
    /// More empty lines before the request line than are skipped.
    EmptyLines,
    /// A line ends without CR LF, or a CR stands alone.
    LineEnd,
    /// A field name, or the white space around it, is wrong, or a line is folded.
    Field,
    /// A field value holds a control character.
    FieldValue,
    /// The head is over its limit in bytes.
    HeadTooLarge,
    /// The head is over its limit in fields.
    TooManyFields,
    /// HTTP/1.1 without Host.
    HostMissing,
    /// More than one Host line.
    HostRepeated,
    /// The value of Host, or the target's authority, is not `host[:port]`.
    Host,
    /// Content-Length together with Transfer-Encoding.
    LengthAndCoding,
    /// More than one Content-Length line.
    LengthRepeated,
    /// Content-Length is not digits, or over 64 bits.
    Length,
    /// Transfer-Encoding is malformed, or does not end in one `chunked`.
    Coding,
    /// A transfer coding other than `chunked` comes before it.
    CodingUnsupported,
    /// Transfer-Encoding in an HTTP/1.0 request.
    CodingOn10,
    /// An expectation other than `100-continue`.
    Expectation,
    /// A chunk's size or line end is malformed, or its size is over 64 bits.
    Chunk,
    /// Chunk extensions are over their limit.
    ChunkExtensions,
    /// The trailer section is malformed.
    Trailer,
    /// The trailer section is over its limit.
    TrailerTooLarge,
    /// The body is over its limit.
    BodyTooLarge,
    /// The head did not arrive in time.
    HeadDeadline,
    /// The body did not arrive in time.
    BodyDeadline,
}

impl Refusal {
    /// All refusals, for documentation and tests.
    pub const ALL: [Self; 29] = [
        Self::Method,
        Self::Connect,
        Self::Target,
        Self::TargetTooLong,
        Self::Version,
        Self::VersionUnsupported,
        Self::EmptyLines,
        Self::LineEnd,
        Self::Field,
        Self::FieldValue,
        Self::HeadTooLarge,
        Self::TooManyFields,
        Self::HostMissing,
        Self::HostRepeated,
        Self::Host,
        Self::LengthAndCoding,
        Self::LengthRepeated,
        Self::Length,
        Self::Coding,
        Self::CodingUnsupported,
        Self::CodingOn10,
        Self::Expectation,
        Self::Chunk,
        Self::ChunkExtensions,
        Self::Trailer,
        Self::TrailerTooLarge,
        Self::BodyTooLarge,
        Self::HeadDeadline,
        Self::BodyDeadline,
    ];

    /// The status it is answered with.
    ///
    /// ```
    /// use armature_core::{StatusCode, body::Refusal};
    ///
    /// assert_eq!(Refusal::HeadTooLarge.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    /// ```
    #[must_use]
    pub fn status(self) -> StatusCode {
        self.row().0
    }

    /// The section that holds the rule.
    ///
    /// ```
    /// use armature_core::body::Refusal;
    ///
    /// assert!(Refusal::Chunk.section().starts_with("RFC 9112"));
    /// ```
    #[must_use]
    pub fn section(self) -> &'static str {
        self.row().1
    }

    /// What the peer did, in words; the body of the answer.
    ///
    /// ```
    /// use armature_core::body::Refusal;
    ///
    /// assert!(!Refusal::Chunk.reason().is_empty());
    /// ```
    #[must_use]
    pub fn reason(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (StatusCode, &'static str, &'static str) {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        match self {
            Self::Method => (BAD, "RFC 9112 3.1", "the method is not a token"),
            Self::Connect => (StatusCode::NOT_IMPLEMENTED, "RFC 9110 9.3.6", "CONNECT is not supported"),
            Self::Target => (BAD, "RFC 9112 3.2", "the request target is malformed"),
            Self::TargetTooLong => (StatusCode::URI_TOO_LONG, "RFC 9112 3", "the request target is too long"),
            Self::Version => (BAD, "RFC 9112 2.3", "the HTTP version is malformed"),
            Self::VersionUnsupported => {
                (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "RFC 9112 2.3", "this server speaks HTTP/1.1")
            }
            Self::EmptyLines => (BAD, "RFC 9112 2.2", "too many empty lines before the request line"),
            Self::LineEnd => (BAD, "RFC 9112 2.2", "a line does not end in CR LF"),
            Self::Field => (BAD, "RFC 9112 5.1", "a header field is malformed"),
            Self::FieldValue => (BAD, "RFC 9110 5.5", "a field value holds a control character"),
            Self::HeadTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "RFC 9110 5.4", "the request head is too large")
            }
            Self::TooManyFields => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "RFC 9110 5.4", "the request head has too many fields")
            }
            Self::HostMissing => (BAD, "RFC 9112 3.2", "the Host field is missing"),
            Self::HostRepeated => (BAD, "RFC 9112 3.2", "there is more than one Host field"),
            Self::Host => (BAD, "RFC 9112 3.2", "the host is malformed"),
            Self::LengthAndCoding => (BAD, "RFC 9112 6.1", "Content-Length and Transfer-Encoding exclude each other"),
            Self::LengthRepeated => (BAD, "RFC 9110 8.6", "there is more than one Content-Length"),
            Self::Length => (BAD, "RFC 9110 8.6", "Content-Length is not a number"),
            Self::Coding => (BAD, "RFC 9112 6.1", "Transfer-Encoding does not end in one chunked"),
            Self::CodingUnsupported => {
                (StatusCode::NOT_IMPLEMENTED, "RFC 9112 6.1", "no transfer coding but chunked is supported")
            }
            Self::CodingOn10 => (BAD, "RFC 9112 6.1", "Transfer-Encoding is not part of HTTP/1.0"),
            Self::Expectation => {
                (StatusCode::EXPECTATION_FAILED, "RFC 9110 10.1.1", "no expectation but 100-continue is supported")
            }
            Self::Chunk => (BAD, "RFC 9112 7.1", "a chunk is malformed"),
            Self::ChunkExtensions => (BAD, "RFC 9112 7.1.1", "the chunk extensions are too long"),
            Self::Trailer => (BAD, "RFC 9112 7.1.2", "the trailer section is malformed"),
            Self::TrailerTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "RFC 9112 7.1.2", "the trailer section is too large")
            }
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "RFC 9110 15.5.14", "the request body is too large"),
            Self::HeadDeadline => {
                (StatusCode::REQUEST_TIMEOUT, "RFC 9110 15.5.9", "the request head did not arrive in time")
            }
            Self::BodyDeadline => {
                (StatusCode::REQUEST_TIMEOUT, "RFC 9110 15.5.9", "the request body did not arrive in time")
            }
        }
    }
}
