//! What is where, and what happens around every handler.

use std::{sync::Arc, time::Duration};

use armature_core::{
    Response, Router, StatusCode,
    extract::{FromHead, TypedHeader},
    get,
    headers::{Authorization, authorization::Bearer},
    middleware::{Hooks, SetRequestId, Timeout},
    post, put,
    respond::IntoResponse,
    service::Request,
};
use rest_service::Notes;

use crate::{
    attachment, notes,
    problem::{Failure, Problems},
};

/// The whole service, for one worker.
pub(crate) fn router(store: Arc<Notes>, timeout: Duration) -> Router {
    Router::new()
        .route("/login", post(notes::login))
        .group("/api", |api| {
            api.route("/notes", get(notes::list).post(notes::create))
                .route("/notes/{id}", get(notes::read).put(notes::replace).delete(notes::delete))
                .route(
                    "/notes/{id}/attachment",
                    put(attachment::upload).body_bytes_max(attachment::FORM_BYTES_MAX).get(attachment::download),
                )
                .layer(RequireToken(Arc::clone(&store)))
        })
        .layer((SetRequestId::new(), Problems, Timeout::new(timeout).with_status(StatusCode::REQUEST_TIMEOUT)))
        .with_state(store)
}

/// Lets nobody pass without a token, and sends what the field holds otherwise the same answer as if it were absent.
#[derive(Clone)]
struct RequireToken(Arc<Notes>);

impl Hooks for RequireToken {
    type Kept = ();

    fn before(&self, request: &mut Request<'_>) -> Result<(), Response> {
        let bearer = TypedHeader::<Authorization<Bearer>>::from_head(&request.head, &()).ok();
        let token = bearer.as_ref().map(|TypedHeader(field)| field.token());
        self.0.admit(token).map_err(|problem| Failure::from(problem).into_response())
    }
}
