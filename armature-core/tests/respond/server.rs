//! A server of any routes for as long as a test holds it, and one question to it.

use std::{net::SocketAddr, sync::mpsc, thread};

use armature_core::{Error, Handle, Router, Server};

use crate::{
    answer::{self, Answer},
    client::Client,
};

/// A running server with one worker, drained when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    handle: Handle,
    thread: Option<thread::JoinHandle<Result<(), Error>>>,
}

impl Running {
    pub(crate) fn start(routes: impl Fn() -> Router + Send + Sync + 'static) -> Self {
        let server = Server::bind("127.0.0.1:0").unwrap().workers(1).name("test");
        let (address, handle) = (server.local_addr(), server.handle());
        let (ready, is_ready) = mpsc::channel();
        let server = server.on_ready(move || ready.send(()).unwrap());
        let thread = thread::spawn(move || server.serve(move |_| routes()));
        is_ready.recv().unwrap();
        Self { address, handle, thread: Some(thread) }
    }

    /// Asks on a connection of its own, which must hold nothing behind the answer. Fields are parted by `|`.
    pub(crate) fn ask(&self, method: &str, path: &str, fields: &str) -> Answer {
        let fields = fields.split('|').filter(|field| !field.is_empty()).map(|field| format!("{field}\r\n"));
        let fields: String = fields.collect();
        let mut client = Client::connect(self.address);
        client.send(format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{fields}\r\n").as_bytes());
        let received = client.read_to_end().unwrap();
        let (answer, rest) = answer::read(&received, method == "HEAD", true).unwrap().unwrap();
        assert_eq!(rest, b"", "{method} {path}");
        answer
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.drain();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !thread::panicking() {
                ended.unwrap().unwrap();
            }
        }
    }
}
