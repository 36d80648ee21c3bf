//! The extractors of the connection that a request came by.

use std::{convert::Infallible, net::SocketAddr, rc::Rc};

use crate::{
    extract::{FromHead, Rejection},
    http::StatusCode,
    service::{ConnectionInfo, RequestHead},
};

/// The address of the client, or of the proxy in front of the server.
///
/// Whether the connection is encrypted is said by [`ConnectionInfo`], of which `Rc<ConnectionInfo>` is an extractor too.
///
/// ```
/// use std::rc::Rc;
/// use armature_core::{Router, extract::Peer, get, service::ConnectionInfo};
///
/// async fn who(Peer(address): Peer, connection: Rc<ConnectionInfo>) -> String {
///     format!("{} {}", address.ip(), if connection.is_secure() { "in secret" } else { "in the open" })
/// }
///
/// let app: Router = Router::new().route("/who", get(who));
/// ```
///
/// # Rejections
/// - 500: the request came by no socket, as in tests that call a service themselves. `Option<Peer>` is `None` then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

impl<S> FromHead<S> for Peer {
    type Rejection = Rejection;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Rejection> {
        head.connection().peer().map(Self).ok_or_else(|| {
            let source = std::io::Error::other("the request came by no socket");
            Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "the server has failed").because(source).of_absence()
        })
    }
}

impl<S> FromHead<S> for Rc<ConnectionInfo> {
    type Rejection = Infallible;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Infallible> {
        Ok(head.connection().clone())
    }
}
