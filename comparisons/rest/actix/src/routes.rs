//! What is where, and how extractors are configured.

use actix_web::{
    HttpResponse,
    web::{self, ServiceConfig},
};
use actix_web_httpauth::middleware::HttpAuthentication;
use rest_service::{JSON_BYTES_MAX, Problem};

use crate::{
    around::require_token,
    attachment, notes,
    problem::{self, Failure},
};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .app_data(web::JsonConfig::default().limit(JSON_BYTES_MAX).error_handler(problem::of_json))
        .app_data(web::PathConfig::default().error_handler(problem::of_path))
        .service(web::resource("/login").route(web::post().to(notes::login)))
        .service(
            web::scope("/api")
                .wrap(HttpAuthentication::with_fn(require_token))
                .service(
                    web::resource("/notes")
                        .route(web::get().to(notes::list))
                        .route(web::head().to(notes::list))
                        .route(web::post().to(notes::create)),
                )
                .service(
                    web::resource("/notes/{id}")
                        .route(web::get().to(notes::read))
                        .route(web::head().to(notes::read))
                        .route(web::put().to(notes::replace))
                        .route(web::delete().to(notes::delete)),
                )
                .service(
                    web::resource("/notes/{id}/attachment")
                        .route(web::get().to(attachment::download))
                        .route(web::head().to(attachment::download))
                        .route(web::put().to(attachment::upload)),
                ),
        )
        .default_service(web::to(async || Err::<HttpResponse, _>(Failure(Problem::not_found()))));
}
