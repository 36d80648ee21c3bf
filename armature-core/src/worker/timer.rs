//! The worker's coarse clock: one deadline per connection, the time of day for Date, and who sleeps until a tick.
//!
//! Deadlines are a dense table of 32-bit tick numbers that is scanned at each tick: 16,384 connections are 64 KiB,
//! a few µs twenty times a second, and setting a deadline is one store. With no connection the clock stands still. Leaves
//! ticking to `tasks.rs`.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::Notify;

use crate::io::TaskKey;

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

/// The worker's clock and the deadlines on it.
#[derive(Debug)]
pub(crate) struct Timers {
    started: Instant,
    /// Ticks since `started`, from 1 up, so that [`PASSED`] lies before all of them.
    now: Cell<u32>,
    /// Seconds since 1970, as of the last tick.
    unix_s: Cell<u64>,
    table: RefCell<Table>,
    ticked: Notify,
}

/// What is known of each connection, by the number of its task.
#[derive(Debug, Default)]
struct Table {
    deadlines: Vec<u32>,
    /// When each connection last went idle; [`NEVER`] if it has been culled since, or was under another deadline.
    idle_since: Vec<u32>,
}

impl Timers {
    pub(crate) fn new() -> Self {
        let timers = Self {
            started: Instant::now(),
            now: Cell::new(1),
            unix_s: Cell::new(0),
            table: RefCell::default(),
            ticked: Notify::new(),
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

    /// Reads the clocks.
    pub(crate) fn refresh(&self) {
        let ticks = self.started.elapsed().as_millis() / TICK.as_millis() + 1;
        self.now.set(u32::try_from(ticks).unwrap_or(NEVER - 1));
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.unix_s.set(since_1970.as_secs());
    }

    /// Makes room for one connection's deadline.
    pub(crate) fn insert(&self, task: TaskKey) {
        let mut table = self.table.borrow_mut();
        if table.deadlines.len() <= task.index() {
            table.deadlines.resize(task.index() + 1, NEVER);
            table.idle_since.resize(task.index() + 1, NEVER);
        }
    }

    /// Forgets the connection.
    pub(crate) fn remove(&self, task: TaskKey) {
        let mut table = self.table.borrow_mut();
        table.deadlines[task.index()] = NEVER;
        table.idle_since[task.index()] = NEVER;
    }

    /// Sets the deadline to so long from now, for a connection that is not idle.
    #[inline]
    pub(crate) fn set(&self, task: TaskKey, after: Ticks) {
        let deadline = self.now.get().saturating_add(after.0).min(NEVER - 1);
        let mut table = self.table.borrow_mut();
        table.deadlines[task.index()] = deadline;
        // Culling it would be taken for this deadline.
        table.idle_since[task.index()] = NEVER;
    }

    /// As [`set`](Self::set), for a connection that is idle from now on.
    #[inline]
    pub(crate) fn set_idle(&self, task: TaskKey, after: Ticks) {
        let now = self.now.get();
        let mut table = self.table.borrow_mut();
        table.deadlines[task.index()] = now.saturating_add(after.0).min(NEVER - 1);
        table.idle_since[task.index()] = now;
    }

    /// Lets the deadlines of up to `number` connections pass now: those that have been idle longest, and for `least` at
    /// least. One whose handler is at work by now ignores it. Says which they are, for the caller to wake.
    pub(crate) fn cull(&self, number: usize, least: Ticks) -> Vec<TaskKey> {
        let latest = self.now.get().saturating_sub(least.0);
        self.table.borrow_mut().cull(number, latest)
    }

    /// How many connections are idle, or were when they last had nothing to do.
    pub(crate) fn idle(&self) -> usize {
        self.table.borrow().idle_since.iter().filter(|since| **since != NEVER).count()
    }

    /// Whether the deadline has passed; says so once.
    #[inline]
    pub(crate) fn take_passed(&self, task: TaskKey) -> bool {
        let mut table = self.table.borrow_mut();
        let deadline = &mut table.deadlines[task.index()];
        let passed = *deadline == PASSED;
        if passed {
            *deadline = NEVER;
        }
        passed
    }

    /// Goes on to the present tick, and says which deadlines have passed.
    pub(crate) fn tick(&self) -> Vec<TaskKey> {
        self.refresh();
        self.ticked.notify_waiters();
        self.table.borrow_mut().pass(self.now.get())
    }

    /// Waits for the next tick.
    pub(crate) async fn ticked(&self) {
        self.ticked.notified().await;
    }

    /// Waits for so long at least, as long as the clock runs.
    pub(crate) async fn sleep(&self, duration: Duration) {
        // One tick more, because the present one has begun already.
        let until = self.now().saturating_add(duration).saturating_add(TICK);
        while self.now() < until {
            self.ticked().await;
        }
    }
}

impl Table {
    fn cull(&mut self, number: usize, latest: u32) -> Vec<TaskKey> {
        let mut idle: Vec<_> = (0..)
            .zip(&self.idle_since)
            .filter(|(_, since)| **since <= latest)
            .map(|(task, since)| (*since, task))
            .collect();
        let number = number.min(idle.len());
        if number == 0 {
            return Vec::new();
        }
        idle.select_nth_unstable(number - 1);
        idle.truncate(number);
        for (_, task) in &idle {
            let task: usize = *task;
            self.idle_since[task] = NEVER;
            self.deadlines[task] = PASSED;
        }
        idle.into_iter().map(|(_, task)| TaskKey::new(task)).collect()
    }

    fn pass(&mut self, now: u32) -> Vec<TaskKey> {
        let mut passed = Vec::new();
        for (task, deadline) in self.deadlines.iter_mut().enumerate() {
            if *deadline <= now && *deadline != PASSED {
                *deadline = PASSED;
                passed.push(TaskKey::new(task));
            }
        }
        passed
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
            let mut table = Table { deadlines: vec![NEVER; 6], idle_since: idle_since.clone() };
            assert_eq!(table.cull(number, latest).len(), expected.len(), "{number} up to {latest}");
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
