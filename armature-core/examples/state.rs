//! State that all workers share: `cargo run -p armature-core --example state -- 127.0.0.1:8080`, then
//! `curl -d 'good day' localhost:8080/greeting`, `curl localhost:8080/greet/ada`, `curl localhost:8080/visits`.

use std::{collections::BTreeMap, sync::Arc};

use armature_core::{
    Error, Path, Router, Server, State, get, post,
    state::{ReadCache, ReadConfig, ReadState, Version},
};

struct Shared {
    /// Replaced as a whole, read by every request.
    greeting: ReadConfig<String>,
    /// Changed in place.
    visits: ReadState<BTreeMap<String, u64>>,
    /// Made of the greeting; an older greeting has another version and is not found any more.
    greetings: ReadCache<(Version, String), String>,
}

async fn set_greeting(State(shared): State<Arc<Shared>>, greeting: String) {
    shared.greeting.store(greeting);
}

async fn greet(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> String {
    shared.visits.write(|visits| *visits.entry(name.clone()).or_default() += 1);
    shared.greeting.read(|greeting| {
        let key = (greeting.version(), name.clone());
        shared.greetings.get_or_insert_with(key, || format!("{}, {name}\n", **greeting))
    })
}

async fn visits(State(shared): State<Arc<Shared>>) -> String {
    let visits: String =
        shared.visits.read(|visits| visits.iter().map(|(name, count)| format!("{name}: {count}\n")).collect());
    let statistics = shared.greetings.statistics().unwrap_or_default();
    format!("{visits}greetings found: {}, made: {}\n", statistics.hits, statistics.misses)
}

fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::bind(address)?.workers(2).drain_on_signals()?;
    let shared = Arc::new(Shared {
        greeting: ReadConfig::new("hello".into()),
        visits: ReadState::new(BTreeMap::new()),
        greetings: ReadCache::new(10_000).with_statistics(),
    });
    println!("{}", server.local_addr());
    server.serve(move |_| {
        Router::new()
            .route("/greeting", post(set_greeting))
            .route("/greet/{name}", get(greet))
            .route("/visits", get(visits))
            .with_state(shared.clone())
    })
}
