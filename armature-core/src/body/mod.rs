//! Bodies: of responses here, of requests in `request.rs`.
//!
//! Says what a body is; how it goes on the wire is `h1`'s and `conn`'s business. Read next: `request.rs`.

use std::{
    error, fmt,
    fs::File,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;

mod request;

pub(crate) use request::Feed;
pub use request::{BodyError, RequestBody};

#[doc(inline)]
pub use crate::{buffer::Buffer, h1::Refusal};

/// An error of a body that is made while it is sent.
pub type StreamError = Box<dyn error::Error + Send + Sync>;

/// The body of a response.
///
/// ```
/// use armature_core::Body;
///
/// let bodies = [Body::from("part of the program"), Body::from(String::from("made")), Body::from(vec![1_u8, 2, 3])];
/// assert_eq!(bodies.map(|body| body.length()), [Some(19), Some(4), Some(3)]);
/// ```
#[derive(Default)]
pub enum Body {
    /// No bytes.
    #[default]
    Empty,
    /// Bytes that are part of the program.
    Static(&'static [u8]),
    /// Shared bytes.
    Bytes(Bytes),
    /// Bytes of this response alone, whose memory is used again.
    Owned(Buffer),
    /// Bytes that are made while they are sent.
    Stream(Pin<Box<dyn BodySource>>),
}

/// Makes a body piece by piece. A piece is asked for only when the client has taken most of what was made before.
///
/// ```
/// use armature_core::{Body, MediaType, Response, body::{BodySource, StreamError}};
/// use bytes::Bytes;
/// use std::{pin::Pin, task::{Context, Poll}};
///
/// /// The numbers below a bound, a line each.
/// struct Numbers(std::ops::Range<u32>);
///
/// impl BodySource for Numbers {
///     fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
///         Poll::Ready(self.0.next().map(|number| Ok(format!("{number}\n").into())))
///     }
/// }
///
/// async fn numbers() -> Response {
///     Response::new(MediaType::TEXT, Body::stream(Numbers(0..1_000_000)))
/// }
/// # let _ = numbers;
/// ```
pub trait BodySource {
    /// The next piece, `None` at the end.
    ///
    /// # Errors
    /// Cuts the connection, so that the client sees that something is missing.
    fn poll_piece(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>>;

    /// The number of bytes in all, where it is known; it is sent as Content-Length and held to.
    ///
    /// ```
    /// use armature_core::{Body, body::{BodySource, StreamError}};
    /// use bytes::Bytes;
    /// use std::{pin::Pin, task::{Context, Poll}};
    ///
    /// /// So many zeros.
    /// struct Zeros(usize);
    ///
    /// impl BodySource for Zeros {
    ///     fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
    ///         let zeros = std::mem::take(&mut self.0);
    ///         Poll::Ready((zeros > 0).then(|| Ok(vec![0; zeros].into())))
    ///     }
    ///
    ///     fn length(&self) -> Option<u64> {
    ///         Some(self.0 as u64)
    ///     }
    /// }
    ///
    /// assert_eq!(Body::stream(Zeros(1_000)).length(), Some(1_000));
    /// ```
    fn length(&self) -> Option<u64> {
        None
    }

    /// The trailer fields, asked for once, at the end. They are sent where the body is chunked, which it is where its
    /// length is not known and the client speaks HTTP/1.1 (RFC 9112 §7.1.2); fields about framing or routing are left
    /// out, and so are those that a client acts on before it reads the body (RFC 9110 §6.5.1). A handler may announce them in
    /// a field Trailer, which it sets itself; few clients want one.
    ///
    /// ```
    /// use std::{pin::Pin, task::{Context, Poll}};
    ///
    /// use armature_core::{Body, MediaType, Response, body::{BodySource, StreamError}};
    /// use armature_core::http::{HeaderMap, HeaderName, HeaderValue, header};
    /// use bytes::Bytes;
    ///
    /// /// Counts what it sends, and says in the end how much that was.
    /// struct Rows { left: u32, sent: u64 }
    ///
    /// impl BodySource for Rows {
    ///     fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
    ///         let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
    ///         let row = Bytes::from(format!("{left}\n"));
    ///         (self.left, self.sent) = (left, self.sent + row.len() as u64);
    ///         Poll::Ready(Some(Ok(row)))
    ///     }
    ///
    ///     fn trailers(self: Pin<&mut Self>) -> Option<HeaderMap> {
    ///         Some(HeaderMap::from_iter([(HeaderName::from_static("bytes-sent"), HeaderValue::from(self.sent))]))
    ///     }
    /// }
    ///
    /// async fn rows() -> Response {
    ///     Response::new(MediaType::TEXT, Body::stream(Rows { left: 1_000, sent: 0 }))
    ///         .with_header(header::TRAILER, HeaderValue::from_static("bytes-sent"))
    /// }
    /// ```
    fn trailers(self: Pin<&mut Self>) -> Option<HeaderMap> {
        None
    }

    /// The part of a file that all bytes are from, where they are. A connection that can have the kernel send it
    /// (sendfile(2)) asks for this instead of the pieces.
    ///
    /// ```
    /// use armature_core::body::{BodySource, FilePart, StreamError};
    /// use bytes::Bytes;
    /// use std::{os::unix::fs::FileExt, pin::Pin, task::{Context, Poll}};
    ///
    /// /// Part of a file, read in one piece where the kernel cannot send it.
    /// struct Part(FilePart);
    ///
    /// impl BodySource for Part {
    ///     fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
    ///         let mut piece = vec![0; self.0.length() as usize];
    ///         if piece.is_empty() {
    ///             return Poll::Ready(None);
    ///         }
    ///         let read = self.0.file.read_exact_at(&mut piece, self.0.bytes.start);
    ///         self.0.bytes.start = self.0.bytes.end;
    ///         Poll::Ready(Some(read.map(|()| piece.into()).map_err(Into::into)))
    ///     }
    ///
    ///     fn length(&self) -> Option<u64> {
    ///         Some(self.0.length())
    ///     }
    ///
    ///     fn file(&self) -> Option<FilePart> {
    ///         Some(self.0.clone())
    ///     }
    /// }
    /// # let part = FilePart { file: tempfile::tempfile().unwrap().into(), bytes: 0..0 };
    /// # assert_eq!(Part(part).file().unwrap().length(), 0);
    /// ```
    fn file(&self) -> Option<FilePart> {
        None
    }
}

/// Part of a regular file.
///
/// ```
/// use armature_core::body::FilePart;
/// use std::{fs::File, sync::Arc};
///
/// let part = FilePart { file: Arc::new(File::open("/dev/null")?), bytes: 100..350 };
/// assert_eq!(part.length(), 250);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FilePart {
    /// The file.
    pub file: Arc<File>,
    /// Which of its bytes.
    pub bytes: Range<u64>,
}

impl FilePart {
    /// The number of bytes.
    ///
    /// ```
    /// use armature_core::body::FilePart;
    ///
    /// let file = std::sync::Arc::new(std::fs::File::open("/dev/null")?);
    /// assert_eq!(FilePart { file, bytes: 0..10 }.length(), 10);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn length(&self) -> u64 {
        self.bytes.end.saturating_sub(self.bytes.start)
    }
}

impl Body {
    /// A body that `source` makes.
    ///
    /// ```
    /// use armature_core::{Body, stream::{self, Overflow, Watermarks}};
    ///
    /// let (sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
    /// assert_eq!(Body::stream(receiver).length(), None);
    /// # drop(sender);
    /// ```
    #[must_use]
    pub fn stream(source: impl BodySource + 'static) -> Self {
        Self::Stream(Box::pin(source))
    }

    /// The number of bytes, where it is known.
    ///
    /// ```
    /// use armature_core::Body;
    ///
    /// assert_eq!(Body::from("text").length(), Some(4));
    /// assert_eq!(Body::Empty.length(), Some(0));
    /// ```
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Stream(source) => source.length(),
            known => Some(known.as_slice().len() as u64),
        }
    }

    /// The bytes, where they are there; a stream has none yet.
    ///
    /// ```
    /// use armature_core::Body;
    ///
    /// assert_eq!(Body::from("text").as_slice(), b"text");
    /// ```
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
        Self::Owned(text.into_bytes().into())
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Owned(bytes.into())
    }
}

impl From<Buffer> for Body {
    fn from(bytes: Buffer) -> Self {
        Self::Owned(bytes)
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}
