//! A client of armature without a socket: armature's own, which drives the connection that servers use.
//!
//! What is measured with it begins with the bytes of a request and ends with those of the response, head and all.

use std::{cell::RefCell, rc::Rc};

use armature_core::{Router, test::TestClient};

use crate::exchange::{Exchange, LAYER};

/// An application, and the connection to it.
pub(super) struct Client {
    client: TestClient,
    received: Received,
}

/// The bytes of the last response; the next one writes over them.
pub(super) type Received = Rc<RefCell<Vec<u8>>>;

impl Client {
    pub(super) fn new(router: Router) -> Self {
        let client = TestClient::in_process(router).expect("patterns do not conflict");
        Self { client, received: Received::default() }
    }

    /// From the bytes of a request to those of the response.
    pub(super) fn send(&mut self, exchange: &Exchange) -> Received {
        let mut received = self.received.borrow_mut();
        received.clear();
        self.client.exchange(&exchange.bytes, &mut received).expect("the connection is kept");
        drop(received);
        Rc::clone(&self.received)
    }
}

/// Whether the response is the right one.
pub(super) fn check(exchange: &Exchange, received: &Received) -> Result<(), String> {
    let received = received.borrow();
    let text = String::from_utf8_lossy(&received);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("no head in {text:?}"))?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    let layers = head.matches(&format!("\r\n{}: {}", LAYER.0, LAYER.1)).count();
    exchange.check(status, body.as_bytes(), layers)
}
