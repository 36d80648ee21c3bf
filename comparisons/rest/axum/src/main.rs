//! The REST service with axum: `rest-axum --listen 127.0.0.1:8080`.
//!
//! Read next: `routes.rs` (what is where, and the layers), `notes.rs` (the handlers), `problem.rs` (errors).

mod attachment;
mod notes;
mod problem;
mod routes;

use anyhow::Context;
use probe::Control;
use rest_service::Options;
use tokio::{net::TcpListener, runtime, sync::oneshot};

fn main() -> anyhow::Result<()> {
    let options = Options::from_env("rest-axum");
    let runtime = runtime::Builder::new_multi_thread().worker_threads(options.server.workers).enable_all().build()?;
    runtime.block_on(serve(&options))
}

async fn serve(options: &Options) -> anyhow::Result<()> {
    let address = options.server.listen;
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let (stop, stopped) = oneshot::channel();
    Control::start(&options.server, "axum", listener.local_addr()?, &["axum", "tower-http"], || {
        // Nobody listens any more once the server has ended by itself.
        let _ = stop.send(());
    })?;
    axum::serve(listener, routes::router(options.timeout))
        .with_graceful_shutdown(async {
            let _ = stopped.await;
        })
        .await?;
    Ok(())
}
