//! A bound on how long a handler may take.

use std::{
    future::{Future, poll_fn},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::sleep;

use crate::{
    http::StatusCode,
    respond::Response,
    service::{Middleware, Request, Service, Slot},
};

/// Answers in the place of a handler that takes too long, which is dropped where it waits.
///
/// The answer is 503: the server cannot handle the request at present (RFC 9110 §15.6.4). It is not 408, which is about a client
/// that has not sent its request; a gateway, whose own server was late, says 504 by
/// [`with_status`](Self::with_status). The time is that from the call of the handler to its response, the request's body
/// included as far as the handler reads it, and the response's not. A handler that answers without waiting costs no timer, and one
/// that blocks its thread is not noticed.
///
/// ```
/// use std::time::Duration;
///
/// use armature_core::{Router, get, middleware::Timeout};
///
/// let router: Router = Router::new()
///     .route("/report", get(async || "done"))
///     .layer(Timeout::new(Duration::from_secs(10)));
/// # router.build().unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout {
    after: Duration,
    status: StatusCode,
}

impl Timeout {
    /// Gives handlers so long.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, get, middleware::Timeout, test::TestClient};
    /// use std::{future::pending, time::Duration};
    ///
    /// let app = Router::new().route("/", get(|| pending::<()>()).layer(Timeout::new(Duration::from_millis(10))));
    /// assert_eq!(TestClient::in_process(app)?.get("/").send()?.status(), StatusCode::SERVICE_UNAVAILABLE);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn new(after: Duration) -> Self {
        Self { after, status: StatusCode::SERVICE_UNAVAILABLE }
    }

    /// Answers with this status in place of 503.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, get, middleware::Timeout, test::TestClient};
    /// use std::{future::pending, time::Duration};
    ///
    /// let timeout = Timeout::new(Duration::from_millis(10)).with_status(StatusCode::GATEWAY_TIMEOUT);
    /// let mut client = TestClient::in_process(Router::new().route("/", get(|| pending::<()>())).layer(timeout))?;
    /// assert_eq!(client.get("/").send()?.status(), StatusCode::GATEWAY_TIMEOUT);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl Middleware for Timeout {
    #[inline]
    fn call<S: Service>(
        &self,
        request: Request<'_>,
        next: &Rc<S>,
        slot: &mut Slot,
        cx: &mut Context<'_>,
    ) -> Poll<Response> {
        let polled = next.call(request, slot, cx);
        if polled.is_pending() {
            let status = self.status;
            let mut timer = Box::pin(sleep(self.after));
            // What waits in a slot is not polled before something wakes it, so the timer is armed here.
            if timer.as_mut().poll(cx).is_ready() {
                slot.clear();
                return Poll::Ready(Response::status(status));
            }
            slot.wrap(|mut inner| {
                poll_fn(move |cx| match inner.poll(cx) {
                    Poll::Ready(response) => Poll::Ready(response),
                    Poll::Pending => timer.as_mut().poll(cx).map(|()| Response::status(status)),
                })
            });
        }
        polled
    }
}
