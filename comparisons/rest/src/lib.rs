//! The small REST service of [README.md](../README.md) without its framework: what is stored, what is valid, what an
//! error says, and the command line.
//!
//! Leaves HTTP to `armature/`, `axum/` and `actix/`, so that their lines are what the framework asks for and nothing else.
//! Read next: `notes.rs` (what is stored), `note.rs` (one note and a page of them), `problem.rs` (errors).

pub mod note;
pub mod notes;
pub mod options;
pub mod problem;

pub use note::{Draft, Listing, Note, Page};
pub use notes::{Attachment, Login, Notes, Session};
pub use options::Options;
pub use problem::Problem;

/// The largest JSON body that is read, in bytes: the longest note with every character escaped is 121,250.
pub const JSON_BYTES_MAX: usize = 128 * 1024;

/// The largest attachment, in bytes.
pub const ATTACHMENT_BYTES_MAX: usize = 1024 * 1024;
