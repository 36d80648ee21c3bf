//! Ends this process, with all that it started, when whoever started it is gone.
//!
//! A suite keeps the standard input of its programs open and writes nothing to it. Whatever becomes of the suite, the
//! kernel closes that pipe, so nothing outlives it: no valgrind, no benchmark in the middle of its window.

use std::{io::Read, thread};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::getpgrp,
};

/// Watches standard input from a thread that sleeps until it is closed, and then kills the process group.
///
/// The suite gives each program a group of its own.
pub fn hold() {
    thread::spawn(|| {
        let mut input = std::io::stdin().lock();
        while input.read(&mut [0; 64]).is_ok_and(|bytes| bytes > 0) {}
        // This process is in the group too, so there is nobody left to look at an error.
        let _ = killpg(getpgrp(), Signal::SIGKILL);
    });
}
