//! Middleware: what stands between the router and handlers.
//!
//! How one is written, and how a stack of them is put together, is in `../service/middleware.rs`; its names are here, too, with
//! those of the middlewares that are there already. One middleware, one file. What a middleware shares among requests, such as a
//! limit, it shares among all routes that it is around, on one worker.

mod access_log;
mod catch_panic;
mod compression;
mod concurrency_limit;
mod cors;
mod request_id;
mod security_headers;
mod timeout;

pub use crate::service::{BodyLimit, FromFn, Hooks, Layered, Middleware, Next, Stack, from_fn};
pub use access_log::AccessLog;
pub use catch_panic::CatchPanic;
pub use compression::{Coding, Compression, Encoder};
pub use concurrency_limit::ConcurrencyLimit;
pub use cors::Cors;
pub use request_id::{RequestId, SetRequestId};
pub use security_headers::SecurityHeaders;
pub use timeout::Timeout;
