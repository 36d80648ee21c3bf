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
    pub fn in_process(app: impl IntoService) -> Result<Self, Error> {
        Self::in_process_with(Limits::default(), app)
    }

    /// As [`in_process`](Self::in_process), with other limits.
    ///
    /// # Errors
    /// When the application cannot be built or a limit is out of range.
    pub fn in_process_with(limits: Limits, app: impl IntoService) -> Result<Self, Error> {
        limits.validate()?;
        Ok(Self(Door::InProcess(Box::new(InProcess::new(limits, app.into_service()?)?))))
    }

    /// A client of a server with this application, which listens on a port of the loopback interface and is drained when
    /// the client is dropped.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn over_socket<A: IntoService>(
        factory: impl Fn(WorkerContext) -> A + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Self::over_socket_with(Server::bind("127.0.0.1:0")?.workers(1), factory)
    }

    /// As [`over_socket`](Self::over_socket), with a server that is set up already.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn over_socket_with<A: IntoService>(
        server: Server,
        factory: impl Fn(WorkerContext) -> A + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Ok(Self(Door::OverSocket(OverSocket::start(server, factory)?)))
    }

    /// Where the server listens, for what this client cannot do; none in process.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Door::InProcess(_) => None,
            Door::OverSocket(server) => Some(server.address()),
        }
    }

    /// A request of this method for this target, such as `/search?q=a`.
    pub fn request(&mut self, method: Method, target: &str) -> TestRequest<'_> {
        let head = format!("{method} {target} HTTP/1.1\r\nhost: test\r\n");
        TestRequest { client: self, is_head: method == Method::Head, head, body: Bytes::new(), fault: None }
    }

    /// A GET request.
    pub fn get(&mut self, target: &str) -> TestRequest<'_> {
        self.request(Method::Get, target)
    }

    /// A HEAD request.
    pub fn head(&mut self, target: &str) -> TestRequest<'_> {
        self.request(Method::Head, target)
    }

    /// A POST request.
    pub fn post(&mut self, target: &str) -> TestRequest<'_> {
        self.request(Method::Post, target)
    }

    /// A PUT request.
    pub fn put(&mut self, target: &str) -> TestRequest<'_> {
        self.request(Method::Put, target)
    }

    /// A PATCH request.
    pub fn patch(&mut self, target: &str) -> TestRequest<'_> {
        self.request(Method::Patch, target)
    }

    /// A DELETE request.
    pub fn delete(&mut self, target: &str) -> TestRequest<'_> {
        self.request(Method::Delete, target)
    }

    /// An OPTIONS request.
    pub fn options(&mut self, target: &str) -> TestRequest<'_> {
        self.request(Method::Options, target)
    }

    /// Sends these bytes as they are and appends what is answered at once to `received`, in process only: one turn of the
    /// connection, with nothing else around it, for measuring.
    ///
    /// # Errors
    /// [`ErrorKind::Test`] over a socket, and when the connection has ended.
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
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let _ = write!(self.head, "{name}: {value}\r\n");
        self
    }

    /// Sets the body. Content-Length goes with it.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a body of JSON, with its type.
    pub fn json(mut self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => return self.header("content-type", "application/json").body(body),
            Err(error) => self.fault = Some(fault("the body is not JSON", error)),
        }
        self
    }

    /// Sets a body of form fields, with its type.
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
