//! Request ids and the fields that have browsers be careful.

use armature_core::{
    Router,
    extract::Extension,
    get,
    http::{HeaderName, HeaderValue, header},
    middleware::{RequestId, SecurityHeaders, SetRequestId},
};

use crate::server::{Running, text};

async fn waits(Extension(id): Extension<RequestId>) -> String {
    tokio::task::yield_now().await;
    id.to_string()
}

async fn own() -> ([(HeaderName, HeaderValue); 1], &'static str) {
    ([(HeaderName::from_static("x-request-id"), HeaderValue::from_static("own"))], "own")
}

#[test]
fn ids_are_taken_if_well_formed_and_made_otherwise() {
    let server = Running::start(|| {
        Router::new()
            .route("/", get(async |Extension(id): Extension<RequestId>| id.to_string()))
            .route("/waits", get(waits))
            .route("/own", get(own))
            .layer(SetRequestId::new())
            .route("/trace", get(waits).layer(SetRequestId::new().in_field(HeaderName::from_static("x-trace"))))
    });
    let mut client = server.connect();
    let longest = "a".repeat(72);
    let too_long = "a".repeat(73);
    let cases = [
        ("abc-DEF_1.2~3+/=:@", true),
        (longest.as_str(), true),
        (too_long.as_str(), false),
        ("", false),
        ("a b", false),
        ("a\"b", false),
        ("a\u{e9}", false),
    ];
    let mut made = std::collections::HashSet::new();
    for (given, is_taken) in cases {
        for path in ["/", "/waits", "/other"] {
            let answer = client.ask(&format!("GET {path}"), &[("X-Request-ID", given)], "");
            let id = answer.header("x-request-id").unwrap().to_owned();
            assert_eq!(id == given, is_taken, "{given:?}: {id}");
            if !is_taken {
                assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
                assert!(made.insert(id.clone()), "{id} came twice");
            }
            if path != "/other" {
                assert_eq!(text(&answer), id);
            }
        }
    }
    let own = client.ask("GET /own", &[("X-Request-Id", "given")], "");
    assert_eq!((own.header("x-request-id"), text(&own)), (Some("given"), "own"));
    let traced = client.ask("GET /trace", &[("X-Trace", "given")], "");
    assert_eq!(
        (traced.header("x-trace"), traced.header("x-request-id"), text(&traced)),
        (Some("given"), None, "given")
    );
}

#[test]
fn careful_fields_are_added_where_a_handler_says_nothing() {
    let frames = || ([(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"))], "framed");
    let server = Running::start(move || {
        let custom = SecurityHeaders::new()
            .with(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
            .with(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'self'"))
            .without(&header::X_FRAME_OPTIONS);
        Router::new()
            .route("/", get(async || "default"))
            .route("/framed", get(move || std::future::ready(frames())))
            .layer(SecurityHeaders::new())
            .route("/custom", get(async || "custom").layer(custom))
    });
    let default = [
        ("x-content-type-options", Some("nosniff")),
        ("x-frame-options", Some("DENY")),
        ("referrer-policy", Some("strict-origin-when-cross-origin")),
        ("cross-origin-opener-policy", Some("same-origin")),
        ("cross-origin-resource-policy", Some("same-origin")),
        ("content-security-policy", None),
    ];
    let with = |changed: &[(&'static str, Option<&'static str>)]| {
        let change =
            |(name, value)| (name, changed.iter().find(|(other, _)| *other == name).map_or(value, |(_, new)| *new));
        default.map(change)
    };
    let csp = ("content-security-policy", Some("default-src 'self'"));
    let custom = with(&[("referrer-policy", Some("no-referrer")), ("x-frame-options", None), csp]);
    let cases = [
        ("/", default),
        ("/other", default),
        ("/framed", with(&[("x-frame-options", Some("SAMEORIGIN"))])),
        ("/custom", custom),
    ];
    for (path, expected) in cases {
        let answer = server.ask(&format!("GET {path}"), &[], "");
        for (name, value) in expected {
            assert_eq!(answer.header(name), value, "{path} {name}");
        }
    }
}
