//! The programming model's narrow waist: a request goes in, a response comes out, now or later.
//!
//! `conn` knows services and nothing above them. Read next: `request.rs` (what goes in), `router.rs` (the service that most
//! programs use), `slot.rs` (where a handler's future lives), `middleware.rs` (what stands between the two),
//! `../handler.rs` (how an async function becomes a service).

use std::{
    rc::Rc,
    task::{Context, Poll},
};

use crate::respond::Response;

mod connection;
mod middleware;
mod owned;
mod request;
mod router;
pub(crate) mod slot;

pub use connection::{ConnectionInfo, Disconnect, EarlyHints};
pub use middleware::{BodyLimit, FromFn, Hooks, Layered, Middleware, Next, Stack, from_fn};
pub use owned::OwnedRequest;
pub use request::{Extensions, Request, RequestHead};
pub use router::{MethodRouter, Router, Routes, any, delete, get, head, options, patch, post, put};
pub use slot::Slot;

/// Answers requests.
///
/// A service runs on one thread and needs to be neither `Send` nor `Sync`: each worker has its own.
///
/// Most programs have a [`Router`] for one. A service of one's own answers without any of it:
///
/// ```
/// use armature_core::{MediaType, Response, service::{Request, Service, Slot}};
/// use std::task::{Context, Poll};
///
/// struct Mirror;
///
/// impl Service for Mirror {
///     fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
///         let path = request.head.path().to_owned();
///         // What waits is run in the slot; what does not may be returned as it is.
///         slot.run(async move { Response::new(MediaType::TEXT, path) }, cx)
///     }
/// }
/// # use armature_core::Router;
/// # let _: Router = Router::new().route_service("/{*path}", Mirror);
/// ```
pub trait Service: 'static {
    /// Answers a request. What cannot be answered at once is left running in `slot`, from where it is polled on.
    ///
    /// The request's head is borrowed from the connection's buffer for the length of this call; whatever is needed
    /// later is copied out of it.
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response>;
}

impl<S: Service + ?Sized> Service for Rc<S> {
    #[inline]
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        S::call(self, request, slot, cx)
    }
}
