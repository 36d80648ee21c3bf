//! An operation: one side of an experiment, done again and again on inputs that the compiler cannot know.
//!
//! The inputs differ from one another, go in through `black_box` and come out through it. Whether something was folded away
//! all the same is seen in the counts: `count.rs`.

use std::{hint::black_box, thread};

/// Inputs at scale 1. Enough that one is not like the next, few enough to stay in the CPU's caches.
pub(crate) const INPUTS: usize = 16;

/// Something that can be measured.
pub(crate) trait Operation {
    /// Does it once for each input, and tells what came out in words: both sides of an experiment must tell the same.
    fn answers(&mut self) -> Vec<String>;

    /// Does it so many times, one input after the other.
    fn repeat(&mut self, times: u64);
}

struct Over<I, F, T> {
    inputs: Vec<I>,
    act: F,
    tell: T,
}

/// An operation that does `act` on each of `inputs`; `tell` puts what comes out into words, which is never measured.
pub(crate) fn over<I, O>(
    inputs: Vec<I>,
    act: impl FnMut(&I) -> O + 'static,
    tell: impl Fn(&O) -> String + 'static,
) -> Box<dyn Operation>
where
    I: 'static,
    O: 'static,
{
    Box::new(Over { inputs, act, tell })
}

/// An operation that does nothing on its inputs: what measuring costs by itself.
pub(crate) fn nothing(scale: usize) -> Box<dyn Operation> {
    over(vec![(); INPUTS * scale], |&()| (), |&()| String::new())
}

impl<I, O, F: FnMut(&I) -> O, T: Fn(&O) -> String> Operation for Over<I, F, T> {
    fn answers(&mut self) -> Vec<String> {
        self.inputs.iter().map(|input| (self.tell)(&(self.act)(input))).collect()
    }

    fn repeat(&mut self, times: u64) {
        let mut left = times;
        while left > 0 {
            let pass = left.min(self.inputs.len() as u64);
            for input in &self.inputs[..pass as usize] {
                black_box((self.act)(black_box(input)));
            }
            left -= pass;
        }
    }
}

struct OnThreads<A, T> {
    threads: u64,
    act: A,
    tell: T,
}

/// An operation that threads do at the same time. `act` is given the thread's number and how many times it is to do its part;
/// `tell` says what it all came to after each thread has done [`INPUTS`].
pub(crate) fn on_threads<A, T>(threads: usize, act: A, tell: T) -> Box<dyn Operation>
where
    A: Fn(usize, u64) + Sync + 'static,
    T: Fn() -> String + 'static,
{
    Box::new(OnThreads { threads: threads as u64, act, tell })
}

impl<A: Fn(usize, u64) + Sync, T: Fn() -> String> Operation for OnThreads<A, T> {
    fn answers(&mut self) -> Vec<String> {
        self.repeat(INPUTS as u64 * self.threads);
        vec![(self.tell)()]
    }

    fn repeat(&mut self, times: u64) {
        let (act, share) = (&self.act, times.div_ceil(self.threads));
        thread::scope(|scope| {
            for number in 0..self.threads as usize {
                scope.spawn(move || act(number, share));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        rc::Rc,
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering::Relaxed},
        },
    };

    use super::*;

    #[test]
    fn inputs_are_taken_in_turn_and_exactly_as_often_as_asked() {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&seen);
        let mut operation = over(vec![1, 2, 3], move |input| sink.borrow_mut().push(*input), |()| String::new());
        operation.repeat(7);
        assert_eq!(*seen.borrow(), [1, 2, 3, 1, 2, 3, 1]);
    }

    #[test]
    fn threads_share_what_is_asked() {
        let done = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let (sink, told) = (Arc::clone(&done), Arc::clone(&done));
        let act = move |thread: usize, times| {
            sink[thread].fetch_add(times, Relaxed);
        };
        let mut operation = on_threads(2, act, move || format!("{told:?}"));
        assert_eq!(operation.answers(), ["[16, 16]"]);
        operation.repeat(10);
        assert_eq!([done[0].load(Relaxed), done[1].load(Relaxed)], [21, 21]);
    }
}
