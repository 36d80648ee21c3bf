//! Bodies: of responses here, of requests in `request.rs`.
//!
//! Says what a body is; how it goes on the wire is `h1`'s and `conn`'s business. Read next: `request.rs`.

use std::{
    error, fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;

mod request;

pub(crate) use request::Feed;
pub use request::{BodyError, RequestBody};

/// An error of a body that is made while it is sent.
pub type StreamError = Box<dyn error::Error + Send + Sync>;

/// The body of a response.
#[derive(Default)]
pub enum Body {
    /// No bytes.
    #[default]
    Empty,
    /// Bytes that are part of the program.
    Static(&'static [u8]),
    /// Shared bytes.
    Bytes(Bytes),
    /// Bytes of this response alone; their buffer is recycled by the connection that sends them.
    Owned(Vec<u8>),
    /// Bytes that are made while they are sent.
    Stream(Pin<Box<dyn BodySource>>),
}

/// Makes a body piece by piece. A piece is asked for only when the client has taken most of what was made before.
pub trait BodySource {
    /// The next piece, `None` at the end. An error cuts the connection, so that the client sees that something is missing.
    fn poll_piece(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>>;

    /// The number of bytes in all, where it is known; it is sent as Content-Length and held to.
    fn length(&self) -> Option<u64> {
        None
    }

    /// The trailer fields, asked for once, at the end. They are sent where the body is chunked, which it is where its
    /// length is not known and the client speaks HTTP/1.1 (RFC 9112 §7.1.2); fields about framing or routing are left
    /// out (RFC 9110 §6.5.1).
    fn trailers(self: Pin<&mut Self>) -> Option<HeaderMap> {
        None
    }
}

impl Body {
    /// A body that `source` makes.
    #[must_use]
    pub fn stream(source: impl BodySource + 'static) -> Self {
        Self::Stream(Box::pin(source))
    }

    /// The number of bytes, where it is known.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Stream(source) => source.length(),
            known => Some(known.as_slice().len() as u64),
        }
    }

    /// The bytes, where they are there; a stream has none yet.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Empty | Self::Stream(_) => &[],
            Self::Static(bytes) => bytes,
            Self::Bytes(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(source) => write!(f, "Stream({:?})", source.length()),
            known => write!(f, "{:?}", Bytes::copy_from_slice(known.as_slice())),
        }
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::Static(text.as_bytes())
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Self::Static(bytes)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Owned(text.into_bytes())
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Owned(bytes)
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}
