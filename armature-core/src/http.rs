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

/// The name of a field as the `http` crate has it, which must be a token; `None` if it is none.
///
/// The 44 names that requests have most are recognised by their length, first and last byte and one comparison, without regard
/// to case: nothing is hashed or allocated, and nothing put into lower case (ledger: interned-name). Other names are read by
/// [`HeaderName::from_bytes`]. A field itself is found without any of that, by its name:
/// [`RequestHead::header`](crate::service::RequestHead::header).
///
/// ```
/// use armature_core::http::{header, header_name};
///
/// assert_eq!(header_name(b"Accept-Language"), Some(header::ACCEPT_LANGUAGE));
/// assert_eq!(header_name(b"X-Shop").unwrap(), "x-shop");
/// assert_eq!(header_name(b"X Shop"), None);
/// ```
#[must_use]
#[inline]
pub fn header_name(name: &[u8]) -> Option<HeaderName> {
    common_name(name).or_else(|| HeaderName::from_bytes(name).ok())
}

/// One of the names that requests have most.
#[inline]
fn common_name(name: &[u8]) -> Option<HeaderName> {
    let (first, last) = (name.first()? | 0x20, name.last()? | 0x20);
    Some(match (name.len(), first, last) {
        (2, b't', _) if is_name(name, b"te") => header::TE,
        (4, b'd', _) if is_name(name, b"date") => header::DATE,
        (4, b'f', _) if is_name(name, b"from") => header::FROM,
        (4, b'h', _) if is_name(name, b"host") => header::HOST,
        (5, b'r', _) if is_name(name, b"range") => header::RANGE,
        (6, b'a', _) if is_name(name, b"accept") => header::ACCEPT,
        (6, b'c', _) if is_name(name, b"cookie") => header::COOKIE,
        (6, b'e', _) if is_name(name, b"expect") => header::EXPECT,
        (6, b'o', _) if is_name(name, b"origin") => header::ORIGIN,
        (6, b'p', _) if is_name(name, b"pragma") => header::PRAGMA,
        (7, b'r', _) if is_name(name, b"referer") => header::REFERER,
        (7, b't', _) if is_name(name, b"trailer") => header::TRAILER,
        (7, b'u', _) if is_name(name, b"upgrade") => header::UPGRADE,
        (8, b'i', b'h') if is_name(name, b"if-match") => header::IF_MATCH,
        (8, b'i', b'e') if is_name(name, b"if-range") => header::IF_RANGE,
        (9, b'f', _) if is_name(name, b"forwarded") => header::FORWARDED,
        (10, b'c', _) if is_name(name, b"connection") => header::CONNECTION,
        (10, b'u', _) if is_name(name, b"user-agent") => header::USER_AGENT,
        (12, b'c', _) if is_name(name, b"content-type") => header::CONTENT_TYPE,
        (12, b'm', _) if is_name(name, b"max-forwards") => header::MAX_FORWARDS,
        (12, b'x', _) if is_name(name, b"x-request-id") => const { HeaderName::from_static("x-request-id") },
        (13, b'a', _) if is_name(name, b"authorization") => header::AUTHORIZATION,
        (13, b'c', b'l') if is_name(name, b"cache-control") => header::CACHE_CONTROL,
        (13, b'c', b'e') if is_name(name, b"content-range") => header::CONTENT_RANGE,
        (13, b'i', _) if is_name(name, b"if-none-match") => header::IF_NONE_MATCH,
        (14, b'a', _) if is_name(name, b"accept-charset") => header::ACCEPT_CHARSET,
        (14, b'c', _) if is_name(name, b"content-length") => header::CONTENT_LENGTH,
        (14, b's', b't') if is_name(name, b"sec-fetch-dest") => const { HeaderName::from_static("sec-fetch-dest") },
        (14, b's', b'r') if is_name(name, b"sec-fetch-user") => const { HeaderName::from_static("sec-fetch-user") },
        (14, b's', _) if is_name(name, b"sec-fetch-mode") => const { HeaderName::from_static("sec-fetch-mode") },
        (14, b's', _) if is_name(name, b"sec-fetch-site") => const { HeaderName::from_static("sec-fetch-site") },
        (15, b'a', b'g') if is_name(name, b"accept-encoding") => header::ACCEPT_ENCODING,
        (15, b'a', b'e') if is_name(name, b"accept-language") => header::ACCEPT_LANGUAGE,
        (15, b'x', _) if is_name(name, b"x-forwarded-for") => const { HeaderName::from_static("x-forwarded-for") },
        (16, b'c', b'g') if is_name(name, b"content-encoding") => header::CONTENT_ENCODING,
        (16, b'c', b'e') if is_name(name, b"content-language") => header::CONTENT_LANGUAGE,
        (16, b'x', _) if is_name(name, b"x-forwarded-host") => const { HeaderName::from_static("x-forwarded-host") },
        (17, b'i', _) if is_name(name, b"if-modified-since") => header::IF_MODIFIED_SINCE,
        (17, b's', _) if is_name(name, b"sec-websocket-key") => header::SEC_WEBSOCKET_KEY,
        (17, b't', _) if is_name(name, b"transfer-encoding") => header::TRANSFER_ENCODING,
        (17, b'x', _) if is_name(name, b"x-forwarded-proto") => const { HeaderName::from_static("x-forwarded-proto") },
        (19, b'i', _) if is_name(name, b"if-unmodified-since") => header::IF_UNMODIFIED_SINCE,
        (21, b's', _) if is_name(name, b"sec-websocket-version") => header::SEC_WEBSOCKET_VERSION,
        (25, b'u', _) if is_name(name, b"upgrade-insecure-requests") => header::UPGRADE_INSECURE_REQUESTS,
        _ => return None,
    })
}

/// Whether a field name is this one of lower-case letters and hyphens, without regard to case.
#[inline]
pub(crate) fn is_name<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    // Bit 5 parts upper case from lower, and no other byte becomes a letter by setting it; bit 6 parts letters from hyphens,
    // which are compared as they are.
    name.as_array::<N>().is_some_and(|name| {
        name.iter().zip(lower).fold(0, |seen, (byte, lower)| seen | ((byte | (lower & 0x40) >> 1) ^ lower)) == 0
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    const COMMON: &str = "te date from host range accept cookie expect origin pragma referer trailer upgrade if-match if-range \
        forwarded connection user-agent content-type max-forwards x-request-id authorization cache-control content-range \
        if-none-match accept-charset content-length sec-fetch-dest sec-fetch-user sec-fetch-mode sec-fetch-site \
        accept-encoding accept-language x-forwarded-for content-encoding content-language x-forwarded-host \
        if-modified-since sec-websocket-key transfer-encoding x-forwarded-proto if-unmodified-since \
        sec-websocket-version upgrade-insecure-requests";

    #[test]
    fn common_names_are_recognised_in_any_case() {
        assert_eq!(COMMON.split_whitespace().count(), 44);
        for name in COMMON.split_whitespace() {
            for written in [name.to_owned(), name.to_uppercase()] {
                assert_eq!(common_name(written.as_bytes()).unwrap(), name);
            }
        }
    }

    /// Any name that differs in one byte from a common one is read as the `http` crate reads it.
    #[test]
    fn all_names_are_read_as_the_http_crate_reads_them() {
        let check = |name: &[u8]| {
            assert_eq!(header_name(name), HeaderName::from_bytes(name).ok(), "{}", name.escape_ascii());
        };
        for name in ["", "x", "Etag", "x-shop"].into_iter().chain(COMMON.split_whitespace()) {
            check(name.as_bytes());
            for at in 0..name.len() {
                for byte in 0..=255 {
                    let mut other = name.as_bytes().to_vec();
                    other[at] = byte;
                    check(&other);
                }
            }
        }
    }
}
