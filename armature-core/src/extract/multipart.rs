//! The extractor of forms with files, `multipart/form-data` (RFC 7578), as a stream of parts (RFC 2046 §5.1.1).
//!
//! Owns finding boundaries in a body that arrives in pieces, and the bounds. Leaves the fields of a part's head to
//! `multipart/head.rs`. What is held at any time is one piece of the body and a part's head.

mod head;

use std::future::{Future, ready};

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

use self::head::PartHead;
use super::media;
use crate::{
    body::RequestBody,
    extract::{FromRequest, Rejection, ViaBody},
    http::StatusCode,
    service::Request,
};

/// The most bytes of a part's head, with the end of the boundary's line. Two fields and a file name of 255 characters, each
/// percent-encoded from four bytes, are less than half of it.
const HEAD_BYTES_MAX: usize = 8_192;

/// The most parts, unless the handler says otherwise: what common servers take, and more than people fill in.
const PARTS_MAX: usize = 1_000;

/// A body of `multipart/form-data`, part by part as it arrives.
///
/// The whole body is bounded by the route (`body_bytes_max`), a part's head by 8,192 bytes, the number of parts by 1,000
/// ([`set_parts_max`](Self::set_parts_max)), and a part's content where it is collected ([`Part::bytes`]). Nothing is
/// written to disk.
///
/// ```
/// use armature_core::{Router, extract::{Multipart, Rejection}, post};
///
/// async fn upload(mut form: Multipart) -> Result<String, Rejection> {
///     let mut title = String::new();
///     let mut bytes = 0;
///     while let Some(mut part) = form.part().await? {
///         match part.name() {
///             "title" => title = part.text(1_000).await?,
///             _ => {
///                 while let Some(piece) = part.piece().await? {
///                     bytes += piece.len();
///                 }
///             }
///         }
///     }
///     Ok(format!("{title}: {bytes} bytes"))
/// }
///
/// let app: Router = Router::new().route("/upload", post(upload).body_bytes_max(1 << 30));
/// ```
///
/// # Rejections
/// - 400: the content type has no boundary, or one that RFC 2046 §5.1.1 does not allow.
/// - 415: the content type is another, or missing. `Option<Multipart>` is `None` when there is no body either.
///
/// Reading on can be rejected later:
/// - 400: the body ends before the last boundary; a boundary is followed by something else than the end of its line; a
///   part's head is malformed, too large, or has no name; a text is not UTF-8; or the body could not be read.
/// - 413: the body, a part that is collected, or the number of parts is too large.
#[derive(Debug)]
pub struct Multipart {
    body: RequestBody,
    /// What has arrived and has not been read.
    held: Bytes,
    /// CR LF, two hyphens and the boundary.
    delimiter: memmem::Finder<'static>,
    state: State,
    parts: usize,
    parts_max: usize,
}

#[derive(Debug)]
enum State {
    /// At the start of the body, or of a part's content. A boundary here has no line end before it but the one that has been
    /// read.
    Start,
    /// In a part, or in what precedes the first.
    Content,
    /// Right behind a boundary.
    Boundary,
    /// Behind the last boundary.
    End,
    Failed(Rejection),
}

impl<S> FromRequest<S, ViaBody> for Multipart {
    type Rejection = Rejection;

    fn from_request(request: Request<'_>, _: &S) -> impl Future<Output = Result<Self, Rejection>> + 'static + use<S> {
        let is_form = |essence: &str| essence.eq_ignore_ascii_case("multipart/form-data");
        let boundary = media::expect(&request, "multipart/form-data", is_form).and_then(boundary);
        ready(boundary.map(|boundary| Self {
            body: request.body,
            held: Bytes::new(),
            delimiter: memmem::Finder::new(&[b"\r\n--", boundary.as_bytes()].concat()).into_owned(),
            state: State::Start,
            parts: 0,
            parts_max: PARTS_MAX,
        }))
    }
}

/// The boundary, of 1 to 70 characters from a short list, the last of which is no space (RFC 2046 §5.1.1).
fn boundary(parameters: media::Parameters<'_>) -> Result<String, Rejection> {
    let malformed = || bad("the content type of the form is malformed");
    let mut boundary = None;
    for parameter in parameters {
        let (name, value) = parameter.ok_or_else(malformed)?;
        if name.eq_ignore_ascii_case("boundary") && boundary.replace(value).is_some() {
            return Err(malformed());
        }
    }
    let boundary = boundary.ok_or_else(|| bad("the content type of the form has no boundary"))?;
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    let is_boundary =
        (1..=70).contains(&boundary.len()) && boundary.bytes().all(is_allowed) && !boundary.ends_with(' ');
    if is_boundary { Ok(boundary.into_owned()) } else { Err(bad("the boundary of the form is malformed")) }
}

fn bad(reason: &'static str) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, reason)
}

impl Multipart {
    /// Allows so many parts in place of 1,000.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, extract::{Multipart, Rejection}, post, test::TestClient};
    ///
    /// async fn one(mut form: Multipart) -> Result<(), Rejection> {
    ///     form.set_parts_max(1);
    ///     while form.part().await?.is_some() {}
    ///     Ok(())
    /// }
    ///
    /// let part = "--b\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n";
    /// let mut client = TestClient::in_process(Router::new().route("/", post(one)))?;
    /// let request = client.post("/").header("content-type", "multipart/form-data; boundary=b");
    /// assert_eq!(request.body(format!("{part}{part}--b--")).send()?.status(), StatusCode::PAYLOAD_TOO_LARGE);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn set_parts_max(&mut self, parts: usize) {
        self.parts_max = parts;
    }

    /// The next part, `None` behind the last. What has not been read of the part before is skipped.
    ///
    /// # Errors
    /// The rejection of what has arrived, see [`Multipart`]; the same again if it is called again.
    ///
    /// ```
    /// use armature_core::{Router, extract::{Multipart, Rejection}, post, test::TestClient};
    ///
    /// async fn names(mut form: Multipart) -> Result<String, Rejection> {
    ///     let mut names = Vec::new();
    ///     while let Some(part) = form.part().await? {
    ///         names.push(part.name().to_owned());
    ///     }
    ///     Ok(names.join(" "))
    /// }
    ///
    /// let part = |name| format!("--b\r\ncontent-disposition: form-data; name={name}\r\n\r\n1\r\n");
    /// let mut client = TestClient::in_process(Router::new().route("/", post(names)))?;
    /// let request = client.post("/").header("content-type", "multipart/form-data; boundary=b");
    /// assert_eq!(request.body(format!("{}{}--b--", part("title"), part("text"))).send()?.text(), "title text");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub async fn part(&mut self) -> Result<Option<Part<'_>>, Rejection> {
        let head = self.next_head().await;
        let head = self.note(head)?;
        Ok(head.map(|head| Part { form: self, head }))
    }

    /// A form that is malformed at one point has no parts behind it.
    fn note<T>(&mut self, read: Result<T, Rejection>) -> Result<T, Rejection> {
        if let Err(rejection) = &read {
            self.state = State::Failed(rejection.clone());
        }
        read
    }

    async fn next_head(&mut self) -> Result<Option<PartHead>, Rejection> {
        while self.content().await?.is_some() {}
        if !matches!(self.state, State::Boundary) {
            return Ok(None);
        }
        while self.held.len() < 2 {
            self.more().await?;
        }
        if self.held.starts_with(b"--") {
            // What follows is to be ignored (RFC 2046 §5.1.1).
            self.state = State::End;
            return Ok(None);
        }
        if self.parts == self.parts_max {
            let reason = format!("the form has more than {} parts", self.parts_max);
            return Err(Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, reason));
        }
        self.parts += 1;
        let end = loop {
            match memmem::find(&self.held[..self.held.len().min(HEAD_BYTES_MAX)], b"\r\n\r\n") {
                Some(at) => break at,
                None if self.held.len() >= HEAD_BYTES_MAX => return Err(bad("the head of a part is too large")),
                None => self.more().await?,
            }
        };
        let head = head::parse(&self.held[..end])?;
        self.held.advance(end + 4);
        self.state = State::Start;
        Ok(Some(head))
    }

    /// The next piece of the part's content; `None` when the boundary behind it has been read, and behind the last one.
    async fn content(&mut self) -> Result<Option<Bytes>, Rejection> {
        loop {
            match &self.state {
                State::Content => {}
                State::Start => {
                    self.start().await?;
                    continue;
                }
                State::Boundary | State::End => return Ok(None),
                State::Failed(rejection) => return Err(rejection.clone()),
            }
            let delimiter = self.delimiter.needle();
            match self.delimiter.find(&self.held) {
                Some(0) => {
                    self.held.advance(delimiter.len());
                    self.state = State::Boundary;
                    return Ok(None);
                }
                Some(at) => return Ok(Some(self.held.split_to(at))),
                None => {
                    // The end of what is here may be the beginning of a boundary.
                    let from = self.held.len().saturating_sub(delimiter.len() - 1);
                    let end = (from..self.held.len()).find(|at| delimiter.starts_with(&self.held[*at..]));
                    match end.unwrap_or(self.held.len()) {
                        0 => self.more().await?,
                        end => return Ok(Some(self.held.split_to(end))),
                    }
                }
            }
        }
    }

    /// Reads a boundary that stands right here, if there is one.
    async fn start(&mut self) -> Result<(), Rejection> {
        let len = self.delimiter.needle().len() - 2;
        while self.held.len() < len && self.delimiter.needle()[2..].starts_with(&self.held) {
            self.more().await?;
        }
        self.state = State::Content;
        if self.held.starts_with(&self.delimiter.needle()[2..]) {
            self.held.advance(len);
            self.state = State::Boundary;
        }
        Ok(())
    }

    /// Takes one more piece of the body. That there is none is the client's mistake wherever this is called.
    async fn more(&mut self) -> Result<(), Rejection> {
        let Some(piece) = self.body.piece().await? else {
            return Err(bad("the form ends before its last boundary"));
        };
        if self.held.is_empty() {
            self.held = piece;
        } else {
            let mut joined = BytesMut::with_capacity(self.held.len() + piece.len());
            joined.extend_from_slice(&self.held);
            joined.extend_from_slice(&piece);
            self.held = joined.freeze();
        }
        Ok(())
    }
}

/// One part of a form: what its head says, and its content as it arrives.
///
/// ```
/// use armature_core::{Router, extract::{Multipart, Rejection}, post, test::TestClient};
///
/// async fn first(mut form: Multipart) -> Result<String, Rejection> {
///     let Some(mut part) = form.part().await? else { return Ok("an empty form".to_owned()) };
///     let text = part.text(1_000).await?;
///     Ok(format!("{}={text}, a file: {:?}, {:?}", part.name(), part.file_name(), part.content_type()))
/// }
///
/// let head = "content-disposition: form-data; name=note; filename=a.txt\r\ncontent-type: text/plain";
/// let mut client = TestClient::in_process(Router::new().route("/", post(first)))?;
/// let request = client.post("/").header("content-type", "multipart/form-data; boundary=b");
/// let answer = request.body(format!("--b\r\n{head}\r\n\r\nhello\r\n--b--")).send()?;
/// assert_eq!(answer.text(), "note=hello, a file: Some(\"a.txt\"), Some(\"text/plain\")");
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Part<'a> {
    form: &'a mut Multipart,
    head: PartHead,
}

impl Part<'_> {
    /// The name of the field.
    ///
    /// ```
    /// # use armature_core::extract::{Multipart, Rejection};
    /// async fn titles(mut form: Multipart) -> Result<String, Rejection> {
    ///     let mut titles = 0;
    ///     while let Some(part) = form.part().await? {
    ///         titles += usize::from(part.name() == "title");
    ///     }
    ///     Ok(titles.to_string())
    /// }
    /// # use armature_core::{Router, post, test::TestClient};
    /// # let mut client = TestClient::in_process(Router::new().route("/", post(titles)))?;
    /// # let form = "--b\r\ncontent-disposition: form-data; name=title; filename=a.png\r\ncontent-type: image/png\r\n\r\nhello\r\n--b--";
    /// # let request = client.post("/").header("content-type", "multipart/form-data; boundary=b").body(form);
    /// # assert_eq!(request.send()?.text(), "1");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.head.name
    }

    /// The name of the file, where the part is one. It is what the client says, and may hold `..` and `/`: no path to write
    /// to.
    ///
    /// ```
    /// # use armature_core::extract::{Multipart, Rejection};
    /// /// The extension, as far as it is one of ours.
    /// async fn extension(mut form: Multipart) -> Result<Option<&'static str>, Rejection> {
    ///     let part = form.part().await?;
    ///     let extension = part.as_ref().and_then(|part| part.file_name()?.rsplit_once('.')).map(|(_, extension)| extension);
    ///     Ok(["png", "jpeg"].into_iter().find(|known| extension == Some(known)))
    /// }
    /// # use armature_core::{Router, post, test::TestClient};
    /// # let mut client = TestClient::in_process(Router::new().route("/", post(extension)))?;
    /// # let form = "--b\r\ncontent-disposition: form-data; name=title; filename=a.png\r\ncontent-type: image/png\r\n\r\nhello\r\n--b--";
    /// # let request = client.post("/").header("content-type", "multipart/form-data; boundary=b").body(form);
    /// # assert_eq!(request.send()?.text(), "png");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.head.file_name.as_deref()
    }

    /// The content type, where one was sent. It is what the client says.
    ///
    /// ```
    /// # use armature_core::{StatusCode, extract::{Multipart, Rejection}};
    /// async fn picture(mut form: Multipart) -> Result<(), Rejection> {
    ///     match form.part().await?.as_ref().and_then(|part| part.content_type()) {
    ///         Some("image/png") => Ok(()),
    ///         _ => Err(Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a picture is a PNG")),
    ///     }
    /// }
    /// # use armature_core::{Router, post, test::TestClient};
    /// # let mut client = TestClient::in_process(Router::new().route("/", post(picture)))?;
    /// # let form = "--b\r\ncontent-disposition: form-data; name=title; filename=a.png\r\ncontent-type: image/png\r\n\r\nhello\r\n--b--";
    /// # let request = client.post("/").header("content-type", "multipart/form-data; boundary=b").body(form);
    /// # assert_eq!(request.send()?.text(), "");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.head.content_type.as_deref()
    }

    /// The next piece of the content, `None` at its end.
    ///
    /// # Errors
    /// The rejection of what has arrived, see [`Multipart`].
    ///
    /// ```
    /// # use armature_core::extract::{Multipart, Rejection};
    /// async fn count(mut form: Multipart) -> Result<String, Rejection> {
    ///     let mut bytes = 0;
    ///     while let Some(mut part) = form.part().await? {
    ///         while let Some(piece) = part.piece().await? {
    ///             bytes += piece.len();
    ///         }
    ///     }
    ///     Ok(bytes.to_string())
    /// }
    /// # use armature_core::{Router, post, test::TestClient};
    /// # let mut client = TestClient::in_process(Router::new().route("/", post(count)))?;
    /// # let form = "--b\r\ncontent-disposition: form-data; name=title; filename=a.png\r\ncontent-type: image/png\r\n\r\nhello\r\n--b--";
    /// # let request = client.post("/").header("content-type", "multipart/form-data; boundary=b").body(form);
    /// # assert_eq!(request.send()?.text(), "5");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Rejection> {
        let content = self.form.content().await;
        self.form.note(content)
    }

    /// The rest of the content, of at most so many bytes; without a copy where it arrived in one piece.
    ///
    /// # Errors
    /// As [`piece`](Self::piece), and 413 when it is larger.
    ///
    /// ```
    /// # use armature_core::extract::{Multipart, Rejection};
    /// # use bytes::Bytes;
    /// async fn avatar(mut form: Multipart) -> Result<Bytes, Rejection> {
    ///     match form.part().await? {
    ///         Some(mut part) => part.bytes(100_000).await, // 413 where it is larger.
    ///         None => Ok(Bytes::new()),
    ///     }
    /// }
    /// # use armature_core::{Router, post, test::TestClient};
    /// # let mut client = TestClient::in_process(Router::new().route("/", post(avatar)))?;
    /// # let form = "--b\r\ncontent-disposition: form-data; name=title; filename=a.png\r\ncontent-type: image/png\r\n\r\nhello\r\n--b--";
    /// # let request = client.post("/").header("content-type", "multipart/form-data; boundary=b").body(form);
    /// # assert_eq!(request.send()?.text(), "hello");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub async fn bytes(&mut self, bytes_max: usize) -> Result<Bytes, Rejection> {
        let mut first = Bytes::new();
        let mut whole = BytesMut::new();
        while let Some(piece) = self.piece().await? {
            if first.len().max(whole.len()) + piece.len() > bytes_max {
                let reason = format_args!("the part `{}` is larger than {bytes_max} bytes", self.name());
                return Err(Rejection::quoting(StatusCode::PAYLOAD_TOO_LARGE, reason));
            }
            if first.is_empty() {
                first = piece;
                continue;
            }
            if whole.is_empty() {
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(if whole.is_empty() { first } else { whole.freeze() })
    }

    /// As [`bytes`](Self::bytes), as text, which must be UTF-8.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and 400 when it is not UTF-8.
    ///
    /// ```
    /// # use armature_core::extract::{Multipart, Rejection};
    /// async fn title(mut form: Multipart) -> Result<String, Rejection> {
    ///     match form.part().await? {
    ///         Some(mut part) => part.text(1_000).await,
    ///         None => Ok("untitled".to_owned()),
    ///     }
    /// }
    /// # use armature_core::{Router, post, test::TestClient};
    /// # let mut client = TestClient::in_process(Router::new().route("/", post(title)))?;
    /// # let form = "--b\r\ncontent-disposition: form-data; name=title; filename=a.png\r\ncontent-type: image/png\r\n\r\nhello\r\n--b--";
    /// # let request = client.post("/").header("content-type", "multipart/form-data; boundary=b").body(form);
    /// # assert_eq!(request.send()?.text(), "hello");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub async fn text(&mut self, bytes_max: usize) -> Result<String, Rejection> {
        let bytes = self.bytes(bytes_max).await?;
        String::from_utf8(bytes.into()).map_err(|_| {
            Rejection::quoting(StatusCode::BAD_REQUEST, format_args!("the part `{}` is not UTF-8", self.name()))
        })
    }
}
