//! The three system calls of epoll(7), which the standard library does not offer. Leaves what to do with the events to
//! `worker.rs`.
#![allow(unsafe_code, reason = "epoll is reached through libc")]

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

/// How many events one wait can return.
const EVENTS_MAX: usize = 256;

/// What a descriptor is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Bytes to read, a connection to accept, or the peer's end.
    Read,
    /// Room to write.
    Write,
}

impl Interest {
    fn bits(self) -> u32 {
        match self {
            Self::Read => libc::EPOLLIN as u32,
            Self::Write => libc::EPOLLOUT as u32,
        }
    }
}

/// An epoll instance, level-triggered. Reports each descriptor as itself.
#[derive(Debug)]
pub(crate) struct Epoll(OwnedFd);

/// What one wait returned.
#[derive(Debug)]
pub(crate) struct Events {
    room: Box<[libc::epoll_event; EVENTS_MAX]>,
    count: usize,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self { room: Box::new([libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX]), count: 0 }
    }

    /// The descriptors that something happened to, each once.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = RawFd> {
        // `control` below wrote a descriptor there, so nothing is cut off.
        self.room[..self.count].iter().map(|event| event.u64 as RawFd)
    }
}

impl Epoll {
    /// A new instance, closed on drop (epoll_create1(2)).
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: epoll_create1 takes no pointer; the kernel checks the flag.
        let descriptor = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the call above succeeded, so the descriptor is open, and nobody else has seen it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// Watches `descriptor` (epoll_ctl(2), EPOLL_CTL_ADD).
    pub(crate) fn add(&self, descriptor: &impl AsRawFd, interest: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, descriptor.as_raw_fd(), interest)
    }

    /// Watches `descriptor`, which was added before, for something else (EPOLL_CTL_MOD).
    pub(crate) fn change(&self, descriptor: &impl AsRawFd, interest: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, descriptor.as_raw_fd(), interest)
    }

    /// Waits for events without a limit of time (epoll_wait(2)).
    pub(crate) fn wait(&self, events: &mut Events) -> io::Result<()> {
        events.count = 0;
        // SAFETY: the pointer and the length describe `events.room`, which is borrowed for the whole call.
        let count = check(unsafe {
            libc::epoll_wait(self.0.as_raw_fd(), events.room.as_mut_ptr(), EVENTS_MAX as libc::c_int, -1)
        })?;
        events.count = usize::try_from(count).unwrap_or(0);
        Ok(())
    }

    fn control(&self, operation: libc::c_int, descriptor: RawFd, interest: Interest) -> io::Result<()> {
        let mut event = libc::epoll_event { events: interest.bits(), u64: descriptor as u64 };
        // SAFETY: `event` outlives the call, which copies it. A descriptor that is not open is refused with EBADF.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), operation, descriptor, &raw mut event) })?;
        Ok(())
    }
}

fn check(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(returned)
}
