//! A service with what stands in front of most: `cargo run -p armature-core --example middleware -- 127.0.0.1:8080`. The access
//! log goes to standard error.

use std::time::Duration;

use armature_core::{
    Error, Router, Server,
    extract::Extension,
    get,
    middleware::{AccessLog, CatchPanic, ConcurrencyLimit, Cors, RequestId, SecurityHeaders, SetRequestId, Timeout},
};

async fn slow(Extension(id): Extension<RequestId>) -> String {
    tokio::time::sleep(Duration::from_secs(60)).await;
    format!("request {id} was not that patient\n")
}

fn app() -> Router {
    // The first is outermost: the log has the id, and tells of what the others answer.
    let seen = (SetRequestId::new(), AccessLog::new(), CatchPanic::new());
    let told = (Cors::any(), SecurityHeaders::new());
    let bounded = (ConcurrencyLimit::new(1_000), Timeout::new(Duration::from_secs(5)));
    Router::new()
        .route("/", get(async |Extension(id): Extension<RequestId>| format!("request {id}\n")))
        .route("/slow", get(slow))
        .route("/panics", get(async || ["a", "b"][2..].concat()))
        .layer((seen, told, bounded))
}

fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::bind(address)?.workers(1).drain_on_signals()?;
    println!("{}", server.local_addr());
    server.serve(|_| app())
}
