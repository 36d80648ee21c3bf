//! An operation: something done again and again on inputs that the compiler cannot know, with a check of what comes out.
//!
//! Time and instructions are taken of [`Operation::repeat`] alone. The inputs differ from one another, go in through
//! `black_box` and come out through it, so that nothing is folded away or done once for all.

use std::hint::black_box;

/// Inputs of an operation at scale 1. Enough that one is not like the next, few enough to stay in the CPU's caches.
pub const INPUTS: usize = 16;

/// Something that can be measured.
pub trait Operation {
    /// Does it once for each input and looks at what comes out.
    ///
    /// # Errors
    /// What is wrong with the first output that is not as it should be.
    fn check(&mut self) -> Result<(), String>;

    /// Does it so many times, one input after the other.
    fn repeat(&mut self, times: u64);
}

struct Over<I, F, C> {
    inputs: Vec<I>,
    act: F,
    check: C,
}

/// An operation that does `act` on each of `inputs`, and that is right when `check` accepts every output.
pub fn over<I, O>(
    inputs: Vec<I>,
    act: impl FnMut(&I) -> O + 'static,
    check: impl Fn(&I, &O) -> Result<(), String> + 'static,
) -> Box<dyn Operation>
where
    I: 'static,
    O: 'static,
{
    Box::new(Over { inputs, act, check })
}

/// An operation that does nothing on its inputs: what measuring costs by itself.
#[must_use]
pub fn empty(scale: usize) -> Box<dyn Operation> {
    over(vec![(); INPUTS * scale], |&()| (), |&(), &()| Ok(()))
}

impl<I, O, F: FnMut(&I) -> O, C: Fn(&I, &O) -> Result<(), String>> Operation for Over<I, F, C> {
    fn check(&mut self) -> Result<(), String> {
        for (at, input) in self.inputs.iter().enumerate() {
            let output = (self.act)(input);
            (self.check)(input, &output).map_err(|problem| format!("input {at}: {problem}"))?;
        }
        Ok(())
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

/// Says what was expected and what came, unless they are the same.
///
/// # Errors
/// When they differ.
pub fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}")) }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;

    #[test]
    fn inputs_are_taken_in_turn_and_exactly_as_often_as_asked() {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&seen);
        let mut operation = over(vec![1, 2, 3], move |input| sink.borrow_mut().push(*input), |_, ()| Ok(()));
        operation.repeat(7);
        assert_eq!(*seen.borrow(), [1, 2, 3, 1, 2, 3, 1]);
    }

    #[test]
    fn a_wrong_output_is_named_with_its_input() {
        let mut operation = over(vec![1, 2], |input| input * 2, |_, output| same(output, &2));
        assert_eq!(operation.check(), Err("input 1: 4 instead of 2".to_owned()));
    }
}
