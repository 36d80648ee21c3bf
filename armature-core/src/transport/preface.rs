//! Finds out from its first bytes whether a client speaks HTTP/2 by prior knowledge (RFC 9113 §3.3, §3.4), and gives them
//! back to whoever goes on reading.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::{http2, in_time};
use crate::{
    conn::Conn,
    io::{TaskKey, Tcp},
    service::{ConnectionInfo, Service},
    worker::Opened,
};

/// What a client of HTTP/2 sends first; no request of HTTP/1 begins with it.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The first bytes of a connection.
enum First {
    /// Those of HTTP/2.
    Http2(Bytes),
    /// Others, or none.
    Other(BytesMut),
}

/// Reads until it is clear what the client speaks.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<First> {
    let mut bytes = BytesMut::with_capacity(4_096);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(First::Other(bytes));
        }
        let compared = bytes.len().min(PREFACE.len());
        if bytes[..compared] != PREFACE[..compared] {
            return Ok(First::Other(bytes));
        }
        if compared == PREFACE.len() {
            return Ok(First::Http2(bytes.freeze()));
        }
    }
}

/// Finds out what a client speaks and serves it.
pub(super) async fn serve<S: Service>(mut stream: Tcp, peer: SocketAddr, worker: Opened<S>, task: TaskKey) {
    let info = ConnectionInfo::new(peer, false);
    match in_time(&worker, read(&mut stream)).await {
        Some(Ok(First::Http2(prefix))) => http2::serve(Prefixed { prefix, stream }, info, worker).await,
        Some(Ok(First::Other(input))) => Conn::new(stream, info, worker, task).with_input(input).await,
        Some(Err(_)) | None => {}
    }
}

/// Serves a client that has agreed on HTTP/2. Hyper would wait for its first bytes for ever.
#[cfg(feature = "tls")]
pub(super) async fn serve_http2<IO, S>(mut stream: IO, info: ConnectionInfo, worker: Opened<S>)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service,
{
    if let Some(Ok(First::Http2(prefix))) = in_time(&worker, read(&mut stream)).await {
        http2::serve(Prefixed { prefix, stream }, info, worker).await;
    }
}

/// A stream some of whose bytes have been read already.
#[derive(Debug)]
struct Prefixed<IO> {
    prefix: Bytes,
    stream: IO,
}

impl<IO: AsyncRead + Unpin> AsyncRead for Prefixed<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, room);
        }
        let taken = self.prefix.len().min(room.remaining());
        room.put_slice(&self.prefix[..taken]);
        self.prefix.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Prefixed<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
