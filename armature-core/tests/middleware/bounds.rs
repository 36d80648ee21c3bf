//! Bounds on time and on how much goes on at the same time.

use std::{future::pending, sync::mpsc, time::Duration};

use armature_core::{
    Router, StatusCode, get,
    middleware::{ConcurrencyLimit, Timeout},
    post,
};
use bytes::Bytes;

use crate::server::{Running, text};

/// Tells when it is made, and when it is dropped.
struct Told(mpsc::Sender<&'static str>);

impl Told {
    fn new(events: mpsc::Sender<&'static str>) -> Self {
        let _ = events.send("begun");
        Self(events)
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

async fn never(events: mpsc::Sender<&'static str>) -> &'static str {
    let _told = Told::new(events);
    pending().await
}

async fn soon() -> &'static str {
    tokio::task::yield_now().await;
    "soon"
}

#[test]
fn who_takes_too_long_is_dropped_and_answered_for() {
    let (events, event) = mpsc::channel();
    let server = Running::start(move || {
        let events = events.clone();
        let short = Timeout::new(Duration::from_millis(20));
        let never = move || never(events.clone());
        Router::new()
            .route("/never", get(never.clone()))
            .route("/read", post(async |body: Bytes| body))
            .layer(short)
            .route("/gateway", get(never).layer(short.with_status(StatusCode::GATEWAY_TIMEOUT)))
            .route("/none", get(async || "none").layer(Timeout::new(Duration::ZERO)))
            .group("/long", |long| {
                long.route("/at-once", get(async || "at once"))
                    .route("/soon", get(soon))
                    .layer(Timeout::new(Duration::from_secs(60)))
            })
    });
    let mut client = server.connect();
    let cases = [
        ("/none", 200, "none"),
        ("/long/at-once", 200, "at once"),
        ("/long/soon", 200, "soon"),
        ("/never", 503, ""),
        ("/gateway", 504, ""),
        ("/long/soon", 200, "soon"),
    ];
    for (path, status, body) in cases {
        let answer = client.ask(&format!("GET {path}"), &[], "");
        assert_eq!((answer.status, text(&answer)), (status, body), "{path}");
        if status > 500 {
            assert_eq!([event.recv(), event.recv()], [Ok("begun"), Ok("dropped")]);
        }
    }
    // A body that does not come is the handler's time, too.
    client.send("POST /read HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nabc");
    assert_eq!(client.read(false).status, 503);
}

#[test]
fn who_finds_no_room_is_told_when_to_come_back() {
    let (events, event) = mpsc::channel();
    let server = Running::start(move || {
        let events = events.clone();
        Router::new()
            .route("/never", get(move || never(events.clone())))
            .route("/soon", get(soon))
            .layer(ConcurrencyLimit::new(2).retry_after(Duration::from_secs(7)))
            .route("/outside", get(soon))
    });
    let mut waiting: Vec<_> = (0..2).map(|_| server.connect()).collect();
    for client in &mut waiting {
        client.send_request("GET /never", &[], "");
        assert_eq!(event.recv(), Ok("begun"));
    }
    let refused = server.ask("GET /soon", &[], "");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("7")));
    assert_eq!(server.ask("GET /outside", &[], "").status, 200);
    // A client that resets its connection takes its handler with it, and that makes room.
    waiting.pop().unwrap().reset();
    assert_eq!(event.recv(), Ok("dropped"));
    let mut client = server.connect();
    for _ in 0..3 {
        assert_eq!(text(&client.ask("GET /soon", &[], "")), "soon");
    }
    waiting.pop().unwrap().reset();
    assert_eq!(event.recv(), Ok("dropped"));
}
