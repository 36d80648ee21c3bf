//! Tasks that handlers start beside their answers: bounded, and waited for when the server stops.

use std::{cell::Cell, fmt, future::Future, rc::Rc};

use tokio::{sync::Notify, task::spawn_local};

/// Starts tasks on a worker that go on after their request was answered, such as writing something down for later.
///
/// There are at most [`Limits::background_tasks_max`](crate::Limits::background_tasks_max) of them on a worker. A server that
/// drains waits for them as it does for requests.
///
/// ```
/// use armature_core::{Background, Router, State, StatusCode, get, test::TestClient};
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static WRITTEN: AtomicU32 = AtomicU32::new(0);
///
/// async fn record(State(background): State<Background>) -> StatusCode {
///     let write = async {
///         WRITTEN.fetch_add(1, Ordering::Relaxed);
///     };
///     if background.spawn(write).is_ok() { StatusCode::ACCEPTED } else { StatusCode::SERVICE_UNAVAILABLE }
/// }
///
/// let mut client = TestClient::over_socket(|worker: armature_core::WorkerContext| {
///     Router::new().route("/", get(record)).with_state(worker.background().clone())
/// })?;
/// assert_eq!(client.get("/").send()?.status(), StatusCode::ACCEPTED);
/// drop(client); // The server drains.
/// assert_eq!(WRITTEN.load(Ordering::Relaxed), 1);
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Background(Rc<Tasks>);

struct Tasks {
    running: Cell<usize>,
    most: usize,
    ended: Notify,
}

/// There are as many background tasks as there may be.
///
/// ```
/// use armature_core::TooManyTasks;
///
/// assert_eq!(TooManyTasks.to_string(), "there are as many background tasks as there may be");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyTasks;

impl fmt::Display for TooManyTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there are as many background tasks as there may be")
    }
}

impl std::error::Error for TooManyTasks {}

impl Background {
    pub(crate) fn new(most: usize) -> Self {
        Self(Rc::new(Tasks { running: Cell::new(0), most, ended: Notify::new() }))
    }

    /// Starts a task, unless there are as many as there may be.
    ///
    /// # Errors
    /// [`TooManyTasks`]; the task was dropped then.
    ///
    /// ```
    /// use armature_core::{Background, TooManyTasks};
    ///
    /// fn remember(background: &Background, line: String) -> Result<(), TooManyTasks> {
    ///     background.spawn(async move { println!("{line}") })
    /// }
    /// ```
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) -> Result<(), TooManyTasks> {
        if self.0.running.get() >= self.0.most {
            return Err(TooManyTasks);
        }
        let place = Place::taken(self.0.clone());
        spawn_local(async move {
            let _place = place;
            task.await;
        });
        Ok(())
    }

    /// Waits until none is running.
    pub(super) async fn all_ended(&self) {
        while self.0.running.get() > 0 {
            self.0.ended.notified().await;
        }
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").field("running", &self.0.running.get()).field("most", &self.0.most).finish()
    }
}

/// One task's place, given back when the task ends, panics or is dropped.
struct Place(Rc<Tasks>);

impl Place {
    fn taken(tasks: Rc<Tasks>) -> Self {
        tasks.running.set(tasks.running.get() + 1);
        Self(tasks)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.running.set(self.0.running.get() - 1);
        self.0.ended.notify_waiters();
    }
}
