//! A worker: one thread, one single-threaded runtime, one listener, one service, and what its connections share.
//!
//! Nothing here is locked or counted across threads. Leaves what happens on a connection to `../conn/mod.rs` and
//! starting workers to `../server.rs`. Read next: `tasks.rs`, `timer.rs`, `../conn/mod.rs`.

pub(crate) mod arrival;
pub(crate) mod background;
pub(crate) mod counters;
pub(crate) mod cpu;
mod memory;
mod ready;
mod stamp;
pub(crate) mod stop;
mod tasks;
pub(crate) mod timer;

use std::{
    cell::{Cell, RefCell},
    io,
    net::{SocketAddr, TcpStream},
    ops::Deref,
    panic::resume_unwind,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{select, sync::Notify, task::spawn_local};

use crate::{
    conn::{Conn, Patience},
    h1::head::HeadIndex,
    io::Tcp,
    limits::Limits,
    service::{ConnectionInfo, Service, Slot},
    transport::Transport,
    tuning::Tuning,
};
use arrival::{ACCEPT_PAUSE, Arrivals, Source};
use background::Background;
use counters::WorkerCounters;
use stamp::Stamp;
use stop::Stop;
use tasks::Tasks;
use timer::Timers;

/// What a worker runs on: a runtime of one thread.
pub(crate) type Runtime = tokio::runtime::LocalRuntime;

/// A runtime for a worker.
pub(crate) fn runtime(tuning: &Tuning) -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(tuning.event_interval_polls)
        .global_queue_interval(tuning.global_queue_interval_polls)
        .max_blocking_threads(tuning.blocking_threads_max)
        .build_local(tokio::runtime::LocalOptions::default())
}

/// What the connections of one worker share.
pub(crate) struct Worker<S> {
    pub(crate) service: S,
    pub(crate) limits: Limits,
    pub(crate) tuning: Tuning,
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
    transport: Transport,
    background: Background,
    /// A connection has ended.
    closed: Notify,
    /// Somebody waits for the clock, whether or not there is a connection.
    needs_clock: Cell<bool>,
}

/// One connection of a worker, open for as long as this is there.
pub(crate) struct Opened<S>(Rc<Worker<S>>);

impl<S> Opened<S> {
    pub(crate) fn new(worker: Rc<Worker<S>>) -> Self {
        worker.counters.accepted.add(1);
        worker.open.set(worker.open.get() + 1);
        Self(worker)
    }
}

impl<S> Deref for Opened<S> {
    type Target = Rc<Worker<S>>;

    #[inline]
    fn deref(&self) -> &Rc<Worker<S>> {
        &self.0
    }
}

impl<S> Drop for Opened<S> {
    fn drop(&mut self) {
        self.0.counters.closed.add(1);
        self.0.open.set(self.0.open.get() - 1);
        if let Some(load) = &self.0.load {
            load.fetch_sub(1, Ordering::AcqRel);
        }
        self.0.closed.notify_waiters();
    }
}

impl<S: Service> Worker<S> {
    pub(crate) fn new(service: S, limits: Limits, name: &str, counters: Arc<WorkerCounters>) -> Self {
        let patience = Patience::new(&limits);
        Self {
            service,
            limits,
            tuning: Tuning::default(),
            timers: Timers::new(),
            stamp: Stamp::new(name),
            counters,
            index: RefCell::default(),
            slot: RefCell::default(),
            patience,
            draining: Cell::new(false),
            open: Cell::new(0),
            load: None,
            transport: Transport::default(),
            background: Background::new(0),
            closed: Notify::new(),
            needs_clock: Cell::new(false),
        }
    }

    /// Reports how many connections are open to an acceptor, which has counted each when it handed it out.
    pub(crate) fn report_to(mut self, load: Option<Arc<AtomicUsize>>) -> Self {
        self.load = load;
        self
    }

    /// Sets how the kernel is used.
    pub(crate) fn tuned(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// Sets whose tasks are waited for in the end.
    pub(crate) fn waiting_for(mut self, background: Background) -> Self {
        self.background = background;
        self
    }

    /// Sets what connections speak beside plain HTTP/1.1.
    pub(crate) fn speaking(mut self, transport: Transport) -> Self {
        self.transport = transport;
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

    /// Waits until the worker is stopping, in the task of a connection, which is polled then.
    #[cfg(any(feature = "tls", feature = "http2"))]
    pub(crate) async fn stopping(&self) {
        use std::{future::poll_fn, task::Poll};

        poll_fn(|_| if self.is_draining() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Serves until it is told to stop and its connections have ended, or the drain's deadline has passed.
    pub(crate) async fn run(self: Rc<Self>, arrivals: Arrivals, stop: Arc<Stop>) -> io::Result<()> {
        // As a task of tokio's, because waking one from its own thread costs no system call.
        let served = spawn_local(async move {
            let tasks = Tasks::new()?;
            let source = Source::new(arrivals, tasks.reactor())?;
            let tick = || {
                self.timers.tick().into_iter().for_each(|task| tasks.wake(task));
                self.needs_clock.get()
            };
            tasks.run(self.accept_and_drain(source, &tasks, &stop), tick).await?
        });
        served.await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(error) => Err(io::Error::other(error)),
        })
    }

    async fn accept_and_drain(self: &Rc<Self>, mut source: Source, tasks: &Tasks, stop: &Stop) -> io::Result<()> {
        select! {
            biased;
            () = stop.asked() => {}
            accepted = self.accept_all(&mut source, tasks) => accepted?,
            () = self.watch_memory(tasks) => {}
        }
        self.drain(source, tasks).await
    }

    async fn accept_all(self: &Rc<Self>, source: &mut Source, tasks: &Tasks) -> io::Result<()> {
        loop {
            if self.open.get() >= self.limits.connections_max {
                source.set_watched(false)?;
                self.make_room(tasks).await;
                source.set_watched(true)?;
            }
            match source.next().await {
                Ok(Some((stream, peer))) => self.open_connection(stream, peer, tasks),
                Ok(None) => return Ok(()),
                // Out of descriptors or memory (accept(2)): what is open goes on, the rest waits in the backlog.
                Err(_) => {
                    source.set_watched(false)?;
                    self.needs_clock.set(true);
                    self.start_clock(tasks)?;
                    self.timers.sleep(ACCEPT_PAUSE).await;
                    self.needs_clock.set(false);
                    source.set_watched(true)?;
                }
            }
        }
    }

    /// Closes connections that have been idle for long, and waits until there is room for one.
    async fn make_room(&self, tasks: &Tasks) {
        while self.open.get() >= self.limits.connections_max {
            // More than one at a time, so that looking for them costs little per connection.
            self.cull((self.limits.connections_max / 64).max(1), tasks);
            // Where none was idle long enough, one may be a tick later.
            select! {
                () = self.closed.notified() => {}
                () = self.timers.ticked() => {}
            }
        }
    }

    fn cull(&self, number: usize, tasks: &Tasks) {
        let culled = self.timers.cull(number, self.patience.cull_idle_min);
        self.counters.culled.add(culled.len() as u64);
        culled.into_iter().for_each(|task| tasks.wake(task));
    }

    /// Closes idle connections while the process has more memory than it should.
    async fn watch_memory(&self, tasks: &Tasks) {
        if self.limits.memory_bytes_max == u64::MAX {
            std::future::pending::<()>().await;
        }
        loop {
            self.timers.sleep(memory::INTERVAL).await;
            let excess = memory::excess(self.timers.idle(), memory::resident_bytes(), self.limits.memory_bytes_max);
            self.cull(excess, tasks);
        }
    }

    fn open_connection(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr, tasks: &Tasks) {
        let opened = self.start_clock(tasks).and_then(|()| {
            if self.transport.is_plain() {
                tasks.spawn(|task| {
                    let stream = Tcp::new(stream, tasks.reactor(), task)?;
                    Ok(Conn::new(stream, ConnectionInfo::new(peer, false), Opened::new(self.clone()), task))
                })
            } else {
                tasks.spawn(|task| {
                    let stream = Tcp::new(stream, tasks.reactor(), task)?;
                    Ok(self.transport.clone().serve(stream, peer, Opened::new(self.clone()), task))
                })
            }
        });
        // The kernel has no memory to watch it with (epoll_ctl(2)), so it is closed.
        if opened.is_err()
            && let Some(load) = &self.load
        {
            load.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Has the clock run, which stands still while there is no connection.
    fn start_clock(&self, tasks: &Tasks) -> io::Result<()> {
        if tasks.reactor().start_clock(timer::TICK)? {
            self.timers.refresh();
        }
        Ok(())
    }

    /// Takes in what the kernel has accepted, stops listening, and waits for connections and background tasks to end.
    async fn drain(self: &Rc<Self>, source: Source, tasks: &Tasks) -> io::Result<()> {
        self.draining.set(true);
        // Connections in the queue were accepted as far as their clients can tell; closing the listener resets them.
        source.rest(|(stream, peer)| self.open_connection(stream, peer, tasks)).await;
        tasks.wake_all();
        // For the deadline, which may be that of a background task alone.
        self.needs_clock.set(true);
        self.start_clock(tasks)?;
        let all_closed = async {
            while self.open.get() > 0 {
                self.closed.notified().await;
            }
            self.background.all_ended().await;
        };
        // What is still open when the deadline passes is cut.
        select! {
            biased;
            () = all_closed => {}
            () = self.timers.sleep(self.limits.drain_deadline) => {}
        }
        Ok(())
    }
}
