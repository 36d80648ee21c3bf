//! Uploads and downloads.

use std::sync::Arc;

use axum::{
    extract::{
        Multipart, State,
        multipart::{Field, MultipartRejection},
    },
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use axum_extra::{
    TypedHeader,
    headers::{ETag, IfNoneMatch},
};
use bytes::BytesMut;
use rest_service::{ATTACHMENT_BYTES_MAX, Attachment, Notes, Problem};

use crate::problem::{Failure, Path, Result};

/// A form with the largest attachment, its boundaries and a few fields more.
pub(crate) const FORM_BYTES_MAX: usize = ATTACHMENT_BYTES_MAX + 64 * 1024;

pub(crate) async fn upload(
    State(store): State<Arc<Notes>>,
    Path(id): Path<u64>,
    form: std::result::Result<Multipart, MultipartRejection>,
) -> Result<StatusCode> {
    store.read(id)?;
    let mut form = form?;
    while let Some(field) = form.next_field().await? {
        if field.name() == Some("file") {
            store.attach(id, receive(field).await?)?;
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(Failure(Problem::field("file", "is missing")))
}

async fn receive(mut field: Field<'_>) -> Result<Attachment> {
    let media_type = field.content_type().unwrap_or("application/octet-stream").to_owned();
    let mut content = BytesMut::new();
    while let Some(chunk) = field.chunk().await? {
        if content.len() + chunk.len() > ATTACHMENT_BYTES_MAX {
            return Err(Failure(Problem::attachment_too_large()));
        }
        content.extend_from_slice(&chunk);
    }
    Ok(Attachment::new(media_type, content.freeze()))
}

pub(crate) async fn download(
    State(store): State<Arc<Notes>>,
    Path(id): Path<u64>,
    if_none_match: Option<TypedHeader<IfNoneMatch>>,
) -> Result<Response> {
    let attachment = store.attachment(id)?;
    let etag: ETag = attachment.etag.parse().expect("hexadecimal digits in quotes");
    if if_none_match.is_some_and(|TypedHeader(field)| !field.precondition_passes(&etag)) {
        return Ok((StatusCode::NOT_MODIFIED, TypedHeader(etag)).into_response());
    }
    Ok((TypedHeader(etag), [(CONTENT_TYPE, attachment.media_type)], attachment.content).into_response())
}
