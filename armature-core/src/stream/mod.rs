//! Bodies that are made while they are sent, by somebody else than the connection that sends them.
//!
//! [`channel()`] is the way from a producer, on whatever thread or task, to a response body; [`sse`] makes events of
//! what goes through. The other direction needs nothing of this: a handler reads a request's body piece by piece with
//! [`RequestBody::piece`](crate::body::RequestBody::piece), and a client whose bytes are not asked for has to wait. A
//! body that the worker makes itself is a [`BodySource`](crate::body::BodySource) without a channel.
//!
//! Read next: `watermark.rs`, `channel.rs`.

mod channel;
mod event;
pub mod sse;
mod watermark;

pub use channel::{Closed, Dropped, Receiver, Sender, TrySendError, channel};
pub use watermark::{Overflow, Watermarks};
