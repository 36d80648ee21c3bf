//! A bound on how many handlers run at the same time.

use std::{cell::Cell, rc::Rc, time::Duration};

use crate::{
    http::{HeaderValue, StatusCode, header},
    respond::Response,
    service::{Hooks, Request},
};

/// Lets so many requests of one worker be with their handlers at the same time, and answers others with 503 and Retry-After
/// (RFC 9110 §10.2.3) at once.
///
/// A request counts until its handler has answered or is dropped; sending a streamed response does not count. The routes that one
/// limit is around share it, on each worker by itself.
///
/// ```
/// use armature_core::{Router, get, middleware::ConcurrencyLimit};
///
/// let router: Router = Router::new().route("/report", get(async || "done")).layer(ConcurrencyLimit::new(16));
/// # router.build().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit {
    running: Rc<Cell<usize>>,
    max: usize,
    retry_after_s: u64,
}

/// A request that is with its handler.
// No program names what a hook keeps.
#[doc(hidden)]
#[derive(Debug)]
pub struct Running(Rc<Cell<usize>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl ConcurrencyLimit {
    /// Lets `max` requests in.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, get, middleware::ConcurrencyLimit, test::TestClient};
    ///
    /// let app = |max| Router::new().route("/", get(async || "let in")).layer(ConcurrencyLimit::new(max));
    /// assert_eq!(TestClient::in_process(app(1))?.get("/").send()?.text(), "let in");
    /// assert_eq!(TestClient::in_process(app(0))?.get("/").send()?.status(), StatusCode::SERVICE_UNAVAILABLE);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { running: Rc::default(), max, retry_after_s: 1 }
    }

    /// Has clients that are turned away come back after this time in place of one second. It is sent in whole seconds.
    ///
    /// ```
    /// use armature_core::{Router, get, middleware::ConcurrencyLimit, test::TestClient};
    /// use std::time::Duration;
    ///
    /// let closed = ConcurrencyLimit::new(0).retry_after(Duration::from_secs(30));
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || ())).layer(closed))?;
    /// assert_eq!(client.get("/").send()?.header("retry-after"), Some("30"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn retry_after(self, time: Duration) -> Self {
        Self { retry_after_s: time.as_secs(), ..self }
    }
}

impl Hooks for ConcurrencyLimit {
    type Kept = Running;

    fn before(&self, _: &mut Request<'_>) -> Result<Running, Response> {
        if self.running.get() >= self.max {
            let retry = HeaderValue::from(self.retry_after_s);
            return Err(Response::status(StatusCode::SERVICE_UNAVAILABLE).with_header(header::RETRY_AFTER, retry));
        }
        self.running.set(self.running.get() + 1);
        Ok(Running(self.running.clone()))
    }

    fn after(&self, _: Running, _: &mut Response) {}
}
