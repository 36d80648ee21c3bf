//! Bodies: forms, text, bytes and the stream of them.

use std::collections::BTreeMap;

use armature_core::{
    RequestBody, Router,
    extract::{Form, Rejection},
    post,
};
use bytes::Bytes;
use serde::Deserialize;

use crate::{exchange, post_head, serve};

#[derive(Debug, Deserialize)]
struct Order {
    article: u32,
    #[serde(default)]
    option: Vec<String>,
}

async fn order(Form(order): Form<Order>) -> String {
    format!("{} {:?}", order.article, order.option)
}

async fn sums(Form(fields): Form<BTreeMap<String, Vec<u64>>>) -> String {
    let values = fields.values().flatten();
    format!("{} names, {} values, {}", fields.len(), values.clone().count(), values.sum::<u64>())
}

async fn maybe(form: Option<Form<Order>>) -> String {
    format!("{:?}", form.map(|Form(order)| order.article))
}

async fn or_reason(form: Result<Form<Order>, Rejection>) -> String {
    form.map_or_else(
        |rejection| format!("{}: {rejection}", rejection.status().as_u16()),
        |Form(order)| order.article.to_string(),
    )
}

async fn length(mut body: RequestBody) -> Result<String, Rejection> {
    let mut length = 0;
    while let Some(piece) = body.piece().await? {
        length += piece.len();
    }
    Ok(length.to_string())
}

fn app() -> Router {
    Router::new()
        .route("/order", post(order).body_bytes_max(1_000))
        .route("/sums", post(sums))
        .route("/maybe", post(maybe))
        .route("/or-reason", post(or_reason).body_bytes_max(100))
        .route("/text", post(async |text: String| text))
        .route("/maybe-text", post(async |text: Result<String, Rejection>| text.is_ok().to_string()))
        .route("/bytes", post(async |bytes: Bytes| bytes.len().to_string()))
        .route("/length", post(length))
}

const FORM: &str = "application/x-www-form-urlencoded";
const NO_FORM: &str = "a body of type application/x-www-form-urlencoded is expected";

#[test]
fn bodies_are_extracted_or_refused() {
    let address = serve(app);
    let large = "article=1&option=".to_owned() + &"x".repeat(1_000);
    let cases: &[(&str, &str, &str, u16, &str)] = &[
        ("/order", FORM, "article=7", 200, "7 []"),
        ("/order", "Application/X-WWW-Form-URLEncoded ; charset=utf-8", "article=7", 200, "7 []"),
        ("/order", FORM, "option=a+b&article=7&option=%26", 200, "7 [\"a b\", \"&\"]"),
        ("/order", FORM, "article=7&option=é", 200, "7 [\"é\"]"),
        ("/order", "", "article=7", 415, NO_FORM),
        ("/order", "", "", 415, NO_FORM),
        ("/order", "text/plain", "article=7", 415, NO_FORM),
        ("/order", "multipart/form-data; boundary=a", "article=7", 415, NO_FORM),
        ("/order", FORM, "", 400, "the form does not fit: missing field `article`"),
        (
            "/order",
            FORM,
            "article=x",
            400,
            "the form does not fit: `article`: invalid value: string \"x\", expected u32",
        ),
        (
            "/order",
            FORM,
            "article=1&article=2",
            400,
            "the form does not fit: `article`: it is there 2 times, one value is asked for",
        ),
        (
            "/order",
            FORM,
            "article=1&option=%4",
            400,
            "the form does not fit: `option`: the % at byte 1 is not followed by two hexadecimal digits",
        ),
        (
            "/order",
            FORM,
            "article=1&a=b&c%g=d",
            400,
            "the form does not fit: the name of field 3: the % at byte 2 is not followed by two hexadecimal digits",
        ),
        ("/order", FORM, &large, 413, "the request body is too large"),
        ("/maybe", "", "", 200, "None"),
        ("/maybe", FORM, "article=3", 200, "Some(3)"),
        (
            "/maybe",
            FORM,
            "article=x",
            400,
            "the form does not fit: `article`: invalid value: string \"x\", expected u32",
        ),
        ("/maybe", "", "article=3", 415, NO_FORM),
        ("/or-reason", FORM, "article=3", 200, "3"),
        ("/or-reason", "a/b", "article=3", 200, "415: a body of type application/x-www-form-urlencoded is expected"),
        (
            "/or-reason",
            FORM,
            "article",
            200,
            "400: the form does not fit: `article`: invalid value: string \"\", expected u32",
        ),
        ("/text", "", "é", 200, "é"),
        ("/bytes", "", "é", 200, "2"),
        ("/length", "", "abc", 200, "3"),
    ];
    for (target, content_type, body, status, text) in cases {
        let answer = crate::post(address, target, content_type, body.as_bytes());
        assert_eq!((answer.status, &*answer.body), (*status, *text), "{target} {content_type} {body}");
    }
    for (target, content_type, status, text) in [
        ("/order", FORM, 400, "the form does not fit: it is not UTF-8"),
        ("/text", "", 400, "the body is not UTF-8"),
        ("/maybe-text", "", 200, "false"),
    ] {
        let answer = crate::post(address, target, content_type, b"article=\xff");
        assert_eq!((answer.status, &*answer.body), (status, text), "{target}");
    }
}

#[test]
fn a_chunked_body_that_grows_too_large_is_the_handlers_to_answer() {
    let address = serve(app);
    let head = format!(
        "POST /or-reason HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    // More than arrives at once, so that the handler is asked before the length is known.
    let chunk = format!("{:x}\r\n{}\r\n", 1_000_000, "x".repeat(1_000_000));
    let answer = exchange(address, &[head.as_bytes(), chunk.as_bytes(), b"0\r\n\r\n"]);
    assert_eq!((answer.status, &*answer.body), (200, "413: the request body is too large"));
}

#[test]
fn ten_thousand_fields_of_a_form_are_read() {
    let address = serve(app);
    let distinct: Vec<_> = (0..10_000).map(|at| format!("name{at}={at}")).collect();
    let same: Vec<_> = (0..10_000).map(|at| format!("name={at}")).collect();
    for (fields, names) in [(distinct, 10_000), (same, 1)] {
        let body = fields.join("&");
        let answer = exchange(address, &[post_head("/sums", FORM, body.len()).as_bytes(), body.as_bytes()]);
        let expected = format!("{names} names, 10000 values, 49995000");
        assert_eq!((answer.status, &*answer.body), (200, &*expected));
    }
}
