//! An epoll instance that tokio can wait for. Leaves what it watches to `reactor.rs`.
#![allow(unsafe_code, reason = "tokio wants a promise that a descriptor it waits for stays open and the same")]

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
};

use nix::sys::epoll::{Epoll, EpollCreateFlags};
use tokio::io::{Interest, unix::AsyncFd};

/// An epoll instance (epoll(7)).
pub(super) struct Instance(Epoll);

impl Instance {
    /// A new one, registered with the runtime of the calling thread.
    ///
    /// # Errors
    /// Those of epoll_create1(2) and epoll_ctl(2).
    pub(super) fn new() -> io::Result<AsyncFd<Self>> {
        let instance = Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
        // SAFETY: the descriptor is the instance's own from here to its drop, after the registration's, and `as_raw_fd`
        // always tells that one.
        Ok(unsafe { AsyncFd::register_with_interest(instance, Interest::READABLE) }?)
    }

    #[inline]
    pub(super) fn epoll(&self) -> &Epoll {
        &self.0
    }
}

impl AsRawFd for Instance {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}
