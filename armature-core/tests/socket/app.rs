//! The application that the cases talk to, and servers that run it for as long as a test holds them.

use std::{
    cell::Cell,
    collections::VecDeque,
    future::{Future, poll_fn},
    net::SocketAddr,
    panic::resume_unwind,
    pin::Pin,
    rc::Rc,
    sync::{
        Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll},
    thread,
    time::Duration,
};

use armature_core::{
    Balance, Body, Handle, Json, Limits, MediaType, Method, Path, Query, RequestBody, Response, Router, Server,
    SmallString, State, StatusCode, Upgraded, WorkerContext, any,
    body::{BodyError, BodySource, StreamError},
    extract::FromHead,
    get,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    post,
    service::RequestHead,
};
use bytes::Bytes;
use nix::{
    sched::{CpuSet, sched_getaffinity},
    unistd::Pid,
};

use crate::client::until;

/// A running server, drained when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    thread: Option<thread::JoinHandle<Result<(), armature_core::Error>>>,
}

impl Running {
    /// A server of the application below, with one worker.
    pub(crate) fn start(limits: Limits) -> Self {
        Self::start_with(limits, 1, app)
    }

    /// A server of any application.
    pub(crate) fn start_with(limits: Limits, workers: usize, app: fn() -> Router) -> Self {
        Self::start_as(|server| server.workers(workers).limits(limits), move |_| app())
    }

    /// A server of handlers that take their time, with any number of workers.
    pub(crate) fn start_slow(workers: usize, balance: Balance) -> Self {
        Self::start_as(|server| server.workers(workers).balance(balance), |_| slow())
    }

    /// A server whose workers say who and where they are.
    pub(crate) fn start_spread(limits: Limits, workers: usize, balance: Balance, pins: bool) -> Self {
        Self::start_as(
            |server| server.workers(workers).limits(limits).balance(balance).pin_workers(pins),
            |worker: WorkerContext| {
                let (index, handle) = (worker.index().to_string(), worker.handle().clone());
                Router::new()
                    .route("/worker", get(move || std::future::ready(index.clone())))
                    .route("/cpus", get(async || cpus().to_string()))
                    .route("/counters", get(move || std::future::ready(handle.prometheus())))
            },
        )
    }

    /// A server of any application that is made for each worker.
    pub(crate) fn start_as(
        set_up: impl FnOnce(Server) -> Server,
        app: impl Fn(WorkerContext) -> Router + Send + Sync + 'static,
    ) -> Self {
        let server = set_up(Server::bind("127.0.0.1:0").unwrap().name("test"));
        let (address, handle) = (server.local_addr(), server.handle());
        let (ready, is_ready) = mpsc::channel();
        let server = server.on_ready(move || ready.send(()).unwrap());
        let thread = thread::spawn(move || server.serve(app));
        is_ready.recv().unwrap();
        Self { address, handle, thread: Some(thread) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.drain();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !thread::panicking() {
                ended.unwrap().unwrap();
            }
        }
    }
}

/// How many CPUs the calling thread may run on.
fn cpus() -> usize {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap()).count()
}

/// A body of prepared pieces.
struct Pieces {
    pieces: VecDeque<Bytes>,
    declared: Option<u64>,
}

impl BodySource for Pieces {
    fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        Poll::Ready(self.pieces.pop_front().map(Ok))
    }

    fn length(&self) -> Option<u64> {
        self.declared
    }
}

fn pieces(pieces: &[&'static str], declared: Option<u64>) -> Response {
    let pieces = pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
    Response::new(MediaType::TEXT, Body::stream(Pieces { pieces, declared }))
}

/// What a request says about itself, in one line.
struct Description(String);

impl<S> FromHead<S> for Description {
    type Rejection = std::convert::Infallible;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(format!(
            "{} {} ?{} @{}",
            head.method_token(),
            head.path(),
            head.query().unwrap_or("-"),
            head.authority().unwrap_or("-")
        )))
    }
}

async fn count(mut body: RequestBody) -> Result<String, BodyError> {
    let mut bytes = 0;
    while let Some(piece) = body.piece().await? {
        bytes += piece.len();
    }
    Ok(bytes.to_string())
}

/// Reads the body in a task of its own, which the connection has to be woken by.
async fn count_elsewhere(body: RequestBody) -> Result<String, BodyError> {
    tokio::task::spawn_local(count(body)).await.expect("the task does not panic")
}

async fn largest_piece(mut body: RequestBody) -> Result<String, BodyError> {
    let mut largest = 0;
    while let Some(piece) = body.piece().await? {
        largest = largest.max(piece.len());
    }
    Ok(largest.to_string())
}

async fn trailers(mut body: RequestBody) -> Result<String, BodyError> {
    while body.piece().await?.is_some() {}
    let names = body.trailers().into_iter().flat_map(HeaderMap::keys).map(HeaderName::as_str);
    Ok(names.collect::<Vec<_>>().join(","))
}

#[derive(serde::Deserialize)]
struct Named {
    name: Option<String>,
}

/// The application.
pub(crate) fn app() -> Router {
    Router::new()
        .route("/", get(async || "root"))
        .route("/second", get(async || "second"))
        .route("/describe", any(async |Description(text)| text))
        .route("/describe/{*rest}", get(async |Description(text)| text))
        .route("/users/{id}", get(async |Path(id): Path<SmallString>| id))
        .route("/sum/{a}/{b}", get(async |Path((a, b)): Path<(i32, i32)>| (a + b).to_string()))
        .route("/query", get(async |Query(query): Query<Named>| query.name.unwrap_or_default()))
        .route("/header", get(async |headers: HeaderMap| headers.len().to_string()))
        .route("/echo", post(async |body: Bytes| body))
        .route("/count", post(count))
        .route("/count-more", post(count).body_bytes_max(3_000))
        .route("/count-less", post(count).body_bytes_max(10))
        .route("/count-elsewhere", post(count_elsewhere))
        .route("/largest-piece", post(largest_piece))
        .route("/trailers", post(trailers))
        .route("/ignore", post(async || "ignored").body_bytes_max(1_000_000))
        .route("/json", post(async |Json(number): Json<i64>| Json(number + 1)))
        .route("/method", any(async |method: Method| method.as_str()))
        .route("/nothing", get(async || StatusCode::NO_CONTENT))
        .route("/unmodified", get(async || StatusCode::NOT_MODIFIED))
        .route("/reset", get(async || StatusCode::RESET_CONTENT))
        .route("/reset/text", get(async || (StatusCode::RESET_CONTENT, "text")))
        .route("/reset/stream", get(async || (StatusCode::RESET_CONTENT, pieces(&["str", "eam"], None))))
        .route("/stream", get(async || pieces(&["str", "", "eam"], None)))
        .route("/declared", get(async || pieces(&["decl", "ared"], Some(8))))
        .route(
            "/sized",
            get(async || {
                Response::status(StatusCode::OK).with_header(header::CONTENT_LENGTH, HeaderValue::from_static("5"))
            }),
        )
        .route("/short", get(async || pieces(&["short"], Some(8))))
        .route("/long", get(async || pieces(&["too ", "long"], Some(6))))
        .route("/broken", get(async || Response::new(MediaType::TEXT, Body::stream(Broken))))
        .route("/panic", get(async || -> &str { resume_unwind(Box::new("without a message on stderr")) }))
        .route("/large", get(async || vec![b'x'; 100_000]))
        .route("/gate", get(gate))
        .route("/upgrade", get(async || Response::upgrade(HeaderValue::from_static("shout"), shout)))
        .route("/bare-101", get(async || StatusCode::SWITCHING_PROTOCOLS))
        .route("/closing", get(async || Response::new(MediaType::TEXT, "closing").with_close()))
        .route(
            "/singular",
            get(async || {
                let value = HeaderValue::from_static;
                Response::new(MediaType::TEXT, "one of each")
                    .with_header(header::DATE, value("Thu, 01 Jan 1970 00:00:00 GMT"))
                    .with_header(header::SERVER, value("another"))
                    .with_header(header::CONTENT_TYPE, value("text/css"))
                    .with_header(header::ETAG, value("\"1\""))
                    .with_header(header::CONTENT_TYPE, value("text/csv"))
            }),
        )
        .route("/tagged", get(async || ([(header::ETAG, HeaderValue::from_static("\"1\""))], "tagged")))
}

/// A body that fails after its first piece.
struct Broken;

impl BodySource for Broken {
    fn poll_piece(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        Poll::Ready(Some(Err("broken on purpose".into())))
    }
}

/// A door that handlers wait at; tests open it.
pub(crate) struct Gate(Mutex<bool>, Condvar);

impl Gate {
    const fn new() -> Self {
        Self(Mutex::new(false), Condvar::new())
    }

    pub(crate) fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    pub(crate) fn shut(&self) {
        *self.0.lock().unwrap() = false;
    }

    fn is_open(&self) -> bool {
        *self.0.lock().unwrap()
    }

    /// Blocks the thread, as no handler should.
    fn pass(&self) {
        drop(self.1.wait_while(self.0.lock().unwrap(), |open| !*open).unwrap());
    }
}

/// A number that tests can wait for.
pub(crate) struct Count(AtomicUsize);

impl Count {
    const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    pub(crate) fn wait_for(&self, number: usize) {
        until("a handler has come so far", || self.get() >= number);
    }
}

/// What `/gate` waits at, how many wait there, and how often they were polled.
pub(crate) static GATE: Gate = Gate::new();
pub(crate) static GATE_WAITS: Count = Count::new();
pub(crate) static GATE_POLLS: Count = Count::new();

async fn gate() -> &'static str {
    GATE_WAITS.add();
    let waiting = poll_fn(|_| {
        GATE_POLLS.add();
        if GATE.is_open() { Poll::Ready(()) } else { Poll::Pending }
    });
    let mut waiting = std::pin::pin!(waiting);
    // Polled when the task is woken for whatever reason, and every so often to find the gate open.
    while tokio::time::timeout(Duration::from_millis(500), waiting.as_mut()).await.is_err() {}
    "opened"
}

async fn shout(mut connection: Upgraded) {
    let mut room = [0; 100];
    while let Ok(read @ 1..) = connection.read(&mut room).await {
        if connection.write_all(&room[..read].to_ascii_uppercase()).await.is_err() {
            return;
        }
    }
    let _ = connection.shutdown().await;
}

/// What `/block` blocks the worker at, and how many did.
pub(crate) static BLOCK: Gate = Gate::new();
pub(crate) static BLOCKED: Count = Count::new();

/// An application that says in which order requests were answered, and counts pieces of bodies among them.
pub(crate) fn ordered() -> Router {
    let order = Rc::new(Cell::new(0_usize));
    Router::new()
        .route(
            "/order/{padding}",
            get(async |State(order): State<Rc<Cell<usize>>>, Path(padding): Path<usize>| {
                let number = order.replace(order.get() + 1);
                if padding == 0 { number.to_string() } else { "x".repeat(padding) }
            }),
        )
        .route(
            "/pieces",
            post(async |State(order): State<Rc<Cell<usize>>>, mut body: RequestBody| {
                while body.piece().await?.is_some() {
                    order.set(order.get() + 1);
                }
                Ok::<_, BodyError>("read")
            }),
        )
        .route(
            "/block",
            get(async || {
                BLOCKED.add();
                BLOCK.pass();
            }),
        )
        .with_state(order)
}

/// What `/held` waits at.
pub(crate) static HOLD: Gate = Gate::new();

/// What `/stall` stands still at in the end, and how many do.
pub(crate) static STALL: Gate = Gate::new();
pub(crate) static STALLED: Count = Count::new();

/// Blocks the worker for a time in which deadlines pass, and once more right after it has seen that they have.
async fn stall() {
    let mut timer = std::pin::pin!(tokio::time::sleep(Duration::from_millis(200)));
    // Polled once, so that it runs while nothing else does.
    let _ = poll_fn(|cx| Poll::Ready(timer.as_mut().poll(cx))).await;
    thread::sleep(Duration::from_millis(1_000));
    timer.await;
    STALLED.add();
    STALL.pass();
}

/// An application of handlers that take their time.
pub(crate) fn slow() -> Router {
    Router::new()
        .route(
            "/held",
            get(async || {
                while !HOLD.is_open() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                "held"
            }),
        )
        .route(
            "/slow",
            get(async || {
                tokio::time::sleep(Duration::from_millis(200)).await;
                "slow"
            }),
        )
        .route(
            "/late-reader",
            post(async |body: RequestBody| {
                tokio::time::sleep(Duration::from_millis(600)).await;
                count(body).await
            }),
        )
        .route("/stall", get(stall))
        .route("/at-once", get(async || "at once"))
        .route("/never", get(std::future::pending::<()>))
}
