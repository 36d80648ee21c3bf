//! What a handler learns of its connection, and what becomes of it when the client goes.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        mpsc::{self, Sender},
    },
    task::{Context, Poll, Wake},
    time::Duration,
};

use armature_core::{
    Body, MediaType, RequestBody, Response, Router, State, StatusCode,
    body::{BodySource, FilePart, StreamError},
    get, post,
    service::Disconnect,
    stream::{self, Overflow, Watermarks},
    test::TestClient,
};
use bytes::Bytes;
use socket2::SockRef;
use tokio::sync::Semaphore;

/// How long an event is waited for that is certain to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a handler tells the test.
#[derive(Clone)]
struct Witness {
    events: Sender<String>,
    permits: Arc<Semaphore>,
}

/// Tells that it was dropped.
struct Dropped(Sender<String>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.send("dropped".to_owned()).unwrap();
    }
}

async fn until_gone(disconnect: Disconnect, State(witness): State<Witness>) -> String {
    witness.events.send(format!("begun {}", disconnect.has_happened())).unwrap();
    disconnect.wait().await;
    witness.events.send(format!("gone {}", disconnect.has_happened())).unwrap();
    "still answered".to_owned()
}

/// Writes a file that is complete when it gets its name, with a permit; and never ends.
async fn write_for_ever(State(witness): State<Witness>) -> StatusCode {
    let _dropped = Dropped(witness.events.clone());
    let _permit = witness.permits.acquire().await.unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"half of it").unwrap();
    witness.events.send(file.path().display().to_string()).unwrap();
    std::future::pending::<()>().await;
    StatusCode::OK
}

/// Counts who has its waker once it does not wait any more.
async fn asks_and_goes_on(disconnect: Disconnect) -> String {
    struct Nothing;
    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }
    let wake = Arc::new(Nothing);
    let mut asked = disconnect.clone();
    assert!(Pin::new(&mut asked).poll(&mut Context::from_waker(&wake.clone().into())).is_pending());
    drop(asked);
    (Arc::strong_count(&wake) - 1).to_string()
}

/// A body that has nothing more to say.
async fn falls_silent(State(witness): State<Witness>) -> Response {
    let (mut sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
    tokio::task::spawn_local(async move {
        sender.send("first").await.unwrap();
        sender.closed().await;
        witness.events.send("closed".to_owned()).unwrap();
    });
    Response::new(MediaType::TEXT, receiver)
}

/// A body that the kernel sends.
struct FromFile(FilePart);

impl BodySource for FromFile {
    fn poll_piece(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        Poll::Ready(Some(Err("the kernel sends it".into())))
    }

    fn length(&self) -> Option<u64> {
        Some(self.0.length())
    }

    fn file(&self) -> Option<FilePart> {
        Some(self.0.clone())
    }
}

/// Answers with a file, and leaves the request's body to somebody else.
async fn sends_a_file(State(witness): State<Witness>, body: RequestBody) -> Response {
    tokio::task::spawn_local(async move { witness.events.send(format!("{:?}", body.collect().await)).unwrap() });
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"from a file").unwrap();
    Response::new(MediaType::TEXT, Body::stream(FromFile(FilePart { file: Arc::new(file), bytes: 0..11 })))
}

fn start() -> (TestClient, SocketAddr, mpsc::Receiver<String>, Arc<Semaphore>) {
    let (events, seen) = mpsc::channel();
    let permits = Arc::new(Semaphore::new(1));
    let witness = Witness { events, permits: permits.clone() };
    let client = TestClient::over_socket(move |_| {
        Router::new()
            .route("/until-gone", get(until_gone))
            .route("/write-for-ever", get(write_for_ever))
            .route(
                "/echo",
                post(async |body: RequestBody| Response::new(MediaType::BYTES, body)).body_bytes_max(1 << 30),
            )
            .route("/asks-and-goes-on", get(asks_and_goes_on))
            .route("/falls-silent", get(falls_silent))
            .route("/sends-a-file", post(sends_a_file))
            .with_state(witness.clone())
    });
    let client = client.unwrap();
    let address = client.address().unwrap();
    (client, address, seen, permits)
}

fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
    stream
}

#[test]
fn a_client_that_half_closes_is_noticed_and_still_answered() {
    let (_client, address, seen, _) = start();
    let mut stream = ask(address, "/until-gone");
    assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), "begun false");
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), "gone true");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("still answered"), "{answer}");
}

#[test]
fn a_response_may_be_made_of_its_requests_body_while_that_arrives() {
    const BYTES: usize = 20_000_000;
    let (_client, address, _, _) = start();
    for (head, is_chunked) in [
        (format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {BYTES}\r\n\r\n"), false),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), true),
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut sending = stream.try_clone().unwrap();
        let sender = std::thread::spawn(move || {
            sending.write_all(head.as_bytes()).unwrap();
            let piece: Vec<u8> = (0..100_000).map(|at| (at % 251) as u8).collect();
            for _ in 0..BYTES / piece.len() {
                let framing = if is_chunked { ("186a0\r\n", "\r\n") } else { ("", "") };
                sending.write_all(&[framing.0.as_bytes(), &piece, framing.1.as_bytes()].concat()).unwrap();
            }
            if is_chunked {
                // The connection goes on: nothing of the body is left.
                sending.write_all(b"0\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
            }
        });
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        sender.join().unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
        let (is_whole, is_followed) = (answer.len() > BYTES, answer.windows(12).any(|part| part == b"HTTP/1.1 404"));
        assert_eq!((is_whole, is_followed), (true, is_chunked), "{} bytes", answer.len());
    }
}

#[test]
fn requests_behind_do_not_hide_that_the_client_goes() {
    let (_client, address, seen, _) = start();
    let mut stream = ask(address, "/until-gone");
    assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), "begun false");
    stream.write_all(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), "gone true");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("still answered") && answer.contains("HTTP/1.1 404"), "{answer}");
}

#[test]
fn a_reset_drops_the_handler_with_all_that_it_holds() {
    let (_client, address, seen, permits) = start();
    for _ in 0..3 {
        let stream = ask(address, "/write-for-ever");
        let path = PathBuf::from(seen.recv_timeout(PATIENCE).unwrap());
        assert_eq!((permits.available_permits(), path.exists()), (0, true));
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        drop(stream);
        assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), "dropped");
        // The file and the permit were made later, so they went before.
        assert_eq!((permits.available_permits(), path.exists()), (1, false));
    }
}

#[test]
fn a_reset_ends_a_body_that_has_nothing_to_say() {
    let (_client, address, seen, _) = start();
    let mut stream = ask(address, "/falls-silent");
    let mut received = [0; 1_000];
    let mut len = 0;
    while !received[..len].ends_with(b"first\r\n") {
        len += stream.read(&mut received[len..]).unwrap();
    }
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), "closed");
}

#[test]
fn a_body_that_is_thrown_away_behind_a_file_is_not_whole() {
    let (_client, address, seen, _) = start();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"POST /sends-a-file HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345").unwrap();
    let mut received = [0; 1_000];
    let mut len = 0;
    while !received[..len].ends_with(b"from a file") {
        len += stream.read(&mut received[len..]).unwrap();
    }
    stream.write_all(b"67890GET /until-gone HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut events = [seen.recv_timeout(PATIENCE).unwrap(), seen.recv_timeout(PATIENCE).unwrap()];
    events.sort();
    assert_eq!(events, ["Err(Ended)", "begun false"]);
}

#[test]
fn who_does_not_wait_for_the_client_any_more_leaves_nothing_behind() {
    let (mut client, ..) = start();
    assert_eq!(client.get("/asks-and-goes-on").send().unwrap().text(), "0");
}

#[test]
fn a_server_that_stops_drops_what_does_not_end_in_time() {
    let (events, seen) = mpsc::channel();
    let permits = Arc::new(Semaphore::new(1));
    let witness = Witness { events, permits: permits.clone() };
    let limits = armature_core::Limits { drain_deadline: Duration::from_millis(200), ..Default::default() };
    let server = armature_core::Server::bind("127.0.0.1:0").unwrap().workers(1).limits(limits);
    let client = TestClient::over_socket_with(server, move |_| {
        Router::new().route("/write-for-ever", get(write_for_ever)).with_state(witness.clone())
    });
    let client = client.unwrap();
    let _stream = ask(client.address().unwrap(), "/write-for-ever");
    let path = PathBuf::from(seen.recv_timeout(PATIENCE).unwrap());
    drop(client);
    assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), "dropped");
    assert_eq!((permits.available_permits(), path.exists()), (1, false));
}
