//! CORS as the Fetch standard has it.

use std::time::Duration;

use armature_core::{
    Router, get,
    http::{HeaderName, header},
    middleware::Cors,
    put,
};

use crate::server::Running;

/// The fields that CORS is about, in this order: origin, credentials, methods, headers, exposed, age.
const FIELDS: [&str; 6] = [
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
];

fn app(cors: Cors) -> Router {
    Router::new().route("/", get(async || "read").put(async || "put")).route("/put", put(async || "put")).layer(cors)
}

/// What a simple request and a preflight request from `origin` are told: the fields above, and all lines of Vary.
fn check(cors: fn() -> Cors, origin: &str, simple: [&str; 7], preflight: [&str; 7]) {
    let server = Running::start(move || app(cors()));
    let asks = [
        (header::ORIGIN.as_str(), origin),
        ("Access-Control-Request-Method", "PUT"),
        ("Access-Control-Request-Headers", "x-a"),
    ];
    let cases = [
        ("GET /", &asks[..1], 200, simple),
        ("PUT /other", &asks[..1], 404, simple),
        ("OPTIONS /put", &asks[..], 204, preflight),
    ];
    for (line, fields, status, expected) in cases {
        let answer = server.ask(line, fields, "");
        let vary: Vec<_> =
            answer.headers.iter().filter(|(name, _)| name == "vary").map(|(_, value)| value.as_str()).collect();
        let vary = vary.join(",");
        let mut got = FIELDS.map(|name| answer.header(name).unwrap_or("-")).to_vec();
        got.push(if vary.is_empty() { "-" } else { &vary });
        assert_eq!((answer.status, got), (status, expected.to_vec()), "{line} from {origin}");
        assert_eq!(answer.header("allow"), None, "{line}");
    }
    // Without the field that makes it a preflight request, OPTIONS is answered as ever.
    assert!(server.ask("OPTIONS /put", &asks[..1], "").header("allow").is_some());
}

#[test]
fn origins_that_may_and_origins_that_may_not() {
    let listed = || Cors::origins(["https://a.example", "https://b.example:8443"]);
    let told = |origin| [origin, "-", "-", "-", "-", "-", "origin"];
    for origin in ["https://a.example", "https://b.example:8443"] {
        check(listed, origin, told(origin), told(origin));
    }
    for origin in ["http://a.example", "https://A.example", "https://a.example.org", "null", ""] {
        check(listed, origin, told("-"), told("-"));
    }
    check(|| Cors::origins(["null"]), "null", told("null"), told("null"));
    let asked = || Cors::origins_if(|origin| origin.ends_with(".example"));
    check(asked, "https://c.example", told("https://c.example"), told("https://c.example"));
    check(asked, "https://c.invalid", told("-"), told("-"));
    let any = ["*", "-", "-", "-", "-", "-", "-"];
    check(Cors::any, "https://a.example", any, any);
}

#[test]
fn methods_fields_credentials_and_age() {
    fn full() -> Cors {
        Cors::origins(["https://a.example"])
            .credentials()
            .methods("PUT, DELETE")
            .headers([header::CONTENT_TYPE, HeaderName::from_static("x-a")])
            .expose([header::ETAG, HeaderName::from_static("x-b")])
            .max_age(Duration::from_secs(600))
    }
    let simple = ["https://a.example", "true", "-", "-", "etag, x-b", "-", "origin"];
    let preflight = ["https://a.example", "true", "PUT, DELETE", "content-type, x-a", "-", "600", "origin"];
    check(full, "https://a.example", simple, preflight);
    let nothing = ["-", "-", "-", "-", "-", "-", "origin"];
    check(full, "https://b.example", nothing, nothing);
    let any = || Cors::any().any_headers().methods("PUT");
    let told = ["*", "-", "-", "-", "-", "-", "-"];
    check(any, "https://a.example", told, ["*", "-", "PUT", "x-a", "-", "-", "access-control-request-headers"]);
}

#[test]
fn what_cannot_be_meant_is_a_panic() {
    let cases: [fn(); 5] = [
        || drop(Cors::any().credentials()),
        || drop(Cors::origins(["https://a.example/"])),
        || drop(Cors::origins(["a.example"])),
        || drop(Cors::origins(["*"])),
        || drop(Cors::any().methods("PUT\r\n")),
    ];
    for (number, case) in cases.into_iter().enumerate() {
        assert!(std::panic::catch_unwind(case).is_err(), "case {number}");
    }
}
