//! Routers: groups, nesting, merging, fallbacks, listing.

use armature_core::{Error, ErrorKind, Method, Path, Router, SmallString, State, StatusCode, any, get, post};

use super::{both, check};

fn users() -> Router<&'static str> {
    Router::new()
        .route("/", get(async |State(name): State<&'static str>| name).post(async || StatusCode::CREATED))
        .route("/{id}", get(async |Path(id): Path<SmallString>| id))
        .fallback(async || "not taken over")
}

fn app() -> Router {
    Router::new()
        .route("/", get(async || "home"))
        .group("/api", |api| api.nest("/users", users()).route("/any", any(async |method: Method| method.as_str())))
        .merge(Router::new().route("/merged", get(async || "merged")).fallback(async || "merged fallback"))
        .with_state("state")
}

#[test]
fn groups_nest_and_merge() {
    check(
        app,
        &[
            ("GET /", 200, "home"),
            ("GET /api/users", 200, "state"),
            ("POST /api/users", 201, ""),
            ("GET /api/users/7", 200, "7"),
            ("PATCH /api/any", 200, "PATCH"),
            ("GET /merged", 200, "merged"),
            ("GET /api/other", 200, "merged fallback"),
            ("DELETE /api/users", 405, ""),
        ],
    );
}

#[test]
fn routes_are_listed_in_their_order() {
    let listed: Vec<String> = app().routes().map(|(method, pattern)| format!("{method} {pattern}")).collect();
    let any = ["GET", "POST", "PUT", "DELETE", "PATCH"].map(|method| format!("{method} /api/any"));
    let expected =
        [&["GET /", "GET /api/users", "POST /api/users", "GET /api/users/{id}"].map(str::to_owned)[..], &any];
    assert_eq!(listed, [expected.concat(), vec!["GET /merged".to_owned()]].concat());
}

#[test]
fn other_methods_are_answered_with_what_there_is() {
    fn own() -> Router {
        Router::new()
            .route("/", get(async || "home").post(async || "posted"))
            .method_not_allowed(async || (StatusCode::METHOD_NOT_ALLOWED, "not this way"))
    }
    for (app, body) in [(app as fn() -> Router, ""), (own, "not this way")] {
        for mut client in both(app) {
            let answer = client.put("/").send().unwrap();
            assert_eq!((answer.status().as_u16(), answer.text()), (405, body));
            let allowed = if body.is_empty() { "GET, HEAD, OPTIONS" } else { "GET, HEAD, POST, OPTIONS" };
            assert_eq!(answer.header("allow"), Some(allowed));
            let answer = client.options("/").send().unwrap();
            assert_eq!((answer.status().as_u16(), answer.header("allow")), (204, Some(allowed)));
        }
    }
}

#[test]
fn every_conflict_is_told_and_not_only_the_first() {
    let router = (0..1_000).fold(Router::<()>::new(), |router, route| {
        let (one, other) = (format!("/{route}/{{a}}"), format!("/{route}/{{b}}"));
        router.route(&one, get(async || ())).route(&other, get(async || ()))
    });
    let error: Error = router.build().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Route);
    let text = error.to_string();
    for route in 0..1_000 {
        assert!(text.contains(&format!("/{route}/{{b}}")), "{route} is missing in {text}");
    }
}

#[test]
fn a_request_without_a_route_gets_what_the_router_says() {
    fn plain() -> Router {
        Router::new().route("/", post(async || "posted"))
    }
    check(plain, &[("GET /x", 404, ""), ("POST /", 200, "posted"), ("GET /", 405, "")]);
}
