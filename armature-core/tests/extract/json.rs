//! JSON bodies. The same table holds with the feature `simd-json` and without.

use armature_core::{Json, Router, post};
use serde::{Deserialize, Serialize};

use crate::{Answer, serve};

#[derive(Serialize, Deserialize)]
struct User {
    name: String,
    age: u8,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    points: Vec<Point>,
}

#[derive(Serialize, Deserialize)]
struct Point {
    x: f64,
    y: i64,
}

/// A type that recurses as deep as its text.
#[derive(Serialize, Deserialize)]
struct Nest(Vec<Self>);

async fn maybe(user: Option<Json<User>>) -> String {
    format!("{:?}", user.map(|Json(user)| user.name))
}

fn app() -> Router {
    Router::new()
        .route("/user", post(async |user: Json<User>| user).body_bytes_max(100_000))
        .route("/value", post(async |value: Json<serde_json::Value>| value))
        .route("/nest", post(async |nest: Json<Nest>| nest))
        .route("/raw", post(async |Json(raw): Json<Box<serde_json::value::RawValue>>| raw.get().to_owned()))
        .route("/maybe", post(maybe))
}

const JSON: &str = "application/json";
const NO_JSON: &str = "a body of type application/json is expected";

/// Target, content type, body, status, text.
type Case<'a> = (&'a str, &'a str, &'a str, u16, &'a str);

/// Checks each case with the body whole and in two pieces, since a body in pieces is put together in memory of its own.
fn check(cases: &[Case<'_>]) {
    let address = serve(app);
    for (target, content_type, body, status, text) in cases {
        let head = crate::post_head(target, content_type, body.len());
        let (first, second) = body.as_bytes().split_at(body.len() / 2);
        for pieces in [&[head.as_bytes(), body.as_bytes()][..], &[head.as_bytes(), first, second]] {
            let Answer { status: seen, body: answered, .. } = crate::exchange(address, pieces);
            let shown: String = body.chars().take(200).collect();
            assert_eq!((seen, &*answered), (*status, *text), "{target} {content_type} {shown}");
        }
    }
}

#[test]
fn content_types_of_json() {
    let user = r#"{"name":"a","age":1}"#;
    check(&[
        ("/user", JSON, user, 200, user),
        ("/user", "Application/JSON; charset=utf-8", user, 200, user),
        ("/user", "application/problem+json", user, 200, user),
        ("/user", "application/jsonp", user, 415, NO_JSON),
        ("/user", "application/+json", user, 415, NO_JSON),
        ("/user", "text/json", user, 415, NO_JSON),
        ("/user", "application", user, 415, NO_JSON),
        ("/user", "", user, 415, NO_JSON),
        ("/user", "", "", 415, NO_JSON),
        ("/maybe", "", "", 200, "None"),
        ("/maybe", JSON, user, 200, "Some(\"a\")"),
        ("/maybe", JSON, "", 400, "the body is not JSON: EOF while parsing a value at line 1 column 0"),
        ("/maybe", "", user, 415, NO_JSON),
    ]);
}

#[test]
fn json_of_the_wrong_text_or_shape() {
    let large = format!(r#"{{"name":"{}","age":1}}"#, "x".repeat(100_000));
    check(&[
        ("/user", JSON, "", 400, "the body is not JSON: EOF while parsing a value at line 1 column 0"),
        ("/user", JSON, " {\n\"name\": }", 400, "the body is not JSON: expected value at line 2 column 9"),
        (
            "/user",
            JSON,
            "{\"name\":\"a\n\"}",
            400,
            "the body is not JSON: control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0",
        ),
        ("/user", JSON, r#"{"name":"a","age":1,}"#, 400, "the body is not JSON: trailing comma at line 1 column 21"),
        (
            "/user",
            JSON,
            r#"{"name":"a","age":1} x"#,
            400,
            "the body is not JSON: trailing characters at line 1 column 22",
        ),
        ("/user", JSON, r#"{"name":"a\"#, 400, "the body is not JSON: EOF while parsing a string at line 1 column 11"),
        ("/user", JSON, r#"{"name":"\q"}"#, 400, "the body is not JSON: invalid escape at line 1 column 11"),
        ("/user", JSON, r#"{"name":"a","age":01}"#, 400, "the body is not JSON: invalid number at line 1 column 20"),
        ("/value", JSON, "[1e999]", 400, "the body is not JSON: number out of range at line 1 column 6"),
        (
            "/user",
            JSON,
            "[]",
            422,
            "the JSON body does not fit: invalid length 0, expected struct User with 3 elements at line 1 column 2",
        ),
        ("/user", JSON, r#"{"name":"a"}"#, 422, "the JSON body does not fit: missing field `age` at line 1 column 12"),
        (
            "/user",
            JSON,
            r#"{"name":"\u0061","age":256}"#,
            422,
            "the JSON body does not fit: `age`: invalid value: integer `256`, expected u8 at line 1 column 26",
        ),
        (
            "/user",
            JSON,
            r#"{"name":"a","age":1,"age":2}"#,
            422,
            "the JSON body does not fit: duplicate field `age` at line 1 column 25",
        ),
        (
            "/user",
            JSON,
            "{\"name\":\"a\",\"age\":1,\n\"points\":[{\"x\":1,\"y\":2},{\"x\":1,\"y\":\"2\"}]}",
            422,
            "the JSON body does not fit: `points[1].y`: invalid type: string \"2\", expected i64 at line 2 column 38",
        ),
        ("/user", JSON, &large, 413, "the request body is too large"),
    ]);
}

#[test]
fn json_is_read_alike_with_either_reader() {
    let user = |number: &str| {
        format!(r#"{{"name":"2024-01-01","age":1,"points":[{{"x":{number},"y":-9223372036854775808}}]}}"#)
    };
    let same = [
        r#"{"name":"é\ud83d\ude00".."#.replace("..", r#","age":0}"#),
        user("0.1"),
        user("5e-324"),
        user("1.7976931348623157e308"),
        user("3.141592653589793"),
        user("-0.0"),
    ];
    let read = [
        "{\"name\":\"é\u{1f600}\",\"age\":0}".to_owned(),
        user("0.1"),
        user("5e-324"),
        user("1.7976931348623157e+308"),
        user("3.141592653589793"),
        user("-0.0"),
    ];
    for (body, text) in same.iter().zip(&read) {
        check(&[("/user", JSON, body, 200, text)]);
    }
    check(&[
        ("/value", JSON, "[-0, 18446744073709551616,\t1E2]", 200, "[-0.0,1.8446744073709552e+19,100.0]"),
        (
            "/user",
            JSON,
            r#"{"name":"a","age":-0}"#,
            422,
            "the JSON body does not fit: `age`: invalid type: floating point `-0.0`, expected u8 at line 1 column 20",
        ),
        ("/value", JSON, r#"{"a":1,"a":2}"#, 200, r#"{"a":2}"#),
        ("/value", JSON, r#""\ud800""#, 400, "the body is not JSON: unexpected end of hex escape at line 1 column 8"),
        ("/raw", JSON, r#"[1, {"a": "\n"}]"#, 200, r#"[1, {"a": "\n"}]"#),
    ]);
}

#[test]
fn json_nested_ten_thousand_levels_deep_is_refused_or_passed_over() {
    let nest = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let (deep, limit) = (nest(10_000), nest(127));
    let objects = "{\"a\":".repeat(10_000) + "1" + &"}".repeat(10_000);
    let passed_over = format!(r#"{{"name":"a","other":{deep},"age":1}}"#);
    let too_deep = "the body is not JSON: recursion limit exceeded at line 1 column 128";
    check(&[
        ("/value", JSON, &deep, 400, too_deep),
        ("/nest", JSON, &deep, 400, too_deep),
        ("/value", JSON, &objects, 400, "the body is not JSON: recursion limit exceeded at line 1 column 636"),
        ("/value", JSON, &"[".repeat(10_000), 400, too_deep),
        ("/value", JSON, &limit, 200, &limit),
        ("/nest", JSON, &nest(128), 400, too_deep),
        ("/user", JSON, &passed_over, 200, r#"{"name":"a","age":1}"#),
    ]);
}
