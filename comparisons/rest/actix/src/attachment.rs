//! Uploads and downloads.

use actix_multipart::form::{MultipartForm, bytes::Bytes};
use actix_web::{
    Error, HttpResponse,
    http::header::{ETAG, EntityTag, IfNoneMatch},
    web::{Data, Header, Path},
};
use rest_service::{Attachment, Notes};

use crate::problem::{self, Failure};

#[derive(MultipartForm)]
pub(crate) struct Upload {
    #[multipart(limit = "1MiB")]
    file: Bytes,
}

pub(crate) async fn upload(
    store: Data<Notes>,
    id: Path<u64>,
    form: Result<MultipartForm<Upload>, Error>,
) -> Result<HttpResponse, Failure> {
    let MultipartForm(Upload { file }) = form.map_err(|error| problem::of_form(&error))?;
    let media_type = file.content_type.map_or_else(|| "application/octet-stream".to_owned(), |it| it.to_string());
    store.attach(*id, Attachment::new(media_type, file.data))?;
    Ok(HttpResponse::NoContent().finish())
}

pub(crate) async fn download(
    store: Data<Notes>,
    id: Path<u64>,
    if_none_match: Option<Header<IfNoneMatch>>,
) -> Result<HttpResponse, Failure> {
    let attachment = store.attachment(*id)?;
    let etag: EntityTag = attachment.etag.parse().expect("hexadecimal digits in quotes");
    let is_known = match if_none_match.map(Header::into_inner) {
        Some(IfNoneMatch::Any) => true,
        Some(IfNoneMatch::Items(items)) => items.iter().any(|item| item.weak_eq(&etag)),
        None => false,
    };
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, etag));
    Ok(if is_known { response.finish() } else { response.content_type(attachment.media_type).body(attachment.content) })
}
