//! A server of its own on the loopback interface, and a connection to it.

use std::{
    io::{ErrorKind as ErrorKindOfIo, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    answer::{Read, TestResponse, read},
    fault,
};
use crate::{
    error::{Error, ErrorKind},
    server::{Handle, IntoService, Server, WorkerContext},
};

/// How long a response is waited for. Nothing that a test asks for takes that long, and a test that hangs says nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server, drained when dropped.
pub(super) struct OverSocket {
    address: SocketAddr,
    handle: Handle,
    thread: Option<JoinHandle<Result<(), Error>>>,
    open: Option<TcpStream>,
}

impl OverSocket {
    pub(super) fn start<A: IntoService>(
        server: Server,
        factory: impl Fn(WorkerContext) -> A + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let (address, handle) = (server.local_addr(), server.handle());
        let (ready, is_ready) = mpsc::channel();
        let server = server.on_ready(move || {
            // Who has stopped waiting does not need to know.
            let _ = ready.send(());
        });
        let thread = thread::spawn(move || server.serve(factory));
        // The sender is dropped with a server that does not start.
        if is_ready.recv().is_ok() {
            return Ok(Self { address, handle, thread: Some(thread), open: None });
        }
        match thread.join() {
            Ok(ended) => Err(ended.err().unwrap_or_else(|| Error::new(ErrorKind::Test, "the server has stopped"))),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn send(&mut self, bytes: &[u8], is_head: bool) -> Result<TestResponse, Error> {
        // The server may have closed a connection that was idle; then nothing comes, and another is opened.
        if let Some(stream) = self.open.take()
            && let Some(response) = self.exchange(stream, bytes, is_head)?
        {
            return Ok(response);
        }
        let stream = self.connect()?;
        self.exchange(stream, bytes, is_head)?.ok_or_else(|| Error::new(ErrorKind::Test, "no response"))
    }

    /// Sends a request and reads its response; `None` if nothing came at all.
    fn exchange(&mut self, mut stream: TcpStream, bytes: &[u8], is_head: bool) -> Result<Option<TestResponse>, Error> {
        // A server may answer, and close, before it has read the whole of a request; what it has said is there to be read.
        let _ = stream.write_all(bytes);
        let (mut received, mut room) = (Vec::new(), [0; 16_384]);
        loop {
            let length = match stream.read(&mut room) {
                Ok(length) => length,
                Err(error) if received.is_empty() && error.kind() == ErrorKindOfIo::ConnectionReset => 0,
                Err(error) => return Err(fault("no response", error)),
            };
            if length == 0 && received.is_empty() {
                return Ok(None);
            }
            received.extend_from_slice(&room[..length]);
            if let Read::Whole(response, len, keeps_alive) = read(&received, is_head, length == 0)? {
                if len < received.len() {
                    return Err(Error::new(ErrorKind::Test, "bytes follow the response"));
                }
                self.open = keeps_alive.then_some(stream);
                return Ok(Some(*response));
            }
        }
    }

    fn connect(&self) -> Result<TcpStream, Error> {
        let set_up = || {
            let stream = TcpStream::connect(self.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(stream)
        };
        set_up().map_err(|error: std::io::Error| fault("cannot connect", error))
    }
}

impl Drop for OverSocket {
    fn drop(&mut self) {
        self.open = None;
        self.handle.drain();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            // A panic of the server is one of the test, unless that is panicking already.
            if !thread::panicking() {
                ended.map_or_else(|panic| std::panic::resume_unwind(panic), |_| ());
            }
        }
    }
}
