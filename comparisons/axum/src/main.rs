//! The contract served with axum: `target-axum --listen 127.0.0.1:8080 --workers 1 [--database URL] [--stock]`.
//!
//! Read next: `contract.rs` (the routes), `workers.rs` (one runtime per worker), `stock.rs` (plain `axum::serve`).

mod contract;
mod stock;
mod workers;

use probe::{Options, options::Switch};

/// Whose locked versions the ready line names.
const PACKAGES: &[&str] = &["axum", "hyper", "hyper-util", "tokio", "serde_json", "sqlx"];

const SWITCHES: &[Switch] = &[Switch { name: "stock", help: "plain axum::serve on one multi-thread runtime" }];

fn main() -> anyhow::Result<()> {
    let options = Options::from_env("target-axum", SWITCHES);
    if options.has("stock") { stock::serve(&options) } else { workers::serve(&options) }
}
