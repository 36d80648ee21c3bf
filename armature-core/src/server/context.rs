//! What a worker's factory is told: which worker it is for, how the server is asked from outside, and where tasks are started.

use super::Handle;
use crate::worker::background::Background;

/// What a worker's factory is told.
///
/// ```
/// use armature_core::{Router, WorkerContext, get, test::TestClient};
///
/// fn app(worker: WorkerContext) -> Router {
///     let name = format!("worker {}", worker.index());
///     Router::new().route("/", get(move || std::future::ready(name.clone())))
/// }
///
/// assert_eq!(TestClient::over_socket(app)?.get("/").send()?.text(), "worker 0");
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct WorkerContext {
    pub(super) index: usize,
    pub(super) handle: Handle,
    pub(super) background: Background,
}

impl WorkerContext {
    /// Which worker it is, from 0.
    ///
    /// ```
    /// use armature_core::{Router, Server};
    /// use std::sync::Mutex;
    ///
    /// let indices = Mutex::new(Vec::new());
    /// let server = Server::bind("127.0.0.1:0")?.workers(2);
    /// let handle = server.handle();
    /// server.on_ready(move || handle.drain()).serve(|worker| {
    ///     indices.lock().unwrap().push(worker.index());
    ///     Router::new()
    /// })?;
    /// indices.lock().unwrap().sort();
    /// assert_eq!(*indices.lock().unwrap(), [0, 1]);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The server's handle.
    ///
    /// ```
    /// use armature_core::{Handle, Router, State, get, test::TestClient};
    ///
    /// let handler = async |State(handle): State<Handle>| handle.counters().requests.to_string();
    /// let app = move |worker: armature_core::WorkerContext| {
    ///     Router::new().route("/", get(handler)).with_state(worker.handle().clone())
    /// };
    /// assert_eq!(TestClient::over_socket(app)?.get("/").send()?.text(), "1");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Where the worker's handlers start tasks that go on after their answer.
    ///
    /// ```
    /// use armature_core::{Background, Router, State, get, test::TestClient};
    ///
    /// let handler = async |State(background): State<Background>| background.spawn(async {}).is_ok().to_string();
    /// let app = move |worker: armature_core::WorkerContext| {
    ///     Router::new().route("/", get(handler)).with_state(worker.background().clone())
    /// };
    /// assert_eq!(TestClient::over_socket(app)?.get("/").send()?.text(), "true");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn background(&self) -> &Background {
        &self.background
    }
}
