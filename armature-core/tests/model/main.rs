//! The programming model as a program sees it: routers, middleware, failures, and what a handler learns of its connection.
//!
//! Everything runs in process and over a socket, with the client that programs test themselves with; `connection.rs` needs
//! sockets of its own.

mod connection;
mod failure;
mod layer;
mod routing;

use armature_core::{IntoService, Method, test::TestClient};

/// Checks answers at both doors: `METHOD target` to `status body`.
fn check<A: IntoService + 'static>(app: fn() -> A, cases: &[(&str, u16, &str)]) {
    for mut client in both(app) {
        for (request, status, body) in cases {
            let (method, target) = request.split_once(' ').unwrap();
            let answer = client.request(Method::from_token(method), target).send().unwrap();
            assert_eq!((answer.status().as_u16(), answer.text()), (*status, *body), "{request} {client:?}");
        }
    }
}

/// A client in process and one over a socket.
fn both<A: IntoService + 'static>(app: fn() -> A) -> [TestClient; 2] {
    [TestClient::in_process(app()).unwrap(), TestClient::over_socket(move |_| app()).unwrap()]
}
