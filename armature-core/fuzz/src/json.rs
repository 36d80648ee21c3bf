//! JSON bodies, to a handler of a server and back, against `serde_json` alone.
//!
//! Input: a JSON text. It is sent by length or chunked, in one piece or several.

use std::cell::RefCell;

use armature_core::{Json, respond::IntoResponse};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    cut,
    loopback::{self, Client, Shape},
};

thread_local! {
    static CLIENT: RefCell<Option<Client>> = const { RefCell::new(None) };
}

/// Sends the body to two handlers and compares what they make of it.
pub fn run(bytes: &[u8]) {
    if bytes.len() as u64 > loopback::limits().body_bytes_max {
        return;
    }
    check::<serde_json::Value>("/value", bytes, bytes.len().is_multiple_of(2));
    check::<Shape>("/shape", bytes, !bytes.len().is_multiple_of(2));
    assert_eq!(loopback::counters().handler_panics, 0);
}

fn check<T: DeserializeOwned + Serialize>(path: &str, json: &[u8], chunked: bool) {
    let mut message = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n").into_bytes();
    if chunked {
        message.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
        for piece in cut::pieces(json) {
            message.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            message.extend_from_slice(piece);
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(b"0\r\n\r\n");
    } else {
        message.extend_from_slice(format!("Content-Length: {}\r\n\r\n", json.len()).as_bytes());
        message.extend_from_slice(json);
    }
    let answer = CLIENT.with_borrow_mut(|client| {
        let client = client.get_or_insert_with(Client::connect);
        let (first, second) = message.split_at(message.len() - json.len() / 2);
        client.send(first);
        client.send(second);
        client.answer()
    });
    assert!(!answer.closes(), "{answer:?}");
    match serde_json::from_slice::<T>(json) {
        Ok(value) => {
            let written = serde_json::to_vec(&value).unwrap();
            assert_eq!((answer.status, &answer.body), (200, &written));
            assert_eq!(answer.field("content-type"), Some(&b"application/json"[..]));
            assert_eq!(Json(value).into_response().body().as_slice(), written);
        }
        Err(error) => assert_eq!(answer.status, if error.is_data() { 422 } else { 400 }, "{error}"),
    }
}
