//! The vocabulary of HTTP that all floors share: method, version, and the `http` crate's types re-exported.
//!
//! Read next: `h1/mod.rs` (how these come off the wire).

use std::fmt;

pub use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// A request method (RFC 9110 §9). Methods outside the standard's registry arrive as [`Method::Other`] and are never
/// routed.
///
/// ```
/// use armature_core::Method;
///
/// assert_eq!(Method::from_token("GET"), Method::Get);
/// assert_eq!(Method::from_token("get"), Method::Other); // Methods are case-sensitive.
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Method {
    /// Safe, idempotent retrieval.
    Get,
    /// GET without the body of the answer.
    Head,
    /// Whatever the resource does with a body.
    Post,
    /// Replace.
    Put,
    /// Remove.
    Delete,
    /// Change in part (RFC 5789).
    Patch,
    /// Ask what is possible.
    Options,
    /// Echo the request back.
    Trace,
    /// Make a tunnel.
    Connect,
    /// Any other token.
    Other,
}

impl Method {
    /// How many methods can be routed: all but [`Method::Other`].
    pub(crate) const ROUTABLE: usize = 9;

    /// All methods that can be routed, in the order in which `Allow` lists them.
    pub(crate) const ALL: [Self; Self::ROUTABLE] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Delete,
        Self::Patch,
        Self::Options,
        Self::Trace,
        Self::Connect,
    ];

    /// The method of this token; methods are case-sensitive.
    ///
    /// ```
    /// use armature_core::Method;
    ///
    /// assert_eq!(Method::from_token("PATCH"), Method::Patch);
    /// assert_eq!(Method::from_token("PROPFIND"), Method::Other);
    /// ```
    #[must_use]
    pub fn from_token(token: &str) -> Self {
        match token {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "PATCH" => Self::Patch,
            "OPTIONS" => Self::Options,
            "TRACE" => Self::Trace,
            "CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }

    /// The token, or an empty string for [`Method::Other`].
    ///
    /// ```
    /// use armature_core::Method;
    ///
    /// assert_eq!((Method::Delete.as_str(), Method::Other.as_str()), ("DELETE", ""));
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Connect => "CONNECT",
            Self::Other => "",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The version a request is served as (RFC 9112 §2.3). Later minor versions of 1 are served as 1.1.
///
/// ```
/// use armature_core::{Router, get, http::Version, test::TestClient};
///
/// let handler = async |version: Version| if version == Version::Http11 { "1.1" } else { "another" };
/// let mut client = TestClient::in_process(Router::new().route("/", get(handler)))?;
/// assert_eq!(client.get("/").send()?.text(), "1.1");
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2 (RFC 9113), with the feature `http2`.
    Http2,
}
