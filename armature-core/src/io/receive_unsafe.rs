//! Receiving into memory that nothing has been written to yet. Leaves readiness to `tcp.rs`.
#![allow(
    unsafe_code,
    reason = "a buffer's length is set to what the kernel has filled, instead of clearing it for every read"
)]

use std::{io, net::TcpStream};

use bytes::BytesMut;
use socket2::SockRef;

/// Appends what has arrived to `buffer`, as far as there is room, and says how many bytes that were (recv(2)).
#[inline]
pub(super) fn receive(stream: &TcpStream, buffer: &mut BytesMut) -> io::Result<usize> {
    let room = buffer.spare_capacity_mut();
    let room_bytes = room.len();
    let received = SockRef::from(stream).recv(room)?;
    assert!(received <= room_bytes);
    let filled = buffer.len() + received;
    // SAFETY: the bytes up to `buffer.len()` were initialised before, recv(2) has written `received` bytes behind them, and
    // there was room for so many.
    unsafe { buffer.set_len(filled) };
    Ok(received)
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpListener};

    use super::*;

    #[test]
    fn what_is_there_is_appended_as_far_as_there_is_room() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let mut buffer = BytesMut::with_capacity(10);
        let room = buffer.capacity();
        buffer.extend_from_slice(b"ab");
        peer.write_all(&vec![b'x'; room]).unwrap();
        peer.write_all(b"y").unwrap();
        let mut received = 0;
        while received < room - 2 {
            received += receive(&stream, &mut buffer).unwrap();
        }
        assert_eq!(buffer, [b"ab", &vec![b'x'; room - 2][..]].concat());
        buffer.clear();
        drop(peer);
        while receive(&stream, &mut buffer).unwrap() > 0 {}
        assert_eq!(buffer, b"xxy"[..]);
    }
}
