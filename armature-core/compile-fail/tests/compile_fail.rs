//! Programs that must not compile, and what the compiler says about them.
//!
//! Each is a file in `programs/`, with the compiler's words beside it. When a new compiler says them differently,
//! `TRYBUILD=overwrite cargo test -p compile-fail-tests` writes them anew, to be read before they are committed.
//!
//! A package of its own, because the programs are compiled with all that its tests depend on.

#[test]
fn what_must_not_compile_does_not_and_says_why() {
    trybuild::TestCases::new().compile_fail("programs/*.rs");
}
