//! What a handler borrows of its worker, a request's arena and an object of a pool, comes back however the handler ends.

use std::{io::Write, net::TcpStream, rc::Rc, time::Duration};

use armature_core::{Limits, Path, Router, State, bumpalo::collections::Vec, extract::Arena, get, pool::LocalPool};
use socket2::SockRef;
use tokio::task;

use crate::{
    app::Running,
    client::{Client, get as request, until},
};

/// Bytes over which an arena is not kept.
const KEPT_BYTES_MAX: usize = 65_536;

type Texts = Rc<LocalPool<String>>;

/// Fills an arena, lets other requests run, and reads it.
async fn squares(arena: Arena, Path(count): Path<u64>) -> String {
    let mut squares = Vec::new_in(&arena);
    let name = arena.alloc_str(&format!("to {count}: "));
    for number in 1..=count {
        squares.push(number * number);
        if number % 16 == 1 {
            task::yield_now().await;
        }
    }
    format!("{name}{}", squares.iter().sum::<u64>())
}

/// What the arena of a new request has, and how much it is made to have.
async fn grown(arena: Arena, Path(bytes): Path<usize>) -> String {
    let had = arena.allocated_bytes();
    arena.alloc_slice_fill_copy(bytes, 7_u8);
    had.to_string()
}

/// Holds a text of the pool and an arena until it ends as it is told.
async fn held(State(texts): State<Texts>, arena: Arena, Path(end): Path<String>) -> String {
    let mut text = texts.take();
    text.push_str(&end);
    let copy = arena.alloc_str(&text);
    match end.as_str() {
        "panic" => panic!("while it holds what it has borrowed"),
        "never" => std::future::pending().await,
        _ => task::yield_now().await,
    }
    copy.to_owned()
}

fn app() -> Router {
    // Two at most, none longer than a kilobyte.
    let texts = LocalPool::new(2, String::new, |text| {
        text.clear();
        text.capacity() <= 1_024
    });
    Router::new()
        .route("/squares/{count}", get(squares))
        .route("/grown/{bytes}", get(grown))
        .route("/held/{end}", get(held))
        .route("/kept", get(async |State(texts): State<Texts>| texts.kept().to_string()))
        .route("/at-once/{count}", get(at_once))
        .with_state(Texts::new(texts))
}

/// Takes so many texts at once, and tells whether each is empty.
async fn at_once(State(texts): State<Texts>, Path(count): Path<usize>) -> String {
    let mut taken: std::vec::Vec<_> = (0..count).map(|_| texts.take()).collect();
    let are_empty = taken.iter().all(|text| text.is_empty());
    taken.iter_mut().for_each(|text| text.push_str(&"x".repeat(count)));
    are_empty.to_string()
}

fn text(client: &mut Client, path: &str) -> String {
    client.send(&request(path));
    String::from_utf8(client.read_answer().unwrap().body).unwrap()
}

#[test]
fn an_arena_keeps_what_is_in_it_while_its_handler_waits() {
    let server = Running::start_with(Limits::default(), 1, app);
    let mut clients: std::vec::Vec<Client> = (0..8).map(|_| Client::connect(server.address)).collect();
    for round in 0..50_u64 {
        // All are under way at the same time on the one worker, each with an arena of its own.
        for (at, client) in clients.iter_mut().enumerate() {
            client.send(&request(&format!("/squares/{}", 100 + at as u64 + round)));
        }
        for (at, client) in clients.iter_mut().enumerate() {
            let count = 100 + at as u64 + round;
            let sum = count * (count + 1) * (2 * count + 1) / 6;
            let answer = client.read_answer().unwrap();
            assert_eq!(answer.body, format!("to {count}: {sum}").into_bytes());
        }
    }
}

#[test]
fn ten_thousand_requests_leave_an_arena_no_larger_than_is_kept() {
    let server = Running::start_with(Limits::default(), 1, app);
    let mut client = Client::connect(server.address);
    let mut largest = 0;
    for number in 0..10_000 {
        let bytes = if number % 100 == 0 { 1 << 20 } else { 1_000 + number };
        let had: usize = text(&mut client, &format!("/grown/{bytes}")).parse().unwrap();
        assert!(had <= KEPT_BYTES_MAX, "request {number} got an arena of {had} bytes");
        largest = largest.max(had);
    }
    assert!(largest > 0, "no arena was lent a second time");
}

#[test]
fn what_a_handler_holds_goes_back_when_it_ends_panics_or_is_dropped() {
    let server = Running::start_with(Limits::default(), 1, app);
    let mut asking = Client::connect(server.address);
    assert_eq!(text(&mut asking, "/kept"), "0");
    assert_eq!(text(&mut asking, "/held/soon"), "soon");
    assert_eq!(text(&mut asking, "/kept"), "1");
    let mut client = Client::connect(server.address);
    client.send(&request("/held/panic"));
    assert_eq!(client.read_answer().unwrap().status, 500);
    assert_eq!(text(&mut asking, "/kept"), "1");
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(&request("/held/never")).unwrap();
    until("the handler holds the text", || text(&mut asking, "/kept") == "0");
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    until("the text has come back", || text(&mut asking, "/kept") == "1");
    assert_eq!(text(&mut asking, "/held/again"), "again");
}

#[test]
fn a_pool_keeps_no_more_and_nothing_larger_than_it_is_told_to() {
    let server = Running::start_with(Limits::default(), 1, app);
    let mut client = Client::connect(server.address);
    for (count, kept) in [(1, "1"), (2, "2"), (50, "2"), (1, "2"), (1_025, "0"), (3, "2")] {
        assert_eq!(text(&mut client, &format!("/at-once/{count}")), "true", "{count}");
        assert_eq!(text(&mut client, "/kept"), kept, "{count}");
    }
}
