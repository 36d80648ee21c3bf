//! What a request can know of its connection, and the little that it can do to it: who the peer is, whether the client has
//! gone, and responses before the response.
//!
//! `conn` keeps one [`ConnectionInfo`] for each connection and looks at it only when a handler has asked about it.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use slab::Slab;

use crate::{
    h1::encode,
    http::{HeaderMap, StatusCode},
};

/// What is known of the connection that a request came by. The default has no socket.
///
/// ```
/// use armature_core::{Router, get, service::ConnectionInfo, test::TestClient};
/// use std::rc::Rc;
///
/// let handler = async |connection: Rc<ConnectionInfo>| connection.peer().unwrap().ip().to_string();
/// let mut client = TestClient::over_socket(move |_| Router::new().route("/", get(handler)))?;
/// assert_eq!(client.get("/").send()?.text(), "127.0.0.1");
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct ConnectionInfo {
    peer: Option<SocketAddr>,
    secure: bool,
    /// A handler has asked about the connection.
    is_watched: Cell<bool>,
    gone: Cell<bool>,
    waiting: RefCell<Slab<Waker>>,
    /// Interim responses to the request at hand, as they go on the wire.
    interim: RefCell<Vec<u8>>,
    /// How many requests were answered, as far as it can be counted: hints are about one of them.
    answered: Cell<u32>,
    /// The connection's task, to be woken when an interim response comes from another task.
    task: RefCell<Option<Waker>>,
}

impl ConnectionInfo {
    /// A connection from `peer`, `secure` if it is encrypted.
    pub(crate) fn new(peer: SocketAddr, secure: bool) -> Self {
        Self { peer: Some(peer), secure, ..Self::default() }
    }

    /// The client's address, or that of the proxy in front; none where there is no socket.
    ///
    /// ```
    /// use armature_core::service::ConnectionInfo;
    ///
    /// assert_eq!(ConnectionInfo::default().peer(), None);
    /// ```
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Whether it is encrypted up to this server.
    ///
    /// ```
    /// use armature_core::service::ConnectionInfo;
    ///
    /// let scheme = |connection: &ConnectionInfo| if connection.is_secure() { "https" } else { "http" };
    /// assert_eq!(scheme(&ConnectionInfo::default()), "http");
    /// ```
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether a handler has asked about the connection, so that it has to be told.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.get()
    }

    /// The client has shut its side of the connection, or the connection has ended.
    pub(crate) fn set_gone(&self) {
        self.gone.set(true);
        self.waiting.take().into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Names the task that writes interim responses.
    pub(crate) fn set_task(&self, task: &Waker) {
        let mut known = self.task.borrow_mut();
        if known.as_ref().is_none_or(|known| !known.will_wake(task)) {
            *known = Some(task.clone());
        }
    }

    /// The interim responses that wait to be written before the response, and no more of them.
    pub(crate) fn end_interim(&self) -> Vec<u8> {
        self.answered.set(self.answered.get().wrapping_add(1));
        // As long as somebody has a connection's waker, its worker waits as a guest of tokio's.
        self.task.take();
        self.interim.take()
    }

    /// The interim responses that wait to be written.
    pub(crate) fn take_interim(&self) -> Vec<u8> {
        self.interim.take()
    }
}

/// The extractor of the event that the client goes away. Awaited, it ends when the client has closed the connection or its
/// sending half of it; the two look alike until something is written.
///
/// Nothing is cancelled by itself then: a client may half-close after its request and is still answered (RFC 9112 §9.6). A
/// connection that is reset takes its handler with it: the future is dropped where it waits.
///
/// The client is only noticed while the handler waits, and as long as no more than one buffer of further requests has
/// arrived behind this one.
///
/// ```
/// use armature_core::{service::Disconnect, StatusCode};
///
/// # async fn search() -> String { String::new() }
/// async fn handler(disconnect: Disconnect) -> Result<String, StatusCode> {
///     tokio::select! {
///         found = search() => Ok(found),
///         () = disconnect => Err(StatusCode::BAD_REQUEST), // Nobody reads it.
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Disconnect {
    connection: Rc<ConnectionInfo>,
    /// Where its waker is among those that wait.
    place: Option<usize>,
}

impl Disconnect {
    pub(crate) fn of(connection: &Rc<ConnectionInfo>) -> Self {
        connection.is_watched.set(true);
        Self { connection: connection.clone(), place: None }
    }

    /// Whether the client is known to have gone.
    ///
    /// ```
    /// use armature_core::{Router, get, service::Disconnect, test::TestClient};
    ///
    /// let handler = async |client: Disconnect| if client.has_happened() { "gone" } else { "here" };
    /// let mut client = TestClient::in_process(Router::new().route("/", get(handler)))?;
    /// assert_eq!(client.get("/").send()?.text(), "here");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn has_happened(&self) -> bool {
        self.connection.gone.get()
    }

    /// Waits for it.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, get, service::Disconnect, test::TestClient};
    ///
    /// /// Goes on until it has its number or nobody wants it any more.
    /// async fn number(client: Disconnect) -> Result<&'static str, StatusCode> {
    ///     tokio::select! {
    ///         biased;
    ///         () = client.wait() => Err(StatusCode::BAD_REQUEST),
    ///         () = tokio::task::yield_now() => Ok("7"),
    ///     }
    /// }
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(number)))?;
    /// assert_eq!(client.get("/").send()?.text(), "7");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub async fn wait(&self) {
        self.clone().await;
    }
}

impl Clone for Disconnect {
    fn clone(&self) -> Self {
        Self { connection: self.connection.clone(), place: None }
    }
}

impl Future for Disconnect {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_happened() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let mut waiting = self.connection.waiting.borrow_mut();
        let (place, former) = match self.place {
            Some(place) => (place, Some(std::mem::replace(&mut waiting[place], waker))),
            None => (waiting.insert(waker), None),
        };
        drop(waiting);
        // With a waker may go what waits for the same.
        drop(former);
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for Disconnect {
    fn drop(&mut self) {
        let waker = self.place.and_then(|place| self.connection.waiting.borrow_mut().try_remove(place));
        // Behind the borrow, as above.
        drop(waker);
    }
}

/// The extractor with which a handler sends responses before its response: 103 with what the client may fetch meanwhile
/// (RFC 8297).
///
/// ```
/// use armature_core::{http::{HeaderMap, HeaderValue, header}, service::EarlyHints};
///
/// async fn page(hints: EarlyHints) -> String {
///     let link = HeaderValue::from_static("</style.css>; rel=preload; as=style");
///     hints.send(&HeaderMap::from_iter([(header::LINK, link)]));
///     // What takes a while comes here; the client loads the style sheet meanwhile.
///     "<link rel=stylesheet href=/style.css>".to_owned()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct EarlyHints {
    /// None where the client would not understand it (RFC 9110 §15.2).
    connection: Option<Rc<ConnectionInfo>>,
    /// What the connection's count is until the response is there.
    answered: u32,
}

impl EarlyHints {
    pub(crate) fn of(connection: &Rc<ConnectionInfo>, understood: bool) -> Self {
        connection.is_watched.set(true);
        Self { connection: understood.then(|| connection.clone()), answered: connection.answered.get() }
    }

    /// Sends 103 with these fields as soon as the handler waits, or with its response, before it; not after it. HTTP/1.0
    /// clients get none. Fields that are about a body or the connection are left out.
    ///
    /// ```
    /// use armature_core::{Router, get, http::{HeaderMap, HeaderValue, header}, service::EarlyHints, test::TestClient};
    ///
    /// async fn page(hints: EarlyHints) -> &'static str {
    ///     let link = HeaderValue::from_static("</style.css>; rel=preload; as=style");
    ///     hints.send(&HeaderMap::from_iter([(header::LINK, link)]));
    ///     "text"
    /// }
    ///
    /// let answer = TestClient::in_process(Router::new().route("/", get(page)))?.get("/").send()?;
    /// assert_eq!((answer.interim()[0].0.as_u16(), answer.status().as_u16()), (103, 200));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn send(&self, fields: &HeaderMap) {
        let Some(connection) = self.connection.as_ref().filter(|known| known.answered.get() == self.answered) else {
            return;
        };
        encode::interim_head(&mut connection.interim.borrow_mut(), StatusCode::EARLY_HINTS, fields);
        if let Some(task) = &*connection.task.borrow() {
            task.wake_by_ref();
        }
    }
}
