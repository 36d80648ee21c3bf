//! The REST service with actix-web: `rest-actix --listen 127.0.0.1:8080`.
//!
//! Read next: `routes.rs` (what is where, and the configuration of extractors), `around.rs` (the middleware), `notes.rs`
//! (the handlers), `problem.rs` (errors).

mod around;
mod attachment;
mod notes;
mod problem;
mod query;
mod routes;

use actix_web::{
    App, HttpServer,
    http::StatusCode,
    middleware::{ErrorHandlers, from_fn},
    rt, web,
};
use anyhow::Context;
use probe::Control;
use rest_service::{Notes, Options};

/// How long an idle connection may hold up the end, in seconds; less than the lab's 10.
const DRAIN_SECONDS: u64 = 5;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::from_env("rest-actix");
    let (address, timeout) = (options.server.listen, options.timeout);
    let store = web::Data::new(Notes::default());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(store.clone())
            .app_data(web::Data::new(around::Timeout(timeout)))
            .configure(routes::routes)
            .wrap(ErrorHandlers::new().handler(StatusCode::METHOD_NOT_ALLOWED, around::explain_method))
            .wrap(from_fn(around::give_up_in_time))
            .wrap(from_fn(around::request_id))
    })
    .workers(options.server.workers)
    .shutdown_timeout(DRAIN_SECONDS)
    .disable_signals()
    .bind(address)
    .with_context(|| format!("cannot listen on {address}"))?;
    let address = *server.addrs().first().context("actix bound no address")?;
    let server = server.run();
    let handle = server.handle();
    let serving = rt::spawn(server);
    Control::start(&options.server, "actix", address, &["actix-web", "actix-multipart"], move || {
        // The order is given when `stop` is called; the future only waits for the end, which `serving` does too.
        drop(handle.stop(true));
    })?;
    Ok(serving.await??)
}
