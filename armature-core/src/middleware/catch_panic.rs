//! An answer for requests whose handlers panic.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    task::{Context, Poll},
};

use crate::{
    http::StatusCode,
    respond::{IntoResponse, Response},
    service::{Middleware, Request, Service, Slot},
};

/// Answers requests whose handlers panic, so that their connections go on; without it they get 500 and the connection ends.
///
/// What the handler held is dropped. What it shares with others may be left half changed; this is for programs that know that it
/// is not. What it panicked with goes to the log, as an error of the target `armature_core::panic`. A panic while the body of a
/// response is streamed still ends the connection, as the client has to see that something is missing.
///
/// ```
/// use armature_core::{Router, StatusCode, get, middleware::CatchPanic};
///
/// let router: Router = Router::new()
///     .route("/", get(async || ["a", "b"][2..].concat()))
///     .layer(CatchPanic::with(|_payload| (StatusCode::INTERNAL_SERVER_ERROR, "that was our fault")));
/// # router.build().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct CatchPanic<F = fn(&(dyn Any + Send)) -> StatusCode>(F);

impl Default for CatchPanic {
    fn default() -> Self {
        Self::new()
    }
}

impl CatchPanic {
    /// Answers with an empty 500.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, get, middleware::CatchPanic, test::TestClient};
    ///
    /// let app = Router::new().route("/", get(async || ["a"][1..2].concat())).layer(CatchPanic::new());
    /// assert_eq!(TestClient::in_process(app)?.get("/").send()?.status(), StatusCode::INTERNAL_SERVER_ERROR);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self(|_| StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl<F, R> CatchPanic<F>
where
    F: Fn(&(dyn Any + Send)) -> R + Clone + 'static,
    R: IntoResponse,
{
    /// Answers with what `respond` makes of what the handler panicked with.
    ///
    /// ```
    /// use armature_core::{Router, get, middleware::CatchPanic, test::TestClient};
    ///
    /// let caught = CatchPanic::with(|payload| payload.downcast_ref::<&str>().copied().unwrap_or("it panicked"));
    /// let app = Router::new().route("/", get(async || if true { panic!("no way") } else { "text" })).layer(caught);
    /// assert_eq!(TestClient::in_process(app)?.get("/").send()?.text(), "no way");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn with(respond: F) -> Self {
        Self(respond)
    }

    /// Drops what is left of the handler, notes the panic and answers.
    #[cold]
    fn answer(&self, payload: &(dyn Any + Send), slot: &mut Slot) -> Poll<Response> {
        // A slot forgets its future before it drops it, so a second panic leaves it as empty as a first.
        let _ = catch_unwind(AssertUnwindSafe(|| slot.clear()));
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        tracing::error!(target: "armature_core::panic", payload = text, "a handler has panicked");
        Poll::Ready((self.0)(payload).into_response())
    }
}

impl<F, R> Middleware for CatchPanic<F>
where
    F: Fn(&(dyn Any + Send)) -> R + Clone + 'static,
    R: IntoResponse,
{
    fn call<S: Service>(
        &self,
        request: Request<'_>,
        next: &Rc<S>,
        slot: &mut Slot,
        cx: &mut Context<'_>,
    ) -> Poll<Response> {
        let polled = catch_unwind(AssertUnwindSafe(|| next.call(request, slot, cx)))
            .unwrap_or_else(|payload| self.answer(&*payload, slot));
        if polled.is_pending() {
            let this = self.clone();
            slot.wrap(|mut inner| {
                poll_fn(move |cx| {
                    catch_unwind(AssertUnwindSafe(|| inner.poll(cx)))
                        .unwrap_or_else(|payload| this.answer(&*payload, &mut inner))
                })
            });
        }
        polled
    }
}
