//! Middleware: what stands between the router and handlers.
//!
//! How one is written, and how a stack of them is put together, is in `../service/middleware.rs`; its names are here, too, with
//! those of the middlewares that are there already. One middleware, one file.

pub use crate::service::{BodyLimit, FromFn, Hooks, Layered, Middleware, Next, Stack, from_fn};
