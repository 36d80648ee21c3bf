//! Which tasks of a worker have been woken, and how the worker is told when it sleeps. Wakers work from any thread.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Wake, Waker},
};

use crate::io::{Alarm, TaskKey};

/// Where the worker is: at work, and will look for itself; asleep in its reactor; asleep as a task of tokio's.
const AWAKE: u8 = 0;
const IN_REACTOR: u8 = 1;
const IN_TOKIO: u8 = 2;

/// The tasks that have been woken and not been polled since.
#[derive(Debug)]
pub(super) struct Ready {
    woken: Mutex<Woken>,
    /// Changed to [`AWAKE`] by who sees to it that the worker wakes up.
    place: AtomicU8,
    alarm: Arc<Alarm>,
}

#[derive(Debug, Default)]
struct Woken {
    tasks: Vec<TaskKey>,
    /// The worker as a task of tokio's, while it is asleep there.
    sleeper: Option<Waker>,
}

/// Wakes one task.
#[derive(Debug)]
pub(super) struct TaskWake {
    task: TaskKey,
    /// It is among the woken already.
    is_woken: AtomicBool,
    ready: Arc<Ready>,
}

impl Ready {
    pub(super) fn new(alarm: Arc<Alarm>) -> Self {
        Self { woken: Mutex::default(), place: AtomicU8::new(AWAKE), alarm }
    }

    pub(super) fn wake(self: &Arc<Self>, task: TaskKey) -> Arc<TaskWake> {
        Arc::new(TaskWake { task, is_woken: AtomicBool::new(false), ready: self.clone() })
    }

    /// Notes that the worker goes to sleep in its reactor; `false`, with the woken tasks in `woken`, if it must not.
    pub(super) fn sleep_in_reactor(&self, woken: &mut Vec<TaskKey>) -> bool {
        let mut guard = self.lock();
        if guard.tasks.is_empty() {
            self.place.store(IN_REACTOR, Ordering::Release);
            return true;
        }
        std::mem::swap(&mut guard.tasks, woken);
        false
    }

    /// As [`sleep_in_reactor`](Self::sleep_in_reactor), for one that sleeps as a task of tokio's.
    pub(super) fn sleep_in_tokio(&self, woken: &mut Vec<TaskKey>, sleeper: &Waker) -> bool {
        let mut guard = self.lock();
        if guard.tasks.is_empty() && woken.is_empty() {
            guard.sleeper = Some(sleeper.clone());
            self.place.store(IN_TOKIO, Ordering::Release);
            return true;
        }
        woken.append(&mut guard.tasks);
        false
    }

    /// Notes that the worker is up again.
    pub(super) fn awake(&self) {
        self.place.store(AWAKE, Ordering::Release);
    }

    pub(super) fn has_woken(&self) -> bool {
        !self.lock().tasks.is_empty()
    }

    fn push(&self, task: TaskKey) {
        let mut guard = self.lock();
        guard.tasks.push(task);
        match self.place.swap(AWAKE, Ordering::AcqRel) {
            IN_REACTOR => self.alarm.ring(),
            IN_TOKIO => {
                let sleeper = guard.sleeper.take();
                drop(guard);
                if let Some(sleeper) = sleeper {
                    sleeper.wake();
                }
            }
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Woken> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TaskWake {
    /// Notes that the task is polled now, so that waking it from here on has it polled again.
    pub(super) fn forget(&self) {
        self.is_woken.swap(false, Ordering::AcqRel);
    }
}

impl Wake for TaskWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            self.ready.push(self.task);
        }
    }
}
