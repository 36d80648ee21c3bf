//! Middleware: what is around what, on handlers that wait and on such as do not.

use std::{
    cell::RefCell,
    rc::Rc,
    task::{Context, Poll},
};

use armature_core::{
    Json, Method, Response, Router, State, StatusCode,
    extract::Extension,
    get,
    http::{HeaderName, HeaderValue},
    middleware::{BodyLimit, Hooks, Middleware, Next, from_fn},
    post,
    service::{OwnedRequest, Request, Service, Slot},
};

use super::{both, check};

/// Notes its name before and after in a field of the response.
#[derive(Clone)]
struct Trace(&'static str);

const TRACE: HeaderName = HeaderName::from_static("trace");

impl Hooks for Trace {
    type Kept = Method;

    fn before(&self, request: &mut Request<'_>) -> Result<Method, Response> {
        if request.head.query() == Some(self.0) {
            return Err(Response::status(StatusCode::IM_A_TEAPOT));
        }
        Ok(request.head.method())
    }

    fn after(&self, method: Method, response: &mut Response) {
        response.insert_header(&TRACE, &HeaderValue::try_from(format!("{} {method}", self.0)).unwrap());
    }
}

async fn slow() -> &'static str {
    tokio::task::yield_now().await;
    "slow"
}

fn traced() -> Router {
    Router::new()
        .route("/", get(async || "at once").layer(Trace("route")))
        .route("/slow", get(slow).layer((Trace("b"), Trace("a"))))
        .group("/group", |group| group.route("/", get(slow)).layer(Trace("group")))
        .layer(Trace("app"))
        .route("/outside", get(slow))
        .fallback(async || "nothing")
        .layer(())
}

#[test]
fn the_first_of_a_tuple_and_the_last_layer_are_outermost() {
    let cases: [(&str, &[&str]); 5] = [
        ("/", &["route GET", "app GET"]),
        ("/slow", &["a GET", "b GET", "app GET"]),
        ("/group", &["group GET", "app GET"]),
        ("/outside", &[]),
        ("/elsewhere", &[]),
    ];
    for mut client in both(traced) {
        for (target, expected) in cases {
            let answer = client.get(target).send().unwrap();
            let got: Vec<_> = answer.headers().get_all(&TRACE).iter().collect();
            assert_eq!(got, expected, "{target} {client:?}");
        }
        let answer = client.get("/slow?b").send().unwrap();
        let got: Vec<_> = answer.headers().get_all(&TRACE).iter().collect();
        assert_eq!(
            (answer.status(), &got[..]),
            (StatusCode::IM_A_TEAPOT, &["app GET"].map(HeaderValue::from_static).each_ref()[..])
        );
    }
}

#[test]
fn what_has_no_route_is_layered_too() {
    fn app() -> Router {
        Router::new().route("/", get(slow)).layer(Trace("app"))
    }
    for mut client in both(app) {
        for (method, target, status) in
            [(Method::Get, "/x", 404), (Method::Post, "/", 405), (Method::Options, "/", 204)]
        {
            let answer = client.request(method, target).send().unwrap();
            let expected = format!("app {method}");
            assert_eq!((answer.status().as_u16(), answer.header("trace")), (status, Some(&*expected)));
        }
    }
}

#[derive(Clone, serde::Serialize)]
struct User {
    name: String,
}

async fn authenticate(mut request: OwnedRequest, next: Next) -> Result<Response, StatusCode> {
    let name = request.head().header_text("authorization").map(str::to_owned).ok_or(StatusCode::UNAUTHORIZED)?;
    tokio::task::yield_now().await;
    request.insert(User { name });
    Ok(next.run(request).await)
}

fn authenticated() -> Router {
    let handled = Rc::new(RefCell::new(0));
    Router::new()
        .route(
            "/me/{part}",
            post(async |Extension(user): Extension<User>, State(count): State<Rc<RefCell<u32>>>, body: String| {
                *count.borrow_mut() += 1;
                tokio::task::yield_now().await;
                Json((user, body))
            })
            .layer(from_fn(authenticate)),
        )
        .route("/handled", get(async |State(count): State<Rc<RefCell<u32>>>| count.borrow().to_string()))
        .route("/forgotten", get(async |Extension(user): Extension<User>| user.name))
        .with_state(handled)
}

#[test]
fn an_async_function_waits_before_and_adds_to_the_request() {
    for mut client in both(authenticated) {
        let answer = client.post("/me/x").body("text").send().unwrap();
        assert_eq!((answer.status().as_u16(), answer.text()), (401, ""));
        assert_eq!(client.get("/handled").send().unwrap().text(), "0", "the handler ran before it was let");
        let answer = client.post("/me/x").header("authorization", "ada").body("text").send().unwrap();
        assert_eq!((answer.status().as_u16(), answer.text()), (200, r#"[{"name":"ada"},"text"]"#));
        assert_eq!(client.get("/handled").send().unwrap().text(), "1");
    }
    // The client is not told what the program has forgotten.
    check(authenticated, &[("GET /forgotten", 500, "the server has failed")]);
}

/// Answers what its handler would, twice asked.
#[derive(Clone)]
struct Extend;

impl Middleware for Extend {
    fn call<S: Service>(
        &self,
        request: Request<'_>,
        next: &Rc<S>,
        slot: &mut Slot,
        cx: &mut Context<'_>,
    ) -> Poll<Response> {
        let first = request.head.extensions().and(&1_u8);
        let second = first.list().and(&2_u16);
        let Request { head, body } = request;
        next.call(Request { head: head.with_extensions(second.list()), body }, slot, cx)
    }
}

#[test]
fn extensions_reach_handlers_through_borrowed_and_owned_requests() {
    fn app() -> Router {
        let sum = async |Extension(a): Extension<u8>, Extension(b): Extension<u16>, Extension(c): Extension<u32>| {
            (u32::from(a) + u32::from(b) + c).to_string()
        };
        let add = async |mut request: OwnedRequest, next: Next| {
            request.insert(4_u32);
            request.insert(8_u8);
            next.run(request).await
        };
        Router::new().route("/{p}", get(sum)).layer((Extend, from_fn(add)))
    }
    check(app, &[("GET /x", 200, "14")]);
}

#[test]
fn the_innermost_limit_of_a_body_decides() {
    fn app() -> Router {
        let count = async |body: String| body.len().to_string();
        Router::new()
            .route("/ten", post(count).layer(BodyLimit(10)))
            .route("/four", post(count).layer((BodyLimit(10), BodyLimit(4))))
            .route("/two", post(count))
            .layer(BodyLimit(2))
    }
    for mut client in both(app) {
        for (target, limit) in [("/ten", 10), ("/four", 4), ("/two", 2)] {
            for length in [limit, limit + 1] {
                let answer = client.post(target).body("x".repeat(length)).send().unwrap();
                assert_eq!(answer.status() == StatusCode::OK, length == limit, "{target} {length}");
                assert!(answer.status() == StatusCode::OK || answer.status() == StatusCode::PAYLOAD_TOO_LARGE);
            }
        }
    }
}
