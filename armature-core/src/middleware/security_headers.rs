//! Header fields by which browsers are told to be careful.

use std::rc::Rc;

use crate::{
    http::{HeaderName, HeaderValue, header},
    respond::Response,
    service::{Hooks, Request},
};

/// Adds fields to responses that have browsers refuse what few sites need. A field that the handler sets stands.
///
/// | field | value | what it keeps away |
/// |---|---|---|
/// | X-Content-Type-Options | `nosniff` | a file that is taken for a script or page (Fetch standard) |
/// | X-Frame-Options | `DENY` | the site in somebody's frame, under other buttons (HTML standard) |
/// | Referrer-Policy | `strict-origin-when-cross-origin` | paths and queries in the logs of others (Referrer Policy) |
/// | Cross-Origin-Opener-Policy | `same-origin` | a window that somebody has opened and holds on to (HTML standard) |
/// | Cross-Origin-Resource-Policy | `same-origin` | images and scripts that are used elsewhere (Fetch standard) |
///
/// Content-Security-Policy and Strict-Transport-Security depend on the site, and the latter must not be sent on connections that
/// are not encrypted (RFC 6797 §7.2); a program adds them by [`with`](Self::with).
///
/// ```
/// use armature_core::{Router, get, http::{HeaderValue, header}, middleware::SecurityHeaders};
///
/// let headers = SecurityHeaders::new()
///     .with(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'self'"))
///     .without(&header::X_FRAME_OPTIONS);
/// let router: Router = Router::new().route("/", get(async || "safe")).layer(headers);
/// # router.build().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct SecurityHeaders {
    fields: Rc<Vec<(HeaderName, HeaderValue)>>,
}

impl Default for SecurityHeaders {
    fn default() -> Self {
        Self::new()
    }
}

impl SecurityHeaders {
    /// The fields of the table above.
    ///
    /// ```
    /// use armature_core::{Router, get, middleware::SecurityHeaders, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || ())).layer(SecurityHeaders::new()))?;
    /// assert_eq!(client.get("/").send()?.header("x-content-type-options"), Some("nosniff"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let fields = [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ];
        Self { fields: Rc::new(fields.map(|(name, value)| (name, HeaderValue::from_static(value))).into()) }
    }

    /// Another value for a field, or another field.
    ///
    /// ```
    /// use armature_core::{Router, get, http::{HeaderValue, header}, middleware::SecurityHeaders, test::TestClient};
    ///
    /// let headers = SecurityHeaders::new().with(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || ())).layer(headers))?;
    /// assert_eq!(client.get("/").send()?.header("referrer-policy"), Some("no-referrer"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        let mut without = self.without(&name);
        Rc::make_mut(&mut without.fields).push((name, value));
        without
    }

    /// No such field.
    ///
    /// ```
    /// use armature_core::{Router, get, http::header, middleware::SecurityHeaders, test::TestClient};
    ///
    /// let headers = SecurityHeaders::new().without(&header::X_FRAME_OPTIONS);
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || ())).layer(headers))?;
    /// assert_eq!(client.get("/").send()?.header("x-frame-options"), None);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn without(mut self, name: &HeaderName) -> Self {
        Rc::make_mut(&mut self.fields).retain(|(candidate, _)| candidate != name);
        self
    }
}

impl Hooks for SecurityHeaders {
    type Kept = ();

    #[inline]
    fn before(&self, _: &mut Request<'_>) -> Result<(), Response> {
        Ok(())
    }

    fn after(&self, (): (), response: &mut Response) {
        for (name, value) in &*self.fields {
            if response.header(name).is_none() {
                response.insert_header(name, value);
            }
        }
    }
}
