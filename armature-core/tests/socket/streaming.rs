//! Bodies through channels: bounded memory under a slow reader, in both directions at once, and server-sent events.

use std::{
    future::ready,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use armature_core::{
    Balance, Limits, MediaType, RequestBody, Response, Router, State, StatusCode,
    body::BodyError,
    every, get,
    http::{HeaderMap, HeaderValue, header},
    post,
    stream::{
        self, Closed, Dropped, Overflow, Sender, TrySendError, Watermarks,
        sse::{Event, Sse},
    },
};
use tokio::{runtime, sync::Notify};

use crate::{
    app::Running,
    client::{Client, PATIENCE, get as get_of, until},
};

const MARKS: Watermarks = Watermarks::new(20_000, 100_000);
const PIECE_BYTES: usize = 16_384;

/// What a producer saw until its end.
#[derive(Debug, Default)]
struct Produced {
    pieces: u64,
    held_bytes_max: usize,
    dropped: Dropped,
}

/// A piece that begins with its number.
fn piece(number: u64) -> Vec<u8> {
    let mut piece = number.to_be_bytes().to_vec();
    piece.resize(PIECE_BYTES, b'x');
    piece
}

/// A server whose `/` is what `produce` makes on a thread of its own, which reports when it is done.
fn producing<F>(limits: Limits, overflow: Overflow, produce: fn(Sender) -> F) -> (Running, mpsc::Receiver<Produced>)
where
    F: Future<Output = Produced> + 'static,
{
    let (report, reports) = mpsc::channel();
    let server = Running::start_as(
        |server| server.workers(1).limits(limits),
        move |_| {
            let report = report.clone();
            let handler = move || {
                let (report, (sender, receiver)) = (report.clone(), stream::channel(MARKS, overflow));
                thread::spawn(move || {
                    let runtime = runtime::Builder::new_current_thread().build().unwrap();
                    report.send(runtime.block_on(produce(sender))).unwrap();
                });
                ready(Response::new(MediaType::BYTES, receiver))
            };
            Router::new().route("/", get(handler))
        },
    );
    (server, reports)
}

/// Sends for as long as anybody takes it.
async fn without_end(mut sender: Sender) -> Produced {
    let mut produced = Produced::default();
    while sender.send(piece(produced.pieces)).await.is_ok() {
        produced.pieces += 1;
        produced.held_bytes_max = produced.held_bytes_max.max(sender.held_bytes());
    }
    sender.closed().await;
    produced
}

#[test]
fn a_client_that_does_not_read_costs_no_more_than_the_watermarks_say() {
    let limits = Limits { write_deadline: Duration::from_millis(200), ..Limits::default() };
    let (server, reports) = producing(limits, Overflow::Wait, without_end);
    let mut client = Client::connect(server.address);
    client.send(&get_of("/"));
    // The server gives up on the client; the producer has waited in vain until then.
    let produced = reports.recv_timeout(PATIENCE).unwrap();
    assert!(produced.held_bytes_max <= MARKS.held_bytes_max(PIECE_BYTES), "{produced:?}");
    assert!(produced.pieces > 10, "{produced:?}");
}

#[test]
fn a_producer_learns_that_its_client_has_gone() {
    let (server, reports) = producing(Limits::default(), Overflow::Wait, without_end);
    let mut client = Client::connect(server.address);
    client.send(&get_of("/"));
    client.read_until(b"\r\n\r\n");
    drop(client);
    reports.recv_timeout(PATIENCE).unwrap();
    until("the connection is closed", || server.handle.counters().connections_closed == 1);
}

/// Sends more than the sockets between here and a client hold, and never waits.
async fn without_waiting(mut sender: Sender) -> Produced {
    let mut produced = Produced { pieces: 4_000, ..Produced::default() };
    for number in 0..produced.pieces {
        sender.try_send(piece(number)).unwrap();
        produced.held_bytes_max = produced.held_bytes_max.max(sender.held_bytes());
    }
    produced.dropped = sender.dropped();
    sender.finish();
    produced
}

#[test]
fn what_overflows_is_dropped_by_whole_pieces_and_counted() {
    for (overflow, keeps) in [(Overflow::DropOldest, 3_999), (Overflow::DropNewest, 0)] {
        let (server, reports) = producing(Limits::default(), overflow, without_waiting);
        let mut client = Client::connect(server.address);
        client.send(&get_of("/"));
        let produced = reports.recv_timeout(PATIENCE).unwrap();
        let answer = client.read_answer().unwrap();
        let numbers: Vec<_> = answer.body.chunks(PIECE_BYTES).map(|piece| piece.first_chunk().copied()).collect();
        let numbers: Vec<_> = numbers.into_iter().map(|number| u64::from_be_bytes(number.unwrap())).collect();
        assert!(numbers.is_sorted() && numbers.contains(&keeps), "{overflow:?}: {numbers:?}");
        assert_eq!(answer.body.len(), numbers.len() * PIECE_BYTES);
        let Dropped { pieces, bytes } = produced.dropped;
        assert_eq!((numbers.len() as u64 + pieces, bytes), (produced.pieces, pieces * PIECE_BYTES as u64));
        assert!(pieces > 0 && produced.held_bytes_max <= MARKS.held_bytes_max(PIECE_BYTES), "{produced:?}");
    }
}

#[test]
fn a_body_that_its_producer_leaves_unfinished_is_cut() {
    type End = fn(Sender);
    for (end, is_whole) in [(Sender::finish as End, true), (drop, false), (|sender| sender.fail("on purpose"), false)] {
        let server = Running::start_as(
            |server| server.workers(1),
            move |_| {
                let handler = move || {
                    let (mut sender, receiver) = stream::channel(MARKS, Overflow::Wait);
                    sender.try_send("part").unwrap();
                    end(sender);
                    ready(Response::new(MediaType::TEXT, receiver))
                };
                Router::new().route("/", get(handler))
            },
        );
        let mut client = Client::connect(server.address);
        client.send(&get_of("/"));
        let answer = client.read_answer();
        assert_eq!(answer.is_ok_and(|answer| answer.body == b"part"), is_whole);
    }
}

const RELAYED_BYTES: usize = 40_000_000;

/// Where an upload finds the way to the client that downloads it, and what it saw on that.
#[derive(Debug, Default)]
struct Relay {
    sender: Mutex<Option<Sender>>,
    /// The most that was held, and the longest piece, in bytes.
    maxima: Mutex<(usize, usize)>,
    /// The producer stood still at some time.
    was_paused: Notify,
}

async fn download(State(relay): State<Arc<Relay>>) -> Response {
    let (sender, receiver) = stream::channel(MARKS, Overflow::Wait);
    *relay.sender.lock().unwrap() = Some(sender);
    Response::new(MediaType::BYTES, receiver).with_header(header::CONTENT_LENGTH, HeaderValue::from(RELAYED_BYTES))
}

async fn upload(State(relay): State<Arc<Relay>>, mut body: RequestBody) -> Result<(), StatusCode> {
    let sender = relay.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut sender = sender.ok_or(StatusCode::CONFLICT)?;
    while let Some(piece) = body.piece().await.map_err(BodyError::status)? {
        let bytes = piece.len();
        if let Err(TrySendError::Paused(piece)) = sender.try_send(piece) {
            relay.was_paused.notify_one();
            sender.send(piece).await.map_err(|Closed| StatusCode::GONE)?;
        }
        let mut maxima = relay.maxima.lock().unwrap();
        *maxima = (maxima.0.max(sender.held_bytes()), maxima.1.max(bytes));
    }
    sender.finish();
    Ok(())
}

/// The two connections are on two workers, and the bytes go from one to the other.
#[test]
fn a_streamed_upload_goes_into_a_streamed_download_in_bounded_memory() {
    let relay = Arc::new(Relay::default());
    let server = Running::start_as(|server| server.workers(2).balance(Balance::LeastConnections), {
        let relay = relay.clone();
        move |_| {
            Router::new()
                .route("/down", get(download))
                .route("/up", post(upload).body_bytes_max(RELAYED_BYTES as u64))
                .with_state(relay.clone())
        }
    });
    let (mut down, mut up) = (Client::connect(server.address), Client::connect(server.address));
    down.send(&get_of("/down"));
    until("the download has begun", || relay.sender.lock().unwrap().is_some());
    let uploading = thread::spawn(move || {
        up.send(format!("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {RELAYED_BYTES}\r\n\r\n").as_bytes());
        for number in 0..RELAYED_BYTES / 1_000 {
            up.send(&[number as u8; 1_000]);
        }
        up.read_answer().unwrap().status
    });
    // Nothing is read before the upload has been held up once.
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(relay.was_paused.notified());
    let body = down.read_answer().unwrap().body;
    assert_eq!((uploading.join().unwrap(), body.len()), (200, RELAYED_BYTES));
    assert!(body.chunks(1_000).enumerate().all(|(number, part)| part.iter().all(|byte| *byte == number as u8)));
    let (held_bytes_max, piece_bytes_max) = *relay.maxima.lock().unwrap();
    assert!(held_bytes_max <= MARKS.held_bytes_max(piece_bytes_max), "{held_bytes_max} of pieces of {piece_bytes_max}");
}

/// Counts on from Last-Event-ID, and says when nobody listens any more.
async fn count_on(State(gone): State<mpsc::Sender<()>>, headers: HeaderMap) -> Sse {
    let seen: u64 = headers["last-event-id"].to_str().unwrap().parse().unwrap();
    let (mut sender, receiver) = stream::channel(Watermarks::default(), Overflow::DropOldest);
    tokio::task::spawn_local(async move {
        for id in seen + 1..seen + 3 {
            let event = Event::data("two\nlines").with_id(&id.to_string()).unwrap();
            sender.send(event).await.unwrap();
        }
        sender.closed().await;
        gone.send(()).unwrap();
    });
    Sse::new(receiver).keep_alive(every(Duration::from_millis(20)))
}

#[test]
fn events_go_on_where_they_ended_and_the_connection_is_kept_alive_between_them() {
    let (gone, is_gone) = mpsc::channel();
    let server = Running::start_as(
        |server| server.workers(1),
        move |_| Router::new().route("/events", get(count_on)).with_state(gone.clone()),
    );
    let mut client = Client::connect(server.address);
    client.send(b"GET /events HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 7\r\n\r\n");
    let received = client.read_until(b":\n\n\r\n");
    let received = String::from_utf8(received).unwrap();
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    for field in ["content-type: text/event-stream", "cache-control: no-store", "transfer-encoding: chunked"] {
        assert!(head.to_ascii_lowercase().contains(field), "{head}");
    }
    let lines = "data: two\ndata: lines\n";
    let chunk = |event: &str| format!("{:x}\r\n{event}\r\n", event.len());
    let expected = [format!("{lines}id: 8\n\n"), format!("{lines}id: 9\n\n"), ":\n\n".into()];
    assert_eq!(body.to_ascii_lowercase(), expected.map(|event| chunk(&event)).concat());
    // Nothing is sent any more but comments, and these find out that the client has gone.
    drop(client);
    is_gone.recv_timeout(PATIENCE).unwrap();
}
