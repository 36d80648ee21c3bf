//! The listening sockets of a server under test: one per worker, all on one port (socket(7), SO_REUSEPORT).
//!
//! Leaves accepting to the target. Read next: the target's `main.rs`.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// How many finished handshakes may wait to be accepted, per listener.
///
/// Above the largest number of connections that the lab opens at once, so that no SYN is ever dropped and sent again
/// a second later; the kernel cuts it to net.core.somaxconn (listen(2)).
pub const BACKLOG: u32 = 4096;

/// How long a server that was asked to stop waits for the requests in flight, in seconds.
///
/// Shorter than the 10 s after which `probe::Control` gives up on a server, and longer than any request of the contract
/// takes.
pub const DRAIN_SECONDS: u64 = 5;

/// Opens `workers` non-blocking listeners that share the port of `address`.
///
/// With port 0 the system chooses a port for the first listener and the others join it; ask
/// [`TcpListener::local_addr`] which it was. The kernel spreads connections over the listeners.
///
/// # Errors
/// When the port is taken, also by a listener that would share it: a second server on the port would silently get half
/// of the first one's connections.
pub fn shared(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    if address.port() != 0 {
        drop(open(address, false)?);
    }
    let mut listeners = vec![open(address, true)?];
    let bound = listeners[0].local_addr()?;
    while listeners.len() < workers {
        listeners.push(open(bound, true)?);
    }
    Ok(listeners)
}

fn open(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let in_context = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a server that ended a moment ago may still be in TIME_WAIT on this port.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into()).map_err(in_context)?;
    if reuse_port {
        let backlog = i32::try_from(BACKLOG).unwrap_or(i32::MAX);
        socket.listen(backlog).map_err(in_context)?;
    }
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: &str = "127.0.0.1:0";

    #[test]
    fn all_listeners_share_the_port_that_the_first_was_given() {
        let listeners = shared(ANY.parse().unwrap(), 3).unwrap();
        let addresses: Vec<_> = listeners.iter().map(|each| each.local_addr().unwrap()).collect();
        assert_eq!(addresses.len(), 3);
        assert!(addresses[0].port() != 0 && addresses.iter().all(|each| *each == addresses[0]));
    }

    #[test]
    fn a_taken_port_is_refused_whether_or_not_its_owner_shares() {
        let sharing = shared(ANY.parse().unwrap(), 1).unwrap().remove(0);
        let alone = TcpListener::bind(ANY).unwrap();
        for owner in [sharing, alone] {
            let address = owner.local_addr().unwrap();
            let error = shared(address, 2).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            assert!(error.to_string().contains(&address.to_string()), "{error}");
        }
    }
}
