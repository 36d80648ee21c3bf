//! Which stack is running, noted by a signal that the kernel sends after every so much CPU time of the process: for machines on
//! which perf may not run.
//!
//! Stacks are walked by frame pointers, which a build for profiles has (`-C force-frame-pointers`). A C library often has none: a
//! function of it that calls the kernel is stepped over by looking for where it returns to. Nothing of this runs, and no handler is
//! set, until somebody asks. What the addresses are called is found out by whoever asked.
//!
//! The handler allocates nothing, takes no lock and calls nothing (signal-safety(7)): it writes to a buffer that was made before.
#![allow(unsafe_code, reason = "a signal handler, the registers that it is given, and the stack that they point to")]

use std::{
    collections::HashMap,
    fs, io, mem, ptr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use nix::libc;

use crate::message::Stack;

/// Addresses of a stack that are kept.
const DEPTH: usize = 128;

/// Words of the stack that are looked through for where a function of a library returns to: what such functions keep there is small.
const SCANNED: usize = 256;

/// The size of a word.
const WORD: usize = mem::size_of::<usize>();

/// Words of the buffer, 32 MiB: a minute at 1,000 samples/s of 64 addresses.
const WORDS: usize = 1 << 22;

static SAMPLING: AtomicBool = AtomicBool::new(false);
static BUFFER: OnceLock<Buffer> = OnceLock::new();

/// Samples one behind the other: a length, then so many addresses.
struct Buffer {
    words: Box<[AtomicUsize]>,
    used: AtomicUsize,
    lost: AtomicUsize,
    /// What was mapped when sampling was first asked for; threads start before.
    memory: Memory,
}

/// Stretches of memory, from and to.
#[derive(Default)]
struct Memory {
    readable: Vec<[usize; 2]>,
    /// The program's own code.
    code: Vec<[usize; 2]>,
}

/// Begins, with nothing noted.
///
/// # Errors
/// When the kernel refuses the handler or the timer.
pub(crate) fn begin(rate_hz: u32) -> io::Result<()> {
    let buffer = match BUFFER.get() {
        Some(buffer) => buffer,
        None => {
            let words = (0..WORDS).map(|_| AtomicUsize::new(0)).collect();
            let (used, lost) = (AtomicUsize::new(0), AtomicUsize::new(0));
            BUFFER.get_or_init(|| Buffer { words, used, lost, memory: Memory::read() })
        }
    };
    // What is left of earlier samples must not be taken for one that is being written.
    let used = buffer.used.swap(0, Relaxed).min(WORDS);
    buffer.words[..used].iter().for_each(|word| word.store(0, Relaxed));
    buffer.lost.store(0, Relaxed);
    // SAFETY: all zeros is a valid sigaction; what matters is set below.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = note as *const () as usize;
    // On the stack of the thread that is interrupted: the other one, which Rust has for overflows, is too small for this.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: `action` is whole, and its handler is safe in a signal, as the head of this file says.
    if unsafe { libc::sigaction(libc::SIGPROF, &raw const action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    SAMPLING.store(true, Relaxed);
    tick(1_000_000 / i64::from(rate_hz.max(1)))
}

/// Ends, and tells the stacks that were noted, and how many samples had no room.
pub(crate) fn end() -> (Vec<Stack>, u64) {
    // A timer that cannot be stopped ends with the process, which is over soon.
    let _ = tick(0);
    SAMPLING.store(false, Relaxed);
    let Some(buffer) = BUFFER.get() else { return (Vec::new(), 0) };
    let used = buffer.used.load(Relaxed).min(WORDS);
    let words: Vec<u64> = buffer.words[..used].iter().map(|word| word.load(Relaxed) as u64).collect();
    let mut counts: HashMap<&[u64], u64> = HashMap::new();
    let mut rest = words.as_slice();
    while let Some((length, behind)) = rest.split_first() {
        let Some((stack, next)) = behind.split_at_checked(*length as usize).filter(|_| *length > 0) else { break };
        *counts.entry(stack).or_default() += 1;
        rest = next;
    }
    let stacks =
        counts.into_iter().map(|(stack, count)| Stack { addresses: stack.to_vec(), count, bytes: 0 }).collect();
    (stacks, buffer.lost.load(Relaxed) as u64)
}

/// Has the signal sent after every so many µs of CPU time; never for 0.
fn tick(every_us: i64) -> io::Result<()> {
    let every = libc::timeval { tv_sec: every_us / 1_000_000, tv_usec: every_us % 1_000_000 };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: the timer is whole, and nobody asks for the old one.
    match unsafe { libc::setitimer(libc::ITIMER_PROF, &raw const timer, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The handler: notes the stack of the thread that it interrupts.
extern "C" fn note(_signal: libc::c_int, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(buffer) = BUFFER.get().filter(|_| SAMPLING.load(Relaxed)) else { return };
    // SAFETY: with SA_SIGINFO the third argument points to the interrupted thread's ucontext_t (sigaction(2)).
    let [at, top, frame] = registers(unsafe { &*context.cast::<libc::ucontext_t>() });
    let mut addresses = [0; DEPTH];
    let Some(stack) = Words::above(top, &buffer.memory) else {
        buffer.lost.fetch_add(1, Relaxed);
        return;
    };
    let depth = walk(&stack, at, frame, &buffer.memory, &mut addresses);
    let from = buffer.used.fetch_add(depth + 1, Relaxed);
    let Some(place) = buffer.words.get(from..from + depth + 1) else {
        // Nothing is noted behind this one either, so that what is in front stays whole.
        buffer.lost.fetch_add(1, Relaxed);
        return;
    };
    place[0].store(depth, Relaxed);
    for (word, address) in place[1..].iter().zip(addresses) {
        word.store(address, Relaxed);
    }
}

/// The used part of the interrupted thread's stack.
struct Words {
    from: usize,
    to: usize,
}

impl Words {
    /// From the stack pointer to the end of the mapping that it points into.
    fn above(top: usize, memory: &Memory) -> Option<Self> {
        let [_, to] = memory.readable.iter().find(|[from, to]| (*from..*to).contains(&top)).copied()?;
        Some(Self { from: top, to })
    }

    /// The word at an address, if that is one of the stack's.
    fn at(&self, address: usize) -> Option<usize> {
        let is_there = address >= self.from && address.checked_add(WORD)? <= self.to && address.is_multiple_of(WORD);
        // SAFETY: the word lies between the stack pointer and the end of the mapping that it points into, which was readable when
        // it was looked at, and is for as long as its thread runs, which is interrupted just now.
        is_there.then(|| unsafe { ptr::with_exposed_provenance::<usize>(address).read() })
    }
}

/// Fills in the addresses of a stack, innermost first, and returns how many there are.
fn walk(stack: &Words, at: usize, frame: usize, memory: &Memory, addresses: &mut [usize; DEPTH]) -> usize {
    addresses[0] = at;
    let (mut depth, mut frame) = (1, frame);
    if !memory.is_code(at) {
        let Some((back, of_caller)) = step_over(stack, frame, memory) else { return depth };
        addresses[depth] = back;
        (depth, frame) = (depth + 1, of_caller);
    }
    let mut below = stack.from;
    while depth < DEPTH && frame >= below {
        let (Some(next), Some(back)) = (stack.at(frame), stack.at(frame.wrapping_add(WORD))) else { break };
        if back == 0 {
            break;
        }
        addresses[depth] = back;
        // Frames of callers lie above.
        (depth, below, frame) = (depth + 1, frame + WORD, next);
    }
    depth
}

/// Where a function of a library returns to in the program, and the frame pointer of what called it: still in its register, or
/// among what the function has saved on the stack.
fn step_over(stack: &Words, frame: usize, memory: &Memory) -> Option<(usize, usize)> {
    let slots = (0..SCANNED).map(|word| stack.from + word * WORD);
    let slot = slots.clone().find(|slot| stack.at(*slot).is_some_and(|word| memory.is_code(word)))?;
    let is_frame =
        |word: &usize| *word > slot && stack.at(word.wrapping_add(WORD)).is_some_and(|back| memory.is_code(back));
    let saved = slots.take_while(|place| *place < slot).filter_map(|place| stack.at(place));
    Some((stack.at(slot)?, std::iter::once(frame).chain(saved).find(is_frame)?))
}

/// The instruction, stack and frame pointers.
#[cfg(target_arch = "x86_64")]
fn registers(context: &libc::ucontext_t) -> [usize; 3] {
    [libc::REG_RIP, libc::REG_RSP, libc::REG_RBP].map(|register| context.uc_mcontext.gregs[register as usize] as usize)
}

/// The instruction, stack and frame pointers.
#[cfg(target_arch = "aarch64")]
fn registers(context: &libc::ucontext_t) -> [usize; 3] {
    let machine = &context.uc_mcontext;
    [machine.pc, machine.sp, machine.regs[29]].map(|register| register as usize)
}

impl Memory {
    /// What is mapped now (proc_pid_maps(5)).
    fn read() -> Self {
        let program = fs::read_link("/proc/self/exe").unwrap_or_default();
        let program = program.to_string_lossy();
        let mut memory = Self::default();
        for line in fs::read_to_string("/proc/self/maps").unwrap_or_default().lines() {
            let Some((range, rest)) = line.split_once(' ') else { continue };
            let bounds = range.split_once('-').map(|(from, to)| [from, to].map(|text| usize::from_str_radix(text, 16)));
            let Some([Ok(from), Ok(to)]) = bounds else { continue };
            if rest.starts_with('r') {
                memory.readable.push([from, to]);
            }
            if rest[..4.min(rest.len())].contains('x') && rest.ends_with(&*program) {
                memory.code.push([from, to]);
            }
        }
        memory
    }

    fn is_code(&self, address: usize) -> bool {
        self.code.iter().any(|[from, to]| (*from..*to).contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, time::Instant};

    use super::*;

    #[inline(never)]
    fn busy() -> u64 {
        let begun = Instant::now();
        let mut sum = 0_u64;
        while begun.elapsed().as_millis() < 300 {
            sum = black_box(sum.wrapping_mul(31) + 7);
        }
        sum
    }

    #[test]
    fn what_runs_is_noted_and_afterwards_nothing_is() {
        begin(500).unwrap();
        black_box(busy());
        let (stacks, lost) = end();
        let samples: u64 = stacks.iter().map(|stack| stack.count).sum();
        // 300 ms of CPU time, or less on a busy machine, and a timer that ticks every 1 to 10 ms.
        assert!(samples > 3, "{samples} samples");
        assert_eq!(lost, 0);
        assert!(stacks.iter().all(|stack| !stack.addresses.is_empty() && stack.bytes == 0));
        assert_eq!(end().0.iter().map(|stack| stack.count).sum::<u64>(), samples, "nothing more is noted");
    }
}
