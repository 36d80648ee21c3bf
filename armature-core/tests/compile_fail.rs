//! Programs that must not compile, and what the compiler says about them.
//!
//! Each is a file in `compile_fail/`, with the compiler's words beside it. When a new compiler says them differently,
//! `TRYBUILD=overwrite cargo test -p armature-core --test compile_fail` writes them anew, to be read before they are
//! committed.

#[test]
fn what_must_not_compile_does_not_and_says_why() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
