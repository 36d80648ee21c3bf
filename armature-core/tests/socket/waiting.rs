//! Handlers that wait for something else than their connection: what tokio or another thread brings arrives, whether the
//! worker has waited for sockets alone before or not.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use armature_core::{Limits, Response, Router, get, http::HeaderValue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::oneshot,
    task,
    time::sleep,
};

use crate::{
    app::Running,
    client::{Client, PATIENCE, get as request, until},
};

fn app() -> Router {
    Router::new()
        .route("/at-once", get(async || "at once"))
        .route("/timer", get(async || sleep(Duration::from_millis(1)).await))
        .route("/yield", get(async || task::yield_now().await))
        .route("/task", get(async || task::spawn_local(async { task::yield_now().await }).await.unwrap()))
        .route("/blocking", get(async || task::spawn_blocking(|| ()).await.unwrap()))
        .route("/thread", get(woken_by_a_thread))
        .route("/socket", get(over_a_socket))
        .route("/turns", get(many_ready_operations))
        .route(
            "/leave-and-panic",
            get(async || Response::upgrade(HeaderValue::from_static("panic"), async |_| panic!("after HTTP"))),
        )
}

async fn woken_by_a_thread() {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(|| sender.send(()).unwrap());
    receiver.await.unwrap();
}

async fn over_a_socket() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sender = task::spawn_local(async move {
        listener.accept().await.unwrap().0.write_all(b"over a socket").await.unwrap();
    });
    let mut text = String::new();
    TcpStream::connect(address).await.unwrap().read_to_string(&mut text).await.unwrap();
    sender.await.unwrap();
    text
}

/// More operations than tokio lets a task do in one turn, none of which has to wait.
async fn many_ready_operations() {
    let lock = tokio::sync::Mutex::new(0);
    for _ in 0..1_000 {
        *lock.lock().await += 1;
    }
}

#[test]
fn what_tokio_or_a_thread_brings_arrives() {
    let server = Running::start_with(Limits::default(), 1, app);
    let mut clients = [Client::connect(server.address), Client::connect(server.address)];
    for path in ["/timer", "/yield", "/task", "/blocking", "/thread", "/socket", "/turns"] {
        for round in 0..3 {
            for path in ["/at-once", path, "/at-once"] {
                for client in &mut clients {
                    client.send(&request(path));
                }
                for client in &mut clients {
                    let answer =
                        client.read_answer().unwrap_or_else(|error| panic!("{path} in round {round}: {error}"));
                    assert_eq!(answer.status, 200, "{path} in round {round}");
                }
            }
        }
    }
}

#[test]
fn what_other_threads_spawn_on_a_worker_runs() {
    static WORKER: Mutex<Option<Handle>> = Mutex::new(None);
    let server = Running::start_with(Limits::default(), 1, || {
        *WORKER.lock().unwrap() = Some(Handle::current());
        app()
    });
    let worker = WORKER.lock().unwrap().take().unwrap();
    let mut client = Client::connect(server.address);
    let (sender, spawned) = mpsc::channel();
    for _ in 0..3 {
        client.send(&request("/at-once"));
        client.read_answer().unwrap();
        let sender = sender.clone();
        worker.spawn(async move { sender.send(()).unwrap() });
        spawned.recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn a_task_of_the_application_goes_on_while_the_worker_is_busy() {
    static TURNS: AtomicUsize = AtomicUsize::new(0);
    let server = Running::start_with(Limits::default(), 1, || {
        task::spawn_local(async {
            loop {
                TURNS.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(1)).await;
            }
        });
        app()
    });
    let mut client = Client::connect(server.address);
    until("the task has had 20 turns more", || {
        client.send(&request("/at-once").repeat(50));
        (0..50).for_each(|_| assert_eq!(client.read_answer().unwrap().status, 200));
        TURNS.load(Ordering::Relaxed) >= 20
    });
}

#[test]
fn a_connection_that_panics_takes_no_other_along() {
    let server = Running::start_with(Limits::default(), 1, app);
    let mut other = Client::connect(server.address);
    for _ in 0..2 {
        let mut client = Client::connect(server.address);
        client.send(b"GET /leave-and-panic HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: panic\r\n\r\n");
        assert_eq!(client.read_answer().unwrap().status, 101);
        assert_eq!(client.read_to_end(), Ok(Vec::new()));
        other.send(&request("/timer"));
        assert_eq!(other.read_answer().unwrap().status, 200);
    }
    until("one is left", || server.handle.counters().connections_open() == 1);
}
