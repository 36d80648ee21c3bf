//! The handlers of accounts and notes.

use actix_web::{
    HttpResponse,
    http::header::{LINK, LOCATION},
    web::{Data, Json, Path},
};
use rest_service::{Draft, Login, Note, Notes, Page, Session};

use crate::{problem::Failure, query::Query};

type Result<T> = std::result::Result<T, Failure>;

pub(crate) async fn login(store: Data<Notes>, login: Json<Login>) -> Result<Json<Session>> {
    Ok(Json(store.login(&login)?))
}

pub(crate) async fn list(store: Data<Notes>, page: Query<Page>) -> Result<HttpResponse> {
    let listing = store.list(page.0.check()?);
    let mut response = HttpResponse::Ok();
    if let Some(link) = listing.link() {
        response.insert_header((LINK, link));
    }
    Ok(response.json(listing))
}

pub(crate) async fn create(store: Data<Notes>, draft: Json<Draft>) -> Result<HttpResponse> {
    let note = store.create(draft.into_inner().check()?);
    let location = format!("/api/notes/{}", note.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(note))
}

pub(crate) async fn read(store: Data<Notes>, id: Path<u64>) -> Result<Json<Note>> {
    Ok(Json(store.read(*id)?))
}

pub(crate) async fn replace(store: Data<Notes>, id: Path<u64>, draft: Json<Draft>) -> Result<Json<Note>> {
    Ok(Json(store.replace(*id, draft.into_inner().check()?)?))
}

pub(crate) async fn delete(store: Data<Notes>, id: Path<u64>) -> Result<HttpResponse> {
    store.delete(*id)?;
    Ok(HttpResponse::NoContent().finish())
}
