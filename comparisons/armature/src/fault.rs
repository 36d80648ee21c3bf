//! What can be put wrong with a request on purpose, so that the gate can be seen to notice it. In builds with the feature `faults`
//! only, and there only what `--fault` names.

use std::{
    cell::Cell,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;

/// What `--help` says.
pub(crate) const HELP: &str = "allocation, leak, arc, stall, drop, work:ROUNDS, or abort:REQUESTS";

/// A leak or a stall happens once in so many requests.
const RARE: u32 = 1_000;

/// How long a stall lasts.
const STALL: Duration = Duration::from_millis(1);

/// How long a value takes to be dropped.
const DROP: Duration = Duration::from_micros(50);

/// Which fault is armed; set once, before the first request.
static FAULT: AtomicU32 = AtomicU32::new(NONE);
static WORK_ROUNDS: AtomicU64 = AtomicU64::new(0);
/// Requests until the process aborts.
static LEFT: AtomicU64 = AtomicU64::new(0);

const NONE: u32 = 0;
const ALLOCATION: u32 = 1;
const ARC: u32 = 2;
const STALLS: u32 = 3;
const SLOW_DROP: u32 = 4;
const WORK: u32 = 5;
const LEAK: u32 = 6;
const ABORT: u32 = 7;

/// Arms the fault of that name.
///
/// # Errors
/// When there is none.
pub(crate) fn arm(name: &str) -> anyhow::Result<()> {
    let (name, rounds) = name.split_once(':').map_or((name, None), |(name, rounds)| (name, Some(rounds)));
    let fault = match (name, rounds) {
        ("allocation", None) => ALLOCATION,
        ("leak", None) => LEAK,
        ("arc", None) => ARC,
        ("stall", None) => STALLS,
        ("drop", None) => SLOW_DROP,
        ("work", Some(rounds)) => {
            WORK_ROUNDS.store(rounds.parse()?, Relaxed);
            WORK
        }
        ("abort", Some(requests)) => {
            LEFT.store(requests.parse()?, Relaxed);
            ABORT
        }
        _ => bail!("there is no fault {name:?}; there is {HELP}"),
    };
    FAULT.store(fault, Relaxed);
    Ok(())
}

/// A value whose destructor takes its time.
struct Slow;

impl Drop for Slow {
    fn drop(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < DROP {
            std::hint::spin_loop();
        }
    }
}

/// Does to this request what is armed.
pub(crate) fn happen() {
    match FAULT.load(Relaxed) {
        ALLOCATION => drop(black_box(Box::new([0_u8; 32]))),
        LEAK => std::mem::forget(black_box(Box::new([0_u8; 16]))),
        ARC if is_rare() => std::mem::forget(black_box(Arc::new([0_u8; 8]))),
        STALLS if is_rare() => thread::sleep(STALL),
        SLOW_DROP => drop(black_box(Slow)),
        WORK => work(WORK_ROUNDS.load(Relaxed)),
        ABORT if LEFT.fetch_sub(1, Relaxed) == 1 => std::process::abort(),
        _ => {}
    }
}

/// The same few instructions a round, none of which can be left out; under a name of its own, which a profile has to show.
#[inline(never)]
fn work(rounds: u64) {
    let mut state = black_box(0x9e37_79b9_7f4a_7c15_u64);
    for round in 0..rounds {
        state = black_box(state.rotate_left(5) ^ round);
    }
    black_box(state);
}

/// True once in [`RARE`] calls, on each thread.
fn is_rare() -> bool {
    thread_local! {
        static CALLS: Cell<u32> = const { Cell::new(0) };
    }
    CALLS.with(|calls| {
        calls.set((calls.get() + 1) % RARE);
        calls.get() == 0
    })
}
