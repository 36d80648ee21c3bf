//! The lab's engine: builds targets, starts them, loads them, and turns what it sees into records and figures.
//!
//! It is a stranger to the frameworks it measures: it links none of them and meets them as processes (see `probe`).
//! The life of a number: `build.rs` → a suite over `target.rs` and `load.rs` → `record.rs` → `summary.rs`.

pub mod budget;
pub mod build;
pub mod compare;
pub mod count;
pub mod database;
pub mod doctor;
pub mod file;
pub mod history;
pub mod host;
pub mod judge;
pub mod layout;
pub mod ledger;
pub mod link;
pub mod load;
pub mod lock;
pub mod metric;
pub mod name;
pub mod placement;
pub mod process;
mod procfs;
pub mod profile;
pub mod record;
pub mod rounds;
pub mod run;
pub mod stats;
pub mod subject;
pub mod suite;
pub mod summary;
pub mod sweep;
pub mod target;
pub mod trial;
pub mod witness;
