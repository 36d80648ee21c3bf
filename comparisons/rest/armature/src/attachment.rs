//! Uploads and downloads.

use armature_core::{
    IntoResponse, Response, State, StatusCode,
    extract::{Multipart, TypedHeader},
    headers::{ETag, IfNoneMatch},
    http::header::CONTENT_TYPE,
};
use rest_service::{ATTACHMENT_BYTES_MAX, Attachment, Problem};

use crate::{
    notes::Store,
    problem::{Id, Result},
};

/// A form with the largest attachment, its boundaries and a few fields more.
pub(crate) const FORM_BYTES_MAX: u64 = ATTACHMENT_BYTES_MAX as u64 + 64 * 1024;

pub(crate) async fn upload(State(store): Store, Id(id): Id, mut form: Multipart) -> Result<StatusCode> {
    store.read(id)?;
    while let Some(mut part) = form.part().await? {
        if part.name() == "file" {
            let media_type = part.content_type().unwrap_or("application/octet-stream").to_owned();
            let content = part.bytes(ATTACHMENT_BYTES_MAX).await?;
            store.attach(id, Attachment::new(media_type, content))?;
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(Problem::field("file", "is missing").into())
}

pub(crate) async fn download(
    State(store): Store,
    Id(id): Id,
    if_none_match: Option<TypedHeader<IfNoneMatch>>,
) -> Result<Response> {
    let attachment = store.attachment(id)?;
    let etag: ETag = attachment.etag.parse().expect("hexadecimal digits in quotes");
    if if_none_match.is_some_and(|TypedHeader(field)| !field.precondition_passes(&etag)) {
        return Ok((StatusCode::NOT_MODIFIED, TypedHeader(etag), ()).into_response());
    }
    let media_type = attachment.media_type;
    Ok((TypedHeader(etag), [(CONTENT_TYPE, media_type)], attachment.content).into_response())
}
