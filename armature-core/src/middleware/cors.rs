//! Leave for pages of other origins to read responses (Fetch standard, "CORS protocol").

use std::{rc::Rc, time::Duration};

use crate::{
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    respond::Response,
    service::{Hooks, Request, RequestHead},
};

/// Tells browsers which pages of other origins may read responses and send requests that are not simple.
///
/// Preflight requests are answered with 204 in the place of handlers; any other request gets its response, with leave to read it
/// or without. An origin that may not is answered like any client: it is the browser that keeps the response from the page, and
/// CORS is no protection against anything but pages. Put it on the [`Router`](crate::Router): a preflight request is one of
/// OPTIONS, which the middleware of a group or a route does not see.
///
/// ```
/// use std::time::Duration;
///
/// use armature_core::{Router, http::header, middleware::Cors, put};
///
/// let cors = Cors::origins(["https://example.org"])
///     .methods("PUT, DELETE")
///     .headers([header::CONTENT_TYPE])
///     .credentials()
///     .max_age(Duration::from_secs(600));
/// let router: Router = Router::new().route("/notes/{id}", put(async || "kept")).layer(cors);
/// # router.build().unwrap();
/// ```
#[derive(Clone)]
pub struct Cors(Rc<Policy>);

#[derive(Clone)]
struct Policy {
    origins: Origins,
    credentials: bool,
    methods: Option<HeaderValue>,
    headers: Headers,
    exposed: Option<HeaderValue>,
    max_age_s: Option<u64>,
}

#[derive(Clone)]
enum Origins {
    Any,
    Listed(Vec<HeaderValue>),
    If(Rc<dyn Fn(&str) -> bool>),
}

#[derive(Clone)]
enum Headers {
    Listed(Option<HeaderValue>),
    /// Whatever the page asks for.
    Asked,
}

/// What a response is told of its request's origin.
// No program names what a hook keeps.
#[doc(hidden)]
#[derive(Debug)]
pub struct Verdict {
    /// The value of Access-Control-Allow-Origin.
    allowed: Option<HeaderValue>,
}

fn list(names: impl IntoIterator<Item = HeaderName>) -> Option<HeaderValue> {
    let names: Vec<_> = names.into_iter().collect();
    let names: Vec<_> = names.iter().map(HeaderName::as_str).collect();
    HeaderValue::try_from(names.join(", ")).ok().filter(|value| !value.is_empty())
}

impl Cors {
    fn of(origins: Origins) -> Self {
        let headers = Headers::Listed(None);
        Self(Rc::new(Policy { origins, credentials: false, methods: None, headers, exposed: None, max_age_s: None }))
    }

    /// Pages of any origin, without credentials.
    ///
    /// ```
    /// use armature_core::{Router, get, middleware::Cors, test::TestClient};
    ///
    /// let app = Router::new().route("/", get(async || ())).layer(Cors::any());
    /// let answer = TestClient::in_process(app)?.get("/").header("origin", "https://example.org").send()?;
    /// assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn any() -> Self {
        Self::of(Origins::Any)
    }

    /// Pages of these origins, such as `https://example.org` or `http://localhost:3000`, as browsers write them.
    ///
    /// # Panics
    /// When one cannot be an origin: the scheme, host and port have no path behind them, nor even a `/`.
    ///
    /// ```
    /// use armature_core::{Router, get, middleware::Cors, test::TestClient};
    ///
    /// let cors = Cors::origins(["https://example.org", "http://localhost:3000"]);
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || ())).layer(cors))?;
    /// let answer = client.get("/").header("origin", "http://localhost:3000").send()?;
    /// assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:3000"));
    /// let answer = client.get("/").header("origin", "https://example.com").send()?;
    /// assert_eq!(answer.header("access-control-allow-origin"), None);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn origins<'a>(origins: impl IntoIterator<Item = &'a str>) -> Self {
        let value = |origin: &str| {
            let host = origin.split_once("://").map(|(_, host)| host);
            let is_origin = origin == "null" || host.is_some_and(|host| !host.is_empty() && !host.contains('/'));
            assert!(is_origin, "{origin:?} is not an origin, such as https://example.org");
            HeaderValue::from_str(origin).expect("an origin is printable ASCII")
        };
        Self::of(Origins::Listed(origins.into_iter().map(value).collect()))
    }

    /// Pages of the origins of which `is_allowed` says so.
    ///
    /// ```
    /// use armature_core::{Router, get, middleware::Cors, test::TestClient};
    ///
    /// let cors = Cors::origins_if(|origin| origin.ends_with(".example.org"));
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || ())).layer(cors))?;
    /// let answer = client.get("/").header("origin", "https://a.example.org").send()?;
    /// assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.example.org"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn origins_if(is_allowed: impl Fn(&str) -> bool + 'static) -> Self {
        Self::of(Origins::If(Rc::new(is_allowed)))
    }

    fn set(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(Rc::make_mut(&mut self.0));
        self
    }

    /// Requests may carry cookies and other credentials, and responses to such may be read.
    ///
    /// # Panics
    /// With [`any`](Self::any): the standard does not allow `*` with credentials, and to name whatever origin asks in its place
    /// would hand every user's data to every page.
    ///
    /// ```
    /// use armature_core::{Router, get, middleware::Cors, test::TestClient};
    ///
    /// let cors = Cors::origins(["https://example.org"]).credentials();
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || ())).layer(cors))?;
    /// let answer = client.get("/").header("origin", "https://example.org").send()?;
    /// assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn credentials(self) -> Self {
        assert!(!matches!(self.0.origins, Origins::Any), "credentials are for origins that are listed or asked about");
        self.set(|policy| policy.credentials = true)
    }

    /// Requests may have these methods, a list as in Allow. GET, HEAD and POST need no leave.
    ///
    /// # Panics
    /// When it is not a field's value.
    ///
    /// ```
    /// use armature_core::{Router, middleware::Cors, put, test::TestClient};
    ///
    /// let app = Router::new().route("/", put(async || ())).layer(Cors::any().methods("PUT, DELETE"));
    /// let mut client = TestClient::in_process(app)?;
    /// let preflight = client.options("/").header("origin", "https://example.org");
    /// let answer = preflight.header("access-control-request-method", "PUT").send()?;
    /// assert_eq!(answer.header("access-control-allow-methods"), Some("PUT, DELETE"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn methods(self, methods: &str) -> Self {
        let methods = HeaderValue::from_str(methods).expect("methods are printable ASCII");
        self.set(|policy| policy.methods = Some(methods))
    }

    /// Requests may have these fields; the few that simple requests have need no leave.
    ///
    /// ```
    /// use armature_core::{Router, http::header, middleware::Cors, put, test::TestClient};
    ///
    /// let app = Router::new().route("/", put(async || ())).layer(Cors::any().headers([header::CONTENT_TYPE]));
    /// let mut client = TestClient::in_process(app)?;
    /// let preflight = client.options("/").header("origin", "https://example.org");
    /// let answer = preflight.header("access-control-request-method", "PUT").send()?;
    /// assert_eq!(answer.header("access-control-allow-headers"), Some("content-type"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn headers(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.set(|policy| policy.headers = Headers::Listed(list(names)))
    }

    /// Requests may have any fields.
    ///
    /// ```
    /// use armature_core::{Router, middleware::Cors, put, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", put(async || ())).layer(Cors::any().any_headers()))?;
    /// let preflight = client.options("/").header("origin", "https://example.org");
    /// let preflight = preflight.header("access-control-request-method", "PUT");
    /// let answer = preflight.header("access-control-request-headers", "x-a").send()?;
    /// assert_eq!(answer.header("access-control-allow-headers"), Some("x-a"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn any_headers(self) -> Self {
        self.set(|policy| policy.headers = Headers::Asked)
    }

    /// Pages may read these fields of responses, beside the few that they always may.
    ///
    /// ```
    /// use armature_core::{Router, get, http::header, middleware::Cors, test::TestClient};
    ///
    /// let app = Router::new().route("/", get(async || ())).layer(Cors::any().expose([header::ETAG]));
    /// let answer = TestClient::in_process(app)?.get("/").header("origin", "https://example.org").send()?;
    /// assert_eq!(answer.header("access-control-expose-headers"), Some("etag"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn expose(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.set(|policy| policy.exposed = list(names))
    }

    /// Browsers may remember an answer to a preflight request for so long, in whole seconds; without it they do for five.
    ///
    /// ```
    /// use armature_core::{Router, middleware::Cors, put, test::TestClient};
    /// use std::time::Duration;
    ///
    /// let cors = Cors::any().max_age(Duration::from_secs(600));
    /// let mut client = TestClient::in_process(Router::new().route("/", put(async || ())).layer(cors))?;
    /// let preflight = client.options("/").header("origin", "https://example.org");
    /// let answer = preflight.header("access-control-request-method", "PUT").send()?;
    /// assert_eq!(answer.header("access-control-max-age"), Some("600"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn max_age(self, time: Duration) -> Self {
        self.set(|policy| policy.max_age_s = Some(time.as_secs()))
    }
}

impl Policy {
    fn judge(&self, head: &RequestHead<'_>) -> Verdict {
        let origin = head.header("origin");
        let allowed = match (&self.origins, origin) {
            (_, None) => None,
            (Origins::Any, _) => Some(HeaderValue::from_static("*")),
            (Origins::Listed(origins), Some(origin)) => {
                origins.iter().find(|candidate| candidate.as_bytes() == origin).cloned()
            }
            (Origins::If(is_allowed), Some(origin)) => std::str::from_utf8(origin)
                .ok()
                .filter(|origin| is_allowed(origin))
                .and_then(|origin| HeaderValue::from_str(origin).ok()),
        };
        Verdict { allowed }
    }

    /// What preflight requests and others are told alike.
    fn tell(&self, verdict: Verdict, response: &mut Response) {
        // What depends on the origin must not be given to another from a cache, leave or no leave.
        if !matches!(self.origins, Origins::Any) {
            response.insert_header(&header::VARY, &HeaderValue::from_static("origin"));
        }
        if let Some(allowed) = verdict.allowed {
            response.set_header(&header::ACCESS_CONTROL_ALLOW_ORIGIN, &allowed);
            if self.credentials {
                let yes = HeaderValue::from_static("true");
                response.set_header(&header::ACCESS_CONTROL_ALLOW_CREDENTIALS, &yes);
            }
        }
    }

    fn answer_preflight(&self, head: &RequestHead<'_>) -> Response {
        let verdict = self.judge(head);
        let is_allowed = verdict.allowed.is_some();
        let mut response = Response::status(StatusCode::NO_CONTENT);
        self.tell(verdict, &mut response);
        let headers = match &self.headers {
            Headers::Listed(headers) => headers.clone(),
            Headers::Asked => {
                let asked = header::ACCESS_CONTROL_REQUEST_HEADERS;
                response.insert_header(&header::VARY, &HeaderValue::from(asked.clone()));
                head.header(asked.as_str()).and_then(|asked| HeaderValue::from_bytes(asked).ok())
            }
        };
        let fields = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone()),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, headers),
            (header::ACCESS_CONTROL_MAX_AGE, self.max_age_s.map(HeaderValue::from)),
        ];
        for (name, value) in fields {
            if let (true, Some(value)) = (is_allowed, value) {
                response.insert_header(&name, &value);
            }
        }
        response
    }
}

impl Hooks for Cors {
    type Kept = Verdict;

    fn before(&self, request: &mut Request<'_>) -> Result<Verdict, Response> {
        let head = &request.head;
        let is_preflight = head.method() == Method::Options
            && head.header("origin").is_some()
            && head.header(header::ACCESS_CONTROL_REQUEST_METHOD.as_str()).is_some();
        if is_preflight { Err(self.0.answer_preflight(head)) } else { Ok(self.0.judge(head)) }
    }

    fn after(&self, verdict: Verdict, response: &mut Response) {
        let is_allowed = verdict.allowed.is_some();
        self.0.tell(verdict, response);
        if let (true, Some(exposed)) = (is_allowed, &self.0.exposed) {
            response.set_header(&header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
}

impl std::fmt::Debug for Cors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cors").field("credentials", &self.0.credentials).finish_non_exhaustive()
    }
}
