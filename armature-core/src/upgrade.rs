//! Connections that leave HTTP: what a handler gets when its answer was 101 (RFC 9110 §7.8).
//!
//! `conn` makes one when the answer has been written, and drives the function that was given with it. Reading and writing
//! through tokio's traits is in `io/upgraded.rs`.

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};

use crate::http::HeaderValue;

/// A connection that has left HTTP. Bytes that arrived behind the request are read first.
///
/// ```
/// use armature_core::{Response, Router, get, http::HeaderValue};
///
/// async fn echo() -> Response {
///     Response::upgrade(HeaderValue::from_static("echo"), async |mut connection| {
///         let mut room = [0; 1_024];
///         while let Ok(read @ 1..) = connection.read(&mut room).await {
///             if connection.write_all(&room[..read]).await.is_err() {
///                 break;
///             }
///         }
///     })
/// }
/// # let _: Router = Router::new().route("/echo", get(echo));
/// ```
pub struct Upgraded {
    unread: Bytes,
    stream: Box<dyn Duplex>,
}

/// What a connection is read and written by once it has left HTTP.
pub(crate) trait Duplex {
    fn poll_read(&mut self, room: &mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>>;
    fn poll_write(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>>;
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// What runs on a connection after it has left HTTP.
pub(crate) type Run = Box<dyn FnOnce(Upgraded) -> Pin<Box<dyn Future<Output = ()>>>>;

/// What a handler that answers 101 wants the connection for.
pub(crate) struct Switch {
    /// What the response's Upgrade says.
    pub(crate) protocol: HeaderValue,
    pub(crate) run: Run,
}

impl Upgraded {
    pub(crate) fn new(unread: Bytes, stream: Box<dyn Duplex>) -> Self {
        Self { unread, stream }
    }

    /// Reads into `room` and says how many bytes that were; 0 is the end of the stream.
    ///
    /// # Errors
    /// Those of recv(2).
    pub async fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(room, cx)).await
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// Those of send(2).
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| self.poll_write(bytes, cx)).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Shuts the write side, so that the peer sees the end.
    ///
    /// # Errors
    /// Those of shutdown(2).
    pub async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_shutdown(cx)).await
    }

    pub(crate) fn poll_read(&mut self, room: &mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.unread.is_empty() {
            return self.stream.poll_read(room, cx);
        }
        let taken = self.unread.len().min(room.len());
        self.unread.copy_to_slice(&mut room[..taken]);
        Poll::Ready(Ok(taken))
    }

    pub(crate) fn poll_write(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.stream.poll_write(bytes, cx)
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("unread", &self.unread).finish_non_exhaustive()
    }
}
