//! The REST service with armature-core: `rest-armature --listen 127.0.0.1:8080`.
//!
//! Read next: `routes.rs` (what is where, and what happens around every handler), `notes.rs` (the handlers), `problem.rs`
//! (errors).

mod attachment;
mod notes;
mod problem;
mod routes;

use std::sync::Arc;

use armature_core::{Limits, Server};
use probe::Control;
use rest_service::{JSON_BYTES_MAX, Notes, Options};

fn main() -> anyhow::Result<()> {
    let options = Options::from_env("rest-armature");
    let limits = Limits { body_bytes_max: JSON_BYTES_MAX as u64, ..Limits::default() };
    let server = Server::bind(options.server.listen)?.workers(options.server.workers).limits(limits);
    let (handle, address, announced) = (server.handle(), server.local_addr(), options.server);
    let server = server.on_ready(move || {
        let stop = handle.clone();
        if let Err(error) = Control::start(&announced, "armature", address, &["armature-core"], move || stop.drain()) {
            eprintln!("rest-armature: cannot start the control channel: {error}");
            handle.drain();
        }
    });
    let store = Arc::new(Notes::default());
    server.serve(|_worker| routes::router(Arc::clone(&store), options.timeout))?;
    Ok(())
}
