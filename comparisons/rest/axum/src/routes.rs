//! What is where, and what happens around every handler.

use std::{sync::Arc, time::Duration};

use axum::{
    BoxError, Router,
    error_handling::HandleErrorLayer,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{get, post, put},
};
use axum_extra::{
    TypedHeader,
    headers::{Authorization, authorization::Bearer},
    typed_header::TypedHeaderRejection,
};
use rest_service::{JSON_BYTES_MAX, Notes, Problem};
use tower::{ServiceBuilder, timeout::TimeoutLayer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

use crate::{
    attachment, notes,
    problem::{Failure, Result},
};

/// The whole service.
pub(crate) fn router(timeout: Duration) -> Router {
    let store = Arc::new(Notes::default());
    let api = Router::new()
        .route("/notes", get(notes::list).post(notes::create))
        .route("/notes/{id}", get(notes::read).put(notes::replace).delete(notes::delete))
        .route(
            "/notes/{id}/attachment",
            put(attachment::upload).get(attachment::download).layer(DefaultBodyLimit::max(attachment::FORM_BYTES_MAX)),
        )
        .route_layer(middleware::from_fn_with_state(Arc::clone(&store), require_token));
    Router::new()
        .route("/login", post(notes::login))
        .nest("/api", api)
        .fallback(async || Failure(Problem::not_found()))
        .method_not_allowed_fallback(async || Failure(Problem::method_not_allowed()))
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .layer(
            ServiceBuilder::new()
                .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
                .layer(PropagateRequestIdLayer::x_request_id())
                .layer(HandleErrorLayer::new(async |_: BoxError| Failure(Problem::timeout())))
                .layer(TimeoutLayer::new(timeout)),
        )
        .with_state(store)
}

/// Lets nobody pass without a token, and sends what the field holds otherwise the same answer as if it were absent.
async fn require_token(
    State(store): State<Arc<Notes>>,
    bearer: std::result::Result<TypedHeader<Authorization<Bearer>>, TypedHeaderRejection>,
    request: Request,
    next: Next,
) -> Result<Response> {
    store.admit(bearer.as_ref().ok().map(|TypedHeader(field)| field.token()))?;
    Ok(next.run(request).await)
}
