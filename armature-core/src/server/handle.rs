//! What a running server can be asked from outside: to stop, and what it has done.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    respond::{MediaType, Response},
    worker::{
        counters::{Counters, WorkerCounters, prometheus},
        stop::Stop,
    },
};

/// What a server's handles can see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) stop: Arc<Stop>,
    workers: Mutex<Vec<Arc<WorkerCounters>>>,
}

impl Shared {
    /// Counters for the worker of this number.
    pub(super) fn counters(&self, index: usize) -> Arc<WorkerCounters> {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if workers.len() <= index {
            workers.resize_with(index + 1, Arc::default);
        }
        workers[index].clone()
    }
}

/// Stops a server and reads its counters, from any thread.
///
/// ```
/// use armature_core::{Handle, Router, Server};
///
/// fn stop(handle: &Handle) {
///     handle.drain();
/// }
///
/// let server = Server::bind("127.0.0.1:0")?;
/// let handle = server.handle();
/// server.on_ready(move || stop(&handle)).serve(|_| Router::new())?;
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Handle(pub(super) Arc<Shared>);

impl Handle {
    /// Stops accepting, lets requests in flight finish, closes connections, and lets
    /// [`Server::serve`](crate::Server::serve) return.
    ///
    /// ```
    /// use armature_core::{Router, Server};
    ///
    /// let server = Server::bind("127.0.0.1:0")?;
    /// server.handle().drain(); // Also before it serves:
    /// server.serve(|_| Router::new())?;
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn drain(&self) {
        self.0.stop.ask();
    }

    /// What the server has done so far, over all workers.
    ///
    /// ```
    /// use armature_core::{Router, Server, get, test::TestClient};
    ///
    /// let server = Server::bind("127.0.0.1:0")?;
    /// let handle = server.handle();
    /// let mut client = TestClient::over_socket_with(server, |_| Router::new().route("/", get(async || ())))?;
    /// client.get("/").send()?;
    /// assert_eq!(handle.counters().requests, 1);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.worker_counters().into_iter().fold(Counters::default(), Counters::plus)
    }

    /// What each worker has done so far.
    ///
    /// ```
    /// use armature_core::{Router, Server, get, test::TestClient};
    ///
    /// let server = Server::bind("127.0.0.1:0")?.workers(1);
    /// let handle = server.handle();
    /// let mut client = TestClient::over_socket_with(server, |_| Router::new().route("/", get(async || ())))?;
    /// client.get("/").send()?;
    /// assert_eq!(handle.worker_counters()[0].connections_accepted, 1);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn worker_counters(&self) -> Vec<Counters> {
        let workers = self.0.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.iter().map(|worker| Counters::of(worker)).collect()
    }

    /// The counters of each worker in Prometheus's text format, as the answer of a handler at a path of your choice.
    ///
    /// ```no_run
    /// use armature_core::{Handle, Router, Server, State, get};
    ///
    /// Server::bind("127.0.0.1:8080")?.serve(|worker| {
    ///     Router::new()
    ///         .route("/metrics", get(async |State(handle): State<Handle>| handle.prometheus()))
    ///         .with_state(worker.handle().clone())
    /// })?;
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn prometheus(&self) -> Response {
        const PROMETHEUS: MediaType = MediaType::from_static("text/plain; version=0.0.4; charset=utf-8");
        Response::new(PROMETHEUS, prometheus(&self.worker_counters()))
    }
}
