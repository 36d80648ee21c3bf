//! One thread of the generator: an epoll loop over its share of the connections, through connecting, warm-up, and, as often as
//! it is asked, pause, window and drain. Leaves what happens on a connection to `connection.rs` and the threads' concert to `engine.rs`.

use std::{
    io::{self, ErrorKind},
    os::fd::{AsFd, AsRawFd},
    sync::{Arc, mpsc},
    time::Duration,
};

use mio::{Events, Interest, Poll, Registry, Token, Waker, unix::SourceFd};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::{
        resource::{UsageWho, getrusage},
        time::{TimeSpec, TimeVal},
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    },
    unistd::Pid,
};

use crate::{
    clock::Clock, connection::Connection, lane::Lane, load::Load, request::Picker, schedule::Schedule, tally::Tally,
};

/// How often connections are looked after that no event reports: the grain of timeouts and of reconnecting.
const TICK: Duration = Duration::from_millis(10);
/// The least time between two wake-ups for requests that come due: at rates above 20,000/s on a thread they are
/// written several at a time, at most so much late, since a sleep for each would take more CPU than the requests.
const DUE_GRAIN_NS: u64 = 50_000;
/// Scratch space for what is read: larger than the answers to a pipelined batch, small enough for the L2 cache.
const BUFFER_BYTES: usize = 64 * 1024;
/// Events taken from one epoll_wait(2). More than these wait in the kernel for the next one.
const EVENTS_MAX: usize = 1024;
const WAKE: Token = Token(usize::MAX);
const DUE: Token = Token(usize::MAX - 1);
const TICKER: Token = Token(usize::MAX - 2);

/// What a thread says.
#[derive(Debug)]
pub(crate) enum Report {
    /// It has warmed up and nothing is in flight.
    Warm,
    /// It has drained after a window.
    Done(Box<Tally>),
    /// It cannot run the load.
    Failed(String),
}

/// When a window shall begin, ns.
pub(crate) type Start = u64;

/// One thread's loop.
#[derive(Debug)]
pub(crate) struct Worker {
    poll: Poll,
    events: Events,
    due_timer: TimerFd,
    /// The instant for which that timer is set, ns.
    due_timer_ns: Option<u64>,
    /// When requests that had come due were last written, ns.
    sent_due_ns: u64,
    /// Ends the sleep once a tick.
    ticker: TimerFd,
    buffer: Box<[u8]>,
    connections: Vec<Connection>,
    lane: Lane,
    next_tick_ns: u64,
}

impl Worker {
    /// The loop of thread `thread`, with what wakes it up.
    ///
    /// # Errors
    /// When the kernel grants no epoll instance, timer or event descriptor.
    pub(crate) fn new(load: Arc<Load>, clock: Clock, thread: u32) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let due_timer = timer(poll.registry(), DUE)?;
        let ticker = timer(poll.registry(), TICKER)?;
        ticker.set(Expiration::Interval(TimeSpec::from_duration(TICK)), TimerSetTimeFlags::empty())?;
        let share = (load.connections - thread).div_ceil(load.threads);
        let rate = load.rate_per_s;
        let lane = Lane {
            registry: poll.registry().try_clone()?,
            picker: Picker::new(load.pick, load.requests.len(), thread),
            memories: load.requests.iter().map(|_| Default::default()).collect(),
            schedule: rate.map(|rate| Schedule::new(rate, load.connections, thread, load.threads)),
            tally: Tally::new(rate.is_some()),
            clock,
            load,
            woken_ns: 0,
            send_until_ns: 0,
            count_until_ns: 0,
            strict: true,
            failure: None,
        };
        let worker = Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            due_timer,
            due_timer_ns: None,
            sent_due_ns: 0,
            ticker,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            connections: (0..share as usize).map(Connection::new).collect(),
            lane,
            next_tick_ns: 0,
        };
        Ok((worker, waker))
    }

    /// Runs the load, telling `reports` how far it is and waiting for each window's start on `starts`.
    pub(crate) fn run(mut self, cpu: Option<usize>, starts: &mpsc::Receiver<Start>, reports: &mpsc::Sender<Report>) {
        if let Err(words) = self.stages(cpu, starts, reports) {
            // Nobody listens any more when the process is about to end.
            let _ = reports.send(Report::Failed(words));
        }
    }

    fn stages(
        &mut self,
        cpu: Option<usize>,
        starts: &mpsc::Receiver<Start>,
        reports: &mpsc::Sender<Report>,
    ) -> Result<(), String> {
        if let Some(cpu) = cpu {
            bind(cpu)?;
        }
        let epoll_failed = |error: io::Error| format!("epoll: {error}");
        self.connect()?;
        if self.lane.load.warmup_ns > 0 {
            self.send(self.lane.clock.now_ns(), self.lane.load.warmup_ns).map_err(epoll_failed)?;
            for connection in &mut self.connections {
                connection.rewind();
            }
            self.drain().map_err(epoll_failed)?;
        }
        let _ = reports.send(Report::Warm);
        while let Some(start_ns) = self.pause(starts).map_err(epoll_failed)? {
            let cpu_ns = thread_cpu_ns()?;
            self.lane.tally.begin_window();
            self.send(start_ns, self.lane.load.duration_ns).map_err(epoll_failed)?;
            let wall_ns = self.lane.clock.now_ns() - start_ns;
            self.lane.tally.end_window(thread_cpu_ns()? - cpu_ns, wall_ns);
            self.drain().map_err(epoll_failed)?;
            let fresh = Tally::new(self.lane.schedule.is_some());
            let _ = reports.send(Report::Done(Box::new(std::mem::replace(&mut self.lane.tally, fresh))));
        }
        Ok(())
    }

    /// Makes all connections.
    fn connect(&mut self) -> Result<(), String> {
        let give_up_ns = self.lane.clock.now_ns() + self.lane.load.timeout_ns;
        self.tick(self.lane.clock.now_ns());
        while !self.connections.iter().all(Connection::is_open) {
            if self.lane.failure.is_none() {
                self.turn().map_err(|error| format!("epoll: {error}"))?;
            }
            if let Some(failure) = self.lane.failure.take() {
                return Err(failure);
            }
            if self.lane.clock.now_ns() > give_up_ns {
                return Err(format!("{} did not accept all connections in time", self.lane.load.address));
            }
        }
        self.lane.strict = false;
        Ok(())
    }

    /// Sends from `start_ns` for `duration_ns`.
    fn send(&mut self, start_ns: u64, duration_ns: u64) -> io::Result<()> {
        let end_ns = start_ns + duration_ns;
        while self.lane.clock.now_ns() < start_ns {
            // At most START_MARGIN of engine.rs.
            std::hint::spin_loop();
        }
        self.lane.woken_ns = start_ns;
        self.lane.send_until_ns = end_ns;
        self.lane.count_until_ns = end_ns;
        if let Some(schedule) = &mut self.lane.schedule {
            schedule.begin(start_ns, end_ns);
        }
        for connection in &mut self.connections {
            connection.rewind();
            let now_ns = self.lane.clock.now_ns();
            connection.pump(&mut self.lane, now_ns);
        }
        while self.lane.woken_ns < end_ns {
            self.turn()?;
        }
        Ok(())
    }

    /// Takes in the answers under way and, in an open loop, still sends what was due and could not be sent: for as
    /// long as an answer may take. What remains then counts as timeouts.
    fn drain(&mut self) -> io::Result<()> {
        let give_up_ns = self.lane.woken_ns + self.lane.load.timeout_ns;
        self.lane.send_until_ns = if self.lane.schedule.is_some() { give_up_ns } else { 0 };
        for connection in &mut self.connections {
            // The last requests of a schedule come due in the very turn that finds the window over.
            let now_ns = self.lane.clock.now_ns();
            connection.pump(&mut self.lane, now_ns);
        }
        while self.connections.iter().any(Connection::is_busy) && self.lane.woken_ns <= give_up_ns {
            self.turn()?;
        }
        self.lane.send_until_ns = 0;
        let now_ns = self.lane.clock.now_ns();
        for connection in &mut self.connections {
            connection.give_up(&mut self.lane, now_ns);
            connection.write_off(&mut self.lane, now_ns);
        }
        Ok(())
    }

    /// Waits for the window's start, while connections that the server ends are made anew; `None` if nobody is left
    /// to name it.
    fn pause(&mut self, starts: &mpsc::Receiver<Start>) -> io::Result<Option<Start>> {
        loop {
            match starts.try_recv() {
                Ok(start_ns) => return Ok(Some(start_ns)),
                Err(mpsc::TryRecvError::Disconnected) => return Ok(None),
                Err(mpsc::TryRecvError::Empty) => self.turn()?,
            }
        }
    }

    /// Sleeps until something happens, at most a tick, and reacts. The tick is a timer of its own, because a timeout
    /// given to epoll_wait(2) would be set up and taken back at every sleep.
    fn turn(&mut self) -> io::Result<()> {
        let sleep_max = self.set_due_timer()?;
        match self.poll.poll(&mut self.events, sleep_max) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let woken_ns = self.lane.clock.now_ns();
        self.lane.woken_ns = woken_ns;
        for event in &self.events {
            if let Some(connection) = self.connections.get_mut(event.token().0) {
                connection.on_event(&mut self.lane, event, &mut self.buffer);
            } else if event.token() == TICKER {
                // A periodic timer goes on when it is read (timerfd_create(2)); that it never blocks makes it an
                // error to read one that has not expired, which changes nothing.
                let _ = self.ticker.wait();
            }
        }
        while let Some(local) = self.lane.schedule.as_mut().and_then(|schedule| schedule.pop(woken_ns)) {
            self.connections[local].owe(&mut self.lane);
            self.sent_due_ns = woken_ns;
        }
        if woken_ns >= self.next_tick_ns {
            self.tick(woken_ns);
        }
        Ok(())
    }

    /// Sets the timer to the next due instant, unless it has come already; how long to sleep at most.
    ///
    /// epoll_wait(2) counts in milliseconds, which is too coarse a grain for a schedule; timerfd_create(2) counts in
    /// nanoseconds. The timer goes off once and is set anew, so that it need not be read: its expiry is an edge
    /// (epoll(7)).
    fn set_due_timer(&mut self) -> io::Result<Option<Duration>> {
        let due_ns = self.lane.schedule.as_ref().and_then(Schedule::next_ns);
        let Some(wake_ns) = due_ns.map(|due_ns| due_ns.max(self.sent_due_ns + DUE_GRAIN_NS)) else {
            return Ok(None);
        };
        if self.due_timer_ns != Some(wake_ns) {
            let wait_ns = wake_ns.saturating_sub(self.lane.clock.now_ns());
            if wait_ns == 0 {
                return Ok(Some(Duration::ZERO));
            }
            let expiration = Expiration::OneShot(TimeSpec::from_duration(Duration::from_nanos(wait_ns)));
            self.due_timer.set(expiration, TimerSetTimeFlags::empty())?;
            self.due_timer_ns = Some(wake_ns);
        }
        Ok(None)
    }

    fn tick(&mut self, now_ns: u64) {
        for connection in &mut self.connections {
            connection.tick(&mut self.lane, now_ns);
        }
        self.next_tick_ns = now_ns + u64::try_from(TICK.as_nanos()).unwrap_or(u64::MAX);
    }
}

/// A timer whose expiry wakes `registry`'s loop.
fn timer(registry: &Registry, token: Token) -> io::Result<TimerFd> {
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
    registry.register(&mut SourceFd(&timer.as_fd().as_raw_fd()), token, Interest::READABLE)?;
    Ok(timer)
}

/// Binds this thread to `cpu`.
fn bind(cpu: usize) -> Result<(), String> {
    let mut set = CpuSet::new();
    set.set(cpu).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set)).map_err(|error| {
        let here = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        format!("CPU {cpu} cannot be used: {error}; this process may use {here} CPU(s), see taskset -p $$")
    })
}

/// CPU time of this thread so far, ns; getrusage(2) counts in microseconds.
fn thread_cpu_ns() -> Result<u64, String> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).map_err(|error| format!("getrusage: {error}"))?;
    Ok(time_ns(usage.user_time()) + time_ns(usage.system_time()))
}

fn time_ns(time: TimeVal) -> u64 {
    u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or(0) * 1000
}
