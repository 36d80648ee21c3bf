//! One listener, one current-thread runtime and one thread per worker, hyper underneath with `pipeline_flush`: how
//! axum's public benchmark entries that go furthest serve it.
//!
//! Leaves the routes to `contract.rs`. Read next: `../../hyper/src/main.rs`, the same loop without axum.

use std::{net, pin::pin, sync::mpsc, thread, time::Duration};

use anyhow::Context;
use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use probe::{Control, Options, control};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime, select,
    sync::watch,
    time,
};
use tower::ServiceExt;
use workload::{database::Database, listen};

use crate::{PACKAGES, contract};

/// Serves until the lab or a signal asks for the end; returns when the last connection is done.
pub(crate) fn serve(options: &Options) -> anyhow::Result<()> {
    let listeners = listen::shared(options.listen, options.workers)?;
    let address = listeners[0].local_addr()?;
    let (stop, stopping) = watch::channel(false);
    let (ready, readiness) = mpsc::channel();
    let mut workers = Vec::new();
    for listener in listeners {
        let (options, ready, stopping) = (options.clone(), ready.clone(), stopping.clone());
        let worker = move || {
            runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(work(listener, options, ready, stopping))
        };
        workers.push(thread::Builder::new().name("worker".into()).spawn(worker)?);
    }
    drop(ready);
    // A worker that fails drops its end unsent, so this ends either way.
    if readiness.iter().count() == workers.len() {
        Control::start(options, "axum", address, PACKAGES, move || _ = stop.send(true))?;
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
    options: Options,
    ready: mpsc::Sender<()>,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let database = match &options.database {
        Some(url) => {
            Some(Database::connect(url, options.pool).await.with_context(|| format!("cannot use the database {url}"))?)
        }
        None => None,
    };
    let listener = TcpListener::from_std(listener)?;
    let router = contract::router(database);
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
                tokio::spawn(connection(stream, router.clone(), options.head_deadline, connections.clone()));
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
async fn connection(
    stream: TcpStream,
    router: Router,
    head_deadline: Option<Duration>,
    mut stopping: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    // Around the router, not a layer in it: a layer would be boxed once more for every route.
    let service = ServiceExt::<Request<Incoming>>::map_response(router, contract::name_server);
    let mut http = http1::Builder::new();
    http.pipeline_flush(true);
    if let Some(deadline) = head_deadline {
        http.timer(TokioTimer::new()).header_read_timeout(deadline);
    }
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
    select! {
        biased;
        _ = serving.as_mut() => return,
        _ = stopping.wait_for(|stop| *stop) => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}
