//! A connection that has left HTTP, seen through tokio's traits.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::upgrade::Upgraded;

impl AsyncRead for Upgraded {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = ready!(self.get_mut().poll_read(room.initialize_unfilled(), cx))?;
        room.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write(bytes, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Sockets hold nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_shutdown(cx)
    }
}

/// For what speaks something else than HTTP/1.1 from the start.
#[cfg(any(feature = "tls", feature = "http2"))]
mod as_is {
    use super::*;
    use crate::{io::Tcp, upgrade::Duplex};

    impl AsyncRead for Tcp {
        fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let read = ready!(Duplex::poll_read(self.get_mut(), room.initialize_unfilled(), cx))?;
            room.advance(read);
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Tcp {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Duplex::poll_write(self.get_mut(), bytes, cx)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Duplex::poll_shutdown(self.get_mut(), cx)
        }
    }
}
