//! What a service is given: the head of a request as a view of the bytes that arrived, and its body.
//!
//! Leaves what is known of the connection to `connection.rs`, and requests that outlive their bytes to `owned.rs`.

use std::{any::Any, fmt, rc::Rc};

use super::connection::ConnectionInfo;
use crate::{
    body::RequestBody,
    h1::{
        ascii::text,
        head::{Field, HeadIndex},
    },
    http::{HeaderMap, HeaderValue, Method, Version, header_name},
    route::{MethodSet, PathParams},
};

/// A request: its head, borrowed, and its body, owned.
///
/// ```
/// use armature_core::service::OwnedRequest;
/// use bytes::Bytes;
///
/// let mut request = OwnedRequest::parse("POST /notes HTTP/1.1\r\nhost: a\r\n\r\n", Bytes::from("text").into())?;
/// // What a service or a middleware is called with:
/// request.lend(|request| {
///     assert_eq!((request.head.path(), request.body.declared_length()), ("/notes", Some(4)));
/// });
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Request<'a> {
    /// The head.
    pub head: RequestHead<'a>,
    /// The body.
    pub body: RequestBody,
}

/// The head of a request: a view of the bytes that arrived, and the table of where everything is in them.
///
/// ```
/// use armature_core::{RequestBody, service::OwnedRequest};
///
/// let request = OwnedRequest::parse("GET / HTTP/1.1\r\nHost: a\r\nX-Who: ada\r\n\r\n", RequestBody::empty())?;
/// let head = request.head();
/// assert_eq!((head.authority(), head.header_text("x-who")), (Some("a"), Some("ada")));
/// assert_eq!(head.headers().count(), 2);
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RequestHead<'a> {
    bytes: &'a [u8],
    index: &'a HeadIndex,
    params: Option<&'a PathParams<'a>>,
    extensions: Extensions<'a>,
    connection: &'a Rc<ConnectionInfo>,
    /// The methods that the path has routes for, where it has none for this one.
    other_methods: MethodSet,
}

impl<'a> RequestHead<'a> {
    /// A view of the head that `index` was made from.
    // For the fuzz targets and suites, which have an index.
    #[doc(hidden)]
    #[must_use]
    #[inline]
    pub fn new(bytes: &'a [u8], index: &'a HeadIndex, connection: &'a Rc<ConnectionInfo>) -> Self {
        let (extensions, other_methods) = (Extensions::default(), MethodSet::default());
        Self { bytes, index, params: None, extensions, connection, other_methods }
    }

    /// The method.
    ///
    /// ```
    /// use armature_core::{Method, RequestBody, service::OwnedRequest};
    ///
    /// let request = OwnedRequest::parse("PUT / HTTP/1.1\r\nhost: a\r\n\r\n", RequestBody::empty())?;
    /// assert_eq!(request.head().method(), Method::Put);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn method(&self) -> Method {
        self.index.method
    }

    /// The method as it was sent, also where it is [`Method::Other`].
    ///
    /// ```
    /// use armature_core::{Method, RequestBody, service::OwnedRequest};
    ///
    /// let request = OwnedRequest::parse("PROPFIND / HTTP/1.1\r\nhost: a\r\n\r\n", RequestBody::empty())?;
    /// assert_eq!((request.head().method(), request.head().method_token()), (Method::Other, "PROPFIND"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn method_token(&self) -> &'a str {
        text(self.index.method_token.of(self.bytes))
    }

    /// The version it is served as.
    ///
    /// ```
    /// use armature_core::{RequestBody, http::Version, service::OwnedRequest};
    ///
    /// let request = OwnedRequest::parse("GET / HTTP/1.0\r\n\r\n", RequestBody::empty())?;
    /// assert_eq!(request.head().version(), Version::Http10);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
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
    ///
    /// ```
    /// use armature_core::{RequestBody, service::OwnedRequest};
    ///
    /// let request = OwnedRequest::parse("GET /caf%C3%A9?q=1 HTTP/1.1\r\nhost: a\r\n\r\n", RequestBody::empty())?;
    /// assert_eq!(request.head().path(), "/caf%C3%A9");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn path(&self) -> &'a str {
        text(self.index.target.path.of(self.bytes))
    }

    /// What follows the first `?` of the target, percent-encoded as it was sent.
    ///
    /// ```
    /// use armature_core::{RequestBody, service::OwnedRequest};
    ///
    /// let request = OwnedRequest::parse("GET /search?q=a%20b HTTP/1.1\r\nhost: a\r\n\r\n", RequestBody::empty())?;
    /// assert_eq!(request.head().query(), Some("q=a%20b"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn query(&self) -> Option<&'a str> {
        self.index.target.query.map(|query| text(query.of(self.bytes)))
    }

    /// The host and port that the request is meant for: the target's, where it has one, else that of Host.
    ///
    /// ```
    /// use armature_core::{RequestBody, service::OwnedRequest};
    ///
    /// let request = OwnedRequest::parse("GET / HTTP/1.1\r\nhost: example.org:8080\r\n\r\n", RequestBody::empty())?;
    /// assert_eq!(request.head().authority(), Some("example.org:8080"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn authority(&self) -> Option<&'a str> {
        self.index.target.authority.or(self.index.host).map(|host| text(host.of(self.bytes)))
    }

    /// The value of the first field of this name, which is compared without regard to case.
    ///
    /// ```
    /// use armature_core::{RequestBody, service::OwnedRequest};
    ///
    /// let head = "GET / HTTP/1.1\r\nhost: a\r\nX-Name: josé\r\n\r\n";
    /// let request = OwnedRequest::parse(head, RequestBody::empty())?;
    /// assert_eq!(request.head().header("x-name"), Some("josé".as_bytes()));
    /// assert_eq!(request.head().header("x-other"), None);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        let is_this = |field: &&Field| {
            field.name.len as usize == name.len() && field.name.of(self.bytes).eq_ignore_ascii_case(name.as_bytes())
        };
        self.index.fields.iter().find(is_this).map(|field| field.value.of(self.bytes))
    }

    /// The value of the first field of this name, where it is text.
    ///
    /// ```
    /// use armature_core::{RequestBody, service::OwnedRequest};
    ///
    /// let request = OwnedRequest::parse("GET / HTTP/1.1\r\nhost: a\r\nAccept: text/html\r\n\r\n", RequestBody::empty())?;
    /// assert_eq!(request.head().header_text("accept"), Some("text/html"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn header_text(&self, name: &str) -> Option<&'a str> {
        self.header(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All fields, in order, with names in the case in which they were sent.
    ///
    /// ```
    /// use armature_core::{RequestBody, service::OwnedRequest};
    ///
    /// let request = OwnedRequest::parse("GET / HTTP/1.1\r\nhost: a\r\nX-Tag: b\r\nX-Tag: c\r\n\r\n", RequestBody::empty())?;
    /// let head = request.head();
    /// let tags: Vec<_> = head.headers().filter(|(name, _)| *name == "X-Tag").map(|(_, value)| value).collect();
    /// assert_eq!(tags, [b"b", b"c"]);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        self.index.fields.iter().map(move |field| (text(field.name.of(bytes)), field.value.of(bytes)))
    }

    /// The value of the first cookie of this name, as it was sent and where it was sent (RFC 6265 §4.2.1).
    ///
    /// Nothing is copied, unlike by the extractor [`Cookies`](crate::extract::Cookies), which owns what it gives.
    ///
    /// ```
    /// use armature_core::{RequestBody, service::OwnedRequest};
    ///
    /// let head = "GET / HTTP/1.1\r\nHost: a\r\nCookie: theme=dark; session=7\r\n\r\n";
    /// let request = OwnedRequest::parse(head, RequestBody::empty())?;
    /// assert_eq!(request.head().cookie("session"), Some("7"));
    /// assert_eq!(request.head().cookie("lang"), None);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        self.cookie_pairs().find_map(|pair| {
            let (this, value) = pair.split_once('=')?;
            (this.trim() == name).then(|| value.trim())
        })
    }

    /// What stands between the semicolons of the Cookie fields, where it is text.
    pub(crate) fn cookie_pairs(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let fields = self.headers().filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        let pairs = fields.flat_map(|(_, value)| value.split(|byte| *byte == b';'));
        pairs.filter_map(|pair| std::str::from_utf8(pair).ok())
    }

    /// The fields as a map of the `http` crate, built anew at each call.
    ///
    /// ```
    /// use armature_core::{RequestBody, http::header, service::OwnedRequest};
    ///
    /// let request = OwnedRequest::parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n", RequestBody::empty())?;
    /// assert_eq!(request.head().header_map()[header::HOST], "a");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.index.fields.len());
        for (name, value) in self.headers() {
            // The parser lets no name or value pass that the map would refuse.
            if let (Some(name), Ok(value)) = (header_name(name.as_bytes()), HeaderValue::from_bytes(value)) {
                map.append(name, value);
            }
        }
        map
    }

    /// The parameters that the route's pattern names, names and values as they were sent, in the order of the path.
    ///
    /// ```
    /// use armature_core::{Response, Router, get, middleware::{Next, from_fn}, service::OwnedRequest, test::TestClient};
    ///
    /// async fn note(request: OwnedRequest, next: Next) -> Response {
    ///     assert_eq!(request.head().params().collect::<Vec<_>>(), [("year", "2026"), ("page", "a%20b")]);
    ///     next.run(request).await
    /// }
    ///
    /// let app = Router::new().route("/{year}/{page}", get(async || "hello").layer(from_fn(note)));
    /// assert_eq!(TestClient::in_process(app)?.get("/2026/a%20b").send()?.text(), "hello");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn params(&self) -> impl ExactSizeIterator<Item = (&'a str, &'a str)> + use<'a> {
        self.params.map(PathParams::iter).unwrap_or_default()
    }

    /// What middleware has added to the request.
    ///
    /// ```
    /// use armature_core::{RequestBody, service::OwnedRequest};
    ///
    /// let mut request = OwnedRequest::parse("GET / HTTP/1.1\r\nhost: a\r\n\r\n", RequestBody::empty())?;
    /// request.insert("ada".to_owned());
    /// request.lend(|request| assert_eq!(request.head.extensions().get::<String>().unwrap(), "ada"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn extensions(&self) -> Extensions<'a> {
        self.extensions
    }

    /// The connection that the request came by.
    ///
    /// ```
    /// use armature_core::{RequestBody, service::OwnedRequest};
    ///
    /// let request = OwnedRequest::parse("GET / HTTP/1.1\r\nhost: a\r\n\r\n", RequestBody::empty())?;
    /// assert_eq!(request.head().connection().peer(), None); // It came from no socket.
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn connection(&self) -> &'a Rc<ConnectionInfo> {
        self.connection
    }

    /// The methods that the path has routes for, where it has none for this request's; an answer of 405 lists them in Allow
    /// (RFC 9110 §15.5.6).
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, extract::FromHead, get, route::MethodSet, service::RequestHead, test::TestClient};
    /// use std::convert::Infallible;
    ///
    /// struct Allowed(MethodSet);
    ///
    /// impl<S> FromHead<S> for Allowed {
    ///     type Rejection = Infallible;
    ///
    ///     fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Infallible> {
    ///         Ok(Self(head.other_methods()))
    ///     }
    /// }
    ///
    /// let app = Router::new()
    ///     .route("/", get(async || ()))
    ///     .method_not_allowed(async |Allowed(methods): Allowed| (StatusCode::METHOD_NOT_ALLOWED, methods.allow()));
    /// assert_eq!(TestClient::in_process(app)?.post("/").send()?.text(), "GET, HEAD, OPTIONS");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn other_methods(&self) -> MethodSet {
        self.other_methods
    }

    /// The same head under a route whose pattern names parameters.
    // For the fuzz targets, which have a table of routes.
    #[doc(hidden)]
    #[must_use]
    #[inline]
    pub fn with_params(self, params: &'a PathParams<'a>) -> Self {
        Self { params: Some(params), ..self }
    }

    /// The same head with these extensions.
    ///
    /// ```
    /// use armature_core::{Response, Router, extract::Extension, get, middleware::Middleware, test::TestClient};
    /// use armature_core::service::{Request, Service, Slot};
    /// use std::{rc::Rc, task::{Context, Poll}};
    ///
    /// #[derive(Clone)]
    /// struct Number(u32);
    ///
    /// impl Middleware for Number {
    ///     fn call<S: Service>(&self, request: Request<'_>, next: &Rc<S>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
    ///         let extended = request.head.extensions().and(self);
    ///         let head = request.head.clone().with_extensions(extended.list());
    ///         next.call(Request { head, ..request }, slot, cx)
    ///     }
    /// }
    ///
    /// let handler = async |Extension(Number(number)): Extension<Number>| number.to_string();
    /// let app = Router::new().route("/", get(handler).layer(Number(7)));
    /// assert_eq!(TestClient::in_process(app)?.get("/").send()?.text(), "7");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_extensions(self, extensions: Extensions<'a>) -> Self {
        Self { extensions, ..self }
    }

    /// The same head, of a path that has routes for these methods only.
    #[must_use]
    pub(crate) fn with_other_methods(self, other_methods: MethodSet) -> Self {
        Self { other_methods, ..self }
    }

    pub(super) fn parts(&self) -> (&'a [u8], &'a HeadIndex) {
        (self.bytes, self.index)
    }
}

/// What middleware has added to a request, found by its type.
///
/// A list through the frames of the calls that added to it, so that adding is no allocation; behind it what a request
/// owns.
///
/// ```
/// use armature_core::service::Extensions;
///
/// let extended = Extensions::default().and(&"ada");
/// assert_eq!(extended.list().get::<&str>(), Some(&"ada"));
/// assert_eq!(extended.list().get::<u32>(), None);
/// ```
#[derive(Clone, Copy, Default)]
pub struct Extensions<'a> {
    first: Option<&'a Extended<'a>>,
    owned: &'a [Box<dyn Value>],
}

/// A list of extensions with one more in front.
///
/// ```
/// use armature_core::service::Extensions;
///
/// let number = Extensions::default().and(&7_u32);
/// let both = number.list().and(&"ada");
/// assert_eq!((both.list().get::<u32>(), both.list().get::<&str>()), (Some(&7), Some(&"ada")));
/// ```
pub struct Extended<'a> {
    value: &'a dyn Value,
    rest: Extensions<'a>,
}

/// What can be an extension: anything that can be copied for a request that outlives its bytes.
pub(super) trait Value {
    fn as_any(&self) -> &dyn Any;
    fn boxed(&self) -> Box<dyn Value>;
}

impl<T: Clone + 'static> Value for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn boxed(&self) -> Box<dyn Value> {
        Box::new(self.clone())
    }
}

impl<'a> Extensions<'a> {
    /// What a request owns, the last in front.
    pub(super) fn owned(owned: &'a [Box<dyn Value>]) -> Self {
        Self { first: None, owned }
    }

    /// The extension of this type that was added last.
    ///
    /// ```
    /// use armature_core::service::Extensions;
    ///
    /// let first = Extensions::default().and(&1);
    /// let second = first.list().and(&2);
    /// assert_eq!(second.list().get::<i32>(), Some(&2));
    /// ```
    #[must_use]
    pub fn get<T: 'static>(self) -> Option<&'a T> {
        self.values().find_map(|value| value.as_any().downcast_ref())
    }

    /// Puts a value before these, for the life of the borrow.
    ///
    /// ```
    /// use armature_core::service::Extensions;
    ///
    /// let extended = Extensions::default().and(&7_u32);
    /// assert_eq!(extended.list().get(), Some(&7_u32));
    /// ```
    #[must_use]
    pub fn and<T: Clone + 'static>(self, value: &'a T) -> Extended<'a> {
        Extended { value, rest: self }
    }

    /// The values, the last in front.
    pub(super) fn values(self) -> impl Iterator<Item = &'a dyn Value> {
        let listed = std::iter::successors(self.first, |extended| extended.rest.first).map(|extended| extended.value);
        listed.chain(self.owned.iter().rev().map(|value| &**value))
    }
}

impl<'a> Extended<'a> {
    /// The list.
    ///
    /// ```
    /// use armature_core::service::Extensions;
    ///
    /// let extended = Extensions::default().and(&7_u32);
    /// assert_eq!(format!("{:?}", extended.list()), "Extensions(1)");
    /// ```
    #[must_use]
    pub fn list(&'a self) -> Extensions<'a> {
        Extensions { first: Some(self), owned: self.rest.owned }
    }
}

impl fmt::Debug for Extensions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({})", self.values().count())
    }
}

impl fmt::Debug for Extended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list().fmt(f)
    }
}
