//! Two fences around source files: where unsafe code may stand, and that each file says what it owns.

use super::{Fault, source::tokens, tree::Tree};

/// The files that may hold unsafe code, each with why it cannot do without.
pub(super) const UNSAFE_FILES: &[(&str, &str)] = &[
    (
        "armature-core/src/h1/ascii.rs",
        "ASCII is text, which the standard library says by a check that costs more than finding out that it is ASCII",
    ),
    ("armature-core/src/io/syn_data_unsafe.rs", "no crate in use offers the option TCP_FASTOPEN of a listener"),
    (
        "armature-core/src/io/instance_unsafe.rs",
        "tokio registers a descriptor only for a promise that it stays open and the same",
    ),
    (
        "armature-core/src/io/receive_unsafe.rs",
        "a buffer's length is set to what the kernel has filled, instead of clearing its memory for every read",
    ),
    (
        "armature-core/tests/allocation.rs",
        "it counts allocations, and an allocator that counts has to be a GlobalAlloc, which is an unsafe trait",
    ),
    (
        "armature-core/tests/socket/option_unsafe.rs",
        "it looks at sockets that the server has accepted, which only their descriptors lead to, and at options that no crate offers",
    ),
    (
        "armature-core/src/service/slot.rs",
        "futures of different types are constructed in one block of memory, so that no request boxes one",
    ),
    (
        "comparisons/floor/src/epoll_unsafe.rs",
        "the bare loop calls epoll(7), which the standard library does not offer",
    ),
    (
        "comparisons/workload/src/database/trace_unsafe.rs",
        "SQLite tells its statements to a C function with a pointer, and sqlx has no door to that",
    ),
    ("harness/probe/src/allocator.rs", "an allocator that counts has to be a GlobalAlloc, which is an unsafe trait"),
    (
        "harness/probe/src/sampler_unsafe.rs",
        "a signal handler, the registers that it is given and the stack that they point to are C's",
    ),
    (
        "suites/experiments/src/allocator_unsafe.rs",
        "an allocator that is called by itself is called through GlobalAlloc, whose methods are unsafe",
    ),
    ("harness/src/process.rs", "pre_exec(3) is the only door to what a child does between fork and exec"),
];

/// Unsafe code in files that are not listed, and listed files without any.
pub(super) fn unsafe_faults(tree: &Tree, listed: &[(&str, &str)]) -> Vec<Fault> {
    let strangers = tree
        .texts(".rs")
        .filter(|(path, _)| listed.iter().all(|(known, _)| known != path))
        .filter_map(|(path, text)| {
            Some(Fault::at(
                path,
                first_unsafe(text)?,
                "unsafe code outside the files listed in xtask/src/check/fences.rs; do without, or list the file and say why",
            ))
        });
    let idle = listed.iter().filter(|(path, _)| first_unsafe(tree.text(path)).is_none()).map(|(path, _)| {
        Fault::new(*path, "is listed in xtask/src/check/fences.rs and holds no unsafe code; remove it from the list")
    });
    strangers.chain(idle).collect()
}

/// The line of the first `unsafe` in the code.
fn first_unsafe(text: &str) -> Option<usize> {
    let code = tokens(text);
    Some(code.iter().find(|token| token.text == "unsafe")?.line)
}

/// Source files that do not open with `//!`.
pub(super) fn header_faults(tree: &Tree) -> Vec<Fault> {
    tree.texts(".rs")
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| {
            Fault::at(
                path,
                1,
                "opens without a header; begin with //! and say what the file owns and what to read next",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_code_stands_only_where_it_is_listed() {
        let tree = Tree::of(&[
            ("a.rs", "fn f() { unsafe { g() } }"),
            ("b.rs", "#![deny(unsafe_code)] // unsafe\nconst X: &str = \"unsafe\";"),
        ]);
        assert_eq!(unsafe_faults(&tree, &[("a.rs", "why")]), []);
        assert_eq!(unsafe_faults(&tree, &[])[0].place, "a.rs:1");
        let idle = unsafe_faults(&tree, &[("a.rs", "why"), ("b.rs", "why")]);
        assert!(idle.len() == 1 && idle[0].place == "b.rs", "{idle:?}");
    }

    #[test]
    fn a_file_without_a_header_is_a_fault() {
        let tree = Tree::of(&[("a.rs", "//! Owns a.\n"), ("b.rs", "use a;\n"), ("c.md", "")]);
        let faults = header_faults(&tree);
        assert!(faults.len() == 1 && faults[0].place == "b.rs:1", "{faults:?}");
    }
}
