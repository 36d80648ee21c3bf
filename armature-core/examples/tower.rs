//! Tower both ways: `cargo run -p armature-core --example tower -- 127.0.0.1:8080 .` serves the folder's files by a service of
//! tower-http, under layers of tower and tower-http that are middleware here.

use std::time::Duration;

use armature_core::{
    Error, Router, Server, StatusCode, get,
    tower::{from_tower, from_tower_layer},
};
use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer};
use tower_http::{compression::CompressionLayer, services::ServeDir, timeout::TimeoutLayer};

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let folder = arguments.next().unwrap_or_else(|| ".".into());
    let server = Server::bind(address)?.workers(1).drain_on_signals()?;
    println!("{}", server.local_addr());
    server.serve(move |_| {
        // A layer is put around each route by itself; one that is global shares its limit among them.
        let layers = ServiceBuilder::new()
            .layer(CompressionLayer::new())
            .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(10)))
            .layer(GlobalConcurrencyLimitLayer::new(64));
        Router::new()
            .route("/", get(async || "files are in /files/"))
            .route_service("/files/{*path}", from_tower(ServeDir::new(&folder)).below_route())
            .layer(from_tower_layer(layers))
    })
}
