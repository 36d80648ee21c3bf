//! Has a listener take a request with the SYN (TCP_FASTOPEN, tcp(7)), or says why it would not.
#![allow(unsafe_code, reason = "the option is offered by no crate in use")]

use std::{fs, io, net::TcpListener, os::fd::AsRawFd};

/// The bit of `net.ipv4.tcp_fastopen` that lets listeners have it (tcp(7)).
const FOR_LISTENERS: u32 = 2;

/// Lets so many connections wait that have sent a request with their SYN.
///
/// # Errors
/// When the kernel would take the option and do nothing (`net.ipv4.tcp_fastopen`), and those of setsockopt(2).
pub(super) fn set(listener: &TcpListener, connections_max: u32) -> io::Result<()> {
    let allowed = fs::read_to_string("/proc/sys/net/ipv4/tcp_fastopen")?;
    if allowed.trim().parse().map_or(true, |bits: u32| bits & FOR_LISTENERS == 0) {
        let reason = "the system lets no listener have TCP Fast Open: net.ipv4.tcp_fastopen lacks the bit 2";
        return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
    }
    let value = libc::c_int::try_from(connections_max).unwrap_or(libc::c_int::MAX);
    let bytes = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the descriptor is open for as long as the listener is borrowed, and the value is a c_int of the length that is told,
    // which the kernel reads during the call.
    let set = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_FASTOPEN,
            std::ptr::from_ref(&value).cast(),
            bytes,
        )
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
