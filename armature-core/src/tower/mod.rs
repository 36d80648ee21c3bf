//! Tower and the `http` crate: services of tower answer routes, layers of tower are middleware, and a router is a service of
//! tower that another server may serve.
//!
//! Nothing of this is on the way of a request unless a program puts it there. What crosses is written anew: a foreign request's
//! head becomes the text that it would be in HTTP/1.1 and is parsed by the one set of rules in `../h1/`. Read next:
//! `message.rs` (requests and responses), `body.rs`, `serve.rs` (services and layers of tower here), `export.rs` (services of
//! this crate in tower), `relay.rs` (bodies that cross threads), `passage.rs` (what gets past a layer).

mod body;
mod export;
mod message;
mod passage;
mod relay;
mod serve;

pub use export::{Answering, TowerService, into_tower};
pub use relay::SendBody;
pub use serve::{FromTower, FromTowerLayer, Served, from_tower, from_tower_layer};

#[cfg(feature = "http2")]
pub(crate) use message::{refused, request_from, without_body};
