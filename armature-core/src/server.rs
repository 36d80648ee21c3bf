//! The server: an address, limits, and a factory of services become running workers.
//!
//! Leaves everything that happens in a worker to `worker/mod.rs`.

use std::{
    error, fmt,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    error::{Error, ErrorKind},
    io::{listen, listen_again},
    limits::Limits,
    service::{Router, Routes, Service},
    worker::{
        Worker,
        counters::{Counters, WorkerCounters},
        runtime,
        stop::Stop,
    },
};

/// A server that is bound to its address and not yet serving.
///
/// ```no_run
/// use armature_core::{Router, Server, get};
///
/// let server = Server::bind("127.0.0.1:8080")?.drain_on_signals()?;
/// server.serve(|_| Router::new().route("/", get(async || "hello")))?;
/// # Ok::<(), armature_core::Error>(())
/// ```
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    workers: usize,
    limits: Limits,
    name: String,
    ready: Mutex<Option<Ready>>,
    shared: Arc<Shared>,
}

type Ready = Box<dyn FnOnce() + Send>;

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("workers", &self.workers)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What a server's handles can see.
#[derive(Debug)]
struct Shared {
    stop: Arc<Stop>,
    counters: Mutex<Vec<Arc<WorkerCounters>>>,
}

/// Stops a server and reads its counters, from any thread.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Shared>);

impl Handle {
    /// Stops accepting, lets requests in flight finish, closes connections, and lets [`Server::serve`] return.
    pub fn drain(&self) {
        self.0.stop.ask();
    }

    /// What the server has done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let workers = self.0.counters.lock().unwrap_or_else(PoisonError::into_inner);
        workers.iter().fold(Counters::default(), |mut sum, worker| {
            sum.add(worker);
            sum
        })
    }
}

/// What a worker's factory is told.
#[derive(Debug, Clone)]
pub struct WorkerContext {
    index: usize,
    handle: Handle,
}

impl WorkerContext {
    /// Which worker it is, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The server's handle.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// What becomes a service when a worker starts.
pub trait IntoService {
    /// The service.
    type Service: Service;

    /// Builds it.
    ///
    /// # Errors
    /// When it cannot be built, which keeps the server from starting.
    fn into_service(self) -> Result<Self::Service, Error>;
}

impl IntoService for Router {
    type Service = Routes;

    fn into_service(self) -> Result<Routes, Error> {
        self.build()
    }
}

impl<A: IntoService, E: Into<Box<dyn error::Error + Send + Sync>>> IntoService for Result<A, E> {
    type Service = A::Service;

    fn into_service(self) -> Result<A::Service, Error> {
        match self {
            Ok(app) => app.into_service(),
            Err(source) => Err(Error::caused(ErrorKind::Worker, "the application could not be built", source.into())),
        }
    }
}

impl IntoService for Routes {
    type Service = Self;

    fn into_service(self) -> Result<Self, Error> {
        Ok(self)
    }
}

impl<S: Service> IntoService for Rc<S> {
    type Service = Self;

    fn into_service(self) -> Result<Self, Error> {
        Ok(self)
    }
}

impl Server {
    /// Binds to an address such as `127.0.0.1:8080`; port 0 lets the system choose one.
    ///
    /// There are as many workers as CPUs this process may use, unless said otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Bind`] when the address is malformed or taken.
    pub fn bind(address: impl ToSocketAddrs + fmt::Debug) -> Result<Self, Error> {
        let problem = |source| Error::io(ErrorKind::Bind, format!("cannot listen on {address:?}"), source);
        let resolved =
            address.to_socket_addrs().map_err(problem)?.next().ok_or_else(|| {
                Error::new(ErrorKind::Bind, format!("cannot listen on {address:?}: it names no address"))
            })?;
        let limits = Limits::default();
        // Listeners that share a port also share it with strangers of the same user; one that does not share finds out.
        if resolved.port() != 0 {
            drop(TcpListener::bind(resolved).map_err(problem)?);
        }
        let listener = listen(resolved, limits.backlog_connections).map_err(problem)?;
        let address = listener.local_addr().map_err(problem)?;
        Ok(Self {
            listener,
            address,
            workers: thread::available_parallelism().map_or(1, usize::from),
            limits,
            name: String::new(),
            ready: Mutex::default(),
            shared: Arc::new(Shared { stop: Arc::default(), counters: Mutex::default() }),
        })
    }

    /// Where the server listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Sets the number of workers, each one thread; 0 counts as 1.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the value of the Server field; without it there is none.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// A handle to stop the server and read its counters.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(self.shared.clone())
    }

    /// Drains on SIGTERM and SIGINT. A second signal ends the process at once.
    ///
    /// # Errors
    /// [`ErrorKind::Signal`] when the handlers cannot be installed.
    pub fn drain_on_signals(self) -> Result<Self, Error> {
        use signal_hook::{
            consts::{SIGINT, SIGTERM},
            iterator::Signals,
            low_level::emulate_default_handler,
        };

        let problem = |source| Error::io(ErrorKind::Signal, "cannot handle signals", source);
        let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(problem)?;
        let handle = self.handle();
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                let mut signals = signals.forever();
                if signals.next().is_some() {
                    handle.drain();
                }
                if let Some(second) = signals.next() {
                    let _ = emulate_default_handler(second);
                }
            })
            .map_err(problem)?;
        Ok(self)
    }

    /// Calls `ready` once, when every worker has its service and is about to accept; on a worker's thread.
    #[must_use]
    pub fn on_ready(mut self, ready: impl FnOnce() + Send + 'static) -> Self {
        self.ready = Mutex::new(Some(Box::new(ready)));
        self
    }

    /// Serves until the server has drained. `factory` is called once on each worker's thread, inside its runtime.
    ///
    /// # Errors
    /// When limits are out of range, a service cannot be built or a worker cannot be started; nothing is served then.
    pub fn serve<F, A>(self, factory: F) -> Result<(), Error>
    where
        F: Fn(WorkerContext) -> A + Send + Sync,
        A: IntoService,
    {
        self.serve_async(async |context| factory(context))
    }

    /// As [`serve`](Self::serve), with a factory that may wait, for example for a pool of database connections.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub fn serve_async<F, A>(self, factory: F) -> Result<(), Error>
    where
        F: AsyncFn(WorkerContext) -> A + Send + Sync,
        A: IntoService,
    {
        self.limits.validate()?;
        if !self.name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(Error::new(ErrorKind::Limits, "the server's name must be printable ASCII"));
        }
        let listeners = self.listeners()?;
        let handle = self.handle();
        let waiting = AtomicUsize::new(listeners.len());
        let (server, factory, waiting) = (&self, &factory, &waiting);
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for (index, listener) in listeners.into_iter().enumerate() {
                let context = WorkerContext { index, handle: handle.clone() };
                let spawned = thread::Builder::new()
                    .name(format!("worker-{index}"))
                    .spawn_scoped(scope, move || server.run_worker(listener, context, factory, waiting));
                match spawned {
                    Ok(thread) => threads.push(thread),
                    Err(source) => {
                        handle.drain();
                        return Err(Error::io(ErrorKind::Worker, "cannot start a worker's thread", source));
                    }
                }
            }
            let mut result = Ok(());
            for thread in threads {
                let ended = thread.join().unwrap_or_else(|_| Err(Error::new(ErrorKind::Worker, "a worker panicked")));
                result = result.and(ended);
            }
            result
        })
    }

    /// One listener for each worker, the first of them bound already.
    fn listeners(&self) -> Result<Vec<TcpListener>, Error> {
        let problem = |source| Error::io(ErrorKind::Bind, format!("cannot listen on {}", self.address), source);
        let first = self.listener.try_clone().map_err(problem)?;
        listen_again(&first, self.limits.backlog_connections).map_err(problem)?;
        let mut listeners = vec![first];
        for _ in 1..self.workers {
            listeners.push(listen(self.address, self.limits.backlog_connections).map_err(problem)?);
        }
        Ok(listeners)
    }

    fn run_worker<F, A>(
        &self,
        listener: TcpListener,
        context: WorkerContext,
        factory: &F,
        waiting: &AtomicUsize,
    ) -> Result<(), Error>
    where
        F: AsyncFn(WorkerContext) -> A,
        A: IntoService,
    {
        let problem = |source| Error::io(ErrorKind::Worker, "cannot run a worker", source);
        let run = || {
            let runtime = runtime().map_err(problem)?;
            let counters = Arc::new(WorkerCounters::default());
            self.shared.counters.lock().unwrap_or_else(PoisonError::into_inner).push(counters.clone());
            runtime.block_on(async {
                let service = factory(context).await.into_service()?;
                if waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.call_ready();
                }
                let worker = Rc::new(Worker::new(service, self.limits.clone(), &self.name, counters));
                worker.run(listener, self.shared.stop.clone()).await.map_err(problem)
            })
        };
        let result = run();
        if result.is_err() {
            // One worker less would be a server of another size than was asked for.
            self.handle().drain();
        }
        result
    }

    fn call_ready(&self) {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ready) = ready {
            ready();
        }
    }
}
