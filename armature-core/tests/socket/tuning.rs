//! Each field of `Tuning` is seen to act, or to be refused, and background tasks are bounded and waited for. What they cost a
//! request is the ledger's business.

use std::{
    cell::Cell,
    fs,
    future::poll_fn,
    io::{ErrorKind as IoErrorKind, Read, Write},
    net::TcpStream,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll},
    thread,
    time::Duration,
};

use armature_core::{
    Background, Body, ErrorKind, Limits, MediaType, Response, Router, Server, State, Tuning,
    body::{BodySource, FilePart, RequestBody, StreamError},
    get, post,
};
use bytes::Bytes;
use tokio::{net::UdpSocket, sync::oneshot, task};

use crate::{
    app::Running,
    client::{Client, PATIENCE, get as request},
    option_unsafe::{accepted_option, connect_with, data_segments_in},
};

fn start(tuning: Tuning, app: impl Fn() -> Router + Send + Sync + 'static) -> Running {
    Running::start_as(move |server| server.workers(1).tuning(tuning), move |_| app())
}

fn ask(client: &mut Client, path: &str) -> String {
    client.send(&request(path));
    String::from_utf8(client.read_answer().unwrap().body).unwrap()
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    for (tuning, field) in [
        (Tuning { answers_per_write_max: 0, ..Tuning::default() }, "answers_per_write_max"),
        (Tuning { event_interval_polls: 0, ..Tuning::default() }, "event_interval_polls"),
        (Tuning { global_queue_interval_polls: 0, ..Tuning::default() }, "global_queue_interval_polls"),
        (Tuning { blocking_threads_max: 0, ..Tuning::default() }, "blocking_threads_max"),
        (Tuning { busy_poll: Duration::from_secs(1), ..Tuning::default() }, "busy_poll"),
    ] {
        let error = Server::bind("127.0.0.1:0").unwrap().tuning(tuning).serve(|_| Router::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tuning);
        assert!(error.to_string().contains(field), "{error}");
    }
}

#[test]
fn accepted_sockets_have_the_options_of_the_tuning() {
    for no_delay in [true, false] {
        let server = start(Tuning { no_delay, ..Tuning::default() }, || Router::new().route("/", get(async || "here")));
        let mut client = Client::connect(server.address);
        assert_eq!(ask(&mut client, "/"), "here");
        let option = accepted_option(client.as_ref(), libc::IPPROTO_TCP, libc::TCP_NODELAY);
        assert_eq!(option != 0, no_delay);
    }
}

/// Who may not have it is told before anything is served; who may has it on every socket.
#[test]
fn busy_polling_is_had_or_refused() {
    let server = Server::bind("127.0.0.1:0").unwrap().workers(1);
    let server = server.tuning(Tuning { busy_poll: Duration::from_micros(50), ..Tuning::default() });
    let (address, handle, (ready, is_ready)) = (server.local_addr(), server.handle(), mpsc::channel());
    let server = server.on_ready(move || ready.send(()).unwrap());
    let serving = thread::spawn(move || server.serve(|_| Router::new().route("/", get(async || "here"))));
    if is_ready.recv().is_ok() {
        let mut client = Client::connect(address);
        assert_eq!(ask(&mut client, "/"), "here");
        assert_eq!(accepted_option(client.as_ref(), libc::SOL_SOCKET, libc::SO_BUSY_POLL), 50);
        handle.drain();
        serving.join().unwrap().unwrap();
    } else {
        let error = serving.join().unwrap().unwrap_err();
        assert!(error.kind() == ErrorKind::Bind && error.to_string().contains("SO_BUSY_POLL"), "{error}");
    }
}

/// Connections on which data came with the SYN, in this network namespace (proc_pid_net(5)).
fn opened_with_data() -> u64 {
    let text = fs::read_to_string("/proc/net/netstat").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let at = names.split(' ').position(|name| name == "TCPFastOpenPassive").unwrap();
    values.split(' ').nth(at).unwrap().parse().unwrap()
}

#[test]
fn a_request_comes_with_the_syn_where_the_system_allows_it_and_else_that_is_told() {
    let bits: u32 = fs::read_to_string("/proc/sys/net/ipv4/tcp_fastopen").unwrap().trim().parse().unwrap();
    let tuning = Tuning { syn_data_connections_max: 16, ..Tuning::default() };
    if bits & 2 == 0 {
        let error = Server::bind("127.0.0.1:0").unwrap().tuning(tuning).serve(|_| Router::new()).unwrap_err();
        assert!(error.kind() == ErrorKind::Bind && error.to_string().contains("tcp_fastopen"), "{error}");
        return;
    }
    let server = start(tuning, || Router::new().route("/", get(async || "here")));
    let before = opened_with_data();
    // The first learns the cookie that the others need (RFC 7413 §4.1).
    for _ in 0..3 {
        let mut client = connect_with(server.address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert!(text.ends_with("here"), "{text}");
    }
    assert!(bits & 1 == 0 || opened_with_data() >= before + 2);
}

/// Says that it is reached, and waits until it is opened.
type Gate = Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>;

/// The second of two requests keeps the worker: by then the first has its answer, or waits for the second's.
#[test]
fn answers_wait_for_as_many_others_as_they_may() {
    for (answers_per_write_max, is_written) in [(1, true), (2, false), (u32::MAX, false)] {
        let (blocked, is_blocked) = mpsc::channel();
        let (open, opened) = mpsc::channel::<()>();
        let opened = Mutex::new(Some((blocked, opened)));
        let server = start(Tuning { answers_per_write_max, ..Tuning::default() }, move || {
            let gate = Rc::new(opened.lock().unwrap().take());
            let keep = async |State(gate): State<Rc<Gate>>| {
                let (blocked, opened) = (*gate).as_ref().unwrap();
                blocked.send(()).unwrap();
                opened.recv_timeout(PATIENCE).unwrap();
                "second"
            };
            Router::new().route("/", get(async || "first")).route("/keep", get(keep)).with_state(gate)
        });
        let mut client = TcpStream::connect(server.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(&[request("/"), request("/keep")].concat()).unwrap();
        is_blocked.recv_timeout(PATIENCE).unwrap();
        client.set_nonblocking(true).unwrap();
        let mut room = [0; 4096];
        match client.read(&mut room) {
            Ok(read) => assert!(is_written && room[..read].ends_with(b"first"), "{answers_per_write_max}"),
            Err(error) => {
                assert!(!is_written && error.kind() == IoErrorKind::WouldBlock, "{answers_per_write_max}: {error}");
            }
        }
        client.set_nonblocking(false).unwrap();
        open.send(()).unwrap();
        let mut text = Vec::new();
        while !text.ends_with(b"second") {
            let read = client.read(&mut room).unwrap();
            assert!(read > 0, "the answers are whole");
            text.extend_from_slice(&room[..read]);
        }
    }
}

/// Bytes of files and bodies here: more than is read at once, and less than a socket buffer.
const BYTES: usize = 40_000;

/// A file of which the pieces tell another story, so that it shows who has sent it.
struct TwoFaced(FilePart);

impl BodySource for TwoFaced {
    fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        let left = self.0.length() as usize;
        self.0.bytes.start = self.0.bytes.end;
        Poll::Ready((left > 0).then(|| Ok(vec![b'p'; left].into())))
    }

    fn length(&self) -> Option<u64> {
        Some(self.0.length())
    }

    fn file(&self) -> Option<FilePart> {
        Some(self.0.clone())
    }
}

fn file() -> Router {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[b'f'; BYTES]).unwrap();
    let part = FilePart { file: Arc::new(file), bytes: 0..BYTES as u64 };
    Router::new().route(
        "/",
        get(move || {
            let source = TwoFaced(part.clone());
            std::future::ready(Response::new(MediaType::TEXT, Body::stream(source)))
        }),
    )
}

#[test]
fn files_are_sent_by_the_kernel_or_in_pieces() {
    for (sends_files, byte) in [(true, "f"), (false, "p")] {
        let server = start(Tuning { sends_files, ..Tuning::default() }, file);
        assert_eq!(ask(&mut Client::connect(server.address), "/"), byte.repeat(BYTES));
    }
}

#[test]
fn the_head_of_a_file_is_a_packet_of_its_own_or_comes_with_the_file() {
    let [joined, parted] = [true, false].map(|joins_file_heads| {
        let server = start(Tuning { joins_file_heads, ..Tuning::default() }, file);
        let mut client = Client::connect(server.address);
        let answers = 20;
        for _ in 0..answers {
            assert_eq!(ask(&mut client, "/").len(), BYTES);
        }
        data_segments_in(client.as_ref()) / answers
    });
    assert_eq!(joined + 1, parted);
}

#[test]
fn reads_follow_the_traffic_or_stay_as_they_are() {
    for (adapts_read_size, largest) in [(true, 8_193..=65_536), (false, 4_096..=8_192)] {
        let server = start(Tuning { adapts_read_size, ..Tuning::default() }, || {
            Router::new().route(
                "/",
                post(async |mut body: RequestBody| {
                    let mut largest = 0;
                    while let Ok(Some(piece)) = body.piece().await {
                        largest = largest.max(piece.len());
                    }
                    largest.to_string()
                }),
            )
        });
        let mut client = Client::connect(server.address);
        let upload =
            [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", &[b'x'; 1_000_000][..]].concat();
        let mut read = 0;
        for _ in 0..20 {
            client.send(&upload);
            read = String::from_utf8(client.read_answer().unwrap().body).unwrap().parse().unwrap();
        }
        assert!(largest.contains(&read), "{read} bytes at once, adapting: {adapts_read_size}");
    }
}

/// Polls of a task that never waits until `is_done` is, told by the task itself.
fn spin(is_done: impl Fn() -> bool + 'static) -> task::JoinHandle<usize> {
    task::spawn_local(async move {
        let polls = Cell::new(0);
        poll_fn(|cx| {
            if is_done() {
                return Poll::Ready(());
            }
            polls.set(polls.get() + 1);
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        polls.get()
    })
}

/// How often a busy task is polled while a datagram is there and nobody has looked.
async fn polls_before_an_event() -> String {
    let mut polls = 0;
    for _ in 0..10 {
        let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(b"here", receiver.local_addr().unwrap()).unwrap();
        let done = Rc::new(Cell::new(false));
        let busy = spin({
            let done = Rc::clone(&done);
            move || done.get()
        });
        task::spawn_local(async move {
            receiver.recv(&mut [0; 4]).await.unwrap();
            done.set(true);
        });
        polls += busy.await.unwrap();
    }
    polls.to_string()
}

/// How often a busy task is polled when another thread has woken something, until that has its turn.
async fn polls_before_another_thread() -> String {
    let mut polls = 0;
    for _ in 0..10 {
        let (sender, receiver) = oneshot::channel();
        let (sent, done) = (Arc::new(AtomicBool::new(false)), Rc::new(Cell::new(false)));
        let counted = Rc::new(Cell::new(0));
        let busy = spin({
            let (sent, done, counted) = (Arc::clone(&sent), Rc::clone(&done), Rc::clone(&counted));
            move || {
                if sent.load(Ordering::Acquire) {
                    counted.set(counted.get() + 1);
                }
                done.get()
            }
        });
        let waiting = task::spawn_local(async move {
            receiver.await.unwrap();
            done.set(true);
        });
        // It waits by the time that the thread sends.
        task::yield_now().await;
        let thread = thread::spawn(move || {
            sender.send(()).unwrap();
            sent.store(true, Ordering::Release);
        });
        waiting.await.unwrap();
        busy.await.unwrap();
        thread.join().unwrap();
        polls += counted.get();
    }
    polls.to_string()
}

#[test]
fn a_busy_runtime_looks_for_events_and_other_threads_as_often_as_it_is_told() {
    let polls = |tuning: Tuning, path: &str| -> usize {
        let server = start(tuning, || {
            Router::new().route("/event", get(polls_before_an_event)).route("/thread", get(polls_before_another_thread))
        });
        ask(&mut Client::connect(server.address), path).parse().unwrap()
    };
    let events = |event_interval_polls| polls(Tuning { event_interval_polls, ..Tuning::default() }, "/event");
    let (often, rarely) = (events(2), events(2_000));
    assert!(often * 20 < rarely, "{often} and {rarely} polls before an event");
    // Looking at the driver is not what brings the other thread's wake-up.
    let threads = |global_queue_interval_polls| {
        polls(Tuning { global_queue_interval_polls, event_interval_polls: 1_000_000, ..Tuning::default() }, "/thread")
    };
    let (often, rarely) = (threads(2), threads(20_000));
    assert!(often * 5 < rarely, "{often} and {rarely} polls before another thread's");
}

#[test]
fn what_blocks_has_as_many_threads_as_it_may() {
    const THREADS: usize = 3;
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let together = Arc::new(Barrier::new(THREADS));
    let server = start(Tuning { blocking_threads_max: THREADS, ..Tuning::default() }, move || {
        let together = Arc::clone(&together);
        Router::new()
            .route(
                "/",
                get(async |State(together): State<Arc<Barrier>>| {
                    let blocks = move || {
                        let running = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
                        MOST.fetch_max(running, Ordering::SeqCst);
                        // Goes on when there are as many as there may be, and hangs if there never are.
                        together.wait();
                        RUNNING.fetch_sub(1, Ordering::SeqCst);
                    };
                    task::spawn_blocking(blocks).await.unwrap();
                }),
            )
            .with_state(together)
    });
    let mut clients: Vec<_> = (0..4 * THREADS).map(|_| Client::connect(server.address)).collect();
    clients.iter_mut().for_each(|client| client.send(&request("/")));
    for client in &mut clients {
        assert_eq!(client.read_answer().unwrap().status, 200);
    }
    assert_eq!(MOST.load(Ordering::SeqCst), THREADS);
}

/// Tasks that wait for their channel, and a count of those that have ended.
async fn background(gate: oneshot::Receiver<()>, ended: &'static AtomicUsize) {
    let _ = gate.await;
    ended.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn background_tasks_are_bounded_and_waited_for() {
    static GATES: Mutex<Vec<oneshot::Sender<()>>> = Mutex::new(Vec::new());
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    let server = Running::start_as(
        |server| server.workers(1).limits(Limits { background_tasks_max: 2, ..Limits::default() }),
        |worker| {
            let spawn = async |State(background_tasks): State<Background>| {
                let (open, gate) = oneshot::channel();
                let spawned = background_tasks.spawn(background(gate, &ENDED)).is_ok();
                if spawned {
                    GATES.lock().unwrap().push(open);
                }
                spawned.to_string()
            };
            Router::new().route("/", get(spawn)).with_state(worker.background().clone())
        },
    );
    let mut client = Client::connect(server.address);
    let asked: Vec<_> = (0..3).map(|_| ask(&mut client, "/")).collect();
    assert_eq!(asked, ["true", "true", "false"]);
    // One that ends makes room for one.
    GATES.lock().unwrap().pop().unwrap().send(()).unwrap();
    crate::client::until("a task has ended", || ENDED.load(Ordering::SeqCst) == 1);
    assert_eq!([ask(&mut client, "/"), ask(&mut client, "/")], ["true", "false"]);
    drop(client);
    crate::client::until("no connection is open", || server.handle.counters().connections_open() == 0);
    // A server without connections waits for them; the gates are opened only after it was told to stop.
    server.handle.drain();
    crate::client::until("the server listens no more", || TcpStream::connect(server.address).is_err());
    assert_eq!(ENDED.load(Ordering::SeqCst), 1);
    GATES.lock().unwrap().drain(..).for_each(|gate| gate.send(()).unwrap());
    drop(server);
    assert_eq!(ENDED.load(Ordering::SeqCst), 3);
}

#[test]
fn a_background_task_that_does_not_end_is_dropped_at_the_deadline() {
    struct Dropped(mpsc::Sender<()>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let (sender, dropped) = mpsc::channel();
    let sender = Mutex::new(sender);
    let server = Running::start_as(
        |server| server.workers(1).limits(Limits { drain_deadline: Duration::from_millis(100), ..Limits::default() }),
        move |worker| {
            let held = Dropped(sender.lock().unwrap().clone());
            let never = async move {
                let _held = held;
                std::future::pending::<()>().await;
            };
            worker.background().spawn(never).unwrap();
            Router::new()
        },
    );
    drop(server);
    dropped.recv_timeout(PATIENCE).unwrap();
}
