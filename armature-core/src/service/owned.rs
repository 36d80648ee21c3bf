//! A request that owns its head, for what has to wait before it hands the request on.

use std::{fmt, rc::Rc};

use super::{ConnectionInfo, Extensions, Request, RequestHead, request::Value};
#[cfg(feature = "http2")]
use crate::http::Version;
use crate::{
    body::RequestBody,
    error::{Error, ErrorKind},
    h1::{
        Refusal,
        head::{self, HeadIndex},
    },
    limits::Limits,
    route::{MethodSet, PathParams},
};

/// A request that owns its head. Made from a borrowed one it is a copy of it, with the same parameters and extensions.
///
/// ```
/// use armature_core::{RequestBody, service::OwnedRequest};
///
/// let request = OwnedRequest::parse("GET /notes?page=2 HTTP/1.1\r\nhost: a\r\n\r\n", RequestBody::empty())?;
/// assert_eq!((request.head().path(), request.head().query()), ("/notes", Some("page=2")));
/// # Ok::<(), armature_core::Error>(())
/// ```
pub struct OwnedRequest {
    head: Vec<u8>,
    index: HeadIndex,
    params: PathParams<'static>,
    extensions: Vec<Box<dyn Value>>,
    connection: Rc<ConnectionInfo>,
    other_methods: MethodSet,
    body: RequestBody,
}

impl OwnedRequest {
    /// A request with the head that these bytes are, as it would go on the wire in HTTP/1.1, up to its empty line.
    ///
    /// # Errors
    /// [`ErrorKind::Request`] when it is no head, or one that a server with default limits would refuse.
    ///
    /// ```
    /// use armature_core::{ErrorKind, RequestBody, service::OwnedRequest};
    ///
    /// let request = OwnedRequest::parse("GET / HTTP/1.1\r\nhost: a\r\n\r\n", RequestBody::empty())?;
    /// assert_eq!(request.head().authority(), Some("a"));
    /// let error = OwnedRequest::parse("GET / HTTP/1.1\r\n\r\n", RequestBody::empty()).unwrap_err(); // Host is missing.
    /// assert_eq!(error.kind(), ErrorKind::Request);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn parse(head: impl Into<Vec<u8>>, body: RequestBody) -> Result<Self, Error> {
        Self::parse_within(head.into(), &Limits::default(), body).map_err(|refusal| {
            Error::new(ErrorKind::Request, format!("not the head of a request: {}", refusal.reason()))
        })
    }

    /// As [`parse`](Self::parse), with these limits and the rule that was broken.
    pub(crate) fn parse_within(head: Vec<u8>, limits: &Limits, body: RequestBody) -> Result<Self, Refusal> {
        let mut index = HeadIndex::default();
        if !head::parse(&head, limits, &mut index)? || index.len != head.len() {
            // Its empty line is missing, or has something behind it.
            return Err(Refusal::LineEnd);
        }
        Ok(Self {
            head,
            index,
            params: PathParams::default(),
            extensions: Vec::new(),
            connection: Rc::default(),
            other_methods: MethodSet::default(),
            body,
        })
    }

    /// The head, with the parameters of the route and the extensions.
    ///
    /// ```
    /// use armature_core::{RequestBody, service::OwnedRequest};
    ///
    /// let mut request = OwnedRequest::parse("GET /notes HTTP/1.1\r\nhost: a\r\n\r\n", RequestBody::empty())?;
    /// request.insert(7_u32);
    /// assert_eq!((request.head().path(), request.head().extensions().get()), ("/notes", Some(&7_u32)));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn head(&self) -> RequestHead<'_> {
        RequestHead::new(&self.head, &self.index, &self.connection)
            .with_params(&self.params)
            .with_other_methods(self.other_methods)
            .with_extensions(Extensions::owned(&self.extensions))
    }

    /// The body.
    ///
    /// ```
    /// use armature_core::service::OwnedRequest;
    /// use bytes::Bytes;
    ///
    /// let mut request = OwnedRequest::parse("POST / HTTP/1.1\r\nhost: a\r\n\r\n", Bytes::from("text").into())?;
    /// request.body().set_limit(1_000);
    /// assert_eq!(request.body().declared_length(), Some(4));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn body(&mut self) -> &mut RequestBody {
        &mut self.body
    }

    /// Puts another body in the place of this one.
    ///
    /// ```
    /// use armature_core::{Response, Router, middleware::{Next, from_fn}, post, service::OwnedRequest, test::TestClient};
    /// use bytes::Bytes;
    ///
    /// /// Stands for what decodes a body.
    /// async fn upper_case(mut request: OwnedRequest, next: Next) -> Response {
    ///     let whole = std::mem::take(request.body()).collect().await.unwrap();
    ///     request.set_body(Bytes::from(whole.to_ascii_uppercase()).into());
    ///     next.run(request).await
    /// }
    ///
    /// let app = Router::new().route("/", post(async |text: String| text).layer(from_fn(upper_case)));
    /// assert_eq!(TestClient::in_process(app)?.post("/").body("abc").send()?.text(), "ABC");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn set_body(&mut self, body: RequestBody) {
        self.body = body;
    }

    /// Adds an extension, for the extractor [`Extension`](crate::extract::Extension) of this type.
    ///
    /// ```
    /// use armature_core::{Response, Router, extract::Extension, get, middleware::{Next, from_fn}, service::OwnedRequest};
    /// use armature_core::test::TestClient;
    ///
    /// async fn count(mut request: OwnedRequest, next: Next) -> Response {
    ///     request.insert(7_u32);
    ///     next.run(request).await
    /// }
    ///
    /// let app = Router::new().route("/", get(async |Extension(n): Extension<u32>| n.to_string()).layer(from_fn(count)));
    /// assert_eq!(TestClient::in_process(app)?.get("/").send()?.text(), "7");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn insert<T: Clone + 'static>(&mut self, extension: T) {
        self.extensions.push(Box::new(extension));
    }

    /// Says by which connection it came.
    pub(crate) fn set_connection(&mut self, connection: Rc<ConnectionInfo>) {
        self.connection = connection;
    }

    /// Says in which version it came, if that is not the one of its head.
    #[cfg(feature = "http2")]
    pub(crate) fn set_version(&mut self, version: Version) {
        self.index.version = version;
    }

    /// Takes the body out.
    pub(crate) fn take_body(&mut self) -> RequestBody {
        std::mem::take(&mut self.body)
    }

    /// Takes over what another has beside its head and body, and the version that it came in; its extensions come before
    /// those of this one.
    pub(crate) fn inherit(&mut self, from: &Self) {
        self.index.version = from.index.version;
        self.params = from.params.clone();
        self.extensions.splice(0..0, from.extensions.iter().map(|value| (**value).boxed()));
        self.connection = from.connection.clone();
        self.other_methods = from.other_methods;
    }

    /// Lends the request out, as services take it. What was put into it stays for the length of the call.
    ///
    /// ```
    /// use armature_core::{Path, RequestBody, extract::FromHead, extract::Extension, service::OwnedRequest};
    ///
    /// let mut request = OwnedRequest::parse("GET / HTTP/1.1\r\nhost: a\r\n\r\n", RequestBody::empty())?;
    /// request.insert(7_u32);
    /// let Extension(number) = request.lend(|request| Extension::<u32>::from_head(&request.head, &())).unwrap();
    /// assert_eq!(number, 7);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn lend<R>(&mut self, call: impl FnOnce(Request<'_>) -> R) -> R {
        let body = std::mem::take(&mut self.body);
        call(Request { head: self.head(), body })
    }
}

impl From<Request<'_>> for OwnedRequest {
    fn from(request: Request<'_>) -> Self {
        let (bytes, index) = request.head.parts();
        let mut extensions: Vec<_> = request.head.extensions().values().map(Value::boxed).collect();
        extensions.reverse();
        Self {
            head: bytes.to_vec(),
            index: index.clone(),
            params: request.head.params().collect(),
            extensions,
            connection: request.head.connection().clone(),
            other_methods: request.head.other_methods(),
            body: request.body,
        }
    }
}

impl fmt::Debug for OwnedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedRequest").field("head", &self.head()).field("body", &self.body).finish_non_exhaustive()
    }
}
