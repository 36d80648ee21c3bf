//! A server that stops when asked to, by a signal or over HTTP, and answers what is under way:
//! `cargo run -p armature-core --example graceful_shutdown -- 127.0.0.1:8080`.

use std::time::Duration;

use armature_core::{Error, Handle, Limits, Router, Server, State, get, post};

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_millis(300)).await;
    "worth waiting for"
}

async fn stop(State(handle): State<Handle>) -> &'static str {
    handle.drain();
    "stopping"
}

fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let limits = Limits { drain_deadline: Duration::from_secs(5), ..Limits::default() };
    let server = Server::bind(address)?.limits(limits).workers(1).drain_on_signals()?;
    let handle = server.handle();
    println!("{}", server.local_addr());
    server.serve(|worker| {
        Router::new().route("/slow", get(slow)).route("/stop", post(stop)).with_state(worker.handle().clone())
    })?;
    // Every connection has ended by now: what they shared can be put in order.
    println!("answered {}", handle.counters().requests);
    Ok(())
}
