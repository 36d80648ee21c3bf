//! The programming model's narrow waist: a request goes in, a response comes out, now or later.
//!
//! `conn` knows services and nothing above them. Read next: `router.rs` (the service that most programs use), `slot.rs`
//! (where a handler's future lives), `../handler.rs` (how an async function becomes an endpoint).

use std::{
    rc::Rc,
    task::{Context, Poll},
};

use crate::{
    body::RequestBody,
    h1::{ascii::text, head::HeadIndex},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Version},
    respond::Response,
    route::PathParams,
};

mod router;
pub(crate) mod slot;

pub use router::{MethodRouter, Router, Routes, any, delete, get, head, options, patch, post, put};
pub use slot::Slot;

/// Answers requests.
///
/// A service runs on one thread and needs to be neither `Send` nor `Sync`: each worker has its own.
pub trait Service: 'static {
    /// Answers a request. What cannot be answered at once is left running in `slot`, from where it is polled on.
    ///
    /// The request's head is borrowed from the connection's buffer for the length of this call; whatever is needed
    /// later is copied out of it.
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response>;
}

impl<S: Service> Service for Rc<S> {
    #[inline]
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        S::call(self, request, slot, cx)
    }
}

/// A request: its head, borrowed, and its body, owned.
#[derive(Debug)]
pub struct Request<'a> {
    /// The head.
    pub head: RequestHead<'a>,
    /// The body.
    pub body: RequestBody,
}

/// The head of a request: a view of the bytes that arrived, and the table of where everything is in them.
#[derive(Debug, Clone)]
pub struct RequestHead<'a> {
    bytes: &'a [u8],
    index: &'a HeadIndex,
    params: Option<&'a PathParams<'a>>,
}

impl<'a> RequestHead<'a> {
    /// A view of the head that `index` was made from.
    #[must_use]
    #[inline]
    pub fn new(bytes: &'a [u8], index: &'a HeadIndex) -> Self {
        Self { bytes, index, params: None }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.index.method
    }

    /// The method as it was sent, also where it is [`Method::Other`].
    #[must_use]
    pub fn method_token(&self) -> &'a str {
        text(self.index.method_token.of(self.bytes))
    }

    /// The version it is served as.
    #[must_use]
    pub fn version(&self) -> Version {
        self.index.version
    }

    /// The bytes of [`path`](Self::path).
    #[inline]
    pub(crate) fn path_bytes(&self) -> &'a [u8] {
        self.index.target.path.of(self.bytes)
    }

    /// The path, percent-encoded as it was sent, from `/`; `*` for `OPTIONS *`.
    #[must_use]
    #[inline]
    pub fn path(&self) -> &'a str {
        text(self.index.target.path.of(self.bytes))
    }

    /// What follows the first `?` of the target, percent-encoded as it was sent.
    #[must_use]
    pub fn query(&self) -> Option<&'a str> {
        self.index.target.query.map(|query| text(query.of(self.bytes)))
    }

    /// The host and port that the request is meant for: the target's, where it has one, else that of Host.
    #[must_use]
    pub fn authority(&self) -> Option<&'a str> {
        self.index.target.authority.or(self.index.host).map(|host| text(host.of(self.bytes)))
    }

    /// The value of the first field of this name, which is compared without regard to case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All fields, in order, with names in the case in which they were sent.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        self.index.fields.iter().map(move |field| (text(field.name.of(bytes)), field.value.of(bytes)))
    }

    /// The fields as a map of the `http` crate, built anew at each call.
    #[must_use]
    pub fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.index.fields.len());
        for (name, value) in self.headers() {
            // The parser lets no name or value pass that the map would refuse.
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
                map.append(name, value);
            }
        }
        map
    }

    /// The parameters that the route's pattern names, names and values as they were sent, in the order of the path.
    pub fn params(&self) -> impl ExactSizeIterator<Item = (&'a str, &'a str)> + use<'a> {
        self.params.map(PathParams::iter).unwrap_or_default()
    }

    /// The same head under a route whose pattern names parameters.
    #[must_use]
    #[inline]
    pub fn with_params(self, params: &'a PathParams<'a>) -> Self {
        Self { params: Some(params), ..self }
    }
}
