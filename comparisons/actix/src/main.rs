//! The contract served with actix-web: `target-actix --listen 127.0.0.1:8080 --workers 1 [--database URL]`.
//!
//! actix-web's own `HttpServer` with its own workers; it accepts on a thread of its own and hands connections out.
//! Read next: `contract.rs` (the routes).

mod contract;

use std::time::Duration;

use actix_web::{App, HttpServer, http::KeepAlive, middleware::DefaultHeaders, rt, web};
use anyhow::Context;
use probe::{Control, Options, control};
use tokio::sync::mpsc;
use workload::{database::Database, listen, payload};

/// Whose locked versions the ready line names.
const PACKAGES: &[&str] = &["actix-web", "actix-http", "actix-server", "tokio", "serde_json", "sqlx"];

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::from_env("target-actix", &[]);
    let (url, pool) = (options.database.clone(), options.pool);
    let (ready, mut readiness) = mpsc::channel(options.workers);
    let server = HttpServer::new(move || {
        let (url, ready) = (url.clone(), ready.clone());
        App::new()
            // Called once in each worker, on its thread and runtime.
            .data_factory(move || connect(url.clone(), pool, ready.clone()))
            .app_data(web::PayloadConfig::new(payload::ECHO_BYTES_MAX))
            .wrap(DefaultHeaders::new().add(("Server", "actix")))
            .configure(contract::routes)
    })
    .workers(options.workers)
    .backlog(listen::BACKLOG)
    // No timers per connection, since those of hyper's users have none either; and no delay before small writes.
    .keep_alive(KeepAlive::Os)
    .client_request_timeout(options.head_deadline.unwrap_or(Duration::ZERO))
    .tcp_nodelay(true)
    .shutdown_timeout(listen::DRAIN_SECONDS)
    .disable_signals()
    .bind(options.listen)
    .with_context(|| format!("cannot listen on {}", options.listen))?;
    let address = *server.addrs().first().context("actix bound no address")?;
    let server = server.run();
    let handle = server.handle();
    let serving = rt::spawn(server);
    for _ in 0..options.workers {
        readiness.recv().await.context("actix started no worker")??;
    }
    Control::start(&options, "actix", address, PACKAGES, move || {
        // The order is given when `stop` is called; the future only waits for the end, which `serving` does too.
        drop(handle.stop(true));
    })?;
    serving.await??;
    control::farewell(&options);
    Ok(())
}

/// Opens the worker's connections to the database, if there is one, and reports that the worker is ready or why not.
async fn connect(
    url: Option<String>,
    pool: u32,
    ready: mpsc::Sender<anyhow::Result<()>>,
) -> Result<Option<Database>, &'static str> {
    let connected = match &url {
        Some(url) => {
            Database::connect(url, pool).await.map(Some).with_context(|| format!("cannot use the database {url}"))
        }
        None => Ok(None),
    };
    let (database, report) = match connected {
        Ok(database) => (Ok(database), Ok(())),
        Err(error) => (Err("no database"), Err(error)),
    };
    // Nobody listens any more once another worker has reported a failure.
    let _ = ready.try_send(report);
    database
}
