//! Handlers that do not wait cost no allocation per request, through router, extractors, limits and middleware; and the memory
//! of answers and arenas comes back, up to a bound.
//!
//! The allocator of this test counts by thread, and a handler tells what its worker's thread has counted.

#![allow(unsafe_code, reason = "a global allocator cannot be written without")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use armature_core::{
    IntoResponse, Json, Path, Query, Response, Router, Server, SmallPairs, SmallString, StatusCode, Tuning,
    extract::{Arena, Param},
    get,
    middleware::{SecurityHeaders, SetRequestId, Timeout},
    respond::NoContent,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<i64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        LIVE_BYTES.with(|live| live.set(live.get() + layout.size() as i64));
        // SAFETY: as the caller guarantees.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE_BYTES.with(|live| live.set(live.get() - layout.size() as i64));
        // SAFETY: as the caller guarantees.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        LIVE_BYTES.with(|live| live.set(live.get() + bytes as i64 - layout.size() as i64));
        // SAFETY: as the caller guarantees.
        unsafe { System.realloc(memory, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(serde::Serialize)]
struct Message {
    message: &'static str,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Entry {
    year: u16,
    slug: SmallString,
}

/// More than the pool of write buffers keeps.
static LARGE: &str = match std::str::from_utf8(&[b'x'; 100_000]) {
    Ok(text) => text,
    Err(_) => "",
};

fn app() -> Router {
    Router::new()
        .route("/plaintext", get(async || "Hello, World!"))
        .route("/json", get(async || Json(Message { message: "Hello, World!" })))
        .route("/users/{id}", get(async |Path(id): Path<SmallString>| id))
        .route("/sum/{a}/{b}", get(async |Path((a, b)): Path<(u32, u32)>| Json(a + b)))
        .route("/blog/{year}/{slug}", get(async |Path(entry): Path<Entry>| Json(entry)))
        .route("/second/{a}/{b}", get(async |Param(b): Param<1, SmallString>| b))
        .group("/layered", |layered| {
            layered.route("/{a}/{b}", get(async |Path((a, b)): Path<(u32, u32)>| Json(a + b))).layer((
                SetRequestId::new(),
                SecurityHeaders::new(),
                Timeout::new(Duration::from_secs(10)),
            ))
        })
        .route("/large", get(async || LARGE))
        .route("/pairs", get(async |Query(pairs): Query<SmallPairs>| Json(pairs.len())))
        .route("/arena", get(async |arena: Arena| Json(arena.alloc_slice_fill_with(1_000, |at| at as u64)[999])))
        .route("/many/{count}/{numbers}", get(many))
        .route("/large-arena", get(async |arena: Arena| Json(arena.alloc_slice_fill_copy(1 << 20, 7_u8).len())))
        .route("/live-bytes", get(async || LIVE_BYTES.get().to_string()))
        .route("/allocations", get(async || ALLOCATIONS.get().to_string()))
}

/// Makes so many answers of so many numbers, holds all of them together with as many arenas, and lets go of them.
async fn many(Path((count, numbers)): Path<(u32, u64)>) -> Json<usize> {
    let arenas: Vec<Arena> = (0..count).map(|_| Arena::new()).collect();
    let listed = |arena: &Arena| Json(arena.alloc_slice_fill_with(numbers as usize, |at| at as u64)).into_response();
    let answers: Vec<Response> = arenas.iter().map(listed).collect();
    Json(answers.len())
}

/// Sends `depth` requests at once and reads as many answers; gives the body of the last.
fn ask(stream: &mut TcpStream, path: &str, depth: usize) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: test\r\n\r\n");
    stream.write_all(request.repeat(depth).as_bytes()).unwrap();
    let mut received = String::new();
    let mut room = [0; 65_536];
    loop {
        let mut rest = received.as_str();
        for answered in 1.. {
            let Some((head, after)) = rest.split_once("\r\n\r\n") else { break };
            let (_, length) = head.split_once("Content-Length: ").unwrap();
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            let Some(body) = after.get(..length) else { break };
            if answered == depth {
                return body.to_owned();
            }
            rest = &after[length..];
        }
        let read = stream.read(&mut room).unwrap();
        assert!(read > 0, "the server has closed");
        received.push_str(std::str::from_utf8(&room[..read]).unwrap());
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// What a worker allocates, by its own count, while `act` has it do something.
fn allocations_of(tuning: Tuning, act: impl FnOnce(SocketAddr, &mut TcpStream)) -> u64 {
    let server = Server::bind("127.0.0.1:0").unwrap().workers(1).name("test").tuning(tuning);
    let (address, handle) = (server.local_addr(), server.handle());
    let (ready, is_ready) = mpsc::channel();
    let serving = thread::spawn(move || server.on_ready(move || ready.send(()).unwrap()).serve(|_| app()));
    is_ready.recv().unwrap();
    let mut stream = connect(address);
    for _ in 0..20 {
        ask(&mut stream, "/large", 1);
    }
    let count = |stream: &mut TcpStream| ask(stream, "/allocations", 1).parse::<u64>().unwrap();
    let before = count(&mut stream);
    act(address, &mut stream);
    let allocations = count(&mut stream) - before;
    handle.drain();
    drop(stream);
    serving.join().unwrap().unwrap();
    allocations
}

/// A copy of a body that is larger than what the pool keeps is memory for every request.
#[test]
fn a_large_body_is_copied_behind_its_head_only_if_that_is_asked_for() {
    let requests = 100;
    for (copy_bytes_max, copies) in [(Tuning::default().copy_bytes_max, false), (1_000_000, true)] {
        let allocations = allocations_of(Tuning { copy_bytes_max, ..Tuning::default() }, |_, stream| {
            for _ in 0..requests {
                ask(stream, "/large", 1);
            }
        });
        assert_eq!(allocations >= requests, copies, "{allocations} allocations with {copy_bytes_max}");
    }
}

#[test]
fn connections_that_wait_share_buffers_or_keep_one_each() {
    let connections = 50;
    let [released, kept] = [false, true].map(|keeps_idle_buffers| {
        allocations_of(Tuning { keeps_idle_buffers, ..Tuning::default() }, |address, _| {
            let mut waiting: Vec<_> = (0..connections).map(|_| connect(address)).collect();
            for stream in &mut waiting {
                ask(stream, "/plaintext", 1);
            }
            drop(waiting);
        })
    });
    // What a connection is itself costs the same on both sides.
    assert!(kept >= released + connections, "{released} allocations, and {kept} where each keeps its buffer");
}

/// Made when the program is compiled.
const FORBIDDEN: Response = Response::status(StatusCode::FORBIDDEN);

#[test]
fn responses_without_content_allocate_nothing() {
    type Kind = (&'static str, fn() -> Response);
    let kinds: [Kind; 8] = [
        ("constant", || FORBIDDEN),
        ("status constructor", || Response::status(StatusCode::NOT_FOUND)),
        ("status", || StatusCode::CREATED.into_response()),
        ("unit", || ().into_response()),
        ("no content", || NoContent.into_response()),
        ("nothing", || None::<&str>.into_response()),
        ("static text", || "text".into_response()),
        ("status and static text", || (StatusCode::ACCEPTED, "text").into_response()),
    ];
    for (name, make) in kinds {
        let before = ALLOCATIONS.get();
        for _ in 0..100 {
            drop(std::hint::black_box(make()));
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "{name}");
    }
}

/// Serves the application for one connection.
fn serving(talk: impl FnOnce(TcpStream)) {
    let server = Server::bind("127.0.0.1:0").unwrap().workers(1).name("test");
    let (address, handle) = (server.local_addr(), server.handle());
    let (ready, is_ready) = mpsc::channel();
    let serving = thread::spawn(move || server.on_ready(move || ready.send(()).unwrap()).serve(|_| app()));
    is_ready.recv().unwrap();
    talk(connect(address));
    handle.drain();
    serving.join().unwrap().unwrap();
}

/// What a worker's pools keep of one kind at most: so many buffers or arenas, none larger than 64 KiB.
const KEPT_BYTES_MAX: i64 = 64 * 65_536;

#[test]
fn memory_of_answers_and_arenas_returns_and_what_is_kept_is_bounded() {
    serving(|mut stream| {
        let live = |stream: &mut TcpStream| ask(stream, "/live-bytes", 1).parse::<i64>().unwrap();
        // Bodies and arenas of some 24 KiB are kept, those of 240 KiB are not.
        let cycle = |stream: &mut TcpStream| {
            for path in ["/many/1000/3000", "/many/100/30000", "/large-arena"] {
                ask(stream, path, 1);
            }
            live(stream)
        };
        let before = live(&mut stream);
        let first = cycle(&mut stream);
        assert!(first - before < 2 * KEPT_BYTES_MAX, "{before} bytes became {first}");
        // What a pool keeps is what it lends, so the same again needs no more.
        for round in 0..10 {
            let after = cycle(&mut stream);
            assert!(after - first < 65_536, "round {round}: {first} bytes became {after}");
        }
    });
}

#[test]
fn requests_in_steady_state_allocate_nothing() {
    serving(steady_state);
}

fn steady_state(mut stream: TcpStream) {
    for path in [
        "/plaintext",
        "/json",
        "/users/12345",
        "/sum/1/2",
        "/blog/2024/a-title",
        "/second/a/b",
        "/layered/1/2",
        "/pairs?a=1&b=2&c=3&a=4",
        "/arena",
    ] {
        for depth in [1, 16] {
            let count = |stream: &mut TcpStream| ask(stream, "/allocations", 1).parse::<u64>().unwrap();
            for _ in 0..20 {
                ask(&mut stream, path, depth);
            }
            // What asking for the count costs by itself.
            let asking = {
                let before = count(&mut stream);
                count(&mut stream) - before
            };
            let before = count(&mut stream);
            for _ in 0..500 {
                ask(&mut stream, path, depth);
            }
            let allocations = count(&mut stream) - before - asking;
            // The clock's tasks and the Date are written anew every so often, whatever the number of requests.
            assert!(allocations < 50, "{allocations} allocations for {} requests of {path}", 500 * depth);
        }
    }
}
