//! The contract served with armature: `target-armature --listen 127.0.0.1:8080 --workers 1 [--database URL] [--knob NAME=VALUE]`.
//!
//! One worker is one thread with its own runtime, listener, router and pool of database connections. Read next:
//! `contract.rs` (the routes), `knob.rs` (what experiments turn).

mod contract;
#[cfg(feature = "faults")]
mod fault;
mod knob;

use anyhow::Context;
use armature_core::Server;
use probe::{Control, Options, control, options::Switch};
use workload::database::Database;

use knob::Knobs;

/// Whose locked versions the ready line names.
const PACKAGES: &[&str] = &["armature-core", "tokio", "httparse", "matchit", "serde_json", "sqlx"];

const SWITCHES: &[Switch] = &[
    Switch { name: "knob=", help: knob::HELP },
    Switch { name: "files", help: "serve files too: /files/N-kib for N of 16, 64, 256 and 1024" },
    #[cfg(feature = "faults")]
    Switch { name: "fault=", help: fault::HELP },
];

fn main() -> anyhow::Result<()> {
    let options = Options::from_env("target-armature", SWITCHES);
    #[cfg(feature = "faults")]
    if let Some(fault) = options.value("fault") {
        fault::arm(fault)?;
    }
    let knobs = Knobs::of(&options)?;
    let files = if options.has("files") { Some(contract::files()?) } else { None };
    let folder = files.as_ref().map(tempfile::TempDir::path);
    let server = knobs.apply(Server::bind(options.listen)?.name("armature"));
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
        contract::router(database, folder)
    })?;
    control::farewell(&options);
    Ok(())
}
