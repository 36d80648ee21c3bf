//! What is told to `tracing`: the access log, and panics that are caught.

use std::{
    fmt::{self, Write},
    future::pending,
    sync::{Condvar, Mutex, Once, mpsc},
    time::Duration,
};

use armature_core::{
    Failure, Response, Router, StatusCode, get,
    middleware::{AccessLog, CatchPanic, SetRequestId, Timeout},
    post,
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use crate::server::{Running, text};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static MORE: Condvar = Condvar::new();

/// Keeps every event of this crate as a line: level, target, message, fields.
struct Collector;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Durations and ports differ from run to run.
        let value = match field.name() {
            "duration_us" => "N".to_owned(),
            "peer" => format!("{value:?}").split(':').next().unwrap_or_default().to_owned(),
            _ => format!("{value:?}"),
        };
        write!(self.0, " {}={value}", field.name()).unwrap();
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("armature_core::")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} {}", event.metadata().level(), event.metadata().target()));
        event.record(&mut line);
        LINES.lock().unwrap().push(line.0);
        MORE.notify_all();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn collect() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Collector).unwrap());
}

/// The line that holds `mark`, once it is there.
fn line(mark: &str) -> String {
    let missing = |lines: &mut Vec<String>| !lines.iter().any(|line| line.contains(mark));
    let (lines, waited) = MORE.wait_timeout_while(LINES.lock().unwrap(), Duration::from_secs(20), missing).unwrap();
    assert!(!waited.timed_out(), "no line with {mark} in {lines:#?}");
    lines.iter().find(|line| line.contains(mark)).unwrap().clone()
}

async fn fails() -> Result<String, Failure> {
    tokio::task::yield_now().await;
    Ok(std::fs::read_to_string("/nothing/here")?)
}

#[test]
fn each_request_is_a_line() {
    collect();
    let (events, event) = mpsc::channel();
    let server = Running::start(move || {
        let events = events.clone();
        let never = move || {
            let _ = events.send(());
            pending::<&'static str>()
        };
        let waits = get(never.clone()).layer(Timeout::new(Duration::from_secs(60)));
        Router::new()
            .route("/log/hello", get(async || "hello"))
            .route("/log/empty", post(async || StatusCode::CREATED))
            .route("/log/fails", get(fails))
            .route("/log/never", waits)
            .route("/log/panics", get(async || ["a"][1..][0]))
            .layer((SetRequestId::new(), AccessLog::new()))
            .route("/log/late", get(never).layer((Timeout::new(Duration::from_millis(20)), AccessLog::new())))
    });
    let access =
        |level: &str, message: &str, rest: &str| format!("{level} armature_core::access message={message} {rest}");
    let cases = [
        (
            "GET /log/hello?secret",
            access(
                "INFO",
                "answered",
                "method=\"GET\" path=\"/log/hello\" status=200 duration_us=N peer=127.0.0.1 request_id=\"r1\" bytes=5",
            ),
        ),
        (
            "HEAD /log/hello",
            access(
                "INFO",
                "answered",
                "method=\"HEAD\" path=\"/log/hello\" status=200 duration_us=N peer=127.0.0.1 request_id=\"r2\"",
            ),
        ),
        (
            "POST /log/empty",
            access(
                "INFO",
                "answered",
                "method=\"POST\" path=\"/log/empty\" status=201 duration_us=N peer=127.0.0.1 request_id=\"r3\" bytes=0",
            ),
        ),
        (
            "GET /log/other",
            access(
                "WARN",
                "answered",
                "method=\"GET\" path=\"/log/other\" status=404 duration_us=N peer=127.0.0.1 request_id=\"r4\" bytes=0",
            ),
        ),
        (
            "BREW /log/hello",
            access(
                "WARN",
                "answered",
                "method=\"BREW\" path=\"/log/hello\" status=405 duration_us=N peer=127.0.0.1 request_id=\"r5\" bytes=0",
            ),
        ),
        (
            "GET /log/fails",
            access(
                "ERROR",
                "answered",
                "method=\"GET\" path=\"/log/fails\" status=500 duration_us=N peer=127.0.0.1 request_id=\"r6\" bytes=21 cause=No such file or directory (os error 2)",
            ),
        ),
        (
            "GET /log/panics",
            access(
                "ERROR",
                "the handler has panicked",
                "method=\"GET\" path=\"/log/panics\" duration_us=N peer=127.0.0.1 request_id=\"r7\"",
            ),
        ),
    ];
    for (number, (request, expected)) in cases.iter().enumerate() {
        let id = format!("r{}", number + 1);
        server.ask(request, &[("X-Request-Id", &id)], "");
        assert_eq!(line(&format!("request_id=\"{id}\"")), *expected);
    }
    let mut leaves = server.connect();
    leaves.send_request("GET /log/never", &[], "");
    event.recv().unwrap();
    leaves.reset();
    assert!(line("/log/never").starts_with("WARN armature_core::access message=dropped without an answer"));
    assert_eq!(server.ask("GET /log/late", &[], "").status, 503);
    assert!(line("/log/late").starts_with("WARN armature_core::access message=dropped without an answer"));
}

async fn panics_late() -> Response {
    tokio::task::yield_now().await;
    panic!("late {}", 1)
}

/// Panics once more when it is dropped.
struct Twice;

impl Drop for Twice {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("once more");
        }
    }
}

async fn panics_twice() -> Response {
    tokio::task::yield_now().await;
    let held = Twice;
    tokio::task::yield_now().await;
    drop(held);
    Response::status(StatusCode::OK)
}

#[test]
fn a_caught_panic_is_answered_and_its_connection_goes_on() {
    collect();
    let server = Running::start(|| {
        let told = CatchPanic::with(|payload| {
            (StatusCode::BAD_GATEWAY, payload.downcast_ref::<&str>().copied().unwrap_or("not text").to_owned())
        });
        Router::new()
            .route("/at-once", get(async || -> Response { panic!("caught at once") }))
            .route("/late", get(panics_late))
            .route("/twice", get(panics_twice))
            .route("/value", get(async || -> Response { std::panic::panic_any(7) }))
            .route("/fine", get(async || "fine"))
            .layer(CatchPanic::new())
            .route("/told", get(async || -> Response { panic!("told") }).layer(told))
    });
    let mut client = server.connect();
    let cases = [
        ("/at-once", 500, "", Some("payload=\"caught at once\"")),
        ("/late", 500, "", Some("payload=\"late 1\"")),
        ("/twice", 500, "", Some("payload=\"once more\"")),
        ("/value", 500, "", None),
        ("/told", 502, "told", Some("payload=\"told\"")),
        ("/fine", 200, "fine", None),
    ];
    for (path, status, body, logged) in cases {
        let answer = client.ask(&format!("GET {path}"), &[], "");
        assert_eq!((answer.status, text(&answer), answer.header("connection")), (status, body, None), "{path}");
        if let Some(payload) = logged {
            assert!(line(payload).starts_with("ERROR armature_core::panic message=a handler has panicked"));
        }
    }
}
