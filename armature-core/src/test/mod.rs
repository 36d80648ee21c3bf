//! A client for tests: requests against an application in process and over a socket, with one API.
//!
//! In process means the way a server's connection calls it: the same parsing, limits, framing and encoding, with a pipe in
//! memory for a socket. There is no clone of the router, no thread and, for handlers that do not wait, no executor in
//! between. Owns the client; leaves reading responses to `answer.rs`, and where bytes go to `in_process.rs` and
//! `over_socket.rs`.

mod answer;
mod in_process;
mod over_socket;

use std::{error, fmt::Write, net::SocketAddr};

use bytes::Bytes;
use serde::Serialize;

pub use answer::TestResponse;
use in_process::InProcess;
use over_socket::OverSocket;

use crate::{
    error::{Error, ErrorKind},
    http::Method,
    limits::Limits,
    server::{IntoService, Server, WorkerContext},
};

/// Sends requests to an application, in process or over a socket.
///
/// Connections are kept alive as a client's are: requests of one `TestClient` go over one connection, and over a new one after
/// the server has closed it.
///
/// ```
/// use armature_core::{Json, Path, Router, SmallString, get, post, test::TestClient};
///
/// fn app() -> Router {
///     Router::new()
///         .route("/hello/{name}", get(async |Path(name): Path<SmallString>| format!("hello, {name}")))
///         .route("/sum", post(async |Json(terms): Json<Vec<i64>>| Json(terms.iter().sum::<i64>())))
/// }
///
/// # fn main() -> Result<(), armature_core::Error> {
/// for mut client in [TestClient::in_process(app())?, TestClient::over_socket(|_| app())?] {
///     let answer = client.get("/hello/ada").send()?;
///     assert_eq!((answer.status().as_u16(), answer.text()), (200, "hello, ada"));
///     let answer = client.post("/sum").json(&[1, 2, 3]).send()?;
///     assert_eq!(answer.json::<i64>()?, 6);
/// }
/// # Ok(())
/// # }
/// ```
pub struct TestClient(Door);

/// Where the application is.
enum Door {
    InProcess(Box<InProcess>),
    OverSocket(OverSocket),
}

impl TestClient {
    /// A client of this application, in this thread.
    ///
    /// # Errors
    /// When the application cannot be built.
    ///
    /// ```
    /// use armature_core::{ErrorKind, Router, get, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || "hello")))?;
    /// assert_eq!(client.get("/").send()?.text(), "hello");
    /// let error = TestClient::in_process(Router::new().route("no slash", get(async || ()))).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Route);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn in_process(app: impl IntoService) -> Result<Self, Error> {
        Self::in_process_with(Limits::default(), app)
    }

    /// As [`in_process`](Self::in_process), with other limits.
    ///
    /// # Errors
    /// When the application cannot be built or a limit is out of range.
    ///
    /// ```
    /// use armature_core::{Limits, Router, StatusCode, post, test::TestClient};
    ///
    /// let limits = Limits { body_bytes_max: 3, ..Limits::default() };
    /// let mut client = TestClient::in_process_with(limits, Router::new().route("/", post(async |text: String| text)))?;
    /// assert_eq!(client.post("/").body("four").send()?.status(), StatusCode::PAYLOAD_TOO_LARGE);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn in_process_with(limits: Limits, app: impl IntoService) -> Result<Self, Error> {
        limits.validate()?;
        Ok(Self(Door::InProcess(Box::new(InProcess::new(limits, app.into_service()?)?))))
    }

    /// A client of a server with this application, which listens on a port of the loopback interface and is drained when
    /// the client is dropped.
    ///
    /// # Errors
    /// When it cannot be started.
    ///
    /// ```
    /// use armature_core::{Router, extract::Peer, get, test::TestClient};
    ///
    /// let handler = async |Peer(address): Peer| address.ip().to_string();
    /// let mut client = TestClient::over_socket(move |_| Router::new().route("/", get(handler)))?;
    /// assert_eq!(client.get("/").send()?.text(), "127.0.0.1");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn over_socket<A: IntoService>(
        factory: impl Fn(WorkerContext) -> A + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Self::over_socket_with(Server::bind("127.0.0.1:0")?.workers(1), factory)
    }

    /// As [`over_socket`](Self::over_socket), with a server that is set up already.
    ///
    /// # Errors
    /// When it cannot be started.
    ///
    /// ```
    /// use armature_core::{Router, Server, get, test::TestClient};
    ///
    /// let server = Server::bind("127.0.0.1:0")?.workers(1).name("example");
    /// let mut client = TestClient::over_socket_with(server, |_| Router::new().route("/", get(async || ())))?;
    /// assert_eq!(client.get("/").send()?.header("server"), Some("example"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn over_socket_with<A: IntoService>(
        server: Server,
        factory: impl Fn(WorkerContext) -> A + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Ok(Self(Door::OverSocket(OverSocket::start(server, factory)?)))
    }

    /// Where the server listens, for what this client cannot do; none in process.
    ///
    /// ```
    /// use armature_core::{Router, test::TestClient};
    /// use std::net::TcpStream;
    ///
    /// let client = TestClient::over_socket(|_| Router::new())?;
    /// assert!(TcpStream::connect(client.address().unwrap()).is_ok());
    /// assert_eq!(TestClient::in_process(Router::new())?.address(), None);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Door::InProcess(_) => None,
            Door::OverSocket(server) => Some(server.address()),
        }
    }

    /// A request of this method for this target, such as `/search?q=a`.
    ///
    /// ```
    /// use armature_core::{Method, Router, StatusCode, get, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || ())))?;
    /// assert_eq!(client.request(Method::Trace, "/").send()?.status(), StatusCode::METHOD_NOT_ALLOWED);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn request(&mut self, method: Method, target: &str) -> TestRequest<'_> {
        let head = format!("{method} {target} HTTP/1.1\r\nhost: test\r\n");
        TestRequest { client: self, is_head: method == Method::Head, head, body: Bytes::new(), fault: None }
    }

    /// A GET request.
    ///
    /// ```
    /// use armature_core::{Query, Router, get, test::TestClient};
    ///
    /// let search = async |Query(pairs): Query<Vec<(String, String)>>| pairs[0].1.clone();
    /// let mut client = TestClient::in_process(Router::new().route("/search", get(search)))?;
    /// assert_eq!(client.get("/search?q=ada").send()?.text(), "ada");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn get(&mut self, target: &str) -> TestRequest<'_> {
        self.request(Method::Get, target)
    }

    /// A HEAD request.
    ///
    /// ```
    /// use armature_core::{Router, get, test::TestClient};
    ///
    /// let answer = TestClient::in_process(Router::new().route("/", get(async || "hello")))?.head("/").send()?;
    /// assert_eq!((answer.header("content-length"), answer.text()), (Some("5"), ""));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn head(&mut self, target: &str) -> TestRequest<'_> {
        self.request(Method::Head, target)
    }

    /// A POST request.
    ///
    /// ```
    /// use armature_core::{Router, post, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", post(async |text: String| text)))?;
    /// assert_eq!(client.post("/").body("hello").send()?.text(), "hello");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn post(&mut self, target: &str) -> TestRequest<'_> {
        self.request(Method::Post, target)
    }

    /// A PUT request.
    ///
    /// ```
    /// use armature_core::{Router, put, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", put(async |text: String| text)))?;
    /// assert_eq!(client.put("/").body("hello").send()?.text(), "hello");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn put(&mut self, target: &str) -> TestRequest<'_> {
        self.request(Method::Put, target)
    }

    /// A PATCH request.
    ///
    /// ```
    /// use armature_core::{Router, patch, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", patch(async |text: String| text)))?;
    /// assert_eq!(client.patch("/").body("hello").send()?.text(), "hello");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn patch(&mut self, target: &str) -> TestRequest<'_> {
        self.request(Method::Patch, target)
    }

    /// A DELETE request.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, delete, respond::NoContent, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", delete(async || NoContent)))?;
    /// assert_eq!(client.delete("/").send()?.status(), StatusCode::NO_CONTENT);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn delete(&mut self, target: &str) -> TestRequest<'_> {
        self.request(Method::Delete, target)
    }

    /// An OPTIONS request.
    ///
    /// ```
    /// use armature_core::{Router, get, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || ())))?;
    /// assert_eq!(client.options("/").send()?.header("allow"), Some("GET, HEAD, OPTIONS"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn options(&mut self, target: &str) -> TestRequest<'_> {
        self.request(Method::Options, target)
    }

    /// Sends these bytes as they are and appends what is answered at once to `received`, in process only: one turn of the
    /// connection, with nothing else around it, for measuring.
    ///
    /// # Errors
    /// [`ErrorKind::Test`] over a socket, and when the connection has ended.
    ///
    /// ```
    /// use armature_core::{Router, get, test::TestClient};
    ///
    /// let (mut client, mut received) = (TestClient::in_process(Router::new().route("/", get(async || "hello")))?, Vec::new());
    /// client.exchange(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", &mut received)?;
    /// assert!(received.starts_with(b"HTTP/1.1 200 ") && received.ends_with(b"hello"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn exchange(&mut self, sent: &[u8], received: &mut Vec<u8>) -> Result<(), Error> {
        match &mut self.0 {
            Door::InProcess(connection) => connection.exchange(sent, received),
            Door::OverSocket(_) => Err(Error::new(ErrorKind::Test, "an exchange is for measuring in process")),
        }
    }
}

impl std::fmt::Debug for TestClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.0 {
            Door::InProcess(_) => "TestClient(in process)",
            Door::OverSocket(_) => "TestClient(over a socket)",
        })
    }
}

/// A request in the making.
///
/// ```
/// use armature_core::{Router, post, test::TestClient};
///
/// let mut client = TestClient::in_process(Router::new().route("/", post(async |text: String| text)))?;
/// let request = client.post("/").header("content-type", "text/plain").body("hello");
/// assert_eq!(request.send()?.text(), "hello");
/// # Ok::<(), armature_core::Error>(())
/// ```
#[must_use = "a request does nothing until it is sent"]
#[derive(Debug)]
pub struct TestRequest<'a> {
    client: &'a mut TestClient,
    is_head: bool,
    /// The head so far, without its empty line.
    head: String,
    body: Bytes,
    fault: Option<Error>,
}

impl TestRequest<'_> {
    /// Adds a field.
    ///
    /// ```
    /// use armature_core::{Router, get, http::HeaderMap, test::TestClient};
    ///
    /// let language = async |fields: HeaderMap| fields["accept-language"].to_str().unwrap().to_owned();
    /// let mut client = TestClient::in_process(Router::new().route("/", get(language)))?;
    /// assert_eq!(client.get("/").header("accept-language", "de").send()?.text(), "de");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let _ = write!(self.head, "{name}: {value}\r\n");
        self
    }

    /// Sets the body. Content-Length goes with it.
    ///
    /// ```
    /// use armature_core::{Router, post, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", post(async |text: String| text)))?;
    /// assert_eq!(client.post("/").body("hello").send()?.text(), "hello");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a body of JSON, with its type.
    ///
    /// ```
    /// use armature_core::{Json, Router, post, test::TestClient};
    ///
    /// let sum = async |Json(terms): Json<Vec<u32>>| Json(terms.iter().sum::<u32>());
    /// let mut client = TestClient::in_process(Router::new().route("/", post(sum)))?;
    /// assert_eq!(client.post("/").json(&[1, 2, 3]).send()?.json::<u32>()?, 6);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn json(mut self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => return self.header("content-type", "application/json").body(body),
            Err(error) => self.fault = Some(fault("the body is not JSON", error)),
        }
        self
    }

    /// Sets a body of form fields, with its type.
    ///
    /// ```
    /// use armature_core::{Router, extract::Form, post, test::TestClient};
    ///
    /// let first = async |Form(fields): Form<Vec<(String, String)>>| fields[0].1.clone();
    /// let mut client = TestClient::in_process(Router::new().route("/", post(first)))?;
    /// assert_eq!(client.post("/").form(&[("name", "ada & co")]).send()?.text(), "ada & co");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn form(mut self, value: &impl Serialize) -> Self {
        match serde_urlencoded::to_string(value) {
            Ok(body) => return self.header("content-type", "application/x-www-form-urlencoded").body(body),
            Err(error) => self.fault = Some(fault("the body is no form", error)),
        }
        self
    }

    /// Sends the request and waits for its response.
    ///
    /// # Errors
    /// [`ErrorKind::Test`] when there is none, or it is none.
    ///
    /// ```
    /// use armature_core::{Router, get, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || "hello")))?;
    /// assert_eq!(client.get("/").send()?.text(), "hello");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn send(self) -> Result<TestResponse, Error> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let mut bytes = self.head.into_bytes();
        if !self.body.is_empty() {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        match &mut self.client.0 {
            Door::InProcess(connection) => connection.send(&bytes, self.is_head),
            Door::OverSocket(server) => server.send(&bytes, self.is_head),
        }
    }
}

/// An error of the client, with what it came from.
fn fault(what: &str, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Error {
    Error::caused(ErrorKind::Test, what, source.into())
}
