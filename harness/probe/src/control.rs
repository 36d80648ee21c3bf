//! The server's end of the control channel, and its one way to be asked to stop.
//!
//! A stop is asked for by `shutdown` or the end of standard input (with `--control`), or by SIGTERM or SIGINT (always).
//! All lead to the callback that the server handed over, so a target has one shutdown path whatever called for it.

use std::{
    io::{self, BufRead, Write},
    net::SocketAddr,
    process,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    message::{Command, Counters, PROTOCOL, Ready, Reply},
    options::Options,
    sampler_unsafe, usage, versions,
};

/// How long a server may take to end once asked; a hung drain must not keep the lab waiting for ever.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);

/// The server's end of the control channel.
#[derive(Debug)]
pub struct Control;

impl Control {
    /// Announces the server at `address` and listens for commands and signals from now on.
    ///
    /// `packages` are the packages whose locked versions the ready line names. `stop` is called once, on a thread of
    /// its own, when the server shall stop accepting, finish what is in flight and return from `main`.
    ///
    /// # Errors
    /// When a signal handler or a thread cannot be set up, or the ready line cannot be written.
    pub fn start(
        options: &Options,
        server: &str,
        address: SocketAddr,
        packages: &[&str],
        stop: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Stop(Arc::new(Mutex::new(Some(Box::new(stop)))));
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        let on_signal = stop.clone();
        thread::Builder::new().name("signals".into()).spawn(move || {
            if signals.forever().next().is_some() {
                on_signal.call();
            }
        })?;
        if options.control {
            let ready = Ready {
                protocol: PROTOCOL,
                server: server.to_owned(),
                address,
                pid: process::id(),
                versions: versions::locked(packages),
            };
            say(&Reply::Ready(ready))?;
            thread::Builder::new().name("control".into()).spawn(move || listen(&stop))?;
        } else {
            eprintln!("{server} listens on http://{address} with {} worker(s); Ctrl-C stops it", options.workers);
        }
        Ok(Self)
    }
}

fn listen(stop: &Stop) {
    // Whoever asks must not change the answer.
    #[cfg(feature = "count-allocations")]
    crate::allocator::exempt_this_thread();
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let reply = match serde_json::from_str(&line) {
            Ok(Command::Counters) => Reply::Counters(usage::read()),
            Ok(Command::Quiesce) => Reply::Counters(quiesce()),
            Ok(Command::Watch) => watch(),
            Ok(Command::Sites) => sites(),
            Ok(Command::Allocated) => allocated(),
            Ok(Command::Sample { rate_hz }) => sampler_unsafe::begin(rate_hz)
                .map_or_else(|error| Reply::Error { message: error.to_string() }, |()| Reply::Counters(usage::read())),
            Ok(Command::Samples) => {
                let (stacks, lost) = sampler_unsafe::end();
                Reply::Stacks { stacks, lost }
            }
            Ok(Command::Shutdown) => {
                // The reply goes first: the process may be gone right after the callback.
                let _ = say(&Reply::Stopping);
                break;
            }
            Err(error) => Reply::Error { message: format!("not a command: {error}") },
        };
        if say(&reply).is_err() {
            break;
        }
    }
    stop.call();
}

/// Says what is still allocated: called at the end of `main`, when the server has ended with all that it held. Says nothing
/// unless the lab listens, and in a build that does not count.
pub fn farewell(options: &Options) {
    #[cfg(feature = "count-allocations")]
    if options.control {
        crate::allocator::exempt_this_thread();
        // Threads may be giving back what was theirs.
        if let Some(allocations) = quiesce().allocations {
            // Whoever asked for the end need not wait for this.
            let _ = say(&Reply::Ended { allocations, sites: crate::allocator::sites() });
        }
    }
    #[cfg(not(feature = "count-allocations"))]
    let _ = options;
}

#[cfg(feature = "count-allocations")]
fn watch() -> Reply {
    if crate::allocator::watch() { Reply::Counters(usage::read()) } else { unwatched() }
}

#[cfg(feature = "count-allocations")]
fn sites() -> Reply {
    Reply::Sites { sites: crate::allocator::sites() }
}

#[cfg(feature = "count-allocations")]
fn allocated() -> Reply {
    Reply::Stacks { stacks: crate::allocator::stacks(), lost: 0 }
}

#[cfg(not(feature = "count-allocations"))]
fn allocated() -> Reply {
    unwatched()
}

#[cfg(not(feature = "count-allocations"))]
fn watch() -> Reply {
    unwatched()
}

#[cfg(not(feature = "count-allocations"))]
fn sites() -> Reply {
    unwatched()
}

fn unwatched() -> Reply {
    Reply::Error { message: "this build does not count its allocations".to_owned() }
}

/// Waits until the process used less than 0.2 ms of CPU in each of three stretches of 10 ms, at most 2 s in all.
fn quiesce() -> Counters {
    const STRETCH: Duration = Duration::from_millis(10);
    const STILL_US: u64 = 200;
    let deadline = Instant::now() + Duration::from_secs(2);
    let mut before = usage::read();
    let mut still = 0;
    while still < 3 && Instant::now() < deadline {
        thread::sleep(STRETCH);
        let now = usage::read();
        let used = now.cpu_user_us + now.cpu_system_us - before.cpu_user_us - before.cpu_system_us;
        still = if used < STILL_US { still + 1 } else { 0 };
        before = now;
    }
    before
}

fn say(reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// The server's callback; whoever comes first calls it, and starts the clock on the end.
#[derive(Clone)]
struct Stop(Arc<Mutex<Option<Callback>>>);

type Callback = Box<dyn FnOnce() + Send>;

impl Stop {
    fn call(&self) {
        let callback = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(callback) = callback {
            thread::spawn(|| {
                thread::sleep(SHUTDOWN_DEADLINE);
                eprintln!("still running {} s after it was asked to stop; giving up", SHUTDOWN_DEADLINE.as_secs());
                process::exit(1);
            });
            callback();
        }
    }
}
