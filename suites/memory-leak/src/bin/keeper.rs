//! A server that keeps memory in a known way, for the suite to be judged by: `keeper --unbounded-cache`, for example.
//!
//! It answers every request with `Hello, World!`, one thread a connection, and keeps what the switch says. Without one it
//! keeps nothing. It is no target: it knows as much of HTTP as the requests of this suite need.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{self, ExitCode},
    rc::{Rc, Weak},
    sync::{Mutex, PoisonError},
    thread,
};

use probe::{Control, Options, allocator::Counting, control, options::Switch};

#[global_allocator]
static ALLOCATOR: Counting<std::alloc::System> = Counting(std::alloc::System);

const SWITCHES: &[Switch] = &[
    Switch { name: "unbounded-cache", help: "keep an entry of every request" },
    Switch { name: "bounded-cache", help: "keep an entry of the last 64 requests" },
    Switch { name: "reference-cycle", help: "make two values for every request that own each other" },
    Switch { name: "weak-reference", help: "the same with one that only refers to the other" },
];

/// Entries of the bounded cache: fewer than the requests of the warm-up.
const ENTRIES_MAX: usize = 64;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!";

fn main() -> ExitCode {
    let options = Options::from_env("keeper", SWITCHES);
    let served = TcpListener::bind(options.listen).and_then(|listener| {
        // Nothing that is asked of it takes long enough to be waited for.
        let told = options.clone();
        let stop = move || {
            control::farewell(&told);
            process::exit(0)
        };
        Control::start(&options, "keeper", listener.local_addr()?, &[], stop)?;
        serve(&listener, options.switches.first().map_or("", String::as_str))
    });
    if let Err(error) = served {
        eprintln!("keeper: {error}");
    }
    ExitCode::FAILURE
}

fn serve(listener: &TcpListener, pattern: &str) -> std::io::Result<()> {
    let cache = Mutex::new(Cache::default());
    thread::scope(|scope| {
        loop {
            let (stream, _) = listener.accept()?;
            let cache = &cache;
            // A client that breaks off takes nobody along.
            scope.spawn(move || drop(answer(&stream, cache, pattern)));
        }
    })
}

/// Answers requests without a body until the client has no more.
fn answer(stream: &TcpStream, cache: &Mutex<Cache>, pattern: &str) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream).lines();
    while lines.next().is_some() {
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        match pattern {
            "unbounded-cache" => cache.lock().unwrap_or_else(PoisonError::into_inner).keep(usize::MAX),
            "bounded-cache" => cache.lock().unwrap_or_else(PoisonError::into_inner).keep(ENTRIES_MAX),
            "reference-cycle" => reference_cycle(),
            "weak-reference" => weak_reference(),
            _ => {}
        }
        (&*stream).write_all(ANSWER)?;
    }
    Ok(())
}

/// Answers by the number of their request, the oldest first to go.
#[derive(Default)]
struct Cache {
    answers: HashMap<u64, String>,
    order: VecDeque<u64>,
    requests: u64,
}

impl Cache {
    fn keep(&mut self, entries_max: usize) {
        self.requests += 1;
        self.answers.insert(self.requests, format!("answer {:09}", self.requests));
        self.order.push_back(self.requests);
        if self.order.len() > entries_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }
}

/// Two values that own each other, so that neither is ever dropped.
fn reference_cycle() {
    struct Owner(RefCell<Option<Rc<Owner>>>);
    let first = Rc::new(Owner(RefCell::new(None)));
    let second = Rc::new(Owner(RefCell::new(Some(Rc::clone(&first)))));
    first.0.replace(Some(second));
}

/// An owner, and a value that knows it without owning it.
fn weak_reference() {
    struct Owner(RefCell<Option<Rc<Owned>>>);
    struct Owned(Weak<Owner>);
    let owner = Rc::new(Owner(RefCell::new(None)));
    let owned = Rc::new(Owned(Rc::downgrade(&owner)));
    assert!(owned.0.upgrade().is_some(), "the owner is there");
    owner.0.replace(Some(owned));
}
