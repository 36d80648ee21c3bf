//! The contract served with armature: `target-armature --listen 127.0.0.1:8080 --workers 1 [--database URL]`.
//!
//! One worker is one thread with its own runtime, listener, router and pool of database connections. Read next:
//! `contract.rs` (the routes).

mod contract;
#[cfg(feature = "faults")]
mod fault;

use std::time::Duration;

use anyhow::Context;
use armature_core::{Limits, Server};
use probe::{Control, Options, control, options::Switch};
use workload::{database::Database, listen};

/// Whose locked versions the ready line names.
const PACKAGES: &[&str] = &["armature-core", "tokio", "httparse", "matchit", "serde_json", "sqlx"];

#[cfg(not(feature = "faults"))]
const SWITCHES: &[Switch] = &[];
#[cfg(feature = "faults")]
const SWITCHES: &[Switch] = &[Switch { name: "fault=", help: fault::HELP }];

fn main() -> anyhow::Result<()> {
    let options = Options::from_env("target-armature", SWITCHES);
    #[cfg(feature = "faults")]
    if let Some(fault) = options.value("fault") {
        fault::arm(fault)?;
    }
    let defaults = Limits::default();
    let limits = Limits {
        head_deadline: options.head_deadline.unwrap_or(defaults.head_deadline),
        backlog_connections: listen::BACKLOG,
        drain_deadline: Duration::from_secs(listen::DRAIN_SECONDS),
        ..defaults
    };
    let server = Server::bind(options.listen)?.workers(options.workers).limits(limits).name("armature");
    let (handle, address, announced) = (server.handle(), server.local_addr(), options.clone());
    let server = server.on_ready(move || {
        let stop = handle.clone();
        if let Err(error) = Control::start(&announced, "armature", address, PACKAGES, move || stop.drain()) {
            eprintln!("target-armature: cannot start the control channel: {error}");
            handle.drain();
        }
    });
    server.serve_async(async |_worker| -> anyhow::Result<_> {
        let database = match &options.database {
            Some(url) => Some(
                Database::connect(url, options.pool).await.with_context(|| format!("cannot use the database {url}"))?,
            ),
            None => None,
        };
        Ok(contract::router(database))
    })?;
    control::farewell(&options);
    Ok(())
}
