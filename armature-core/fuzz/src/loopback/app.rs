//! The application that the server runs: a handler for each way in which one may treat a request or make an answer.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use armature_core::{
    Body, Json, Path, Query, RequestBody, Response, Router, SmallString, StatusCode, Upgraded, any,
    body::{BodyError, BodySource, StreamError},
    extract::FromHead,
    get,
    http::{HeaderName, HeaderValue, header},
    post,
    respond::IntoResponse,
    service::RequestHead,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What `/shape` takes and gives as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shape {
    id: i64,
    name: String,
    #[serde(default)]
    ratio: f64,
    tags: Option<Vec<String>>,
    inner: Option<Box<Shape>>,
}

/// A response that a request asks for: a line with the status, lines with fields, an empty line, the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) status: StatusCode,
    pub(crate) fields: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Vec<u8>,
}

impl Wanted {
    /// What `bytes` ask for; lines that are no fields are left out.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let line = lines.next()?;
        let status = StatusCode::from_bytes(line).ok()?;
        let mut fields = Vec::new();
        let mut used = line.len() + 1;
        for line in lines {
            used += line.len() + 1;
            if line.is_empty() {
                break;
            }
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let value = line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..]);
            let (name, value) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(value));
            if let (Ok(name), Ok(value)) = (name, value) {
                fields.push((name, value));
            }
        }
        Some(Self { status, fields, body: bytes.get(used..).unwrap_or_default().to_vec() })
    }

    /// The response; a body that begins with `~` is streamed, a piece a line.
    pub(crate) fn response(&self) -> Response {
        let body = match self.body.strip_prefix(b"~") {
            Some(rest) => Body::stream(Pieces(rest.split_inclusive(|byte| *byte == b'\n').map(Vec::from).collect())),
            None if self.body.is_empty() => Body::Empty,
            None => self.body.clone().into(),
        };
        let response = Response::status(self.status).with_body(body);
        self.fields.iter().fold(response, |response, (name, value)| response.with_header(name.clone(), value.clone()))
    }

    /// The bytes of the body as they are to arrive.
    pub(crate) fn content(&self) -> &[u8] {
        self.body.strip_prefix(b"~").unwrap_or(&self.body)
    }
}

/// A body of prepared pieces.
struct Pieces(VecDeque<Vec<u8>>);

impl BodySource for Pieces {
    fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(piece.into())))
    }
}

/// What a request says about itself, in one line.
struct Description(String);

impl<S> FromHead<S> for Description {
    type Rejection = Infallible;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Infallible> {
        let (method, path, query) = (head.method_token(), head.path(), head.query());
        let fields: Vec<_> = head.headers().map(|(name, value)| format!("{name}={}", value.escape_ascii())).collect();
        Ok(Self(format!("{method} {path} {query:?} {:?} {:?} {fields:?}", head.authority(), head.version())))
    }
}

#[derive(Deserialize)]
struct Named {
    name: Option<String>,
}

/// The application.
pub(super) fn app() -> Router {
    Router::new()
        .route("/", get(async || "root"))
        .route("/describe", any(async |Description(text)| text))
        .route("/describe/{*rest}", any(async |Description(text)| text))
        .route("/later", any(later))
        .route("/users/{id}", get(async |Path(id): Path<SmallString>| id))
        .route("/query", get(async |Query(query): Query<Named>| query.name.unwrap_or_default()))
        .route("/echo", post(async |body: Bytes| body))
        .route("/text", post(async |body: String| body))
        .route("/digest", post(digest))
        .route("/ignore", post(async || "ignored"))
        .route("/shape", post(async |Json(shape): Json<Shape>| Json(shape)))
        .route("/value", post(async |Json(value): Json<serde_json::Value>| Json(value)))
        .route("/respond", post(async |body: Bytes| respond(&body, false)))
        .route("/respond-declared", post(async |body: Bytes| respond(&body, true)))
        .route("/stream", get(async || Body::stream(Pieces(["a", "", "bc"].map(Vec::from).into()))))
        .route("/nothing", get(async || StatusCode::NO_CONTENT))
        .route("/unmodified", get(async || StatusCode::NOT_MODIFIED))
        .route("/closing", get(async || "closing".into_response().with_close()))
        .route("/upgrade", get(async || Response::upgrade(HeaderValue::from_static("echo"), echo)))
        .fallback(async |Description(text), body: Bytes| format!("{text} {}", body.len()))
}

/// Answers on its second poll.
async fn later(Description(text): Description) -> String {
    let mut polled = false;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    text
}

/// Reads the body piece by piece; the answer depends on its bytes and trailers, not on the pieces.
async fn digest(mut body: RequestBody) -> Result<String, BodyError> {
    let (mut count, mut sum) = (0, 0_u32);
    while let Some(piece) = body.piece().await? {
        assert!(!piece.is_empty(), "an empty piece");
        for byte in &piece {
            count += 1;
            sum = sum.wrapping_mul(31).wrapping_add(u32::from(*byte));
        }
    }
    Ok(format!("{count} {sum} {:?}", body.trailers()))
}

/// The response that the body asks for, with or without the length that it declares.
fn respond(body: &[u8], declares: bool) -> Response {
    let Some(mut wanted) = Wanted::parse(body) else { return Response::status(StatusCode::UNPROCESSABLE_ENTITY) };
    wanted.fields.retain(|(name, _)| declares || name != header::CONTENT_LENGTH);
    wanted.response()
}

async fn echo(mut connection: Upgraded) {
    let mut room = [0; 64];
    while let Ok(read @ 1..) = connection.read(&mut room).await {
        if connection.write_all(&room[..read]).await.is_err() {
            return;
        }
    }
    // A peer that is gone needs no end.
    let _ = connection.shutdown().await;
}
