//! What becomes a response without further ado, and redirects.

use std::borrow::Cow;

use armature_core::{
    IntoResponse, Redirect, Response, Router, StatusCode, get,
    respond::{BadTarget, NoContent},
};
use bytes::Bytes;

use crate::server::Running;

/// Built when the program is.
const GONE: Response = Response::status(StatusCode::GONE);

#[test]
fn what_handlers_return_is_answered() {
    let routes = || {
        Router::new()
            .route("/unit", get(async || ()))
            .route("/text", get(async || "a"))
            .route("/string", get(async || String::from("a")))
            .route("/boxed", get(async || Box::<str>::from("a")))
            .route("/cow", get(async || Cow::Borrowed("a")))
            .route("/own-cow", get(async || Cow::<str>::Owned("a".into())))
            .route("/array", get(async || b"a"))
            .route("/vec", get(async || vec![b'a']))
            .route("/cow-bytes", get(async || Cow::<[u8]>::Owned(vec![b'a'])))
            .route("/bytes", get(async || Bytes::from_static(b"a")))
            .route("/some", get(async || Some("a")))
            .route("/none", get(async || None::<&str>))
            .route("/no-content", get(async || NoContent))
            .route("/constant", get(async || GONE))
            .route("/bad-target", get(async || Redirect::found("/a\r\nSet-Cookie: b=c")))
    };
    let server = Running::start(routes);
    let (text, bytes) = (Some("text/plain; charset=utf-8"), Some("application/octet-stream"));
    for (path, status, media_type, body) in [
        ("/unit", 200, None, ""),
        ("/text", 200, text, "a"),
        ("/string", 200, text, "a"),
        ("/boxed", 200, text, "a"),
        ("/cow", 200, text, "a"),
        ("/own-cow", 200, text, "a"),
        ("/array", 200, bytes, "a"),
        ("/vec", 200, bytes, "a"),
        ("/cow-bytes", 200, bytes, "a"),
        ("/bytes", 200, bytes, "a"),
        ("/some", 200, text, "a"),
        ("/none", 404, None, ""),
        ("/no-content", 204, None, ""),
        ("/constant", 410, None, ""),
        ("/bad-target", 500, text, "the server has failed"),
    ] {
        let answer = server.ask("GET", path, "");
        let got = (answer.status, answer.header("content-type"), answer.body.as_slice());
        assert_eq!(got, (status, media_type, body.as_bytes()), "{path}");
    }
}

#[test]
fn redirects_say_where_to_go_in_characters_of_a_uri() {
    type Make = fn(&'static str) -> Result<Redirect, BadTarget>;
    let kinds: [(Make, u16); 5] = [
        (|target| Redirect::moved_permanently(target), 301),
        (|target| Redirect::found(target), 302),
        (|target| Redirect::see_other(target), 303),
        (|target| Redirect::temporary(target), 307),
        (|target| Redirect::permanent(target), 308),
    ];
    for (make, status) in kinds {
        for (target, location) in [
            ("/", Some("/")),
            ("", Some("")),
            ("https://example.com:1/a?b=c&d#e", Some("https://example.com:1/a?b=c&d#e")),
            ("/a b", Some("/a%20b")),
            ("/a%20b", Some("/a%20b")),
            ("/\u{e4}\u{20ac}", Some("/%C3%A4%E2%82%AC")),
            ("/\\evil.example", Some("/%5Cevil.example")),
            ("/<\"`{|}^>", Some("/%3C%22%60%7B%7C%7D%5E%3E")),
            ("/a\r\nb: c", None),
            ("/\n", None),
            ("/\0", None),
            ("/\t", None),
            ("/\u{7f}", None),
        ] {
            let response = make(target).map(IntoResponse::into_response);
            let got = response.as_ref().ok().map(|response| response.header(&armature_core::http::header::LOCATION));
            assert_eq!(got, location.map(|location| Some(location.as_bytes())), "{target:?}");
            assert!(response.is_ok_and(|response| response.status_code() == status) == location.is_some());
        }
    }
}
