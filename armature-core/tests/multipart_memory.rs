//! A form of any size is streamed in little memory.
//!
//! Alone in its program, since it looks at the memory of the whole process.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    sync::mpsc,
    thread,
    time::Duration,
};

use armature_core::{
    Router, Server,
    extract::{Multipart, Rejection},
    post,
};

/// How much is sent in one part.
const SENT_BYTES: usize = 256 << 20;

/// How much the process may grow meanwhile: buffers on both sides, and whatever the allocator keeps.
const GROWTH_KIB_MAX: u64 = 16 << 10;

async fn count(mut form: Multipart) -> Result<String, Rejection> {
    let mut bytes = 0;
    while let Some(mut part) = form.part().await? {
        while let Some(piece) = part.piece().await? {
            bytes += piece.len();
        }
    }
    Ok(bytes.to_string())
}

/// The most memory that the process has had, in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_form_is_streamed_in_bounded_memory() {
    let server = Server::bind("127.0.0.1:0").unwrap().workers(1);
    let (address, handle) = (server.local_addr(), server.handle());
    let (ready, is_ready) = mpsc::channel();
    let server = server.on_ready(move || ready.send(()).unwrap());
    let app = |_| Router::new().route("/", post(count).body_bytes_max(u64::MAX));
    let serving = thread::spawn(move || server.serve(app).unwrap());
    is_ready.recv().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (start, end) = ("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n", "\r\n--b--\r\n");
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: {}\r\n\r\n{start}",
        start.len() + SENT_BYTES + end.len()
    );
    // Line ends and hyphens, so that every piece may end in the beginning of a boundary.
    let block = b"\r\n--\r\n-a".repeat(8_192);
    let before = peak_kib();
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..SENT_BYTES / block.len() {
        stream.write_all(&block).unwrap();
    }
    stream.write_all(end.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with(&format!("\r\n\r\n{SENT_BYTES}")), "{answer}");
    let growth = peak_kib() - before;
    assert!(growth < GROWTH_KIB_MAX, "the process has grown by {growth} KiB");
    handle.drain();
    serving.join().unwrap();
}
