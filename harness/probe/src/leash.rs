//! Ends this process, with all that it started, when whoever started it is gone.
//!
//! A suite keeps the standard input of its programs open and writes nothing to it. Whatever becomes of the suite, the
//! kernel closes that pipe, so nothing outlives it: no valgrind, no benchmark in the middle of its window.

use std::{
    io::Read,
    sync::{Arc, Barrier},
    thread,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::getpgrp,
};

/// Watches standard input from a thread that sleeps until it is closed, and then kills the process group.
///
/// The suite gives each program a group of its own. The thread runs when this returns, and allocates nothing afterwards: it is
/// no part of what the program counts.
pub fn hold() {
    let running = Arc::new(Barrier::new(2));
    let is_running = Arc::clone(&running);
    let input = std::io::stdin();
    thread::spawn(move || {
        let mut input = input.lock();
        is_running.wait();
        while input.read(&mut [0; 64]).is_ok_and(|bytes| bytes > 0) {}
        // This process is in the group too, so there is nobody left to look at an error.
        let _ = killpg(getpgrp(), Signal::SIGKILL);
    });
    running.wait();
}
