//! The server: an address, limits, and a factory of services become running workers.
//!
//! Leaves everything that happens in a worker to `../worker/mod.rs`. Read next: `context.rs`, `handle.rs`,
//! `into_service.rs`.

mod context;
mod handle;
mod into_service;

use std::{
    fmt,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

pub use context::WorkerContext;
pub use handle::Handle;
use handle::Shared;
pub use into_service::IntoService;

#[cfg(feature = "tls")]
use crate::transport::Tls;

use crate::{
    error::{Error, ErrorKind},
    io::{listen, tune},
    limits::Limits,
    transport::Settings,
    tuning::Tuning,
    worker::{
        Worker,
        arrival::{Arrivals, Seat, hand_out, seat},
        background::Background,
        cpu, runtime,
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
    /// Until it serves: then the first worker or the acceptor has it, and closes it when the server stops.
    listener: Option<TcpListener>,
    address: SocketAddr,
    workers: usize,
    limits: Limits,
    tuning: Tuning,
    name: String,
    balance: Balance,
    pins: bool,
    transport: Settings,
    ready: Mutex<Option<Ready>>,
    shared: Arc<Shared>,
}

type Ready = Box<dyn FnOnce() + Send>;

/// How connections are spread over workers.
///
/// ```
/// use armature_core::{Balance, Router, Server, get, test::TestClient};
///
/// let server = Server::bind("127.0.0.1:0")?.workers(2).balance(Balance::LeastConnections);
/// let mut client = TestClient::over_socket_with(server, |_| Router::new().route("/", get(async || "hello")))?;
/// assert_eq!(client.get("/").send()?.text(), "hello");
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// Each worker has a listener of its own, and the kernel chooses by a hash of the addresses (SO_REUSEPORT, socket(7)):
    /// even over many connections, with nothing between them and their worker. The default.
    #[default]
    Kernel,
    /// One more thread accepts, and hands each connection to the worker that has fewest: even over few that last long.
    LeastConnections,
}

/// A listener, and the workers to hand its connections to.
type Acceptor = (TcpListener, Vec<Seat>);

/// What a worker thread begins with.
struct Start {
    index: usize,
    arrivals: Arrivals,
    load: Option<Arc<AtomicUsize>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("workers", &self.workers)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Binds to an address such as `127.0.0.1:8080`; port 0 lets the system choose one.
    ///
    /// There are as many workers as CPUs this process may use, unless said otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Bind`] when the address is malformed or taken.
    ///
    /// ```
    /// use armature_core::{ErrorKind, Server};
    ///
    /// let server = Server::bind("127.0.0.1:0")?;
    /// assert_ne!(server.local_addr().port(), 0);
    /// assert_eq!(Server::bind(server.local_addr()).unwrap_err().kind(), ErrorKind::Bind); // It is taken.
    /// # Ok::<(), armature_core::Error>(())
    /// ```
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
            listener: Some(listener),
            address,
            workers: thread::available_parallelism().map_or(1, usize::from),
            limits,
            tuning: Tuning::default(),
            name: String::new(),
            balance: Balance::default(),
            pins: false,
            transport: Settings::default(),
            ready: Mutex::default(),
            shared: Arc::default(),
        })
    }

    /// Where the server listens.
    ///
    /// ```
    /// use armature_core::Server;
    ///
    /// assert!(Server::bind("127.0.0.1:0")?.local_addr().ip().is_loopback());
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Sets the number of workers, each one thread; 0 counts as 1.
    ///
    /// ```
    /// use armature_core::{Router, Server};
    ///
    /// let server = Server::bind("127.0.0.1:0")?.workers(3);
    /// let (handle, stop) = (server.handle(), server.handle());
    /// server.on_ready(move || stop.drain()).serve(|_| Router::new())?;
    /// assert_eq!(handle.worker_counters().len(), 3);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Sets the limits.
    ///
    /// ```
    /// use armature_core::{Limits, Router, Server, StatusCode, get, test::TestClient};
    ///
    /// let server = Server::bind("127.0.0.1:0")?.limits(Limits { target_bytes_max: 10, ..Limits::default() });
    /// let mut client = TestClient::over_socket_with(server, |_| Router::new().route("/", get(async || ())))?;
    /// assert_eq!(client.get("/?what=is-longer").send()?.status(), StatusCode::URI_TOO_LONG);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how the kernel and the runtime are used.
    ///
    /// ```
    /// use armature_core::{Router, Server, Tuning, get, test::TestClient};
    ///
    /// let server = Server::bind("127.0.0.1:0")?.tuning(Tuning { copy_bytes_max: 4_096, ..Tuning::default() });
    /// let mut client = TestClient::over_socket_with(server, |_| Router::new().route("/", get(async || vec![b'x'; 5_000])))?;
    /// assert_eq!(client.get("/").send()?.text().len(), 5_000);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// Sets the value of the Server field; without it there is none.
    ///
    /// ```
    /// use armature_core::{Router, Server, get, test::TestClient};
    ///
    /// let server = Server::bind("127.0.0.1:0")?.name("example");
    /// let mut client = TestClient::over_socket_with(server, |_| Router::new().route("/", get(async || ())))?;
    /// assert_eq!(client.get("/").send()?.header("server"), Some("example"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how connections are spread over workers.
    ///
    /// ```
    /// use armature_core::{Balance, Router, Server, get, test::TestClient};
    ///
    /// let server = Server::bind("127.0.0.1:0")?.balance(Balance::LeastConnections);
    /// let mut client = TestClient::over_socket_with(server, |_| Router::new().route("/", get(async || "hello")))?;
    /// assert_eq!(client.get("/").send()?.text(), "hello");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn balance(mut self, balance: Balance) -> Self {
        self.balance = balance;
        self
    }

    /// Binds each worker's thread to one of the CPUs that the process may use, in turn (sched_setaffinity(2)).
    ///
    /// Off by default: on a machine that others use too, a bound worker waits for its CPU while others are idle.
    ///
    /// ```
    /// use armature_core::{Router, Server, get, test::TestClient};
    ///
    /// let server = Server::bind("127.0.0.1:0")?.pin_workers(true);
    /// let mut client = TestClient::over_socket_with(server, |_| Router::new().route("/", get(async || "hello")))?;
    /// assert_eq!(client.get("/").send()?.text(), "hello");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn pin_workers(mut self, pins: bool) -> Self {
        self.pins = pins;
        self
    }

    /// Serves under TLS with this certificate; a client that speaks without is turned away.
    ///
    /// With the feature `tls`.
    ///
    /// ```
    /// use armature_core::{Router, Server, Tls, get, test::TestClient};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    /// # std::fs::write(&chain, made.cert.pem()).unwrap();
    /// # std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    ///
    /// let server = Server::bind("127.0.0.1:0")?.tls(Tls::from_pem_files(&chain, &key)?);
    /// let mut client = TestClient::over_socket_with(server, |_| Router::new().route("/", get(async || "secret")))?;
    /// assert!(client.get("/").send().is_err()); // This client speaks without.
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.transport.tls = Some(tls);
        self
    }

    /// Speaks HTTP/2 too (RFC 9113), on the same port: with those who agree on it under TLS, and without TLS with those who
    /// begin with it. Off by default.
    ///
    /// With the feature `http2`. Of the [`Limits`] those on bodies and heads, `idle_deadline` and `drain_deadline` hold for it
    /// as well; what is about slow peers is left to pings.
    ///
    /// ```
    /// use armature_core::{Router, Server, get, test::TestClient};
    ///
    /// let server = Server::bind("127.0.0.1:0")?.http2(true);
    /// let mut client = TestClient::over_socket_with(server, |_| Router::new().route("/", get(async || "hello")))?;
    /// assert_eq!(client.get("/").send()?.text(), "hello"); // HTTP/1.1 is still spoken.
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[cfg(feature = "http2")]
    #[must_use]
    pub fn http2(mut self, speaks: bool) -> Self {
        self.transport.http2 = speaks;
        self
    }

    /// A handle to stop the server and read its counters.
    ///
    /// ```
    /// use armature_core::{Router, Server};
    ///
    /// let server = Server::bind("127.0.0.1:0")?;
    /// let handle = server.handle();
    /// server.on_ready(move || handle.drain()).serve(|_| Router::new())?; // Returns, as it has drained.
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(self.shared.clone())
    }

    /// Drains on SIGTERM and SIGINT. A second signal ends the process at once.
    ///
    /// # Errors
    /// [`ErrorKind::Signal`] when the handlers cannot be installed.
    ///
    /// ```no_run
    /// use armature_core::{Router, Server};
    ///
    /// // Until somebody presses Ctrl-C.
    /// Server::bind("127.0.0.1:8080")?.drain_on_signals()?.serve(|_| Router::new())?;
    /// # Ok::<(), armature_core::Error>(())
    /// ```
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
    ///
    /// ```
    /// use armature_core::{Router, Server};
    /// use std::sync::mpsc;
    ///
    /// let server = Server::bind("127.0.0.1:0")?;
    /// let (handle, (sender, receiver)) = (server.handle(), mpsc::channel());
    /// let ready = move || {
    ///     sender.send("ready").unwrap();
    ///     handle.drain();
    /// };
    /// server.on_ready(ready).serve(|_| Router::new())?;
    /// assert_eq!(receiver.recv(), Ok("ready"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn on_ready(mut self, ready: impl FnOnce() + Send + 'static) -> Self {
        self.ready = Mutex::new(Some(Box::new(ready)));
        self
    }

    /// Serves until the server has drained. `factory` is called once on each worker's thread, inside its runtime.
    ///
    /// # Errors
    /// When limits or tuning are out of range or ask for what the kernel does not have, a service cannot be built or a worker cannot
    /// be started; nothing is served then.
    ///
    /// ```
    /// use armature_core::{ErrorKind, Limits, Router, Server};
    ///
    /// let server = Server::bind("127.0.0.1:0")?;
    /// let handle = server.handle();
    /// server.on_ready(move || handle.drain()).serve(|_| Router::new())?; // Returns when it has drained.
    ///
    /// let limits = Limits { head_fields_max: 1_000_000, ..Limits::default() };
    /// let error = Server::bind("127.0.0.1:0")?.limits(limits).serve(|_| Router::new()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Limits);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
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
    ///
    /// ```
    /// use armature_core::{ErrorKind, Router, Server};
    ///
    /// async fn connect() -> Result<(), std::io::Error> {
    ///     tokio::task::yield_now().await;
    ///     Err(std::io::ErrorKind::ConnectionRefused.into())
    /// }
    ///
    /// let server = Server::bind("127.0.0.1:0")?.workers(1);
    /// let served = server.serve_async(async |_| connect().await.map(|()| Router::new()));
    /// assert_eq!(served.unwrap_err().kind(), ErrorKind::Worker); // Nothing is served without the database.
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn serve_async<F, A>(mut self, factory: F) -> Result<(), Error>
    where
        F: AsyncFn(WorkerContext) -> A + Send + Sync,
        A: IntoService,
    {
        self.limits.validate()?;
        self.tuning.validate()?;
        if !self.name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(Error::new(ErrorKind::Limits, "the server's name must be printable ASCII"));
        }
        let (starts, acceptor) = self.starts()?;
        let waiting = AtomicUsize::new(starts.len());
        let (server, factory, waiting) = (&self, &factory, &waiting);
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for start in starts {
                let name = format!("worker-{}", start.index);
                threads.push(
                    thread::Builder::new()
                        .name(name)
                        .spawn_scoped(scope, move || server.run_worker(start, factory, waiting)),
                );
            }
            if let Some((listener, seats)) = acceptor {
                threads.push(
                    thread::Builder::new()
                        .name("acceptor".into())
                        .spawn_scoped(scope, move || server.run_acceptor(listener, seats)),
                );
            }
            if threads.iter().any(Result::is_err) {
                // Before any is waited for: the others would go on for ever.
                server.shared.stop.ask();
            }
            let mut result = Ok(());
            for thread in threads {
                let ended = match thread {
                    Ok(thread) => {
                        thread.join().unwrap_or_else(|_| Err(Error::new(ErrorKind::Worker, "a worker panicked")))
                    }
                    Err(source) => Err(Error::io(ErrorKind::Worker, "cannot start a thread", source)),
                };
                result = result.and(ended);
            }
            result
        })
    }

    /// What each worker begins with, and what the acceptor does where there is one.
    fn starts(&mut self) -> Result<(Vec<Start>, Option<Acceptor>), Error> {
        let mut listeners = self.listeners()?;
        if self.balance == Balance::Kernel {
            let starts = listeners.into_iter().enumerate().map(|(index, listener)| Start {
                index,
                arrivals: Arrivals::Listener(listener),
                load: None,
            });
            return Ok((starts.collect(), None));
        }
        let (mut starts, mut seats) = (Vec::new(), Vec::new());
        for index in 0..self.workers {
            let (seat, arrivals, load) = seat();
            seats.push(seat);
            starts.push(Start { index, arrivals, load: Some(load) });
        }
        Ok((starts, listeners.pop().map(|listener| (listener, seats))))
    }

    /// One listener for each worker, or for the acceptor; the first is bound already. None is kept here: a socket
    /// listens until its last owner closes it, and a draining server must refuse what it will not answer.
    fn listeners(&mut self) -> Result<Vec<TcpListener>, Error> {
        let (address, backlog) = (self.address, self.limits.backlog_connections);
        let problem = |source| Error::io(ErrorKind::Bind, format!("cannot listen on {address}"), source);
        let mut listeners: Vec<_> = self.listener.take().into_iter().collect();
        let needed = if self.balance == Balance::Kernel { self.workers } else { 1 };
        while listeners.len() < needed {
            listeners.push(listen(address, backlog).map_err(problem)?);
        }
        for listener in &listeners {
            tune(listener, &self.tuning, backlog).map_err(problem)?;
        }
        Ok(listeners)
    }

    fn run_worker<F, A>(&self, start: Start, factory: &F, waiting: &AtomicUsize) -> Result<(), Error>
    where
        F: AsyncFn(WorkerContext) -> A,
        A: IntoService,
    {
        let Start { index, arrivals, load } = start;
        let problem = |source| Error::io(ErrorKind::Worker, "cannot run a worker", source);
        let run = || {
            if self.pins {
                cpu::pin(index).map_err(problem)?;
            }
            let runtime = runtime(&self.tuning).map_err(problem)?;
            let counters = self.shared.counters(index);
            let background = Background::new(self.limits.background_tasks_max);
            let context = WorkerContext { index, handle: self.handle(), background: background.clone() };
            runtime.block_on(async {
                let service = factory(context).await.into_service()?;
                if waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.call_ready();
                }
                let worker = Worker::new(service, self.limits.clone(), &self.name, counters)
                    .tuned(self.tuning.clone())
                    .waiting_for(background)
                    .report_to(load)
                    .speaking(self.transport.transport()?);
                Rc::new(worker).run(arrivals, self.shared.stop.clone()).await.map_err(problem)
            })
        };
        let result = run();
        if result.is_err() {
            // One worker less would be a server of another size than was asked for.
            self.shared.stop.ask();
        }
        result
    }

    fn run_acceptor(&self, listener: TcpListener, seats: Vec<Seat>) -> Result<(), Error> {
        let problem = |source| Error::io(ErrorKind::Worker, "cannot run the acceptor", source);
        let accepted = runtime(&self.tuning)
            .and_then(|runtime| runtime.block_on(hand_out(listener, seats, self.shared.stop.clone())));
        // Whether it was stopped or not: without it nothing arrives.
        self.shared.stop.ask();
        accepted.map_err(problem)
    }

    fn call_ready(&self) {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ready) = ready {
            ready();
        }
    }
}
