//! The worker's coarse clock: one deadline per connection, the time of day for Date, one task that ticks.
//!
//! Deadlines are a dense table of 32-bit tick numbers that is scanned at each tick: 16,384 connections are 64 KiB,
//! a few µs twenty times a second, and setting a deadline is one store. With no connection the clock stands still.

use std::{
    cell::{Cell, RefCell},
    task::Waker,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::Notify;

/// The length of a tick. Deadlines are late by up to two of them.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// No deadline.
const NEVER: u32 = u32::MAX;

/// A deadline that has passed and was not looked at yet.
const PASSED: u32 = 0;

/// A length of time in ticks, rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticks(u32);

impl From<Duration> for Ticks {
    fn from(duration: Duration) -> Self {
        // One tick more, because the present one has begun already.
        let ticks = duration.as_millis().div_ceil(TICK.as_millis()) + 1;
        Self(u32::try_from(ticks).unwrap_or(NEVER))
    }
}

impl Ticks {
    /// This length, `step` of `steps` of the way to another.
    #[must_use]
    pub(crate) fn toward(self, other: Self, step: usize, steps: usize) -> Self {
        if step >= steps {
            return other;
        }
        let (from, to) = (i128::from(self.0), i128::from(other.0));
        // Between two numbers of 32 bits lies another.
        Self((from + (to - from) * step as i128 / steps as i128) as u32)
    }
}

/// Which connection a deadline belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerKey(u32);

/// The worker's clock and the deadlines on it.
#[derive(Debug)]
pub(crate) struct Timers {
    started: Instant,
    /// Ticks since `started`, from 1 up, so that [`PASSED`] lies before all of them.
    now: Cell<u32>,
    /// Seconds since 1970, as of the last tick.
    unix_s: Cell<u64>,
    table: RefCell<Table>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Table {
    deadlines: Vec<u32>,
    /// When each connection last went idle; [`NEVER`] if it has been culled since, or was never idle.
    idle_since: Vec<u32>,
    wakers: Vec<Option<Waker>>,
    free: Vec<u32>,
}

impl Timers {
    pub(crate) fn new() -> Self {
        let timers = Self {
            started: Instant::now(),
            now: Cell::new(1),
            unix_s: Cell::new(0),
            table: RefCell::default(),
            wake: Notify::new(),
        };
        timers.refresh();
        timers
    }

    /// Seconds since 1970.
    #[inline]
    pub(crate) fn unix_s(&self) -> u64 {
        self.unix_s.get()
    }

    /// Time since the worker began, in whole ticks.
    pub(crate) fn now(&self) -> Duration {
        TICK * self.now.get()
    }

    fn refresh(&self) {
        let ticks = self.started.elapsed().as_millis() / TICK.as_millis() + 1;
        self.now.set(u32::try_from(ticks).unwrap_or(NEVER - 1));
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.unix_s.set(since_1970.as_secs());
    }

    /// Makes room for one connection's deadline.
    pub(crate) fn insert(&self) -> TimerKey {
        let mut table = self.table.borrow_mut();
        if table.is_unused() {
            // The clock stood still.
            self.refresh();
            self.wake.notify_one();
        }
        let key = table.free.pop().unwrap_or_else(|| {
            table.deadlines.push(NEVER);
            table.wakers.push(None);
            table.idle_since.push(NEVER);
            (table.deadlines.len() - 1) as u32
        });
        TimerKey(key)
    }

    /// Gives the room back.
    pub(crate) fn remove(&self, key: TimerKey) {
        let mut table = self.table.borrow_mut();
        table.deadlines[key.0 as usize] = NEVER;
        table.idle_since[key.0 as usize] = NEVER;
        table.wakers[key.0 as usize] = None;
        table.free.push(key.0);
    }

    /// Names the task to wake when the deadline passes.
    pub(crate) fn watch(&self, key: TimerKey, waker: &Waker) {
        self.table.borrow_mut().wakers[key.0 as usize] = Some(waker.clone());
    }

    /// Sets the deadline to so long from now.
    #[inline]
    pub(crate) fn set(&self, key: TimerKey, after: Ticks) {
        let deadline = self.now.get().saturating_add(after.0).min(NEVER - 1);
        self.table.borrow_mut().deadlines[key.0 as usize] = deadline;
    }

    /// As [`set`](Self::set), for a connection that is idle from now on.
    #[inline]
    pub(crate) fn set_idle(&self, key: TimerKey, after: Ticks) {
        let now = self.now.get();
        let mut table = self.table.borrow_mut();
        table.deadlines[key.0 as usize] = now.saturating_add(after.0).min(NEVER - 1);
        table.idle_since[key.0 as usize] = now;
    }

    /// Lets the deadlines of up to `number` connections pass now: those that have been idle longest, and for `least` at
    /// least. One that has work again by now ignores it. Says how many there were.
    pub(crate) fn cull(&self, number: usize, least: Ticks) -> usize {
        let latest = self.now.get().saturating_sub(least.0);
        self.table.borrow_mut().cull(number, latest)
    }

    /// How many connections are idle, or were when they last had nothing to do.
    pub(crate) fn idle(&self) -> usize {
        self.table.borrow().idle_since.iter().filter(|since| **since != NEVER).count()
    }

    /// Whether the deadline has passed; says so once.
    #[inline]
    pub(crate) fn take_passed(&self, key: TimerKey) -> bool {
        let mut table = self.table.borrow_mut();
        let deadline = &mut table.deadlines[key.0 as usize];
        let passed = *deadline == PASSED;
        if passed {
            *deadline = NEVER;
        }
        passed
    }

    /// Wakes every connection, whatever its deadline.
    pub(crate) fn wake_all(&self) {
        self.table.borrow().wakers.iter().flatten().for_each(Waker::wake_by_ref);
    }

    /// Ticks for as long as the worker runs.
    pub(crate) async fn run(&self) {
        loop {
            if self.table.borrow().is_unused() {
                self.wake.notified().await;
            }
            tokio::time::sleep(TICK).await;
            self.refresh();
            self.table.borrow_mut().pass(self.now.get());
        }
    }
}

impl Table {
    fn is_unused(&self) -> bool {
        self.free.len() == self.deadlines.len()
    }

    fn cull(&mut self, number: usize, latest: u32) -> usize {
        let mut idle: Vec<_> = (0..)
            .zip(&self.idle_since)
            .filter(|(_, since)| **since <= latest)
            .map(|(key, since)| (*since, key))
            .collect();
        let number = number.min(idle.len());
        if number == 0 {
            return 0;
        }
        idle.select_nth_unstable(number - 1);
        for (_, key) in &idle[..number] {
            let key: usize = *key;
            self.idle_since[key] = NEVER;
            self.deadlines[key] = PASSED;
            if let Some(waker) = &self.wakers[key] {
                waker.wake_by_ref();
            }
        }
        number
    }

    fn pass(&mut self, now: u32) {
        for (deadline, waker) in self.deadlines.iter_mut().zip(&self.wakers) {
            if *deadline <= now && *deadline != PASSED {
                *deadline = PASSED;
                if let Some(waker) = waker {
                    waker.wake_by_ref();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_idle_connections_are_culled_first() {
        let idle_since = vec![30, NEVER, 10, 20, 10, 40];
        let cases: [(usize, u32, &[usize]); 5] =
            [(0, 100, &[]), (1, 5, &[]), (2, 100, &[2, 4]), (9, 20, &[2, 3, 4]), (9, 100, &[0, 2, 3, 4, 5])];
        for (number, latest, expected) in cases {
            let mut table = Table {
                deadlines: vec![NEVER; 6],
                idle_since: idle_since.clone(),
                wakers: vec![None; 6],
                free: Vec::new(),
            };
            assert_eq!(table.cull(number, latest), expected.len(), "{number} up to {latest}");
            let passed: Vec<_> = (0..6).filter(|key| table.deadlines[*key] == PASSED).collect();
            assert_eq!(passed, expected, "{number} up to {latest}");
        }
    }

    #[test]
    fn lengths_of_time_are_rounded_up_to_the_next_tick_but_one() {
        for (ms, ticks) in [(0, 1), (1, 2), (50, 2), (51, 3), (1_000, 21)] {
            assert_eq!(Ticks::from(Duration::from_millis(ms)), Ticks(ticks), "{ms}");
        }
        assert_eq!(Ticks::from(Duration::MAX), Ticks(NEVER));
    }
}
