//! What each policy does with pieces that nobody takes, and how either end learns of the other's. Waking is for
//! `model.rs`; whole connections are for `tests/socket/streaming.rs`.

use std::task::Waker;

use super::*;

/// What one piece of one byte counts for.
const ONE: usize = 1 + PIECE_BYTES;

/// The piece that is there; an error by its name, `pending` and `end` in words.
fn take(receiver: &mut Receiver) -> String {
    match Pin::new(receiver).poll_piece(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => "pending".into(),
        Poll::Ready(None) => "end".into(),
        Poll::Ready(Some(Ok(piece))) => String::from_utf8(piece.to_vec()).unwrap(),
        Poll::Ready(Some(Err(error))) => error.to_string(),
    }
}

#[test]
fn overflow_costs_what_the_policy_says() {
    // Letters are sent, dots are pieces taken. What is sent without leave is in brackets.
    for (overflow, script, refused, taken, dropped) in [
        (Overflow::Wait, "abc", "", "abc", 0),
        (Overflow::Wait, "abcde", "de", "abc", 0),
        (Overflow::Wait, "abcd.e.f.ghi", "def", "abcghi", 0),
        (Overflow::DropNewest, "abcde", "", "abc", 2),
        // On again only at the low mark, with nothing held.
        (Overflow::DropNewest, "abcd.e.f.ghi", "", "abcghi", 3),
        (Overflow::DropOldest, "abcde", "", "cde", 2),
        (Overflow::DropOldest, "abcde.fg", "", "cefg", 3),
    ] {
        let (mut sender, mut receiver) = channel(Watermarks::new(ONE - 1, 3 * ONE), overflow);
        let (mut seen, mut sent_back) = (String::new(), String::new());
        for letter in script.chars() {
            if letter == '.' {
                seen += &take(&mut receiver);
            } else if let Err(TrySendError::Paused(piece)) = sender.try_send(letter.to_string()) {
                sent_back += std::str::from_utf8(&piece).unwrap();
            }
            assert!(sender.held_bytes() <= 3 * ONE, "{overflow:?} {script}");
        }
        assert_eq!(sender.dropped(), Dropped { pieces: dropped, bytes: dropped }, "{overflow:?} {script}");
        sender.finish();
        while !seen.ends_with("end") {
            seen += &take(&mut receiver);
        }
        assert_eq!((sent_back, seen), (refused.into(), format!("{taken}end")), "{overflow:?} {script}");
    }
}

#[test]
fn a_piece_is_taken_whole_however_large_it_is() {
    let (mut sender, mut receiver) = channel(Watermarks::new(0, 10), Overflow::Wait);
    sender.try_send(vec![b'x'; 1_000]).unwrap();
    assert!(sender.is_paused());
    assert_eq!(take(&mut receiver).len(), 1_000);
    assert!(!sender.is_paused());
}

#[test]
fn pieces_of_nothing_are_not_held() {
    let (mut sender, mut receiver) = channel(Watermarks::default(), Overflow::Wait);
    for _ in 0..10 {
        sender.try_send("").unwrap();
    }
    assert_eq!((sender.held_bytes(), take(&mut receiver)), (0, "pending".into()));
}

#[test]
fn only_a_finished_body_is_whole() {
    let end = |end: fn(Sender)| {
        let (mut sender, mut receiver) = channel(Watermarks::default(), Overflow::Wait);
        sender.try_send("a").unwrap();
        end(sender);
        [take(&mut receiver), take(&mut receiver), take(&mut receiver)]
    };
    assert_eq!(end(Sender::finish), ["a", "end", "end"]);
    assert_eq!(end(|sender| sender.fail("on purpose")), ["a", "on purpose", "end"]);
    assert_eq!(end(drop), ["a", "the producer has ended before its body was whole", "end"]);
}

#[test]
fn a_sender_learns_that_the_receiver_is_gone() {
    for overflow in [Overflow::Wait, Overflow::DropOldest, Overflow::DropNewest] {
        let (mut sender, receiver) = channel(Watermarks::new(0, 0), overflow);
        sender.try_send("a").unwrap();
        drop(receiver);
        assert_eq!((sender.try_send("b"), sender.held_bytes()), (Err(TrySendError::Closed), 0));
    }
}
