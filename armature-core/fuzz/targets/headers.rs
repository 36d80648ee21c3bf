//! `../src/headers.rs` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| armature_fuzz::headers::run(bytes));
