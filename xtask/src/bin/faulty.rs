//! A small server that serves the contract's tests rightly until it is told not to: what the lab must find out.
//!
//! It stands for a foreign server: no control channel, nothing of the workspace linked, threads and blocking sockets.
//! `faulty --port N --fault NAME[=VALUE]`; the faults are the arms of `fault`. Read next: `tests/bench.rs`.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

static SERVED: AtomicU64 = AtomicU64::new(0);

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let value = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    let port: u16 = value("--port").and_then(|port| port.parse().ok()).unwrap_or(0);
    let fault = value("--fault").unwrap_or_default();
    match fault.as_str() {
        "exit" => {
            eprintln!("no license for this server");
            process::exit(7);
        }
        "hang" => thread::sleep(Duration::from_secs(3600)),
        _ => {}
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    for stream in listener.incoming().flatten() {
        let fault = fault.clone();
        thread::spawn(move || serve(&stream, &fault));
    }
}

fn serve(stream: &TcpStream, fault: &str) {
    let mut out = stream;
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(start)) = lines.next() {
        // The rest of the head says nothing that matters here.
        while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
        let path = start.split(' ').nth(1).unwrap_or_default().to_owned();
        let served = SERVED.fetch_add(1, Ordering::Relaxed);
        let answer = answer(&path, fault, served);
        if out.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn answer(path: &str, fault: &str, served: u64) -> String {
    let (name, limit) = fault.split_once('=').unwrap_or((fault, "0"));
    let reached = served >= limit.parse().unwrap_or(0);
    if name == "die-after" && reached {
        eprintln!("out of luck after {served} requests");
        process::abort();
    }
    let (kind, mut body) = content(path, name);
    if name == "wrong-after" && reached {
        body = body.replace("Hello", "Hullo");
    }
    format!(
        "HTTP/1.1 200 OK\r\nserver: faulty\r\ndate: Mon, 23 Nov 2026 06:00:00 GMT\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn content(path: &str, fault: &str) -> (&'static str, String) {
    let (route, query) = path.split_once('?').unwrap_or((path, ""));
    match route {
        "/plaintext" => ("text/plain", "Hello, World!".to_owned()),
        "/json" if fault == "extra-field" => ("application/json", r#"{"message":"Hello, World!","more":1}"#.to_owned()),
        "/json" => ("application/json", r#"{"message":"Hello, World!"}"#.to_owned()),
        "/fortunes" => {
            ("text/html; charset=utf-8", "<table><tr><td>11</td><td><script>alert(1)</script></td></tr>".to_owned())
        }
        _ => ("application/json", rows(query, fault)),
    }
}

/// Rows of World that no database ever saw.
fn rows(query: &str, fault: &str) -> String {
    let asked = query.split('=').nth(1).and_then(|count| count.parse::<i64>().ok()).unwrap_or(1).clamp(1, 500);
    let count = if fault == "row-missing" && asked > 1 { asked - 1 } else { asked };
    let row = |id: i64| format!(r#"{{"id":{},"randomNumber":{}}}"#, 1 + (id * 37) % 10_000, 1 + (id * 91) % 10_000);
    format!("[{}]", (0..count).map(row).collect::<Vec<_>>().join(","))
}
