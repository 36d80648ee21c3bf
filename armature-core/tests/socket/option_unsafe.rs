//! Options and counters of sockets that no safe door shows: those that the server has accepted in this process, and what TCP tells
//! of a client's.
#![allow(
    unsafe_code,
    reason = "a descriptor of another owner in this process is looked at, by options that no crate in use offers"
)]

use std::{
    fs,
    io::{Error, Result},
    net::{SocketAddr, TcpStream},
    os::fd::{AsRawFd, BorrowedFd, RawFd},
};

use socket2::{Domain, SockRef, Socket, Type};

use crate::client::PATIENCE;

/// An option of the socket that the server has accepted from a client, which is still connected.
pub(crate) fn accepted_option(client: &TcpStream, level: i32, name: i32) -> i32 {
    let client = client.local_addr().unwrap();
    let is_accepted = |fd: &RawFd| {
        // SAFETY: the descriptor was listed as open in this process. Should its owner have closed it since, the question for its peer
        // is answered with an error, or for another socket, which has another peer.
        let borrowed = unsafe { BorrowedFd::borrow_raw(*fd) };
        SockRef::from(&borrowed).peer_addr().is_ok_and(|peer| peer.as_socket() == Some(client))
    };
    let listed = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let mut descriptors = listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let accepted = descriptors.find(is_accepted).expect("the server has accepted it");
    let mut value = 0;
    // SAFETY: the value is a c_int, of the length that is told, which the kernel writes during the call.
    unsafe { option(accepted, level, name, &mut value) }.unwrap();
    value
}

/// Segments with data that have arrived at a client (tcp(7), TCP_INFO).
pub(crate) fn data_segments_in(client: &TcpStream) -> u32 {
    // SAFETY: all fields are integers, of which nought is a value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes as much of the structure as it knows, and no more than the length that is told.
    unsafe { option(client.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, &mut info) }.unwrap();
    info.tcpi_data_segs_in
}

/// Asks for an option.
///
/// # Safety
/// `T` has a value for whatever bytes the kernel writes.
unsafe fn option<T>(fd: RawFd, level: i32, name: i32, value: &mut T) -> Result<()> {
    let mut bytes = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel writes no more than `bytes` bytes to `value`, which has so many, and the caller vouches for them.
    let asked = unsafe { libc::getsockopt(fd, level, name, std::ptr::from_mut(value).cast(), &raw mut bytes) };
    if asked == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

/// A client that sends its first bytes with its SYN, if it knows by an earlier connection that the server takes them.
pub(crate) fn connect_with(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    let on: libc::c_int = 1;
    let length = size_of_val(&on) as libc::socklen_t;
    let (level, name) = (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT);
    // SAFETY: the value is a c_int, of the length that is told, which the kernel reads during the call.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(&on).cast(), length) };
    assert_eq!(set, 0, "{}", Error::last_os_error());
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send(bytes).unwrap();
    socket.into()
}
