//! The channel in the orders that two threads can take: `loom` puts its own mutex in place of the real one and runs each
//! model once for every order, within a bound. A wake-up that is lost leaves a thread asleep, which it reports as a deadlock.
//!
//! ```sh
//! RUSTFLAGS="--cfg armature_loom" cargo test -p armature-core --profile light --lib --target-dir target/loom channel::model
//! ```
//!
//! The flag has a name of its own, because under loom's usual one tokio leaves out its sockets.

use std::future::poll_fn;

use loom::{future::block_on, thread};

use super::*;

/// What one piece of one byte counts for.
const ONE: usize = 1 + PIECE_BYTES;

/// Runs a model in every order with three changes of thread at most that neither thread asked for. Without a bound
/// they are too many for a test; two or three are loom's own advice.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut orders = loom::model::Builder::new();
    orders.preemption_bound = Some(3);
    orders.check(run);
}

/// Takes everything, and says what it was and whether the body was whole.
fn drain(mut receiver: Receiver) -> (Vec<u8>, bool) {
    block_on(async move {
        let mut taken = Vec::new();
        loop {
            match poll_fn(|cx| Pin::new(&mut receiver).poll_piece(cx)).await {
                Some(Ok(piece)) => taken.extend_from_slice(&piece),
                Some(Err(_)) => return (taken, false),
                None => return (taken, true),
            }
        }
    })
}

/// Sends `pieces` between these marks to a receiver that takes them all.
fn exchange(marks: Watermarks, pieces: &'static [&'static str]) {
    let (mut sender, receiver) = channel(marks, Overflow::Wait);
    let producer = thread::spawn(move || {
        block_on(async move {
            for piece in pieces {
                sender.send(*piece).await.unwrap();
            }
            sender.finish();
        });
    });
    assert_eq!(drain(receiver), (pieces.concat().into_bytes(), true));
    producer.join().unwrap();
}

#[test]
fn a_waiting_sender_and_a_waiting_receiver_wake_each_other() {
    model(|| exchange(Watermarks::new(0, 0), &["a", "b"]));
    model(|| exchange(Watermarks::new(0, 2 * ONE), &["a", "b", "c"]));
    model(|| exchange(Watermarks::new(ONE, 2 * ONE), &["a", "b", "c"]));
}

#[test]
fn a_sender_that_ends_early_wakes_the_receiver() {
    model(|| {
        let (mut sender, receiver) = channel(Watermarks::default(), Overflow::Wait);
        let producer = thread::spawn(move || sender.try_send("a").unwrap());
        assert_eq!(drain(receiver), (b"a".to_vec(), false));
        producer.join().unwrap();
    });
}

#[test]
fn a_receiver_that_goes_wakes_the_sender() {
    model(|| {
        let (mut sender, receiver) = channel(Watermarks::new(0, 0), Overflow::Wait);
        let client = thread::spawn(move || drop(receiver));
        let sent = block_on(async {
            while sender.send("a").await.is_ok() {}
            sender.try_send("a")
        });
        assert_eq!(sent, Err(TrySendError::Closed));
        client.join().unwrap();
    });
    model(|| {
        let (mut sender, receiver) = channel(Watermarks::default(), Overflow::Wait);
        let client = thread::spawn(move || drop(receiver));
        block_on(sender.closed());
        client.join().unwrap();
    });
}

#[test]
fn what_is_sent_is_taken_or_dropped() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        model(move || {
            let (mut sender, receiver) = channel(Watermarks::new(0, ONE), overflow);
            let producer = thread::spawn(move || {
                for piece in ["a", "b"] {
                    sender.try_send(piece).unwrap();
                }
                let dropped = sender.dropped();
                sender.finish();
                dropped
            });
            let (taken, is_whole) = drain(receiver);
            let dropped = producer.join().unwrap();
            assert_eq!((taken.len() as u64 + dropped.pieces, is_whole), (2, true));
            assert!(taken.is_sorted(), "{taken:?}");
        });
    }
}
