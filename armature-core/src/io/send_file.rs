//! Has the kernel send a file by itself (sendfile(2)).

use std::{io, net::TcpStream};

use nix::sys::sendfile::sendfile64;

use crate::body::FilePart;

/// What one call sends at most, so that a client with a large socket buffer does not keep the worker from others.
const BYTES_MAX: u64 = 262_144;

/// Sends some of a file, and says how many bytes that were.
///
/// What is not in the page cache is read from the disk in this call: no flag makes sendfile(2) say so instead.
pub(super) fn send(socket: &TcpStream, part: &FilePart) -> io::Result<usize> {
    let count = part.length().min(BYTES_MAX) as usize;
    let mut from = i64::try_from(part.bytes.start).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(sendfile64(socket, &part.file, Some(&mut from), count)?)
}
