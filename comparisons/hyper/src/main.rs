//! Control: `/plaintext`, `/json` and `/health` on raw hyper, what the ecosystem's floor costs.
//!
//! The worker loop is that of `../../axum/src/workers.rs` without axum, so that the difference between the two is axum.
//! Serves no other route of the contract: 404. Read next: `../../floor/src/main.rs`, the control below this one.

use std::{convert::Infallible, net, pin::pin, sync::mpsc, thread, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue, SERVER},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use probe::{Control, Options, control, options::Switch};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime, select,
    sync::watch,
    time,
};
use workload::{
    listen,
    payload::{self, Message},
};

/// Whose locked versions the ready line names.
const PACKAGES: &[&str] = &["hyper", "hyper-util", "tokio", "serde_json"];

const SWITCHES: &[Switch] = &[
    Switch {
        name: "stealing",
        help: "one runtime whose threads steal tasks from one another, instead of one a worker",
    },
    Switch { name: "threads=", help: "worker threads, whatever --workers says: what the lab says is one for each CPU" },
];

fn main() -> anyhow::Result<()> {
    let mut options = Options::from_env("target-hyper", SWITCHES);
    if let Some(threads) = options.value("threads") {
        options.workers = threads.parse()?;
    }
    if options.has("stealing") { stealing(&options) } else { workers(&options) }
}

/// One listener and one runtime, whose threads share all connections.
fn stealing(options: &Options) -> anyhow::Result<()> {
    let listener = listen::shared(options.listen, 1)?.remove(0);
    let address = listener.local_addr()?;
    let (stop, stopping) = watch::channel(false);
    let (ready, readiness) = mpsc::channel();
    let runtime = runtime::Builder::new_multi_thread().worker_threads(options.workers).enable_all().build()?;
    let serving = runtime.spawn(work(listener, options.head_deadline, ready, stopping));
    readiness.recv()?;
    Control::start(options, "hyper", address, PACKAGES, move || _ = stop.send(true))?;
    runtime.block_on(serving)??;
    control::farewell(options);
    Ok(())
}

/// A listener, a thread and a runtime for each worker.
fn workers(options: &Options) -> anyhow::Result<()> {
    let listeners = listen::shared(options.listen, options.workers)?;
    let address = listeners[0].local_addr()?;
    let (stop, stopping) = watch::channel(false);
    let (ready, readiness) = mpsc::channel();
    let mut workers = Vec::new();
    for listener in listeners {
        let (ready, stopping, head_deadline) = (ready.clone(), stopping.clone(), options.head_deadline);
        let worker = move || {
            runtime::Builder::new_current_thread().enable_all().build()?.block_on(work(
                listener,
                head_deadline,
                ready,
                stopping,
            ))
        };
        workers.push(thread::Builder::new().name("worker".into()).spawn(worker)?);
    }
    drop(ready);
    // A worker that fails drops its end unsent, so this ends either way.
    if readiness.iter().count() == workers.len() {
        Control::start(options, "hyper", address, PACKAGES, move || _ = stop.send(true))?;
    } else {
        stop.send(true)?;
    }
    for worker in workers {
        worker.join().expect("a worker does not panic")?;
    }
    control::farewell(options);
    Ok(())
}

async fn work(
    listener: net::TcpListener,
    head_deadline: Option<Duration>,
    ready: mpsc::Sender<()>,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    // The worker's own channel: its connections share no cache line with another worker's.
    let (stop, connections) = watch::channel(false);
    ready.send(())?;
    drop(ready);
    loop {
        let accepted = select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, head_deadline, connections.clone()));
            }
            // Out of file descriptors, most likely; some come free when a connection ends.
            Err(_) => time::sleep(Duration::from_millis(10)).await,
        }
    }
    drop(connections);
    stop.send_replace(true);
    // Every connection holds a receiver, so the channel closes when the last of them has ended.
    let _ = time::timeout(Duration::from_secs(listen::DRAIN_SECONDS), stop.closed()).await;
    Ok(())
}

/// Serves one connection; errors are the client's going away, of which there is nobody to tell.
async fn connection(stream: TcpStream, head_deadline: Option<Duration>, mut stopping: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.pipeline_flush(true);
    if let Some(deadline) = head_deadline {
        http.timer(TokioTimer::new()).header_read_timeout(deadline);
    }
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), service_fn(answer)));
    select! {
        biased;
        _ = serving.as_mut() => return,
        _ = stopping.wait_for(|stop| *stop) => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, media_type, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/plaintext") => {
            (StatusCode::OK, payload::TEXT_PLAIN, Bytes::from_static(payload::PLAINTEXT.as_bytes()))
        }
        (&Method::GET, "/json") => {
            let body = serde_json::to_vec(&Message::hello()).expect("a struct of one string serialises");
            (StatusCode::OK, payload::APPLICATION_JSON, body.into())
        }
        (&Method::GET, "/health") => {
            (StatusCode::OK, payload::TEXT_PLAIN, Bytes::from_static(payload::HEALTH.as_bytes()))
        }
        _ => (StatusCode::NOT_FOUND, payload::TEXT_PLAIN, Bytes::new()),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("hyper"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    Ok(response)
}
