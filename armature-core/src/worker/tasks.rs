//! A worker's tasks: its connections, and the one that accepts them. Polls those whose socket or waker says so.
//!
//! The thread is also tokio's, for handlers that wait for its timers, sockets and tasks. While somebody may wait for those,
//! this is a guest: one task of tokio's, which tokio wakes when the reactor has something. Otherwise it waits in the reactor
//! itself, and a request does not pass through tokio. Leaves what happens at an event to `../io/reactor.rs`.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use slab::Slab;
use tokio::{
    runtime::{Handle, RuntimeMetrics},
    task::{unconstrained, yield_now},
};

use super::ready::{Ready, TaskWake};
use crate::io::{Event, Reactor, TaskKey};

/// References to a task's waker that are held here: [`Slot::wake`], and its copy in [`Slot::waker`].
const OWN_REFERENCES: usize = 2;

/// The tasks of a worker.
pub(super) struct Tasks {
    reactor: Rc<Reactor>,
    slots: RefCell<Slab<Slot>>,
    ready: Arc<Ready>,
    /// How many tasks wait for something else than their sockets, as of when each was last polled.
    outside: Cell<usize>,
    tokio: RuntimeMetrics,
}

/// A connection.
struct Slot {
    future: Pin<Box<dyn Future<Output = ()>>>,
    wake: Arc<TaskWake>,
    waker: Waker,
    /// Somebody else has the waker: a timer, a channel, a task of tokio's.
    waits_outside: bool,
}

/// The number of the task that accepts and drains. There are not as many connections as numbers.
pub(super) fn main_task() -> TaskKey {
    TaskKey::new(u32::MAX as usize)
}

impl Tasks {
    pub(super) fn new() -> io::Result<Self> {
        let reactor = Rc::new(Reactor::new()?);
        let ready = Arc::new(Ready::new(reactor.alarm()));
        Ok(Self {
            reactor,
            slots: RefCell::default(),
            ready,
            outside: Cell::new(0),
            tokio: Handle::current().metrics(),
        })
    }

    pub(super) fn reactor(&self) -> &Rc<Reactor> {
        &self.reactor
    }

    /// Adds a connection, which is polled when its socket has its first event.
    pub(super) fn spawn<F>(&self, make: impl FnOnce(TaskKey) -> io::Result<F>) -> io::Result<()>
    where
        F: Future<Output = ()> + 'static,
    {
        let mut slots = self.slots.borrow_mut();
        let vacant = slots.vacant_entry();
        let key = TaskKey::new(vacant.key());
        let future = Box::pin(make(key)?);
        let wake = self.ready.wake(key);
        vacant.insert(Slot { future, waker: wake.clone().into(), wake, waits_outside: false });
        Ok(())
    }

    /// Has a task polled soon.
    pub(super) fn wake(&self, key: TaskKey) {
        if let Some(slot) = self.slots.borrow().get(key.index()) {
            slot.waker.wake_by_ref();
        }
    }

    /// Has every connection polled soon.
    pub(super) fn wake_all(&self) {
        self.slots.borrow().iter().for_each(|(_, slot)| slot.waker.wake_by_ref());
    }

    /// Runs connections until `main` is done, and drops those that are left then. Calls `tick` at every tick; the clock
    /// stops when there is no connection and `tick` says that nobody else needs it.
    pub(super) async fn run<T>(&self, main: impl Future<Output = T>, tick: impl Fn() -> bool) -> io::Result<T> {
        // Tokio bounds what a task receives before tokio has its turn again, and a worker that waits by itself gives it none.
        let mut main = pin!(unconstrained(main));
        let main_wake = self.ready.wake(main_task());
        let main_waker = Waker::from(main_wake.clone());
        main_waker.wake_by_ref();
        let mut woken = Vec::new();
        loop {
            let mut polls_main = false;
            for index in 0..self.rest(&mut woken).await? {
                match self.reactor.event(index) {
                    Some(Event::Task(key)) if key == main_task() => polls_main = true,
                    Some(Event::Task(key)) => self.poll(key),
                    Some(Event::Tick) if !tick() && self.slots.borrow().is_empty() => self.reactor.stop_clock()?,
                    _ => {}
                }
            }
            // Behind the others: a connection that has had its turn wakes itself.
            for key in woken.drain(..) {
                if key == main_task() {
                    main_wake.forget();
                    polls_main = true;
                } else {
                    self.poll_woken(key);
                }
            }
            if polls_main && let Poll::Ready(done) = main.as_mut().poll(&mut Context::from_waker(&main_waker)) {
                self.end_all();
                return Ok(done);
            }
        }
    }

    /// Whether nothing on this thread waits for tokio: there is no task of its own but this one, and nobody has a
    /// connection's waker. Another thread may spawn one at any time, which is noticed at the next tick; without
    /// connections there is none, so that wait is tokio's.
    fn is_alone(&self) -> bool {
        self.outside.get() == 0 && !self.slots.borrow().is_empty() && self.tokio.num_alive_tasks() == 1
    }

    /// Waits until there is something to do: says how many events there are, and leaves woken tasks in `woken`.
    async fn rest(&self, woken: &mut Vec<TaskKey>) -> io::Result<usize> {
        let arrived = if self.is_alone() {
            let blocks = self.ready.sleep_in_reactor(woken);
            let arrived = self.reactor.wait(blocks);
            self.ready.awake();
            arrived?
        } else {
            if self.ready.has_woken() {
                // Whoever woke it may be a connection that has more to do than its turn allows; tokio has a turn too.
                yield_now().await;
            }
            let mut may_have_arrived = self.reactor.is_full();
            poll_fn(|cx| {
                let has_woken = !self.ready.sleep_in_tokio(woken, cx.waker());
                if let Poll::Ready(arrived) = self.reactor.poll_arrived(cx) {
                    may_have_arrived = true;
                    arrived?;
                }
                if has_woken || may_have_arrived { Poll::Ready(Ok::<_, io::Error>(())) } else { Poll::Pending }
            })
            .await?;
            self.ready.awake();
            if may_have_arrived { self.reactor.wait(false)? } else { 0 }
        };
        Ok(arrived)
    }

    /// Polls a connection after an event.
    fn poll(&self, key: TaskKey) {
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots.get_mut(key.index()) else { return };
        let future = &mut slot.future;
        let cx = &mut Context::from_waker(&slot.waker);
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        if let Ok(Poll::Pending) = polled {
            let waits_outside = Arc::strong_count(&slot.wake) > OWN_REFERENCES;
            if waits_outside != slot.waits_outside {
                slot.waits_outside = waits_outside;
                self.outside.set(if waits_outside { self.outside.get() + 1 } else { self.outside.get() - 1 });
            }
            return;
        }
        let slot = slots.remove(key.index());
        drop(slots);
        self.end(slot);
    }

    /// Polls a connection that was woken.
    fn poll_woken(&self, key: TaskKey) {
        if let Some(slot) = self.slots.borrow().get(key.index()) {
            slot.wake.forget();
        }
        self.poll(key);
    }

    fn end(&self, slot: Slot) {
        if slot.waits_outside {
            self.outside.set(self.outside.get() - 1);
        }
        let _ = catch_unwind(AssertUnwindSafe(|| drop(slot)));
    }

    fn end_all(&self) {
        let slots = self.slots.take();
        slots.into_iter().for_each(|(_, slot)| self.end(slot));
    }
}
