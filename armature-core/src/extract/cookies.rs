//! The extractor of cookies, which is also the part of a response that sets and removes them (RFC 6265).

use std::convert::Infallible;

use cookie::Cookie;

use crate::{
    extract::FromHead,
    http::{HeaderValue, StatusCode, header},
    respond::{Failure, IntoResponse, IntoResponseParts, Response},
    service::RequestHead,
};

/// The cookies of a request, and changes to them for the response.
///
/// What is no cookie in the Cookie field, such as a name without `=`, is passed over, as clients send what other servers of
/// their domain have set. A name that was sent twice is kept twice, in order: clients send the cookie of the longer path
/// first. Values are kept as they were sent, with their quotes; [`Cookie::value_trimmed`] is without.
///
/// ```
/// use armature_core::{Router, cookie::Cookie, extract::Cookies, get};
///
/// async fn count(mut cookies: Cookies) -> (Cookies, String) {
///     let visits = cookies.get("visits").and_then(|cookie| cookie.value().parse().ok()).unwrap_or(0_u32) + 1;
///     cookies.add(Cookie::build(("visits", visits.to_string())).path("/").http_only(true));
///     cookies.remove(Cookie::build("old").path("/"));
///     (cookies, format!("visit {visits}"))
/// }
///
/// let app: Router = Router::new().route("/", get(count));
/// ```
///
/// Each is copied; what reads one and sets none does without, by [`RequestHead::cookie`] (ledger: borrowed-cookie).
///
/// It cannot fail to be extracted. A response with a cookie that is none by RFC 6265 §4.1.1, for example with a space or a
/// `;` in its value, becomes 500 with the [`cause`](Response::cause).
#[derive(Debug, Clone, Default)]
pub struct Cookies {
    sent: Vec<Cookie<'static>>,
    changes: Vec<Cookie<'static>>,
}

impl Cookies {
    /// The first cookie of this name that the client sent.
    ///
    /// ```
    /// use armature_core::{Router, extract::Cookies, get, test::TestClient};
    ///
    /// let handler = async |cookies: Cookies| cookies.get("theme").map(|theme| theme.value().to_owned());
    /// let mut client = TestClient::in_process(Router::new().route("/", get(handler)))?;
    /// assert_eq!(client.get("/").header("cookie", "lang=de; theme=dark").send()?.text(), "dark");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Cookie<'static>> {
        self.iter().find(|cookie| cookie.name() == name)
    }

    /// All cookies that the client sent, in order.
    ///
    /// ```
    /// use armature_core::{Router, extract::Cookies, get, test::TestClient};
    ///
    /// let handler = async |cookies: Cookies| cookies.iter().map(|cookie| cookie.name()).collect::<Vec<_>>().join(" ");
    /// let mut client = TestClient::in_process(Router::new().route("/", get(handler)))?;
    /// assert_eq!(client.get("/").header("cookie", "lang=de; theme=dark").send()?.text(), "lang theme");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &Cookie<'static>> {
        self.sent.iter()
    }

    /// Has the response set a cookie, in place of an earlier change to the same name, domain and path.
    ///
    /// ```
    /// use armature_core::{IntoResponse, extract::Cookies, http::header};
    ///
    /// let mut cookies = Cookies::default();
    /// cookies.add(("theme", "dark"));
    /// let response = (cookies, "set").into_response();
    /// assert_eq!(response.header(&header::SET_COOKIE), Some(&b"theme=dark"[..]));
    /// ```
    pub fn add(&mut self, cookie: impl Into<Cookie<'static>>) {
        let cookie = cookie.into();
        let key = |cookie: &Cookie<'static>| {
            (cookie.name().to_owned(), cookie.domain().map(str::to_owned), cookie.path().map(str::to_owned))
        };
        self.changes.retain(|change| key(change) != key(&cookie));
        self.changes.push(cookie);
    }

    /// Has the response remove a cookie from the client. Domain and path must be those that it was set with.
    ///
    /// ```
    /// use armature_core::{IntoResponse, cookie::Cookie, extract::Cookies, http::header};
    ///
    /// let mut cookies = Cookies::default();
    /// cookies.remove(Cookie::build("theme").path("/"));
    /// let response = (cookies, "removed").into_response();
    /// assert!(response.header(&header::SET_COOKIE).unwrap().starts_with(b"theme=; Path=/; Max-Age=0"));
    /// ```
    pub fn remove(&mut self, cookie: impl Into<Cookie<'static>>) {
        let mut cookie = cookie.into();
        cookie.make_removal();
        self.add(cookie);
    }
}

impl<S> FromHead<S> for Cookies {
    type Rejection = Infallible;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Infallible> {
        let sent = head.cookie_pairs().filter_map(|text| Cookie::parse(text.to_owned()).ok());
        Ok(Self { sent: sent.collect(), changes: Vec::new() })
    }
}

impl IntoResponseParts for Cookies {
    fn add_to(self, response: &mut Response) {
        for cookie in self.changes {
            match field(&cookie) {
                Some(value) => response.insert_header(&header::SET_COOKIE, &value),
                None => {
                    let cause = std::io::Error::other(format!("no cookie by RFC 6265: {cookie}"));
                    let failure = Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the server has failed");
                    *response = failure.because(cause).into_response();
                    return;
                }
            }
        }
    }
}

/// The value of Set-Cookie, if the cookie is one by RFC 6265 §4.1.1. Otherwise a value could go on as an attribute.
fn field(cookie: &Cookie<'_>) -> Option<HeaderValue> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_octet = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    let is_attribute = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b';';
    let (name, value) = cookie.name_value();
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let attributes = [cookie.path(), cookie.domain()].into_iter().flatten();
    let is_cookie = !name.is_empty()
        && name.bytes().all(is_token)
        && unquoted.bytes().all(is_octet)
        && attributes.flat_map(str::bytes).all(is_attribute);
    is_cookie.then(|| HeaderValue::from_str(&cookie.to_string()).ok()).flatten()
}
