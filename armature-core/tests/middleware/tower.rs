//! Tower both ways: its services and layers served here, and a router served by hyper.

use std::{convert::Infallible, fs, net::SocketAddr, sync::mpsc, thread, time::Duration};

use armature_core::{
    Body, Limits, Path, RequestBody, Response, Router, SmallString, StatusCode,
    extract::Extension,
    get,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::{BodyLimit, Hooks},
    post,
    service::{ConnectionInfo, OwnedRequest, Request},
    tower::{SendBody, from_tower, from_tower_layer, into_tower},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
use tower_http::{
    compression::CompressionLayer, decompression::DecompressionLayer, services::ServeDir,
    set_header::SetResponseHeaderLayer, timeout::TimeoutLayer,
};

use crate::server::{Client, Running, text};

/// Long enough that a layer of compression takes it on.
const LONG: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// An extension that stays on its thread.
#[derive(Clone)]
struct Local(std::rc::Rc<str>);

#[derive(Clone)]
struct InsertLocal;

impl armature_core::middleware::Middleware for InsertLocal {
    fn call<S: armature_core::Service>(
        &self,
        request: Request<'_>,
        next: &std::rc::Rc<S>,
        slot: &mut armature_core::service::Slot,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Response> {
        let local = Local("local".into());
        let Request { head, body } = request;
        let extended = head.extensions().and(&local);
        let head = head.clone().with_extensions(extended.list());
        next.call(Request { head, body }, slot, cx)
    }
}

async fn everything(
    Path(id): Path<SmallString>,
    Extension(Local(local)): Extension<Local>,
    Extension(foreign): Extension<http::Extensions>,
    body: Bytes,
) -> String {
    let foreign = foreign.get::<u32>().copied().unwrap_or_default();
    format!("{id} {local} {foreign} {}", body.len())
}

/// Tells when it is dropped.
struct Dropped(mpsc::Sender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

async fn never(_guard: Dropped) {
    std::future::pending::<()>().await;
}

/// Waits until it is let go, and tells that it does.
async fn hold(events: mpsc::Sender<&'static str>, held: std::rc::Rc<tokio::sync::Semaphore>) -> &'static str {
    let _ = events.send("held");
    held.acquire().await.map_or("closed", |permit| {
        permit.forget();
        "let go"
    })
}

fn layered(events: mpsc::Sender<&'static str>) -> Router {
    let held = std::rc::Rc::new(tokio::sync::Semaphore::new(0));
    let release = held.clone();
    let shed = ServiceBuilder::new()
        .map_result(|result: Result<http::Response<Body>, BoxError>| {
            Ok::<_, BoxError>(result.unwrap_or_else(|error| {
                assert!(error.is::<tower::load_shed::error::Overloaded>(), "{error}");
                Response::status(StatusCode::SERVICE_UNAVAILABLE).into()
            }))
        })
        .load_shed()
        .concurrency_limit(1);
    let slow = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_millis(20));
    let set = SetResponseHeaderLayer::overriding(HeaderName::from_static("x-set"), HeaderValue::from_static("yes"));
    let add = tower::util::MapRequestLayer::new(|mut request: http::Request<RequestBody>| {
        request.extensions_mut().insert(7_u32);
        request
    });
    let never = {
        let events = events.clone();
        move || never(Dropped(events.clone()))
    };
    let hold = move || hold(events.clone(), held.clone());
    Router::new()
        .route("/long", get(async || LONG))
        .layer(from_tower_layer(CompressionLayer::new()))
        .route("/set", get(async || LONG))
        .layer(from_tower_layer(set))
        .route(
            "/twice",
            get(async || LONG)
                .layer((from_tower_layer(DecompressionLayer::new()), from_tower_layer(CompressionLayer::new()))),
        )
        .route("/never", get(never).layer(from_tower_layer(slow)))
        .route("/hold", get(hold).layer(from_tower_layer(shed)))
        .route(
            "/release",
            post(move || {
                release.add_permits(1);
                std::future::ready("")
            }),
        )
        .route("/all/{id}", post(everything).layer((InsertLocal, from_tower_layer(add), BodyLimit(4))))
        .route(
            "/upgrade",
            get(async || Response::upgrade(HeaderValue::from_static("test"), async |_| {}))
                .layer(from_tower_layer(tower::layer::util::Identity::new())),
        )
}

#[test]
fn layers_of_tower_are_middleware() {
    let (events, event) = mpsc::channel();
    let server = Running::start(move || layered(events.clone()));
    let gzip = [("Accept-Encoding", "gzip")];
    let long = server.ask("GET /long", &gzip, "");
    assert_eq!((long.header("content-encoding"), long.header("vary")), (Some("gzip"), Some("accept-encoding")));
    assert_eq!((long.header("transfer-encoding"), long.header("x-set")), (Some("chunked"), Some("yes")));
    assert_eq!(&long.body[..2], [0x1f, 0x8b]);
    for path in ["/long", "/set"] {
        let plain = server.ask(&format!("GET {path}"), &[], "");
        assert_eq!((text(&plain), plain.header("content-encoding"), plain.header("x-set")), (LONG, None, Some("yes")));
    }
    let twice = server.ask("GET /twice", &[], "");
    assert_eq!((text(&twice), twice.header("content-encoding")), (LONG, None));
    assert_eq!(server.ask("GET /never", &[], "").status, 504);
    assert_eq!(event.recv(), Ok("dropped"));
    for (body, expected) in [("ab", (200, "12 local 7 2")), ("abcde", (413, "the request body is too large"))] {
        let answer = server.ask("POST /all/12", &[], body);
        assert_eq!((answer.status, text(&answer)), expected);
    }
    let offer = [("Connection", "upgrade"), ("Upgrade", "test")];
    assert_eq!(server.ask("GET /upgrade", &offer, "").status, 101);
}

#[test]
fn what_a_server_has_let_in_passes_a_layer_as_it_is() {
    let limits =
        Limits { head_bytes_max: 100_000, head_fields_max: 200, target_bytes_max: 50_000, ..Limits::default() };
    let server = Running::start_with(limits, || {
        let counts = async |headers: HeaderMap, Path(text): Path<String>| {
            format!("{} {} {}", headers["host"].to_str().unwrap(), headers.len(), text.len())
        };
        Router::new().route("/{text}", get(counts).layer(from_tower_layer(tower::layer::util::Identity::new())))
    });
    let fields: String = (0..198).map(|field| format!("X-{field}: {}\r\n", "x".repeat(200))).collect();
    let text_of_target = "x".repeat(40_000);
    // The target's authority wins over Host (RFC 9112 §3.2.2); a service of tower sees none but Host's.
    for (target, host) in [("", "other"), ("http://target", "target")] {
        let mut client = server.connect();
        client.send(&format!("GET {target}/{text_of_target} HTTP/1.1\r\nHost: other\r\n{fields}\r\n"));
        assert_eq!(text(&client.read(false)), format!("{host} 199 40000"), "{target}");
    }
}

#[test]
fn a_service_is_called_when_it_is_ready() {
    let (events, event) = mpsc::channel();
    let server = Running::start(move || layered(events.clone()));
    let mut first = server.connect();
    for _ in 0..2 {
        first.send_request("GET /hold", &[], "");
        assert_eq!(event.recv(), Ok("held"));
        assert_eq!(server.ask("GET /hold", &[], "").status, 503);
        server.ask("POST /release", &[], "");
        assert_eq!(text(&first.read(false)), "let go");
    }
}

/// Reads the whole body on a thread of its own, and tells its length, its trailers, and how it ended.
async fn elsewhere(request: http::Request<SendBody>) -> Result<http::Response<Full<Bytes>>, BoxError> {
    let peer = request.extensions().get::<SocketAddr>().is_some_and(|peer| peer.ip().is_loopback());
    let read = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let body = runtime.block_on(request.into_body().collect())?;
        let trailers = body.trailers().map_or(0, http::HeaderMap::len);
        Ok::<_, BoxError>(format!("{} {trailers}", body.to_bytes().len()))
    });
    let text = format!("{} {peer}", read.await??);
    Ok(http::Response::new(Full::new(text.into())))
}

#[test]
fn services_of_tower_answer_routes() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a b.txt"), "contents").unwrap();
    let root = folder.path().to_owned();
    let server = Running::start(move || {
        let failing = service_fn(async |_: http::Request<SendBody>| {
            Err::<http::Response<Full<Bytes>>, _>(BoxError::from("out of order"))
        });
        let path = service_fn(async |request: http::Request<SendBody>| {
            Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from(request.uri().to_string()))))
        });
        Router::new()
            .route_service("/read", from_tower(service_fn(elsewhere)))
            .route_service("/fails", from_tower(failing))
            .route_service("/path/{*rest}", from_tower(path))
            .route_service("/below/{*rest}", from_tower(path).below_route())
            .layer(BodyLimit(200_000))
            .group("/files", |files| files.route_service("/{*path}", from_tower(ServeDir::new(&root)).below_route()))
    });
    let part = server.ask("GET /files/a%20b.txt", &[("Range", "bytes=1-3")], "");
    assert_eq!((part.status, text(&part), part.header("content-range")), (206, "ont", Some("bytes 1-3/8")));
    let cases = [
        ("GET /files/a%20b.txt", 200, "contents"),
        ("HEAD /files/a%20b.txt", 200, ""),
        ("GET /files/other", 404, ""),
        ("GET /files/../Cargo.toml", 404, ""),
        ("POST /files/a%20b.txt", 405, ""),
        ("GET /fails", 500, ""),
        ("GET /path/a<b>?c=\"d\"", 200, "/path/a%3Cb%3E?c=%22d%22"),
        ("GET /below/a/b?c", 200, "/a/b?c"),
    ];
    for (line, status, body) in cases {
        let answer = server.ask(line, &[], "");
        assert_eq!((answer.status, text(&answer)), (status, body), "{line}");
        let length = if line.starts_with("HEAD") { "8".to_owned() } else { body.len().to_string() };
        assert_eq!(answer.header("content-length").unwrap_or("0"), length, "{line}");
    }
    // A body that is here at once, and one that is not.
    for (body, expected) in [(String::new(), "0 0 true"), ("a".repeat(150_000), "150000 0 true")] {
        assert_eq!(text(&server.ask("POST /read", &[], &body)), expected);
    }
    assert_eq!(server.ask("POST /read", &[("Expect", "100-continue")], &"a".repeat(200_001)).status, 413);
    let mut client = server.connect();
    client.send("POST /read HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("3\r\nabc\r\n0\r\nA: b\r\n\r\n");
    assert_eq!(text(&client.read(false)), "3 1 true");
    let mut client = server.connect();
    client.send("POST /read HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(&format!("30d41\r\n{}\r\n0\r\n\r\n", "a".repeat(200_001)));
    assert_eq!(client.read(false).status, 413);
}

/// Has browsers forget what they were sent.
#[derive(Clone)]
struct NoStore;

impl Hooks for NoStore {
    type Kept = ();

    fn before(&self, _: &mut Request<'_>) -> Result<(), Response> {
        Ok(())
    }

    fn after(&self, (): (), response: &mut Response) {
        response.set_header(&header::CACHE_CONTROL, &HeaderValue::from_static("no-store"));
    }
}

fn exported() -> Router {
    Router::new()
        .route("/users/{id}", get(async |Path(id): Path<SmallString>| id))
        .route("/echo", post(async |body: Bytes| body))
        .route(
            "/waits",
            get(async || {
                tokio::task::yield_now().await;
                "waited"
            }),
        )
        .layer(NoStore)
}

/// Serves a router by hyper, on as many connections as are asked for.
fn serve_by_hyper(connections: usize) -> (SocketAddr, thread::JoinHandle<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let service = TowerToHyperService::new(into_tower(exported().build().unwrap()));
            for _ in 0..connections {
                let (stream, _) = listener.accept().await.unwrap();
                let served = hyper::server::conn::http1::Builder::new();
                served.serve_connection(TokioIo::new(stream), service.clone()).await.unwrap();
            }
        });
    });
    (address, thread)
}

#[test]
fn a_router_is_a_service_of_tower() {
    let (address, serving) = serve_by_hyper(1);
    let mut client = Client::connect(address);
    let long = "a".repeat(100_000);
    let cases = [
        ("GET /users/12", "", 200, "12"),
        ("HEAD /users/12", "", 200, ""),
        ("GET /waits", "", 200, "waited"),
        ("POST /echo", "abc", 200, "abc"),
        ("POST /echo", &long, 200, &long),
        ("GET /other", "", 404, ""),
        ("PUT /echo", "", 405, ""),
        ("OPTIONS /echo", "", 204, ""),
    ];
    for (line, body, status, expected) in cases {
        let answer = client.ask(line, &[], body);
        assert_eq!((answer.status, text(&answer)), (status, expected), "{line}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{line}");
        if line.starts_with("HEAD") {
            assert_eq!(answer.header("content-length"), Some("2"));
        }
    }
    drop(client);
    serving.join().unwrap();
}

/// What becomes of a request of the `http` crate: its target, host and cookies, or the status of its refusal.
fn check(request: http::request::Builder, expected: Result<(&str, &str, Option<&str>), u16>) {
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let what = format!("{request:?}");
    let got = OwnedRequest::try_from(request);
    let got = got.as_ref().map(|request| {
        let head = request.head();
        (head.path(), head.authority().unwrap_or("-"), head.header_text("cookie"))
    });
    assert_eq!(got.map_err(|refusal| refusal.status().as_u16()), expected, "{what}");
}

#[test]
fn foreign_heads_follow_the_same_rules() {
    let get = || http::Request::get("https://example.org/a?b").version(http::Version::HTTP_2);
    check(get(), Ok(("/a", "example.org", None)));
    check(get().header("host", "other"), Ok(("/a", "example.org", None)));
    check(get().header("cookie", "a=b").header("cookie", "c=d"), Ok(("/a", "example.org", Some("a=b; c=d"))));
    check(get().uri("/a"), Err(400));
    check(get().uri("/a").header("host", "h"), Ok(("/a", "h", None)));
    check(get().uri("/a").version(http::Version::HTTP_10), Ok(("/a", "-", None)));
    check(get().uri("https://u@example.org/"), Err(400));
    check(get().uri("https://example.org"), Ok(("/", "example.org", None)));
    check(get().uri("*").header("host", "h"), Err(400));
    check(get().uri("*").header("host", "h").method("OPTIONS"), Ok(("*", "h", None)));
    check(get().uri("example.org:443").method("CONNECT"), Err(501));
    check(get().uri(format!("/{}", "a".repeat(9_000))).header("host", "h"), Err(414));
    check(get().header("a", "b".repeat(40_000)), Err(431));
    check(get().header("content-length", "1").header("transfer-encoding", "chunked"), Err(400));
    check(get().header("expect", "miracles"), Err(417));
}

#[tokio::test]
async fn peers_and_limits_cross() {
    let peer = |connection: std::rc::Rc<ConnectionInfo>| connection.peer().map(|peer| peer.to_string());
    let router = Router::new().route("/", post(async |body: Bytes| body.len().to_string()));
    let limits = armature_core::Limits { body_bytes_max: 3, ..Default::default() };
    let service = into_tower(router.build().unwrap()).with_limits(limits);
    for (body, status) in [("abc", 200), ("abcd", 413)] {
        let request = http::Request::post("http://h/").body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap();
        assert_eq!(service.clone().oneshot(request).await.unwrap().status().as_u16(), status);
    }
    let mut request = http::Request::get("http://h/").body(Empty::<Bytes>::new()).unwrap();
    request.extensions_mut().insert(SocketAddr::from(([192, 0, 2, 1], 7)));
    let request = OwnedRequest::try_from(request).unwrap();
    assert_eq!(peer(request.head().connection().clone()), Some("192.0.2.1:7".to_owned()));
}
