//! A name for each request, by which it is found in the logs of everything that it passes.

use std::{
    cell::Cell,
    fmt,
    hash::{BuildHasher, RandomState},
    rc::Rc,
    task::{Context, Poll},
};

use crate::{
    h1::ascii::text,
    http::HeaderName,
    respond::Response,
    service::{Middleware, Request, Service, Slot},
};

/// The longest id that is taken from a request: room for two UUIDs.
const BYTES_MAX: usize = 72;

/// The id of a request, for the extractor [`Extension`](crate::extract::Extension).
///
/// ```
/// use armature_core::{Router, extract::Extension, get, middleware::{RequestId, SetRequestId}, test::TestClient};
///
/// let handler = async |Extension(id): Extension<RequestId>| format!("request {id}");
/// let mut client = TestClient::in_process(Router::new().route("/", get(handler)).layer(SetRequestId::new()))?;
/// assert_eq!(client.get("/").header("x-request-id", "a-1").send()?.text(), "request a-1");
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId {
    bytes: [u8; BYTES_MAX],
    len: u8,
}

impl RequestId {
    /// An id of 1 to 72 letters, digits and `-._~+/=:@`, which stand in a log as they are; of anything else none.
    fn from_bytes(id: &[u8]) -> Option<Self> {
        let is_good = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=:@".contains(byte);
        if id.is_empty() || id.len() > BYTES_MAX || !id.iter().all(is_good) {
            return None;
        }
        let mut bytes = [0; BYTES_MAX];
        bytes[..id.len()].copy_from_slice(id);
        Some(Self { bytes, len: id.len() as u8 })
    }

    /// 128 bits in hexadecimal digits.
    fn from_number(number: u128) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut bytes = [0; BYTES_MAX];
        for (at, byte) in bytes[..32].iter_mut().enumerate() {
            *byte = DIGITS[(number >> (4 * (31 - at))) as usize & 15];
        }
        Self { bytes, len: 32 }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The id as text.
    ///
    /// ```
    /// use armature_core::{Router, extract::Extension, get, middleware::{RequestId, SetRequestId}, test::TestClient};
    ///
    /// let handler = async |Extension(id): Extension<RequestId>| id.as_str().len().to_string();
    /// let mut client = TestClient::in_process(Router::new().route("/", get(handler)).layer(SetRequestId::new()))?;
    /// assert_eq!(client.get("/").send()?.text(), "32");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        text(self.as_bytes())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

/// Gives each request a [`RequestId`]: that of its field `X-Request-Id`, where it has a well-formed one, else 128 bits that are
/// unlikely to come again. The response has the same field, in place of what the handler says.
///
/// Where clients are not to choose ids, a proxy in front has to replace theirs. Put outside of [`AccessLog`](super::AccessLog),
/// the log has the id, too.
///
/// ```
/// use armature_core::{Router, extract::Extension, get, middleware::{RequestId, SetRequestId}};
///
/// let router: Router = Router::new()
///     .route("/", get(async |Extension(id): Extension<RequestId>| id.to_string()))
///     .layer(SetRequestId::new());
/// # router.build().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct SetRequestId {
    name: HeaderName,
    made: Rc<Made>,
}

/// Where ids come from: a count, hashed with keys that the system drew by lot.
#[derive(Debug, Default)]
struct Made {
    keys: RandomState,
    count: Cell<u64>,
}

impl Made {
    fn next(&self) -> RequestId {
        let count = self.count.get();
        self.count.set(count + 1);
        let half = |which: u8| u128::from(self.keys.hash_one((count, which)));
        RequestId::from_number(half(0) << 64 | half(1))
    }
}

impl Default for SetRequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl SetRequestId {
    /// Ids in `X-Request-Id`.
    ///
    /// ```
    /// use armature_core::{Router, get, middleware::SetRequestId, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || ())).layer(SetRequestId::new()))?;
    /// assert_ne!(client.get("/").send()?.header("x-request-id"), client.get("/").send()?.header("x-request-id"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { name: HeaderName::from_static("x-request-id"), made: Rc::default() }
    }

    /// Ids in another field.
    ///
    /// ```
    /// use armature_core::{Router, get, http::HeaderName, middleware::SetRequestId, test::TestClient};
    ///
    /// let ids = SetRequestId::new().in_field(HeaderName::from_static("x-trace"));
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || ())).layer(ids))?;
    /// assert_eq!(client.get("/").header("x-trace", "a-1").send()?.header("x-trace"), Some("a-1"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn in_field(self, name: HeaderName) -> Self {
        Self { name, ..self }
    }
}

impl Middleware for SetRequestId {
    #[inline]
    fn call<S: Service>(
        &self,
        request: Request<'_>,
        next: &Rc<S>,
        slot: &mut Slot,
        cx: &mut Context<'_>,
    ) -> Poll<Response> {
        let Request { head, body } = request;
        let given = head.header(self.name.as_str()).and_then(RequestId::from_bytes);
        let id = given.unwrap_or_else(|| self.made.next());
        let extended = head.extensions().and(&id);
        match next.call(Request { head: head.with_extensions(extended.list()), body }, slot, cx) {
            Poll::Ready(mut response) => {
                response.set_line(&self.name, id.as_bytes());
                Poll::Ready(response)
            }
            Poll::Pending => {
                let name = self.name.clone();
                slot.wrap(|inner| async move {
                    let mut response = inner.await;
                    response.set_line(&name, id.as_bytes());
                    response
                });
                Poll::Pending
            }
        }
    }
}
