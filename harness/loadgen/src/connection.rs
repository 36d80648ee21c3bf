//! One connection: its socket, the batch of requests under way on it, and what happens when it breaks. Leaves reading
//! answers to `answer.rs` and the choice of the moment to `worker.rs`.

use std::io::{self, ErrorKind, Read, Write};

use mio::{Interest, Token, event::Event, net::TcpStream};

use crate::{
    answer::{Answer, Step},
    expect::Fault,
    lane::Lane,
    tally::Answers,
};

/// The wait before the first attempt to replace a connection that never answered; each further one doubles it.
const RETRY_NS_MIN: u64 = 1_000_000;
/// The longest such wait.
const RETRY_NS_MAX: u64 = 256_000_000;

#[derive(Debug)]
enum Link {
    Down { retry_ns: u64 },
    Connecting { stream: TcpStream, since_ns: u64 },
    Open { stream: TcpStream },
}

/// One connection to the server.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Its place among the thread's connections, which is its epoll token as well.
    local: usize,
    link: Link,
    output: Vec<u8>,
    output_at: usize,
    /// The requests under way, as places in the plan, in the order written.
    batch: Vec<usize>,
    /// How many of them are answered.
    answered: usize,
    written_ns: u64,
    due_ns: u64,
    /// Since when it could have taken a request, ns.
    free_ns: u64,
    answer: Answer,
    /// Answers until the next one that is checked whole.
    until_whole: u32,
    /// Answers that the link has carried.
    carried: u32,
    /// The link has carried an answer; such a one is replaced at once when it ends.
    proven: bool,
    retry_wait_ns: u64,
    /// Requests of the open loop that are due and not written.
    owed: u64,
    /// The place in its schedule of the next request it writes.
    round: u64,
}

impl Connection {
    /// A connection that is not made yet.
    pub(crate) fn new(local: usize) -> Self {
        Self {
            local,
            link: Link::Down { retry_ns: 0 },
            output: Vec::new(),
            output_at: 0,
            batch: Vec::new(),
            answered: 0,
            written_ns: 0,
            due_ns: 0,
            free_ns: 0,
            answer: Answer::new(),
            until_whole: 0,
            carried: 0,
            proven: false,
            retry_wait_ns: RETRY_NS_MIN,
            owed: 0,
            round: 0,
        }
    }

    /// Whether requests can be written.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.link, Link::Open { .. })
    }

    /// Whether answers are awaited or requests are owed.
    pub(crate) fn is_busy(&self) -> bool {
        !self.batch.is_empty() || self.owed > 0
    }

    /// Forgets the requests owed and stands at the schedule's beginning.
    pub(crate) fn rewind(&mut self) {
        self.owed = 0;
        self.round = 0;
    }

    /// Notes that one more request is due, and writes it if the connection is free.
    pub(crate) fn owe(&mut self, lane: &mut Lane) {
        self.owed += 1;
        self.pump(lane, lane.clock.now_ns());
    }

    /// Writes the next batch, if the connection is free and one is to be sent at `now_ns`.
    pub(crate) fn pump(&mut self, lane: &mut Lane, now_ns: u64) {
        if !self.is_open() || !self.batch.is_empty() || now_ns >= lane.send_until_ns {
            return;
        }
        match &lane.schedule {
            // In a closed loop a request is due as soon as its answerer could be known to be free: at the wake-up.
            None => self.due_ns = lane.woken_ns,
            Some(_) if self.owed == 0 => return,
            Some(schedule) => {
                self.due_ns = schedule.due_ns(self.local, self.round);
                self.round += 1;
                self.owed -= 1;
            }
        }
        self.written_ns = now_ns;
        lane.tally.lagged(now_ns.saturating_sub(self.due_ns.max(self.free_ns)));
        self.output.clear();
        self.output_at = 0;
        for _ in 0..lane.load.pipeline {
            let place = lane.picker.next();
            self.batch.push(place);
            self.output.extend_from_slice(&lane.load.requests[place].bytes);
        }
        self.flush(lane);
    }

    /// Reacts to an epoll event; `buffer` is scratch space for what is read.
    pub(crate) fn on_event(&mut self, lane: &mut Lane, event: &Event, buffer: &mut [u8]) {
        if let Link::Connecting { .. } = self.link {
            self.connected(lane);
        }
        if event.is_writable() && self.output_at < self.output.len() {
            self.flush(lane);
        }
        let ending = event.is_read_closed() || event.is_error();
        if event.is_readable() || ending {
            self.receive(lane, ending, buffer);
        }
    }

    /// Looks after what no event reports: connections to be made again, and answers that do not come.
    pub(crate) fn tick(&mut self, lane: &mut Lane, now_ns: u64) {
        match self.link {
            Link::Down { retry_ns } if retry_ns <= now_ns => self.connect(lane, now_ns),
            Link::Connecting { since_ns, .. } if now_ns.saturating_sub(since_ns) > lane.load.timeout_ns => {
                self.not_connected(lane, &io::Error::from(ErrorKind::TimedOut));
            }
            Link::Open { .. }
                if !self.batch.is_empty() && now_ns.saturating_sub(self.written_ns) > lane.load.timeout_ns =>
            {
                self.give_up(lane, now_ns);
            }
            _ => {}
        }
    }

    /// Counts the answers awaited and the requests owed as timeouts, and ends the connection if it awaits any.
    pub(crate) fn give_up(&mut self, lane: &mut Lane, now_ns: u64) {
        if let Some(&place) = self.batch.get(self.answered) {
            let answers = self.answers(self.batch.len() - self.answered, now_ns);
            lane.tally.timed_out(answers, &lane.load.requests[place].name);
            self.hang_up(now_ns);
        }
    }

    /// Counts the requests that are still owed as timeouts.
    pub(crate) fn write_off(&mut self, lane: &mut Lane, now_ns: u64) {
        let Some(schedule) = &lane.schedule else { return };
        for round in self.round..self.round + self.owed {
            lane.tally.never_sent(schedule.due_ns(self.local, round), now_ns);
        }
        self.owed = 0;
    }

    /// Begins to connect.
    fn connect(&mut self, lane: &mut Lane, now_ns: u64) {
        let attempt = TcpStream::connect(lane.load.address).and_then(|mut stream| {
            stream.set_nodelay(true)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            lane.registry.register(&mut stream, Token(self.local), interest)?;
            Ok(stream)
        });
        match attempt {
            Ok(stream) => self.link = Link::Connecting { stream, since_ns: now_ns },
            Err(error) => self.not_connected(lane, &error),
        }
    }

    /// Sees how connecting ended.
    fn connected(&mut self, lane: &mut Lane) {
        let Link::Connecting { stream, .. } = &self.link else {
            return;
        };
        let result = match stream.take_error() {
            Ok(None) => stream.peer_addr().map(drop),
            Ok(Some(error)) | Err(error) => Err(error),
        };
        match result {
            Err(error) if error.kind() == ErrorKind::NotConnected => {}
            Err(error) => self.not_connected(lane, &error),
            Ok(()) => {
                let link = std::mem::replace(&mut self.link, Link::Down { retry_ns: 0 });
                if let Link::Connecting { stream, .. } = link {
                    self.link = Link::Open { stream };
                }
                lane.tally.connected();
                self.free_ns = lane.clock.now_ns();
                self.pump(lane, self.free_ns);
            }
        }
    }

    fn not_connected(&mut self, lane: &mut Lane, error: &io::Error) {
        let now_ns = lane.clock.now_ns();
        let words = connect_words(error);
        if lane.strict {
            lane.failure.get_or_insert(format!("cannot connect to {}: {words}", lane.load.address));
        } else {
            lane.tally.connect_failed(&words, now_ns);
        }
        self.hang_up(now_ns);
    }

    /// Writes what is left of the batch, as far as the socket takes it.
    fn flush(&mut self, lane: &mut Lane) {
        let Link::Open { stream } = &mut self.link else { return };
        while self.output_at < self.output.len() {
            match stream.write(&self.output[self.output_at..]) {
                Ok(count) => self.output_at += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => return self.broken(lane, &format!("the connection broke: {error}")),
            }
        }
    }

    /// Reads what has arrived. A short read has emptied the socket (epoll(7), "edge-triggered"), so the read that
    /// would only say so is spared, unless the event told of an `ending` that is still to be seen.
    ///
    /// What the first read finds counts as arrived when epoll_wait(2) returned, not when its turn came: the connections
    /// served before it in this turn are the generator's business and not the server's.
    fn receive(&mut self, lane: &mut Lane, ending: bool, buffer: &mut [u8]) {
        let mut arrived_ns = lane.woken_ns;
        while let Link::Open { stream } = &mut self.link {
            match stream.read(buffer) {
                Ok(0) => return self.ended(lane),
                Ok(count) => {
                    if self.written_ns > arrived_ns {
                        arrived_ns = lane.clock.now_ns();
                    }
                    self.take_in(lane, &buffer[..count], arrived_ns);
                    arrived_ns = lane.clock.now_ns();
                    if count < buffer.len() && !ending {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => return self.broken(lane, &format!("the connection broke: {error}")),
            }
        }
    }

    /// Reads answers out of `bytes` and, when all of the batch are there, goes on to the next one.
    fn take_in(&mut self, lane: &mut Lane, bytes: &[u8], now_ns: u64) {
        if now_ns <= lane.count_until_ns {
            lane.tally.bytes(bytes.len());
        }
        let mut input = bytes;
        let before = self.answered;
        let mut close = false;
        let mut refused = None;
        while !input.is_empty() && !close && refused.is_none() {
            let Some(&place) = self.batch.get(self.answered) else {
                refused = Some("bytes that answer no request".to_owned());
                break;
            };
            let whole = self.until_whole == 0;
            match self.answer.read(&mut input, &lane.load.requests[place], &mut lane.memories[place], whole) {
                Ok(Step::More) => break,
                Ok(Step::Done { close: closing, fault }) => {
                    self.judged(lane, place, fault.as_ref(), now_ns);
                    close = closing;
                }
                Err(words) => refused = Some(words),
            }
        }
        self.count(lane, self.answered - before, now_ns);
        if let Some(words) = refused {
            let name = self.batch.get(self.answered).map_or("", |&place| &lane.load.requests[place].name);
            lane.tally.fault(&Fault::Body(words), name, now_ns);
            self.hang_up(now_ns);
        } else if close {
            self.ended(lane);
        } else if !self.batch.is_empty() && self.answered == self.batch.len() {
            self.batch.clear();
            self.answered = 0;
            self.free_ns = lane.woken_ns;
            let now_ns = lane.clock.now_ns();
            if lane.load.reconnect_every.is_some_and(|every| self.carried >= every) {
                self.replace(lane, now_ns);
            } else {
                self.pump(lane, now_ns);
            }
        }
    }

    /// Notes what one answer was found to be.
    fn judged(&mut self, lane: &mut Lane, place: usize, fault: Option<&Fault>, now_ns: u64) {
        self.answered += 1;
        self.carried += 1;
        if self.until_whole == 0 {
            self.until_whole = lane.load.verify_every;
            lane.tally.verified();
        }
        self.until_whole -= 1;
        if let Some(fault) = fault {
            lane.tally.fault(fault, &lane.load.requests[place].name, now_ns);
        }
    }

    fn count(&mut self, lane: &mut Lane, count: usize, now_ns: u64) {
        if count > 0 {
            self.proven = true;
            self.retry_wait_ns = RETRY_NS_MIN;
            lane.tally.answered(self.answers(count, now_ns), now_ns <= lane.count_until_ns);
        }
    }

    fn answers(&self, count: usize, now_ns: u64) -> Answers {
        Answers { count: count as u64, due_ns: self.due_ns, written_ns: self.written_ns, read_ns: now_ns }
    }

    /// The server has ended the connection, or said that it will. That is its right between answers; answers that
    /// were awaited and do not come are an error.
    fn ended(&mut self, lane: &mut Lane) {
        let now_ns = lane.clock.now_ns();
        if let Some(&place) = self.batch.get(self.answered) {
            let whole = self.until_whole == 0;
            if let Some(Step::Done { fault, .. }) = self.answer.read_end(&lane.load.requests[place], whole) {
                self.judged(lane, place, fault.as_ref(), now_ns);
                self.count(lane, 1, now_ns);
            }
        }
        let lost = self.batch.len() - self.answered;
        if lost > 0 {
            lane.tally.broken("the server closed the connection", lost, now_ns);
        }
        self.replace(lane, now_ns);
    }

    fn broken(&mut self, lane: &mut Lane, words: &str) {
        let now_ns = lane.clock.now_ns();
        lane.tally.broken(words, self.batch.len() - self.answered, now_ns);
        self.replace(lane, now_ns);
    }

    /// Makes the connection anew: at once after one that has answered, else after a wait.
    fn replace(&mut self, lane: &mut Lane, now_ns: u64) {
        let proven = self.proven;
        self.hang_up(now_ns);
        if proven {
            self.connect(lane, now_ns);
        }
    }

    /// Closes the socket, if there is one, and forgets what was under way; a later tick connects again.
    fn hang_up(&mut self, now_ns: u64) {
        self.link = Link::Down { retry_ns: now_ns + self.retry_wait_ns };
        self.retry_wait_ns = (self.retry_wait_ns * 2).min(RETRY_NS_MAX);
        self.proven = false;
        self.output.clear();
        self.output_at = 0;
        self.batch.clear();
        self.answered = 0;
        self.answer.reset();
        self.until_whole = 0;
        self.carried = 0;
    }
}

/// Why no connection could be made, with what to do about it.
fn connect_words(error: &io::Error) -> String {
    let cure = match error.kind() {
        ErrorKind::ConnectionRefused => "nothing listens there; start the server first, or correct the address",
        ErrorKind::TimedOut => "the server does not accept; is it overloaded, or a packet filter in between?",
        ErrorKind::AddrNotAvailable => "no local port is free; use fewer connections, or wait a minute",
        _ if error.raw_os_error() == Some(nix::errno::Errno::EMFILE as i32) => {
            "raise the limit of open files (ulimit -n), or use fewer connections"
        }
        _ => return error.to_string(),
    };
    format!("{error} ({cure})")
}
