//! A worker: one thread, one single-threaded runtime, one listener, one service, and what its connections share.
//!
//! Nothing here is locked or counted across threads. Leaves what happens on a connection to `../conn/mod.rs` and
//! starting workers to `../server.rs`. Read next: `timer.rs`, `../conn/mod.rs`.

pub(crate) mod counters;
mod stamp;
pub(crate) mod stop;
pub(crate) mod timer;

use std::{
    cell::{Cell, RefCell},
    io,
    net::TcpListener as StdListener,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpListener, sync::Notify, task::spawn_local};

use crate::{
    conn::{Conn, Patience},
    h1::head::HeadIndex,
    io::Tcp,
    limits::Limits,
    service::{Service, Slot},
};
use counters::WorkerCounters;
use stamp::Stamp;
use stop::Stop;
use timer::Timers;

/// How long accepting pauses when the process or the system is out of file descriptors: long enough not to spin, short
/// enough that a freed descriptor is used soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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
            closed: Notify::new(),
        }
    }

    /// Gives storage back that a handler has waited in.
    pub(crate) fn give_slot(&self, slot: Slot) {
        if slot.is_worth_keeping() {
            self.slot.replace(slot);
        }
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
        self.closed.notify_waiters();
    }

    /// Serves until it is told to stop and its connections have ended, or the drain's deadline has passed.
    pub(crate) async fn run(self: Rc<Self>, listener: StdListener, stop: Arc<Stop>) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        let clock = spawn_local({
            let worker = self.clone();
            async move { worker.timers.run().await }
        });
        tokio::select! {
            biased;
            () = stop.asked() => {}
            () = self.accept_all(&listener) => {}
        }
        self.drain(listener).await;
        clock.abort();
        Ok(())
    }

    async fn accept_all(self: &Rc<Self>, listener: &TcpListener) {
        loop {
            self.room_for_one_more().await;
            match listener.accept().await {
                Ok((stream, _)) => self.open_connection(stream),
                Err(error) if is_of_one_connection(&error) => {}
                // Out of descriptors or memory (accept(2)): what is open goes on, the rest waits in the backlog.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    async fn room_for_one_more(&self) {
        while self.open.get() >= self.limits.connections_max {
            self.closed.notified().await;
        }
    }

    fn open_connection(self: &Rc<Self>, stream: tokio::net::TcpStream) {
        // A socket on which an option cannot be set is one that its peer has reset already.
        if let Ok(stream) = Tcp::new(stream) {
            spawn_local(Conn::new(stream, self.clone()));
        }
    }

    /// Takes in what the kernel has accepted, stops listening, and waits for connections to end.
    async fn drain(self: &Rc<Self>, listener: TcpListener) {
        self.draining.set(true);
        // Connections in the queue were accepted as far as their clients can tell; closing the listener resets them.
        while let Some(Ok((stream, _))) = poll_once(listener.accept()).await {
            self.open_connection(stream);
        }
        drop(listener);
        self.timers.wake_all();
        let all_closed = async {
            while self.open.get() > 0 {
                self.closed.notified().await;
            }
        };
        // What is still open then is cut when the runtime is dropped.
        let _ = tokio::time::timeout(self.limits.drain_deadline, all_closed).await;
    }
}

/// The result of a future that is ready at once.
async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

/// Errors of accept(2) that belong to the connection that was waiting, not to the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
