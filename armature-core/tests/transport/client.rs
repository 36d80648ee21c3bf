//! Servers to ask, and clients that ask them.

use std::{io, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use armature_core::{
    Handle, Limits, MediaType, Path, Response, Router, Server, StatusCode, any, get,
    http::{HeaderMap, HeaderValue, Version},
    post,
    service::ConnectionInfo,
    stream::{self, Overflow, Watermarks},
    test::TestClient,
    tower::from_tower_layer,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::ClientConfig};

/// How long something is waited for that is certain to come.
const PATIENCE: Duration = Duration::from_secs(30);

async fn streamed() -> Response {
    let (mut sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
    tokio::task::spawn_local(async move {
        for piece in 0..100 {
            sender.send(vec![piece; 10_000]).await?;
        }
        sender.finish();
        Ok::<(), stream::Closed>(())
    });
    Response::new(MediaType::BYTES, receiver)
}

async fn panics() -> StatusCode {
    panic!("in a handler");
}

/// Gives back in capitals what it gets, in a task that is not the connection's own.
async fn shout() -> Response {
    Response::upgrade(HeaderValue::from_static("shout"), async |mut upgraded| {
        tokio::task::spawn_local(async move {
            let mut room = [0; 100];
            while let Ok(read @ 1..) = upgraded.read(&mut room).await {
                upgraded.write_all(&room[..read].to_ascii_uppercase()).await.unwrap();
            }
        });
    })
}

fn app() -> Router {
    let describe = async |version: Version, info: Rc<ConnectionInfo>, headers: HeaderMap| {
        let peer = info.peer().is_some_and(|peer| peer.ip().is_loopback());
        let host = headers.get("host").map_or("none", |host| host.to_str().unwrap()).to_owned();
        format!("{version:?} {} {peer} {host}", info.is_secure())
    };
    Router::new()
        .route("/describe", get(describe))
        .route("/layered", get(describe).layer(from_tower_layer(tower::layer::util::Identity::new())))
        .route("/users/{id}", any(async |Path(id): Path<String>| id))
        .route("/echo", post(async |body: Bytes| body))
        .route("/small", post(async |body: Bytes| body).body_bytes_max(10))
        .route("/streamed", get(streamed))
        .route(
            "/slow",
            get(async || {
                tokio::time::sleep(Duration::from_millis(150)).await;
                "slow"
            }),
        )
        .route("/panics", get(panics))
        .route("/shout", get(shout))
        .route("/interim", get(async || StatusCode::CONTINUE))
        .route("/blocks", get(async || std::thread::sleep(Duration::from_millis(100))))
}

/// A server with these settings.
pub(crate) fn serve(limits: Limits, set_up: impl FnOnce(Server) -> Server) -> (TestClient, SocketAddr) {
    let (server, address, _) = serve_with_handle(limits, set_up);
    (server, address)
}

/// As [`serve`], with the server's handle.
pub(crate) fn serve_with_handle(
    limits: Limits,
    set_up: impl FnOnce(Server) -> Server,
) -> (TestClient, SocketAddr, Handle) {
    let server = set_up(Server::bind("127.0.0.1:0").unwrap().workers(1).limits(limits).name("test"));
    let handle = server.handle();
    let client = TestClient::over_socket_with(server, |_| app()).unwrap();
    let address = client.address().unwrap();
    (client, address, handle)
}

/// Runs a test on a runtime of its own.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("the test hangs") })
}

pub(crate) async fn connect(address: SocketAddr, config: Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(config).connect("localhost".try_into().unwrap(), stream).await
}

/// An answer: version, status, head and body.
pub(crate) struct Answer {
    pub(crate) version: http::Version,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

async fn read(response: http::Response<hyper::body::Incoming>) -> Answer {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { version: parts.version, status: parts.status.as_u16(), headers: parts.headers, body }
}

pub(crate) fn request(method: &str, uri: &str, body: &[u8]) -> http::Request<Full<Bytes>> {
    http::Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "localhost")
        .body(Full::new(Bytes::copy_from_slice(body)))
        .unwrap()
}

/// A client of HTTP/2.
pub(crate) async fn http2_over(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> http2::SendRequest<Full<Bytes>> {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Asks over HTTP/2.
pub(crate) async fn ask2(
    sender: &mut http2::SendRequest<Full<Bytes>>,
    method: &str,
    path: &str,
    body: &[u8],
) -> Answer {
    let uri = format!("http://localhost{path}");
    read(sender.send_request(request(method, &uri, body)).await.unwrap()).await
}

/// Asks over HTTP/1.1, once.
pub(crate) async fn ask1(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    method: &str,
    path: &str,
    body: &[u8],
) -> Answer {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    read(sender.send_request(request(method, path, body)).await.unwrap()).await
}
