//! What is below and beside HTTP/1.1: TLS, HTTP/2, and finding out which of them a client speaks.
//!
//! A plain connection of HTTP/1.1 does not come by here. Read next: `tls.rs` (certificates), `encrypted.rs` (their stream),
//! `preface.rs` (the first bytes), `http2.rs`.

#[cfg(feature = "tls")]
mod encrypted;
#[cfg(feature = "http2")]
mod http2;
#[cfg(feature = "http2")]
mod preface;
#[cfg(feature = "tls")]
mod tls;

use std::net::SocketAddr;

#[cfg(feature = "tls")]
pub use tls::Tls;

#[cfg(any(feature = "tls", feature = "http2"))]
use crate::worker::Worker;
use crate::{
    conn::Conn,
    error::Error,
    io::{Stream, TaskKey, Tcp},
    service::{ConnectionInfo, Service},
    worker::Opened,
};

/// What connections speak.
#[derive(Clone, Default)]
pub(crate) struct Transport {
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsAcceptor>,
    /// Whether HTTP/2 is spoken with those who do.
    #[cfg(feature = "http2")]
    http2: bool,
}

/// What a server was told about it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
    #[cfg(feature = "http2")]
    pub(crate) http2: bool,
}

impl Settings {
    /// Makes it ready for use.
    pub(crate) fn transport(&self) -> Result<Transport, Error> {
        Ok(Transport {
            #[cfg(feature = "tls")]
            tls: match &self.tls {
                Some(tls) => Some(tls.config(self.protocols())?.into()),
                None => None,
            },
            #[cfg(feature = "http2")]
            http2: self.http2,
        })
    }

    /// The protocols that are offered under TLS, the best first.
    #[cfg(feature = "tls")]
    fn protocols(&self) -> &'static [&'static [u8]] {
        #[cfg(feature = "http2")]
        if self.http2 {
            return &[b"h2", b"http/1.1"];
        }
        &[b"http/1.1"]
    }
}

impl Transport {
    /// Whether all that is spoken is HTTP/1.1 without TLS.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return false;
        }
        #[cfg(feature = "http2")]
        if self.http2 {
            return false;
        }
        true
    }

    /// Finds out what a client speaks, in the time that it has for a head, and serves it.
    pub(crate) async fn serve<S: Service>(self, stream: Tcp, peer: SocketAddr, worker: Opened<S>, task: TaskKey) {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return self::tls::serve(tls, stream, peer, worker, task).await;
        }
        #[cfg(feature = "http2")]
        if self.http2 {
            return preface::serve(stream, peer, worker, task).await;
        }
        serve_http1(stream, ConnectionInfo::new(peer, false), worker, task).await;
    }
}

/// Waits for what a client says first, in the time that it has for a head. In a worker that stops it has as long as any
/// connection there is given to send a next request.
#[cfg(any(feature = "tls", feature = "http2"))]
async fn in_time<S: Service, T>(worker: &Worker<S>, first: impl Future<Output = T>) -> Option<T> {
    let stopped = async {
        worker.stopping().await;
        worker.timers.sleep(worker.limits.drain_idle).await;
    };
    tokio::select! {
        biased;
        first = first => Some(first),
        () = worker.timers.sleep(worker.limits.head_deadline) => None,
        () = stopped => None,
    }
}

async fn serve_http1<IO, S>(stream: IO, info: ConnectionInfo, worker: Opened<S>, task: TaskKey)
where
    IO: Stream + Unpin,
    S: Service,
{
    Conn::new(stream, info, worker, task).await;
}
