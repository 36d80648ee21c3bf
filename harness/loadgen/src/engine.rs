//! The threads in concert: all connect and warm up, all pause, all run a window, and their tallies become one
//! outcome; then they pause again. Both ways into the program, `dialogue.rs` and `args.rs`, end here. Read next: `worker.rs`.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use mio::Waker;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use probe::load::Outcome;

use crate::{
    clock::Clock,
    load::Load,
    tally::Tally,
    worker::{Report, Start, Worker},
};

/// How far ahead the window's start is set, ns: long enough for every thread to wake up, so that all begin together.
const START_MARGIN_NS: u64 = 200_000;

/// A load that has warmed up and awaits its next window.
#[derive(Debug)]
pub(crate) struct Engine {
    clock: Clock,
    duration_ns: u64,
    threads: Vec<(mpsc::Sender<Start>, Waker)>,
    reports: mpsc::Receiver<Report>,
}

impl Engine {
    /// Connects and warms up; returns when nothing is in flight.
    ///
    /// # Errors
    /// In words, why the load cannot be run.
    pub(crate) fn warm_up(load: Load) -> Result<Self, String> {
        raise_file_limit();
        let load = Arc::new(load);
        let clock = Clock::start();
        let (report, reports) = mpsc::channel();
        let mut threads = Vec::new();
        for thread in 0..load.threads {
            let (worker, waker) =
                Worker::new(Arc::clone(&load), clock, thread).map_err(|error| format!("epoll: {error}"))?;
            let cpu = load.cpus.iter().cycle().nth(thread as usize).copied();
            let (start, starts) = mpsc::channel();
            let report = report.clone();
            thread::Builder::new()
                .name(format!("load-{thread}"))
                .spawn(move || worker.run(cpu, &starts, &report))
                .map_err(|error| format!("no thread: {error}"))?;
            threads.push((start, waker));
        }
        let engine = Self { clock, duration_ns: load.duration_ns, threads, reports };
        for _ in &engine.threads {
            engine.report()?;
        }
        Ok(engine)
    }

    /// Runs a window and drains.
    ///
    /// # Errors
    /// In words, why the load could not be run to its end.
    pub(crate) fn run(&mut self) -> Result<Outcome, String> {
        let start_ns = self.clock.now_ns() + START_MARGIN_NS;
        for (start, waker) in &self.threads {
            start.send(start_ns).map_err(|_| stopped())?;
            waker.wake().map_err(|error| format!("eventfd: {error}"))?;
        }
        let mut whole: Option<Box<Tally>> = None;
        for _ in &self.threads {
            if let Some(tally) = self.report()? {
                match &mut whole {
                    None => whole = Some(tally),
                    Some(whole) => whole.add(&tally),
                }
            }
        }
        let whole = whole.ok_or_else(stopped)?;
        Ok(whole.outcome(self.duration_ns))
    }

    /// Waits for one thread's next word; a tally, if that is what it was.
    fn report(&self) -> Result<Option<Box<Tally>>, String> {
        match self.reports.recv() {
            Ok(Report::Warm) => Ok(None),
            Ok(Report::Done(tally)) => Ok(Some(tally)),
            Ok(Report::Failed(words)) => Err(words),
            Err(mpsc::RecvError) => Err(stopped()),
        }
    }
}

fn stopped() -> String {
    "a generator thread stopped; the lines above say why".to_owned()
}

/// Allows as many open files as the system lets an unprivileged process have. Whoever needs more is told when a
/// connection cannot be opened.
fn raise_file_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
