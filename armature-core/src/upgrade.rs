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
    ///
    /// ```
    /// # use armature_core::Upgraded;
    /// /// The first line, without its end; what comes behind is lost.
    /// async fn line(connection: &mut Upgraded) -> std::io::Result<Vec<u8>> {
    ///     let (mut line, mut room) = (Vec::new(), [0; 100]);
    ///     while !line.contains(&b'\n') {
    ///         match connection.read(&mut room).await? {
    ///             0 => break,
    ///             read => line.extend_from_slice(&room[..read]),
    ///         }
    ///     }
    ///     line.truncate(line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len()));
    ///     Ok(line)
    /// }
    /// # use armature_core::{Response, Router, get, http::HeaderValue, test::TestClient};
    /// # let app = async || Response::upgrade(HeaderValue::from_static("x"), async |mut connection| {
    /// #     let line = line(&mut connection).await.unwrap();
    /// #     connection.write_all(&line).await.unwrap();
    /// # });
    /// # let (mut client, mut answer) = (TestClient::in_process(Router::new().route("/", get(app)))?, Vec::new());
    /// # let _ = client.exchange(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nada\nlost", &mut answer);
    /// # assert!(answer.ends_with(b"\r\n\r\nada"), "{answer:?}");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub async fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(room, cx)).await
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// Those of send(2).
    ///
    /// ```
    /// use armature_core::{Response, Router, get, http::HeaderValue, test::TestClient};
    ///
    /// let greet = async || {
    ///     Response::upgrade(HeaderValue::from_static("greeting"), async |mut connection| {
    ///         let _ = connection.write_all(b"hello").await;
    ///     })
    /// };
    /// let (mut client, mut answer) = (TestClient::in_process(Router::new().route("/", get(greet)))?, Vec::new());
    /// let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: greeting\r\n\r\n";
    /// let _ = client.exchange(request, &mut answer); // The connection ends with it.
    /// assert!(answer.starts_with(b"HTTP/1.1 101 ") && answer.ends_with(b"hello"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
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
    ///
    /// ```
    /// use armature_core::{Response, http::HeaderValue};
    ///
    /// fn one_way() -> Response {
    ///     Response::upgrade(HeaderValue::from_static("one-way"), async |mut connection| {
    ///         let mut room = [0; 1_024];
    ///         // Nothing more goes out; what still comes in is read to its end.
    ///         if connection.shutdown().await.is_ok() {
    ///             while let Ok(1..) = connection.read(&mut room).await {}
    ///         }
    ///     })
    /// }
    /// assert_eq!(one_way().status_code().as_u16(), 101);
    /// ```
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
