//! A worker: one thread, one single-threaded runtime, one listener, one service, and what its connections share.
//!
//! Nothing here is locked or counted across threads. Leaves what happens on a connection to `../conn/mod.rs` and
//! starting workers to `../server.rs`. Read next: `timer.rs`, `../conn/mod.rs`.

pub(crate) mod arrival;
pub(crate) mod counters;
pub(crate) mod cpu;
mod memory;
mod stamp;
pub(crate) mod stop;
pub(crate) mod timer;

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{sync::Notify, task::spawn_local};

use crate::{
    conn::{Conn, Patience},
    h1::head::HeadIndex,
    io::Tcp,
    limits::Limits,
    service::{ConnectionInfo, Service, Slot},
};
use arrival::{Arrivals, Source};
use counters::WorkerCounters;
use stamp::Stamp;
use stop::Stop;
use timer::Timers;

/// The single-threaded runtime that a worker runs on.
pub(crate) fn runtime() -> io::Result<tokio::runtime::LocalRuntime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build_local(tokio::runtime::LocalOptions::default())
}

/// What the connections of one worker share.
pub(crate) struct Worker<S> {
    pub(crate) service: S,
    pub(crate) limits: Limits,
    pub(crate) timers: Timers,
    pub(crate) stamp: Stamp,
    pub(crate) counters: Arc<WorkerCounters>,
    /// The table of the head that is being answered.
    pub(crate) index: RefCell<HeadIndex>,
    /// Storage for handlers that do not have to wait; one that does takes it along.
    pub(crate) slot: RefCell<Slot>,
    pub(crate) patience: Patience,
    draining: Cell<bool>,
    open: Cell<usize>,
    /// Where an acceptor looks up how many connections are open here.
    load: Option<Arc<AtomicUsize>>,
    /// A connection has ended.
    closed: Notify,
}

impl<S: Service> Worker<S> {
    pub(crate) fn new(service: S, limits: Limits, name: &str, counters: Arc<WorkerCounters>) -> Self {
        let patience = Patience::new(&limits);
        Self {
            service,
            limits,
            timers: Timers::new(),
            stamp: Stamp::new(name),
            counters,
            index: RefCell::default(),
            slot: RefCell::default(),
            patience,
            draining: Cell::new(false),
            open: Cell::new(0),
            load: None,
            closed: Notify::new(),
        }
    }

    /// Reports how many connections are open to an acceptor, which has counted each when it handed it out.
    pub(crate) fn report_to(mut self, load: Option<Arc<AtomicUsize>>) -> Self {
        self.load = load;
        self
    }

    /// Connections that are open.
    #[inline]
    pub(crate) fn open(&self) -> usize {
        self.open.get()
    }

    /// Whether the worker is stopping: connections end after what is under way.
    #[inline]
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    pub(crate) fn connection_opened(&self) {
        self.counters.accepted.add(1);
        self.open.set(self.open.get() + 1);
    }

    pub(crate) fn connection_closed(&self) {
        self.counters.closed.add(1);
        self.open.set(self.open.get() - 1);
        if let Some(load) = &self.load {
            load.fetch_sub(1, Ordering::AcqRel);
        }
        self.closed.notify_waiters();
    }

    /// Serves until it is told to stop and its connections have ended, or the drain's deadline has passed.
    pub(crate) async fn run(self: Rc<Self>, arrivals: Arrivals, stop: Arc<Stop>) -> io::Result<()> {
        let mut source = Source::new(arrivals)?;
        let clock = spawn_local({
            let worker = self.clone();
            async move { worker.timers.run().await }
        });
        tokio::select! {
            biased;
            () = stop.asked() => {}
            () = self.accept_all(&mut source) => {}
            () = self.watch_memory() => {}
        }
        let drained = self.drain(source).await;
        clock.abort();
        drained
    }

    async fn accept_all(self: &Rc<Self>, source: &mut Source) {
        loop {
            self.room_for_one_more().await;
            match source.next().await {
                Some(stream) => self.open_connection(stream),
                None => return,
            }
        }
    }

    /// Waits until there is room, and makes some by closing connections that have been idle for long.
    async fn room_for_one_more(&self) {
        while self.open.get() >= self.limits.connections_max {
            // More than one at a time, so that looking for them costs little per connection.
            self.cull((self.limits.connections_max / 64).max(1));
            // Where none was idle long enough, one may be a tick later.
            let _ = tokio::time::timeout(timer::TICK, self.closed.notified()).await;
        }
    }

    fn cull(&self, number: usize) {
        let culled = self.timers.cull(number, self.patience.cull_idle_min);
        self.counters.culled.add(culled as u64);
    }

    /// Closes idle connections while the process has more memory than it should.
    async fn watch_memory(&self) {
        if self.limits.memory_bytes_max == u64::MAX {
            std::future::pending::<()>().await;
        }
        loop {
            tokio::time::sleep(memory::INTERVAL).await;
            self.cull(memory::excess(self.timers.idle(), memory::resident_bytes(), self.limits.memory_bytes_max));
        }
    }

    fn open_connection(self: &Rc<Self>, stream: tokio::net::TcpStream) {
        let opened = stream.peer_addr().and_then(|peer| Ok((Tcp::new(stream)?, ConnectionInfo::new(peer, false))));
        match opened {
            Ok((stream, info)) => {
                spawn_local(Conn::new(stream, info, self.clone()));
            }
            // A socket on which an option cannot be set is one that its peer has reset already.
            Err(_) => {
                if let Some(load) = &self.load {
                    load.fetch_sub(1, Ordering::AcqRel);
                }
            }
        }
    }

    /// Takes in what the kernel has accepted, stops listening, and waits for connections to end.
    async fn drain(self: &Rc<Self>, source: Source) -> io::Result<()> {
        self.draining.set(true);
        // Connections in the queue were accepted as far as their clients can tell; closing the listener resets them.
        source.rest(|stream| self.open_connection(stream)).await?;
        self.timers.wake_all();
        let all_closed = async {
            while self.open.get() > 0 {
                self.closed.notified().await;
            }
        };
        // What is still open then is cut when the runtime is dropped.
        let _ = tokio::time::timeout(self.limits.drain_deadline, all_closed).await;
        Ok(())
    }
}
