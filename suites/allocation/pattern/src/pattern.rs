//! The patterns: by the way that memory is got, and the case, which is the same work for every way.
//!
//! A case's id ends in its size. What goes in comes out of `black_box`, and what comes out goes into it, so that nothing is
//! folded away. Maps hash with fixed keys, so that two launches do the same.

use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{BuildHasherDefault, DefaultHasher},
    hint::black_box,
    thread,
};

use bumpalo::Bump;
use crossbeam_queue::ArrayQueue;

/// Does a pattern so many times.
pub(crate) type Work = Box<dyn FnMut(u64)>;

/// Buffers that are held at once.
const HELD: usize = 8;

/// Threads of the cases with several.
const THREADS: u64 = 4;

/// The work of a case, done this way and `scale` times as large; `None` where a way takes no part in it.
pub(crate) fn work(way: &str, case: &str, scale: usize) -> Option<Work> {
    let (kind, size) = case.rsplit_once('-')?;
    let size = size.parse::<usize>().ok()?;
    // Buffers and blocks have a size, not a number of inputs: twice the work is twice as many of them.
    if matches!(kind, "pool" | "pool-threads" | "pair") {
        let mut blocks = on_blocks(kind, way, size)?;
        return Some(Box::new(move |times| blocks(times * scale as u64)));
    }
    let size = size * scale;
    Some(match (kind, way) {
        ("vec", "grown") => each(move || drop(filled(Vec::new(), size))),
        ("vec", "reserved") => each(move || drop(filled(Vec::with_capacity(size), size))),
        ("string", "grown") => each(move || drop(written(String::new(), size))),
        ("string", "reserved") => each(move || drop(written(String::with_capacity(size), size))),
        ("hash-map", "grown") => each(move || drop(mapped(Map::default(), size))),
        ("hash-map", "reserved") => {
            each(move || drop(mapped(Map::with_capacity_and_hasher(size, BuildHasherDefault::default()), size)))
        }
        ("arena-list", "heap") => each(move || {
            black_box(list_on_the_heap(size));
        }),
        ("arena-tree", "heap") => each(move || {
            black_box(sum(black_box(tree_on_the_heap(size).as_deref())));
        }),
        ("arena-list", "arena") => {
            let mut arena = Bump::new();
            each(move || {
                black_box(list_in_an_arena(&arena, size));
                arena.reset();
            })
        }
        ("arena-tree", "arena") => {
            let mut arena = Bump::new();
            each(move || {
                black_box(sum_in_an_arena(black_box(tree_in_an_arena(&arena, size))));
                arena.reset();
            })
        }
        // What the windows cost with nothing in them.
        ("empty", _) => each(|| {}),
        _ => return None,
    })
}

/// Work on blocks of a size.
fn on_blocks(kind: &str, way: &str, bytes: usize) -> Option<Work> {
    match (kind, way) {
        ("pool", way) => buffers(way, bytes),
        ("pool-threads", way) => on_threads(way, bytes),
        ("pair", "heap") => Some(each(move || drop(black_box(Vec::<u8>::with_capacity(black_box(bytes)))))),
        _ => None,
    }
}

fn each(mut once: impl FnMut() + 'static) -> Work {
    Box::new(move |times| {
        for _ in 0..times {
            once();
        }
    })
}

fn filled(mut vec: Vec<u8>, bytes: usize) -> Vec<u8> {
    for number in 0..black_box(bytes) {
        vec.push(number as u8);
    }
    black_box(vec)
}

fn written(mut text: String, bytes: usize) -> String {
    for number in 0..black_box(bytes) {
        text.push(char::from(b'a' + (number % 26) as u8));
    }
    black_box(text)
}

type Map = HashMap<u64, u64, BuildHasherDefault<DefaultHasher>>;

fn mapped(mut map: Map, entries: usize) -> Map {
    for number in 0..black_box(entries as u64) {
        map.insert(number, number);
    }
    black_box(map)
}

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Takes buffers of `bytes`, uses each, and gives all back.
fn buffers(way: &str, bytes: usize) -> Option<Work> {
    match way {
        "heap" => Some(each(move || hold(bytes, || Vec::with_capacity(bytes), drop))),
        "thread-local-pool" => Some(each(move || {
            let take = || POOL.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(bytes));
            hold(bytes, take, |buffer| POOL.with_borrow_mut(|pool| pool.push(buffer)));
        })),
        "queue-pool" => {
            let pool = ArrayQueue::new(HELD);
            Some(each(move || from_queue(&pool, bytes)))
        }
        _ => None,
    }
}

/// The same on several threads at once, which share the work.
fn on_threads(way: &str, bytes: usize) -> Option<Work> {
    let way = buffers(way, bytes).map(|_| way.to_owned())?;
    let pool = ArrayQueue::new(HELD * THREADS as usize);
    Some(Box::new(move |times| {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    if way == "queue-pool" {
                        (0..times.div_ceil(THREADS)).for_each(|_| from_queue(&pool, bytes));
                    } else if let Some(mut work) = buffers(&way, bytes) {
                        work(times.div_ceil(THREADS));
                    }
                });
            }
        });
    }))
}

fn from_queue(pool: &ArrayQueue<Vec<u8>>, bytes: usize) {
    let take = || pool.pop().unwrap_or_else(|| Vec::with_capacity(bytes));
    hold(bytes, take, |buffer| drop(pool.push(buffer)));
}

/// Holds buffers at once, each with its first byte and as many more as it has room for, and gives them back empty.
fn hold(bytes: usize, take: impl Fn() -> Vec<u8>, give: impl Fn(Vec<u8>)) {
    let held: [Vec<u8>; HELD] = std::array::from_fn(|_| {
        let mut buffer = take();
        buffer.resize(black_box(bytes), 1);
        black_box(buffer)
    });
    for mut buffer in held {
        buffer.clear();
        give(buffer);
    }
}

/// A list of so many nodes, each allocated; the sum of its values.
fn list_on_the_heap(nodes: usize) -> u64 {
    struct Node {
        value: u64,
        next: Option<Box<Node>>,
    }
    let mut first = None;
    for value in 0..black_box(nodes as u64) {
        first = Some(Box::new(Node { value, next: first }));
    }
    let mut sum = 0;
    // Taken down node by node: a long list dropped as a whole needs as deep a stack.
    while let Some(node) = black_box(first) {
        sum += node.value;
        first = node.next;
    }
    sum
}

fn list_in_an_arena(arena: &Bump, nodes: usize) -> u64 {
    struct Node<'a> {
        value: u64,
        next: Option<&'a Node<'a>>,
    }
    let mut first: Option<&Node<'_>> = None;
    for value in 0..black_box(nodes as u64) {
        first = Some(arena.alloc(Node { value, next: first }));
    }
    let mut sum = 0;
    while let Some(node) = black_box(first) {
        sum += node.value;
        first = node.next;
    }
    sum
}

struct Tree {
    value: u64,
    sides: [Option<Box<Tree>>; 2],
}

/// A balanced tree of so many nodes, each allocated.
fn tree_on_the_heap(nodes: usize) -> Option<Box<Tree>> {
    let left = black_box(nodes).checked_sub(1)?;
    let sides = [left / 2, left - left / 2].map(tree_on_the_heap);
    Some(Box::new(Tree { value: nodes as u64, sides }))
}

fn sum(tree: Option<&Tree>) -> u64 {
    tree.map_or(0, |tree| tree.value + tree.sides.iter().map(|side| sum(side.as_deref())).sum::<u64>())
}

struct ArenaTree<'a> {
    value: u64,
    sides: [Option<&'a ArenaTree<'a>>; 2],
}

fn tree_in_an_arena(arena: &Bump, nodes: usize) -> Option<&ArenaTree<'_>> {
    let left = black_box(nodes).checked_sub(1)?;
    let sides = [left / 2, left - left / 2].map(|nodes| tree_in_an_arena(arena, nodes));
    Some(arena.alloc(ArenaTree { value: nodes as u64, sides }))
}

fn sum_in_an_arena(tree: Option<&ArenaTree<'_>>) -> u64 {
    tree.map_or(0, |tree| tree.value + tree.sides.iter().map(|side| sum_in_an_arena(*side)).sum::<u64>())
}
