//! Server-sent events: `cargo run -p armature-core --example sse -- 127.0.0.1:8080`, then open `http://localhost:8080/` in
//! a browser, or `curl -N localhost:8080/events`. A client that comes back goes on where it was.

use std::time::Duration;

use armature_core::{
    Error, Html, Router, Server, every, get,
    http::HeaderMap,
    stream::{
        self, Overflow, Sender, Watermarks,
        sse::{Event, Sse},
    },
};

const PAGE: &str = "<!doctype html><title>events</title><pre id=log></pre><script>
new EventSource('/events').onmessage = event => log.append(event.lastEventId + ': ' + event.data + '\\n')
</script>";

/// Tells a number a second until nobody listens.
async fn tell(from: u64, mut sender: Sender) {
    for number in from.. {
        let Ok(event) = Event::data(&format!("{number} seconds")).with_id(&number.to_string()) else { return };
        if sender.send(event.with_retry(Duration::from_secs(1))).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn events(headers: HeaderMap) -> Sse {
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    // To whom reads too slowly, the newest matters most.
    let (sender, receiver) = stream::channel(Watermarks::default(), Overflow::DropOldest);
    tokio::task::spawn_local(tell(seen.map_or(0, |seen| seen.saturating_add(1)), sender));
    Sse::new(receiver).keep_alive(every(Duration::from_secs(15)))
}

fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::bind(address)?.workers(1).drain_on_signals()?;
    println!("{}", server.local_addr());
    server.serve(|_| Router::new().route("/", get(async || Html(PAGE))).route("/events", get(events)))
}
