//! Control: `/plaintext`, `/json` and `/health` from a bare epoll loop, what the kernel's sockets alone cost.
//!
//! No parser, no router, no runtime: a complete request head is counted by its last bytes and answered with bytes that
//! lay ready. One worker is one thread with a listener of its own. Read next: `worker.rs` (the loop), `reply.rs` (the
//! bytes), `epoll_unsafe.rs` (the system calls).

mod connection;
mod epoll_unsafe;
mod reply;
mod worker;

use std::{io::Write, os::unix::net::UnixStream, thread};

use probe::{Control, Options, control};
use workload::listen;

fn main() -> anyhow::Result<()> {
    let options = Options::from_env("target-floor", &[]);
    anyhow::ensure!(options.head_deadline.is_none(), "the bare loop has no deadlines");
    let listeners = listen::shared(options.listen, options.workers)?;
    let address = listeners[0].local_addr()?;
    let mut workers = Vec::new();
    let mut wakers = Vec::new();
    for listener in listeners {
        let (waker, stop) = UnixStream::pair()?;
        let mut worker = worker::Worker::new(listener, stop)?;
        workers.push(thread::Builder::new().name("worker".into()).spawn(move || worker.run())?);
        wakers.push(waker);
    }
    Control::start(&options, "floor", address, &["libc"], move || {
        for mut waker in wakers {
            // A worker that is gone already needs no waking.
            let _ = waker.write_all(b"x");
        }
    })?;
    for worker in workers {
        worker.join().expect("a worker does not panic")?;
    }
    control::farewell(&options);
    Ok(())
}
