//! The server's counters for Prometheus, with one of the program's own beside them:
//! `cargo run -p armature-core --example metrics -- 127.0.0.1:8080`, then `curl localhost:8080/metrics`.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use armature_core::{Error, Handle, Response, Router, Server, State, extract::FromRef, get};

#[derive(Clone)]
struct App {
    handle: Handle,
    visits: Arc<AtomicU64>,
}

impl FromRef<App> for Arc<AtomicU64> {
    fn from_ref(app: &App) -> Self {
        app.visits.clone()
    }
}

async fn home(State(visits): State<Arc<AtomicU64>>) -> String {
    format!("visit {}", visits.fetch_add(1, Ordering::Relaxed) + 1)
}

async fn metrics(State(app): State<App>) -> Response {
    let mut response = app.handle.prometheus();
    let mut text = String::from_utf8_lossy(response.body().as_slice()).into_owned();
    let visits = app.visits.load(Ordering::Relaxed);
    text.push_str(&format!("# TYPE visits_total counter\nvisits_total {visits}\n"));
    response.set_body(text);
    response
}

fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::bind(address)?.drain_on_signals()?;
    println!("{}", server.local_addr());
    let visits = Arc::<AtomicU64>::default();
    server.serve(|worker| {
        let app = App { handle: worker.handle().clone(), visits: visits.clone() };
        Router::new().route("/", get(home)).route("/metrics", get(metrics)).with_state(app)
    })
}
