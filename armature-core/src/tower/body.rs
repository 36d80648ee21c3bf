//! Bodies of this crate as those of `http_body`, and the other way round.

use std::{
    any::Any,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};

use crate::{
    body::{Body, BodyError, BodySource, RequestBody, StreamError},
    http::HeaderMap,
};

/// The frames of a request's body: its pieces, then its trailer fields where it has any.
impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        Poll::Ready(match ready!(this.poll_piece(cx)) {
            Ok(Some(piece)) => Some(Ok(Frame::data(piece))),
            Ok(None) => this.take_trailers().map(|trailers| Ok(Frame::trailers(trailers))),
            Err(error) => Some(Err(error)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining_length().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The frames of a response's body. A stream's length is a bound only, and its Content-Length stands in the head: the hint is
/// about what is left, and a stream does not count.
impl http_body::Body for Body {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let this = self.get_mut();
        let Self::Stream(source) = this else {
            let bytes = match mem::take(this) {
                Self::Static(bytes) => Bytes::from_static(bytes),
                Self::Bytes(bytes) => bytes,
                Self::Owned(bytes) => bytes.into_vec().into(),
                Self::Empty | Self::Stream(_) => Bytes::new(),
            };
            return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
        };
        let piece = ready!(source.as_mut().poll_piece(cx));
        let frame = match piece {
            Some(piece) => return Poll::Ready(Some(piece.map(Frame::data))),
            None => source.as_mut().trailers().map(|trailers| Ok(Frame::trailers(trailers))),
        };
        *this = Self::Empty;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        !matches!(self, Self::Stream(_)) && self.as_slice().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        match (self, self.length()) {
            (Self::Stream(_), Some(length)) => hint.set_upper(length),
            (_, Some(length)) => hint.set_exact(length),
            (_, None) => {}
        }
        hint
    }
}

/// A foreign body as the source of one of this crate's.
struct Foreign<B> {
    /// Pinned here, so that it can be polled without projecting a pin.
    body: Pin<Box<B>>,
    length: Option<u64>,
    trailers: Option<HeaderMap>,
}

impl<B: http_body::Body> Foreign<B> {
    fn new(body: B) -> Self {
        Self { length: body.size_hint().exact(), body: Box::pin(body), trailers: None }
    }
}

impl<B: http_body::Body<Error: Into<StreamError>>> BodySource for Foreign<B> {
    fn poll_piece(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        loop {
            let frame = match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            };
            match frame.into_data() {
                Ok(mut data) => return Poll::Ready(Some(Ok(data.copy_to_bytes(data.remaining())))),
                Err(frame) => self.trailers = frame.into_trailers().ok().or(self.trailers.take()),
            }
        }
    }

    fn length(&self) -> Option<u64> {
        self.length
    }

    fn trailers(mut self: Pin<&mut Self>) -> Option<HeaderMap> {
        self.trailers.take()
    }
}

/// A foreign body as that of a response; one of this crate's own stays what it is.
pub(super) fn response_body<B>(mut body: B) -> Body
where
    B: http_body::Body<Error: Into<StreamError>> + 'static,
{
    if let Some(own) = (&mut body as &mut dyn Any).downcast_mut::<Body>() {
        return mem::take(own);
    }
    if body.is_end_stream() { Body::Empty } else { Body::stream(Foreign::new(body)) }
}

/// A foreign body as that of a request, of at most `limit` bytes; one of this crate's own stays what it is.
pub(super) fn request_body<B>(mut body: B, limit: u64) -> RequestBody
where
    B: http_body::Body<Error: Into<StreamError>> + 'static,
{
    if let Some(own) = (&mut body as &mut dyn Any).downcast_mut::<RequestBody>() {
        return mem::take(own);
    }
    if body.is_end_stream() { RequestBody::empty() } else { RequestBody::made(Foreign::new(body), limit) }
}
