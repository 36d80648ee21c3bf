//! Content coding of responses (RFC 9110 §8.4): which coding, whether at all, and what else changes with it. The codings
//! themselves are plugged in.

use std::{
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as _, Frame};

use crate::{
    body::{Body, BodySource, StreamError},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    respond::Response,
    service::{Hooks, Request, RequestHead},
};

/// Bodies of fewer bytes are left as they are: they fit into one packet with their head as it is.
const BYTES_MIN: u64 = 1_024;

/// A body that is here as a whole is encoded in steps of so many bytes, between which others get their turn.
const STEP_BYTES: usize = 65_536;

/// A content coding, such as gzip.
///
/// ```
/// use armature_core::middleware::{Coding, Encoder};
/// # use armature_core::body::StreamError;
///
/// /// All in lower case, which is less for the eye.
/// struct Lower;
///
/// impl Coding for Lower {
///     fn name(&self) -> &'static str {
///         "x-lower"
///     }
///
///     fn encoder(&self) -> Box<dyn Encoder> {
///         Box::new(Lower)
///     }
/// }
/// # impl Encoder for Lower {
/// #     fn encode(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), StreamError> { out.extend(bytes.to_ascii_lowercase()); Ok(()) }
/// #     fn flush(&mut self, _: &mut Vec<u8>) -> Result<(), StreamError> { Ok(()) }
/// #     fn finish(&mut self, _: &mut Vec<u8>) -> Result<(), StreamError> { Ok(()) }
/// # }
/// # use armature_core::{Router, get, middleware::Compression, test::TestClient};
/// #
/// # let app = Router::new().route("/", get(async || "A".repeat(2_000))).layer(Compression::new().with(Lower));
/// # let answer = TestClient::in_process(app)?.get("/").header("accept-encoding", "x-lower").send()?;
/// # assert!(answer.header("content-encoding") == Some("x-lower") && answer.text().starts_with("aaa"));
/// # Ok::<(), armature_core::Error>(())
/// ```
pub trait Coding: 'static {
    /// Its name in Accept-Encoding and Content-Encoding, in lower case.
    fn name(&self) -> &'static str;

    /// What encodes one response.
    fn encoder(&self) -> Box<dyn Encoder>;
}

/// Encodes one body.
///
/// ```
/// use armature_core::{body::StreamError, middleware::Encoder};
///
/// /// Keeps bytes until it has so many as a block needs.
/// struct Blocks(Vec<u8>);
///
/// impl Encoder for Blocks {
///     fn encode(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), StreamError> {
///         self.0.extend(bytes);
///         if self.0.len() >= 4 { self.flush(out) } else { Ok(()) }
///     }
///
///     fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), StreamError> {
///         out.push(self.0.len() as u8);
///         out.append(&mut self.0);
///         Ok(())
///     }
///
///     fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), StreamError> {
///         self.flush(out)
///     }
/// }
///
/// let (mut encoder, mut out) = (Blocks(Vec::new()), Vec::new());
/// encoder.encode(b"abcd", &mut out)?;
/// encoder.finish(&mut out)?;
/// assert_eq!(out, b"\x04abcd\x00");
/// # Ok::<(), StreamError>(())
/// ```
pub trait Encoder {
    /// Takes bytes in, and appends to `out` what that yields.
    ///
    /// # Errors
    /// Cuts the response, so that the client sees that something is missing.
    fn encode(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), StreamError>;

    /// Appends all that the client needs to decode what was taken in so far.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), StreamError>;

    /// Appends the end.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), StreamError>;
}

/// Encodes responses in the coding that the client likes best (RFC 9110 §12.5.3), among equals the one that was added first.
///
/// Left as they are: responses of fewer than 1,024 bytes, to HEAD, with a Content-Encoding of their own, with Content-Range or
/// status 206, without a body, with `Cache-Control: no-transform`, and media that are compressed already. Caches are told by Vary
/// what the choice depends on, also where there was none. An encoded response has no Content-Length and no Accept-Ranges, and its
/// ETag is weak (§8.8.1); so is that of a 304 about one. What a streamed body has made so far is passed on whenever it waits for more.
///
/// ```
/// use armature_core::{Router, body::StreamError, get, middleware::{Coding, Compression, Encoder}};
///
/// /// Every byte as two hexadecimal digits, which compresses nothing.
/// struct Hex;
///
/// impl Coding for Hex {
///     fn name(&self) -> &'static str {
///         "x-hex"
///     }
///
///     fn encoder(&self) -> Box<dyn Encoder> {
///         Box::new(Hex)
///     }
/// }
///
/// impl Encoder for Hex {
///     fn encode(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), StreamError> {
///         out.extend(bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()));
///         Ok(())
///     }
///
///     fn flush(&mut self, _: &mut Vec<u8>) -> Result<(), StreamError> {
///         Ok(())
///     }
///
///     fn finish(&mut self, _: &mut Vec<u8>) -> Result<(), StreamError> {
///         Ok(())
///     }
/// }
///
/// let router: Router =
///     Router::new().route("/", get(async || "text".repeat(1_000))).layer(Compression::new().with(Hex));
/// # router.build().unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Compression {
    codings: Vec<Rc<dyn Coding>>,
}

impl fmt::Debug for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.codings.iter().map(|coding| coding.name())).finish()
    }
}

impl Compression {
    /// No coding yet.
    ///
    /// ```
    /// use armature_core::{Router, get, middleware::Compression, test::TestClient};
    ///
    /// let app = Router::new().route("/", get(async || "text".repeat(1_000))).layer(Compression::new());
    /// let answer = TestClient::in_process(app)?.get("/").header("accept-encoding", "gzip").send()?;
    /// assert_eq!(answer.header("content-encoding"), None); // As long as it is given no coding.
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more coding.
    ///
    /// ```
    /// # use armature_core::{body::StreamError, middleware::Encoder};
    /// use armature_core::middleware::{Coding, Compression};
    ///
    /// fn codings(gzip: impl Coding, brotli: impl Coding) -> Compression {
    ///     Compression::new().with(brotli).with(gzip) // Who likes both gets Brotli.
    /// }
    /// # struct Named(&'static str);
    /// # impl Coding for Named {
    /// #     fn name(&self) -> &'static str { self.0 }
    /// #     fn encoder(&self) -> Box<dyn Encoder> { unreachable!() }
    /// # }
    /// # assert_eq!(format!("{:?}", codings(Named("gzip"), Named("br"))), r#"["br", "gzip"]"#);
    /// ```
    #[must_use]
    pub fn with(mut self, coding: impl Coding) -> Self {
        self.codings.push(Rc::new(coding));
        self
    }

    /// The coding that the client likes best; none where it likes best what is not encoded, or says nothing.
    fn choose(&self, head: &RequestHead<'_>) -> Option<Rc<dyn Coding>> {
        let accepted = || {
            let values = head.headers().filter(|(name, _)| name.eq_ignore_ascii_case("accept-encoding"));
            values.filter_map(|(_, value)| std::str::from_utf8(value).ok()).flat_map(|value| value.split(','))
        };
        let quality_of = |name: &str| {
            let named = accepted().find_map(|item| quality(item, name));
            named.or_else(|| accepted().find_map(|item| quality(item, "*")))
        };
        // What is not encoded is always acceptable unless it is refused, and is what is sent even then.
        let plain = accepted().find_map(|item| quality(item, "identity")).unwrap_or(0);
        let liked = self.codings.iter().map(|coding| (quality_of(coding.name()).unwrap_or(0), coding));
        let best = liked.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.filter(|(quality, _)| *quality > 0 && *quality >= plain).map(|(_, coding)| coding.clone())
    }
}

/// The weight in thousandths that an item of Accept-Encoding gives to a coding, if it is about that one. A malformed weight is
/// none at all.
fn quality(item: &str, coding: &str) -> Option<u32> {
    let (name, weight) = item.split_once(';').map_or((item, None), |(name, weight)| (name, Some(weight)));
    let name = name.trim();
    // An old name means the same (RFC 9110 §8.4.1.3).
    let is_alias = coding == "gzip" && name.eq_ignore_ascii_case("x-gzip");
    if !name.eq_ignore_ascii_case(coding) && !is_alias {
        return None;
    }
    let Some(weight) = weight else { return Some(1_000) };
    let weight = weight.trim().strip_prefix(['q', 'Q']).and_then(|rest| rest.trim_start().strip_prefix('='));
    let weight: f32 = weight.and_then(|digits| digits.trim().parse().ok()).unwrap_or(0.0);
    Some((weight.clamp(0.0, 1.0) * 1_000.0) as u32)
}

/// Media that are not compressed already, by their names.
fn is_compressible(media_type: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(media_type) else { return false };
    let name = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_text =
        ["text/", "font/ttf", "font/otf", "image/bmp", "image/svg"].iter().any(|start| name.starts_with(start));
    let named = ["javascript", "json", "xml", "wasm", "x-ndjson", "vnd.ms-fontobject", "rtf"];
    let is_application = name.strip_prefix("application/").is_some_and(|kind| {
        let suffix = kind.rsplit_once('+').map_or(kind, |(_, suffix)| suffix);
        named.contains(&suffix)
    });
    is_text || is_application
}

fn forbids_transforming(response: &Response) -> bool {
    response.header(&header::CACHE_CONTROL).is_some_and(|value| {
        value.split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
    })
}

/// Whether a response may be encoded, whatever its client accepts.
fn is_eligible(response: &Response) -> bool {
    let status = response.status_code();
    let has_body = status.as_u16() >= 200 && ![StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    let length = response.declared_length().or(response.body().length());
    has_body
        && status != StatusCode::PARTIAL_CONTENT
        && response.header(&header::CONTENT_RANGE).is_none()
        && response.header(&header::CONTENT_ENCODING).is_none()
        && !forbids_transforming(response)
        && length.is_none_or(|length| length >= BYTES_MIN)
        && response.header(&header::CONTENT_TYPE).is_some_and(is_compressible)
}

/// Says that what the ETag is of is the same in meaning only (RFC 9110 §8.8.1).
fn weaken(response: &mut Response) {
    let strong = response.header(&header::ETAG).filter(|tag| !tag.starts_with(b"W/"));
    if let Some(weak) = strong.and_then(|tag| HeaderValue::from_bytes(&[b"W/", tag].concat()).ok()) {
        response.set_header(&header::ETAG, &weak);
    }
}

/// Encodes a response.
fn encode(response: &mut Response, coding: &dyn Coding) {
    response.insert_header(&header::CONTENT_ENCODING, &HeaderValue::from_static(coding.name()));
    response.remove_header(&header::ACCEPT_RANGES);
    weaken(response);
    response.forget_length();
    let source = response.take_body();
    let encoded =
        Encoded { source, encoder: coding.encoder(), rest: Bytes::new(), holds: false, trailers: None, is_over: false };
    response.set_body(Body::stream(encoded));
}

impl Hooks for Compression {
    /// Whether it is a request of HEAD, and the coding.
    type Kept = (bool, Option<Rc<dyn Coding>>);

    fn before(&self, request: &mut Request<'_>) -> Result<Self::Kept, Response> {
        Ok((request.head.method() == Method::Head, self.choose(&request.head)))
    }

    fn after(&self, (is_head, coding): Self::Kept, response: &mut Response) {
        if response.status_code() == StatusCode::NOT_MODIFIED && !forbids_transforming(response) {
            // What the client has may be encoded, and is found by these two (RFC 9110 §15.4.5, RFC 9111 §4.3.4).
            response.insert_header(&header::VARY, &HeaderValue::from_static("accept-encoding"));
            if coding.is_some() {
                weaken(response);
            }
        }
        if !is_eligible(response) {
            return;
        }
        response.insert_header(&header::VARY, &HeaderValue::from_static("accept-encoding"));
        if let (false, Some(coding)) = (is_head, coding) {
            encode(response, &*coding);
        }
    }
}

/// A body, encoded while it is sent.
struct Encoded {
    source: Body,
    encoder: Box<dyn Encoder>,
    /// What is left of a piece that was too long for one step.
    rest: Bytes,
    /// The encoder has taken something in since it was flushed.
    holds: bool,
    trailers: Option<HeaderMap>,
    is_over: bool,
}

impl BodySource for Encoded {
    fn poll_piece(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        let this = &mut *self;
        let mut out = Vec::new();
        while !this.is_over {
            if this.rest.is_empty() {
                match Pin::new(&mut this.source).poll_frame(cx) {
                    Poll::Ready(Some(frame)) => match frame.map(Frame::into_data) {
                        Ok(Ok(bytes)) => this.rest = bytes,
                        Ok(Err(frame)) => this.trailers = frame.into_trailers().ok(),
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    },
                    Poll::Ready(None) => {
                        this.is_over = true;
                        this.encoder.finish(&mut out)?;
                    }
                    Poll::Pending if std::mem::take(&mut this.holds) => {
                        this.encoder.flush(&mut out)?;
                        if out.is_empty() {
                            return Poll::Pending;
                        }
                    }
                    Poll::Pending => return Poll::Pending,
                }
            } else {
                let step = this.rest.split_to(this.rest.len().min(STEP_BYTES));
                this.holds = true;
                this.encoder.encode(&step, &mut out)?;
            }
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(out.into())));
            }
        }
        Poll::Ready(None)
    }

    fn trailers(mut self: Pin<&mut Self>) -> Option<HeaderMap> {
        self.trailers.take()
    }
}
