//! Where blocks of memory come from: while it watches, every block that is allocated is remembered with the calls that led
//! to it, and forgotten when it is given back. What is left has not been.
//!
//! `allocator.rs` calls it with the thread exempt, so it may allocate. Walking the stack costs some µs a block: a watched
//! process is never timed.

use std::{
    collections::HashMap,
    ffi::c_void,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use backtrace::Frame;

use crate::message::{Site, Stack};

/// Calls of a stack that are kept; an async server's handler is some thirty calls below its allocator, and the thread's start as
/// many above.
const DEPTH: usize = 96;

/// Calls that are told of a site.
const TOLD: usize = 6;

/// Packages of the language and of the lab, which allocate for whoever calls them.
const HIDDEN: &[&str] = &["alloc", "backtrace", "core", "hashbrown", "probe", "std"];

/// Pieces of the paths of their files.
const HIDDEN_FILES: &[&str] = &["/rustc/", "/rust/deps/", "/library/", "/backtrace-0", "harness/probe/src/"];

static WATCHING: AtomicBool = AtomicBool::new(false);

static LIVE: Mutex<Option<Live>> = Mutex::new(None);

/// What is remembered.
#[derive(Default)]
struct Live {
    /// Blocks by address: their size, and the stack that asked for them.
    blocks: HashMap<usize, (usize, Calls)>,
    /// How many blocks each stack has asked for, and how many bytes.
    asked: HashMap<Calls, (u64, u64)>,
}

/// Addresses to return to, innermost first; 0 beyond the end.
type Calls = [usize; DEPTH];

/// Whether blocks are remembered.
pub(crate) fn is_watching() -> bool {
    WATCHING.load(Relaxed)
}

/// Begins, with nothing remembered.
pub(crate) fn watch() {
    *LIVE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Live::default());
    WATCHING.store(true, Relaxed);
}

/// Remembers a block.
pub(crate) fn remember(block: usize, size: usize) {
    let stack = stack();
    if let Some(live) = LIVE.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        live.blocks.insert(block, (size, stack));
        let sum = live.asked.entry(stack).or_default();
        *sum = (sum.0 + 1, sum.1 + size as u64);
    }
}

/// Forgets a block that is given back.
pub(crate) fn forget(block: usize) {
    if let Some(live) = LIVE.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        live.blocks.remove(&block);
    }
}

/// What is remembered, by site; the largest first.
pub(crate) fn live() -> Vec<Site> {
    let mut stacks: HashMap<Calls, (u64, u64)> = HashMap::new();
    if let Some(live) = LIVE.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        for (size, stack) in live.blocks.values() {
            let sum = stacks.entry(*stack).or_default();
            *sum = (sum.0 + 1, sum.1 + *size as u64);
        }
    }
    // Stacks that differ only where nothing is told are one site.
    let mut sites: HashMap<Vec<String>, (u64, u64)> = HashMap::new();
    for (stack, (blocks, bytes)) in stacks {
        let sum = sites.entry(calls(&stack)).or_default();
        *sum = (sum.0 + blocks, sum.1 + bytes);
    }
    let mut sites: Vec<Site> =
        sites.into_iter().map(|(calls, (blocks, bytes))| Site { calls, blocks, bytes }).collect();
    sites.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.calls.cmp(&b.calls)));
    sites
}

/// All blocks that were asked for since [`watch`], by stack.
pub(crate) fn allocated() -> Vec<Stack> {
    let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    let asked = live.iter().flat_map(|live| &live.asked);
    asked
        .map(|(calls, (count, bytes))| Stack {
            addresses: calls.iter().take_while(|address| **address != 0).map(|address| *address as u64).collect(),
            count: *count,
            bytes: *bytes,
        })
        .collect()
}

fn stack() -> Calls {
    let mut stack = [0; DEPTH];
    let mut depth = 0;
    backtrace::trace(|frame: &Frame| {
        stack[depth] = frame.ip().addr();
        depth += 1;
        depth < DEPTH
    });
    stack
}

/// The calls that are told of a stack.
fn calls(stack: &Calls) -> Vec<String> {
    let mut calls = Vec::new();
    for address in stack.iter().copied().take_while(|address| *address != 0) {
        // The address is the one to return to; the call is before it.
        let call = std::ptr::without_provenance_mut(address - 1);
        backtrace::resolve(call, |symbol| {
            let Some(name) = symbol.name().map(|name| format!("{name:#}")) else { return };
            let file = symbol.filename().map(|file| file.to_string_lossy().into_owned());
            if calls.len() < TOLD && !is_hidden(&name, file.as_deref()) {
                let (name, line) = (without_types(&name), symbol.lineno().unwrap_or_default());
                calls.push(file.map_or_else(|| name.clone(), |file| format!("{name} ({}:{line})", short(&file))));
            }
        });
    }
    calls
}

/// Whether a call is the language's or the lab's own: by its file, or by its name where there is none.
fn is_hidden(name: &str, file: Option<&str>) -> bool {
    let package = name.trim_start_matches(['<', '&']).split("::").next().unwrap_or_default();
    let by_file = file.map(|file| HIDDEN_FILES.iter().any(|piece| file.contains(piece)));
    // Inlined calls are named without their package; what has neither a file nor a package is C's, or the linker's.
    HIDDEN.contains(&package) || package.starts_with("__") || by_file.unwrap_or_else(|| !name.contains("::"))
}

/// A name without the types that it was made for, which may be pages of them.
fn without_types(name: &str) -> String {
    let mut depth = 0_u32;
    let mut before = ' ';
    let mut short = String::new();
    for letter in name.chars() {
        match letter {
            // What a name begins with is the type that the function belongs to.
            '<' if depth > 0 || !short.is_empty() => depth += 1,
            '>' if depth > 0 && before != '-' => depth -= 1,
            _ if depth == 0 => short.push(letter),
            _ => {}
        }
        before = letter;
    }
    short
}

/// A file without the folders that are this machine's: from the package on.
fn short(file: &str) -> &str {
    match file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/')) {
        Some((_, rest)) => rest,
        None => file.strip_prefix(root()).unwrap_or(file),
    }
}

/// The checkout's folder, as the compiler has written it down: what stands before this file's name where a function of it is looked
/// up. Not the folder of the build, which would make two builds of one source differ.
fn root() -> &'static str {
    static ROOT: OnceLock<String> = OnceLock::new();
    ROOT.get_or_init(|| {
        let mut root = String::new();
        // As an address to return to, so one behind the function's first.
        let own = (root_of_a_name as *const ()).wrapping_byte_add(1);
        backtrace::resolve(own.cast_mut().cast::<c_void>(), |symbol| {
            let file = symbol.filename().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
            root.push_str(root_of_a_name(&file));
        });
        root
    })
}

/// What stands before this file's name.
#[inline(never)]
fn root_of_a_name(file: &str) -> &str {
    file.strip_suffix("harness/probe/src/site.rs").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_told_without_the_language_s_own_and_without_this_machine_s_folders() {
        for (name, file, hidden) in [
            ("alloc::alloc::alloc", None, true),
            ("<alloc::vec::Vec<T> as core::clone::Clone>::clone", None, true),
            ("main", None, true),
            ("__rustc::__rust_alloc", Some("comparisons/x/src/main.rs"), true),
            ("stack", Some("harness/probe/src/site.rs"), true),
            ("target_x::f::{closure}", Some("/rustc/0123/library/core/src/ops.rs"), true),
            ("trace_unsynchronized<probe::F>", Some("/a/registry/src/i/backtrace-0.3.77/src/lib.rs"), true),
            ("do_alloc<alloc::Global>", Some("/rust/deps/hashbrown-0.16.1/src/raw/alloc.rs"), true),
            ("f", Some("comparisons/x/src/main.rs"), false),
            ("target_x::f", Some("comparisons/x/src/main.rs"), false),
            ("tokio::runtime::task::new", None, false),
        ] {
            assert_eq!(is_hidden(name, file), hidden, "{name}");
        }
        for (name, expected) in [
            ("run<fn() -> a::B<C>, D>", "run"),
            ("a::Slot<T>::poll<F>", "a::Slot::poll"),
            ("<a::B<C> as d::E>::f", "<a::B as d::E>::f"),
        ] {
            assert_eq!(without_types(name), expected);
        }
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/src/site.rs");
        for (file, expected) in [
            ("/cargo/registry/src/index-1/tokio-1.54.0/src/lib.rs", "tokio-1.54.0/src/lib.rs"),
            (own, "harness/probe/src/site.rs"),
            ("comparisons/x/src/main.rs", "comparisons/x/src/main.rs"),
        ] {
            assert_eq!(short(file), expected);
        }
    }
}
