//! The generator as a program, against servers that behave in known ways. Read next: `peer.rs`, then the table of any
//! of the others.

mod connection;
mod load;
mod peer;
mod process;
