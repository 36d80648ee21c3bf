//! Failures: what the client is told, and what only the log is.

use std::io;

use armature_core::{
    Failure, IntoResponse, Json, Response, Router, StatusCode, extract::Rejection, get, middleware::Hooks, post,
    service::Request,
};

use super::both;

/// Shows the cause in a field, as an access log would write it.
#[derive(Clone)]
struct Log;

impl Hooks for Log {
    type Kept = ();

    fn before(&self, _: &mut Request<'_>) -> Result<(), Response> {
        Ok(())
    }

    fn after(&self, (): (), response: &mut Response) {
        let cause = response.cause().map_or_else(|| "none".to_owned(), ToString::to_string);
        response.insert_header(
            &armature_core::http::HeaderName::from_static("cause"),
            &armature_core::http::HeaderValue::try_from(cause).unwrap(),
        );
    }
}

fn app() -> Router {
    Router::new()
        .route("/io", get(async || -> Result<(), Failure> { Err(io::Error::other("disk 7 is on fire"))? }))
        .route("/own", get(async || Failure::new(StatusCode::CONFLICT, "already there")))
        .route("/because", get(async || Failure::new(StatusCode::CONFLICT, "taken").because("row 9")))
        .route(
            "/rejection",
            get(async || -> Result<(), Failure> { Err(Rejection::new(StatusCode::BAD_REQUEST, "seven is even"))? }),
        )
        .route("/number", post(async |Json(number): Json<u8>| number.to_string()))
        .layer(Log)
}

#[test]
fn clients_learn_what_is_meant_for_them_and_logs_the_rest() {
    let cases = [
        ("/io", 500, "the server has failed", "disk 7 is on fire"),
        ("/own", 409, "already there", "none"),
        ("/because", 409, "taken", "row 9"),
        ("/rejection", 400, "seven is even", "seven is even"),
    ];
    for mut client in both(app) {
        for (target, status, told, logged) in cases {
            let answer = client.get(target).send().unwrap();
            let got = (answer.status().as_u16(), answer.text(), answer.header("cause"));
            assert_eq!(got, (status, told, Some(logged)), "{target}");
        }
        let answer = client.post("/number").json(&300).send().unwrap();
        assert_eq!(answer.status().as_u16(), 422);
        assert!(answer.header("cause").unwrap().contains("300"));
    }
}

#[test]
fn a_failure_of_a_body_ends_its_connection() {
    let response = Failure::from(armature_core::body::BodyError::TooLarge).into_response();
    assert_eq!(response.status_code(), StatusCode::PAYLOAD_TOO_LARGE);
    for mut client in both(app) {
        let answer = client.post("/number").body(vec![b' '; 3 << 20]).header("content-type", "application/json");
        let answer = answer.send().unwrap();
        assert_eq!((answer.status().as_u16(), answer.header("connection")), (413, Some("close")));
        assert_eq!(client.get("/own").send().unwrap().status().as_u16(), 409);
    }
}
