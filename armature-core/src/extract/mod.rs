//! Extractors: what a handler's arguments are made of.
//!
//! One extractor, one file, named like it; in `plain.rs` the types that need no wrapper, in `optional.rs` `Option` and
//! `Result`. What several have in common: `text.rs` and `pairs.rs` (text as values), `percent.rs`, `media.rs`. Failures are
//! [`Rejection`]s, which are responses. Read next: `../handler.rs`.

use std::future::{Future, Ready, ready};

use crate::{
    respond::IntoResponse,
    service::{Request, RequestHead},
};

mod arena;
mod cookies;
mod extension;
mod form;
mod json;
mod media;
mod multipart;
mod optional;
mod pairs;
mod path;
mod peer;
mod percent;
mod plain;
mod query;
mod rejection;
mod state;
mod text;
mod typed_header;

pub use cookies::Cookies;
pub use extension::Extension;
pub use form::Form;
pub use json::Json;
pub use multipart::{Multipart, Part};
pub use path::{Param, Path};
pub use peer::Peer;
pub use query::Query;
pub use rejection::Rejection;
pub use state::{FromRef, State};
pub use typed_header::TypedHeader;

pub use crate::pool::Arena;

/// Made from a request's head alone.
///
/// ```
/// use armature_core::{StatusCode, extract::{FromHead, Rejection}, service::RequestHead};
///
/// /// The client's language, as far as it is one of ours.
/// struct Language(&'static str);
///
/// impl<S> FromHead<S> for Language {
///     type Rejection = Rejection;
///
///     fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Rejection> {
///         match head.header_text("accept-language").unwrap_or("en") {
///             wanted if wanted.starts_with("de") => Ok(Self("de")),
///             wanted if wanted.starts_with("en") => Ok(Self("en")),
///             _ => Err(Rejection::new(StatusCode::NOT_ACCEPTABLE, "there is de and en")),
///         }
///     }
/// }
///
/// async fn hello(Language(language): Language) -> &'static str {
///     if language == "de" { "guten Tag" } else { "good day" }
/// }
/// # let _: armature_core::Router = armature_core::Router::new().route("/", armature_core::get(hello));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be extracted from the head of a request",
    label = "not an extractor, or one of the body that is not the last argument",
    note = "what takes the body, such as `Json` or `String`, is the last argument and the only one of its kind"
)]
pub trait FromHead<S>: Sized {
    /// What is answered when it cannot be made.
    type Rejection: IntoResponse;

    /// Makes it from the head, which is borrowed for this call only.
    ///
    /// # Errors
    /// The rejection, which answers the request.
    fn from_head(head: &RequestHead<'_>, state: &S) -> Result<Self, Self::Rejection>;
}

/// Marks what is made from the head alone.
///
/// ```
/// use armature_core::{Method, extract::{FromRequest, ViaBody, ViaHead}};
///
/// fn from_head<T: FromRequest<(), ViaHead>>() {}
/// fn from_body<T: FromRequest<(), ViaBody>>() {}
///
/// from_head::<Method>();
/// from_body::<String>();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ViaHead;

/// Marks what takes the body.
///
/// ```
/// use armature_core::{Json, extract::{FromRequest, ViaBody}};
///
/// fn from_body<T: FromRequest<(), ViaBody>>() {}
///
/// from_body::<Json<Vec<u32>>>();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ViaBody;

/// Made from a whole request; the last argument of a handler.
///
/// `Via` is [`ViaBody`] for extractors that take the body; everything that is made from the head is also made from a
/// whole request, [`ViaHead`].
///
/// ```
/// use armature_core::{extract::{FromRequest, Rejection, ViaBody}, service::Request, StatusCode};
///
/// /// A body of lines.
/// struct Lines(Vec<String>);
///
/// impl<S> FromRequest<S, ViaBody> for Lines {
///     type Rejection = Rejection;
///
///     fn from_request(
///         request: Request<'_>,
///         _: &S,
///     ) -> impl Future<Output = Result<Self, Rejection>> + 'static + use<S> {
///         let body = request.body;
///         async move {
///             let text = String::from_utf8(body.collect().await?.into());
///             let text = text.map_err(|error| Rejection::new(StatusCode::BAD_REQUEST, "no text").because(error))?;
///             Ok(Self(text.lines().map(str::to_owned).collect()))
///         }
///     }
/// }
///
/// async fn count(Lines(lines): Lines) -> String {
///     lines.len().to_string()
/// }
/// # let _: armature_core::Router = armature_core::Router::new().route("/", armature_core::post(count));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be extracted from a request",
    label = "not an extractor",
    note = "`Json<T>` and `Form<T>` are extractors where `T: serde::Deserialize`, and may take the body as the last argument only"
)]
pub trait FromRequest<S, Via>: Sized {
    /// What is answered when it cannot be made.
    type Rejection: IntoResponse;

    /// Begins to make it. What is needed of the head is taken during this call; the future owns all that it needs.
    ///
    /// # Errors
    /// The rejection, which answers the request.
    fn from_request(
        request: Request<'_>,
        state: &S,
    ) -> impl Future<Output = Result<Self, Self::Rejection>> + 'static + use<Self, S, Via>;
}

impl<S, T: FromHead<S> + 'static> FromRequest<S, ViaHead> for T
where
    T::Rejection: 'static,
{
    type Rejection = T::Rejection;

    #[inline]
    fn from_request(
        request: Request<'_>,
        state: &S,
    ) -> impl Future<Output = Result<Self, Self::Rejection>> + 'static + use<S, T> {
        let made: Ready<Result<T, T::Rejection>> = ready(T::from_head(&request.head, state));
        made
    }
}
