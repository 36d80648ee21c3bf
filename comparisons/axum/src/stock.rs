//! `--stock`: plain `axum::serve` on one multi-thread runtime with one listener, as axum's own examples serve.
//!
//! Leaves the routes to `contract.rs`. Reported as a variant of its own beside `workers.rs`.

use std::time::Duration;

use anyhow::Context;
use axum::serve::ListenerExt;
use probe::{Control, Options};
use tokio::{net::TcpListener, runtime, select, sync::watch, time};
use tower::util::MapResponseLayer;
use workload::{database::Database, listen};

use crate::{PACKAGES, contract};

/// Serves until the lab or a signal asks for the end; returns when the last connection is done.
pub(crate) fn serve(options: &Options) -> anyhow::Result<()> {
    runtime::Builder::new_multi_thread().worker_threads(options.workers).enable_all().build()?.block_on(run(options))
}

async fn run(options: &Options) -> anyhow::Result<()> {
    anyhow::ensure!(options.head_deadline.is_none(), "axum::serve has no deadline for heads");
    let listener = listen::shared(options.listen, 1)?.remove(0);
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    let database = match &options.database {
        Some(url) => {
            // One pool for all threads, as large as all the workers' pools together.
            let connections = options.pool * u32::try_from(options.workers)?;
            let database = Database::connect(url, connections).await;
            Some(database.with_context(|| format!("cannot use the database {url}"))?)
        }
        None => None,
    };
    let router = contract::router(database).layer(MapResponseLayer::new(contract::name_server));
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    let (stop, mut stopping) = watch::channel(false);
    let mut drain = stop.subscribe();
    Control::start(options, "axum-stock", address, PACKAGES, move || {
        stop.send_replace(true);
    })?;
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        let _ = stopping.wait_for(|stop| *stop).await;
    });
    select! {
        served = serving => Ok(served?),
        () = async {
            let _ = drain.wait_for(|stop| *stop).await;
            time::sleep(Duration::from_secs(listen::DRAIN_SECONDS)).await;
        } => Ok(()),
    }
}
