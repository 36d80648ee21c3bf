//! A worker's own epoll(7) instance: which sockets have something to read or room to write, and whose task that concerns.
//!
//! A worker waits here itself, or has tokio wait for the instance as for any descriptor; `../worker/tasks.rs` decides. Read
//! next: `tcp.rs`, `../worker/tasks.rs`.

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    os::fd::AsFd,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        epoll::{EpollEvent, EpollFlags, EpollTimeout},
        eventfd::{EfdFlags, EventFd},
        time::TimeSpec,
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    },
};
use slab::Slab;
use tokio::io::unix::AsyncFd;

use super::instance_unsafe::Instance;

/// Events that one wait takes: what 64 busy connections bring several times over. What is left comes with the next.
const EVENTS_MAX: usize = 256;

/// What the kernel calls the clock and the alarm by; sources are numbered from 0.
const CLOCK: u64 = u64::MAX;
const ALARM: u64 = u64::MAX - 1;

/// Which task of a worker is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskKey(u32);

impl TaskKey {
    /// The task of this number; there are fewer than descriptors, which are 32-bit numbers themselves.
    pub(crate) fn new(index: usize) -> Self {
        Self(index as u32)
    }

    #[inline]
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a wait has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A task's socket can be read, or written, or has failed.
    Task(TaskKey),
    /// The clock has gone on.
    Tick,
}

/// Interrupts a wait, from any thread.
#[derive(Debug)]
pub(crate) struct Alarm(EventFd);

impl Alarm {
    pub(crate) fn ring(&self) {
        // It fails when the counter is full, and then it rings already.
        let _ = self.0.write(1);
    }
}

/// The epoll instance, its clock, and what it watches.
pub(crate) struct Reactor {
    epoll: AsyncFd<Instance>,
    clock: TimerFd,
    clock_runs: Cell<bool>,
    alarm: Arc<Alarm>,
    sources: RefCell<Slab<Rc<Source>>>,
    events: RefCell<Box<[EpollEvent]>>,
    /// How many events the last wait took.
    arrived: Cell<usize>,
}

/// One watched descriptor, as far as is known.
#[derive(Default)]
struct Source {
    readable: Cell<bool>,
    writable: Cell<bool>,
    /// The peer has shut its side or the socket has failed, so that reading ends in 0 or an error.
    ended: Cell<bool>,
    /// The task that is polled at every event; without one it is the wakers that are woken.
    task: Cell<Option<TaskKey>>,
    reader: Cell<Option<Waker>>,
    writer: Cell<Option<Waker>>,
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").field("arrived", &self.arrived).finish_non_exhaustive()
    }
}

impl Reactor {
    /// # Errors
    /// Those of epoll_create1(2), timerfd_create(2) and eventfd(2).
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = Instance::new()?;
        let clock = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let alarm = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        let edges = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        epoll.get_ref().epoll().add(clock.as_fd(), EpollEvent::new(edges, CLOCK))?;
        // Each write is an edge, so it need not be read.
        epoll.get_ref().epoll().add(alarm.as_fd(), EpollEvent::new(edges, ALARM))?;
        Ok(Self {
            epoll,
            clock,
            clock_runs: Cell::new(false),
            alarm: Arc::new(Alarm(alarm)),
            sources: RefCell::default(),
            events: RefCell::new(vec![EpollEvent::empty(); EVENTS_MAX].into_boxed_slice()),
            arrived: Cell::new(0),
        })
    }

    pub(crate) fn alarm(&self) -> Arc<Alarm> {
        self.alarm.clone()
    }

    /// Has the clock tick from now on; `false` if it does already.
    pub(crate) fn start_clock(&self, tick: Duration) -> io::Result<bool> {
        if self.clock_runs.replace(true) {
            return Ok(false);
        }
        self.clock.set(Expiration::Interval(TimeSpec::from_duration(tick)), TimerSetTimeFlags::empty())?;
        Ok(true)
    }

    pub(crate) fn stop_clock(&self) -> io::Result<()> {
        self.clock_runs.set(false);
        Ok(self.clock.unset()?)
    }

    /// Takes what has happened, and waits until something does if `blocks`. Says how many events there are.
    pub(crate) fn wait(&self, blocks: bool) -> io::Result<usize> {
        let timeout = if blocks { EpollTimeout::NONE } else { EpollTimeout::ZERO };
        let arrived = match self.epoll.get_ref().epoll().wait(&mut self.events.borrow_mut(), timeout) {
            Ok(arrived) => arrived,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        self.arrived.set(arrived);
        Ok(arrived)
    }

    /// Waits, as a guest of tokio, until a [`wait`](Self::wait) may bring something.
    pub(crate) fn poll_arrived(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Forgotten at once: what has arrived is taken now, and what arrives later is another edge.
        ready!(self.epoll.poll_read_ready(cx))?.clear_ready();
        Poll::Ready(Ok(()))
    }

    /// Whether the last wait may have left something.
    pub(crate) fn is_full(&self) -> bool {
        self.arrived.get() == EVENTS_MAX
    }

    /// One of the events of the last wait; `None` if it concerns nobody any more.
    pub(crate) fn event(&self, index: usize) -> Option<Event> {
        let event = self.events.borrow()[index];
        match event.data() {
            // Reading it arms it for the next tick (timerfd_create(2)).
            CLOCK => self.clock.wait().ok().map(|()| Event::Tick),
            ALARM => None,
            key => {
                let sources = self.sources.borrow();
                // A source that took the place of one that has gone may get an event too many, which does no harm.
                let source = sources.get(key as usize)?;
                source.note(event.events());
                if let Some(task) = source.task.get() {
                    return Some(Event::Task(task));
                }
                let source = source.clone();
                drop(sources);
                source.wake();
                None
            }
        }
    }

    /// Watches a connected socket for one task, edge-triggered: the first event comes as soon as it is asked for.
    pub(crate) fn watch_stream(self: &Rc<Self>, socket: impl AsFd, task: TaskKey) -> io::Result<Registration> {
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        self.watch(socket, task, flags)
    }

    /// Watches a listening socket for one task, level-triggered: there is an event as long as a connection waits.
    pub(crate) fn watch_listener(self: &Rc<Self>, socket: impl AsFd, task: TaskKey) -> io::Result<Registration> {
        self.watch(socket, task, EpollFlags::EPOLLIN)
    }

    fn watch(self: &Rc<Self>, socket: impl AsFd, task: TaskKey, flags: EpollFlags) -> io::Result<Registration> {
        let source = Rc::new(Source { writable: Cell::new(true), task: Cell::new(Some(task)), ..Source::default() });
        let key = self.sources.borrow_mut().insert(source.clone());
        let registration = Registration { source, reactor: self.clone(), key };
        self.epoll.get_ref().epoll().add(socket, EpollEvent::new(flags, key as u64))?;
        Ok(registration)
    }
}

impl Source {
    fn note(&self, flags: EpollFlags) {
        let (ended, failed) = (EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP, EpollFlags::EPOLLERR);
        if flags.intersects(ended | failed) {
            self.ended.set(true);
        }
        if flags.intersects(EpollFlags::EPOLLIN | ended | failed) {
            self.readable.set(true);
        }
        if flags.intersects(EpollFlags::EPOLLOUT | EpollFlags::EPOLLHUP | failed) {
            self.writable.set(true);
        }
    }

    fn wake(&self) {
        if self.readable.get()
            && let Some(reader) = self.reader.take()
        {
            reader.wake();
        }
        if self.writable.get()
            && let Some(writer) = self.writer.take()
        {
            writer.wake();
        }
    }
}

/// A descriptor's place in the reactor; it has to be closed when this is dropped.
pub(crate) struct Registration {
    source: Rc<Source>,
    reactor: Rc<Reactor>,
    key: usize,
}

impl Registration {
    /// Whether a read may bring something. The task that it belongs to is polled when that changes; without one, `cx` is.
    #[inline]
    pub(crate) fn poll_readable(&self, cx: &Context<'_>) -> Poll<()> {
        if self.source.readable.get() {
            return Poll::Ready(());
        }
        if self.source.task.get().is_none() {
            self.source.reader.set(Some(cx.waker().clone()));
        }
        Poll::Pending
    }

    /// Whether a write may find room.
    #[inline]
    pub(crate) fn poll_writable(&self, cx: &Context<'_>) -> Poll<()> {
        if self.source.writable.get() {
            return Poll::Ready(());
        }
        if self.source.task.get().is_none() {
            self.source.writer.set(Some(cx.waker().clone()));
        }
        Poll::Pending
    }

    /// Notes that the socket is empty.
    pub(crate) fn set_empty(&self) {
        self.source.readable.set(false);
    }

    /// Notes what a read has brought: less than there was room for means that the socket is empty (epoll(7), question 9),
    /// unless its end is known to be there.
    #[inline]
    pub(crate) fn note_read(&self, read: usize, room: usize) {
        if read > 0 && read < room {
            self.source.readable.set(self.source.ended.get());
        }
    }

    /// Notes that the socket takes no more.
    pub(crate) fn set_full(&self) {
        self.source.writable.set(false);
    }

    /// Whether an event has come since this was last asked.
    pub(crate) fn take_readable(&self) -> bool {
        self.source.readable.replace(false)
    }

    /// How many events came at once, lately.
    pub(crate) fn arrived(&self) -> usize {
        self.reactor.arrived.get()
    }

    /// Parts from the task that it belongs to: who waits from now on is woken, whatever task it is.
    pub(crate) fn leave_task(&self) {
        self.source.task.set(None);
    }

    /// Watches a listening socket no more, or again.
    pub(crate) fn set_watched(&self, socket: impl AsFd, watched: bool) -> io::Result<()> {
        let flags = if watched { EpollFlags::EPOLLIN } else { EpollFlags::empty() };
        Ok(self.reactor.epoll.get_ref().epoll().modify(socket, &mut EpollEvent::new(flags, self.key as u64))?)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.reactor.sources.borrow_mut().remove(self.key);
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("key", &self.key).finish_non_exhaustive()
    }
}
