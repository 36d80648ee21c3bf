//! Cookies: what is sent, and what is set.

use std::convert::Infallible;

use armature_core::{
    Router,
    cookie::{Cookie, SameSite},
    extract::{Cookies, FromHead},
    get,
    service::RequestHead,
};

use crate::serve;

async fn list(cookies: Cookies) -> String {
    cookies.iter().map(|cookie| format!("[{}={}]", cookie.name(), cookie.value())).collect()
}

async fn first(cookies: Cookies) -> String {
    cookies.get("a").map_or("none", |cookie| cookie.value_trimmed()).to_owned()
}

async fn change(mut cookies: Cookies) -> (Cookies, &'static str) {
    cookies.add(("a", "replaced"));
    cookies.add(Cookie::build(("a", "1")).path("/").http_only(true).secure(true).same_site(SameSite::Lax));
    cookies.add(("a", "2"));
    cookies.remove(Cookie::build("gone").path("/there"));
    (cookies, "changed")
}

/// Sets a cookie whose value is the part of the Cookie field behind `a=`, with what `%20` and the like stand for.
async fn set(mut cookies: Cookies) -> (Cookies, &'static str) {
    let value =
        cookies.get("a").map(|cookie| cookie.value().replace("%20", " ").replace("%3B", ";").replace("%0A", "\n"));
    cookies.add(("set", value.unwrap_or_default()));
    (cookies, "set")
}

/// The cookie `a`, read where it was sent.
struct Borrowed(String);

impl<S> FromHead<S> for Borrowed {
    type Rejection = Infallible;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Infallible> {
        Ok(Self(head.cookie("a").unwrap_or("none").to_owned()))
    }
}

fn app() -> Router {
    Router::new()
        .route("/borrowed", get(async |Borrowed(value): Borrowed| value))
        .route("/list", get(list))
        .route("/first", get(first))
        .route("/change", get(change))
        .route("/set", get(set))
}

#[test]
fn cookies_that_are_none_are_passed_over() {
    let address = serve(app);
    for (fields, text) in [
        ("", ""),
        ("Cookie:\r\n", ""),
        ("Cookie: a=b\r\n", "[a=b]"),
        ("cookie: a=b; c=d\r\n", "[a=b][c=d]"),
        ("Cookie: a=b;c=d;\r\n", "[a=b][c=d]"),
        ("Cookie: a; b=c\r\n", "[b=c]"),
        ("Cookie: a=; =b; =; ;; b=c\r\n", "[a=][b=c]"),
        ("Cookie: a=\"b c\"; d=\"\r\n", "[a=\"b c\"][d=\"]"),
        ("Cookie: a=b; a=c\r\n", "[a=b][a=c]"),
        ("Cookie: a=b\r\nCookie: c=d\r\n", "[a=b][c=d]"),
        ("Cookie: a=b=c==\r\n", "[a=b=c==]"),
        ("Cookie: a=%zz\r\n", "[a=%zz]"),
    ] {
        let answer = crate::get(address, "/list", fields);
        assert_eq!((answer.status, &*answer.body), (200, text), "{fields}");
    }
    let request = b"GET /list HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: a=\xff; b=c\r\n\r\n";
    assert_eq!(crate::exchange(address, &[request]).body, "[b=c]");
    for (fields, text) in [("", "none"), ("Cookie: a\r\n", "none"), ("Cookie: b=1; a=\"2\"; a=3\r\n", "2")] {
        assert_eq!(crate::get(address, "/first", fields).body, text, "{fields}");
    }
}

#[test]
fn a_response_sets_and_removes_cookies() {
    let address = serve(app);
    let answer = crate::get(address, "/change", "Cookie: kept=1\r\n");
    let lines = answer
        .head
        .split("\r\n")
        .filter_map(|line| line.strip_prefix("set-cookie: ").or(line.strip_prefix("Set-Cookie: ")));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 3, "{answer:?}");
    assert_eq!(lines[..2], ["a=1; HttpOnly; SameSite=Lax; Secure; Path=/", "a=2"]);
    assert!(lines[2].starts_with("gone=; Path=/there; Max-Age=0; Expires="), "{answer:?}");
}

#[test]
fn a_cookie_that_is_none_is_not_set() {
    let address = serve(app);
    for (value, status) in [
        ("", 200),
        ("b", 200),
        ("\"b\"", 200),
        ("b%20c", 500),
        ("b%3B%20Path=/", 500),
        ("b%0Ac", 500),
        ("b,c", 500),
        ("b\\c", 500),
        ("b\"c", 500),
    ] {
        let answer = crate::get(address, "/set", &format!("Cookie: a={value}\r\n"));
        assert_eq!(answer.status, status, "{value}");
        assert_eq!(answer.head.to_ascii_lowercase().contains("set-cookie"), status == 200, "{answer:?}");
    }
}

#[test]
fn a_cookie_is_read_where_it_was_sent_as_the_list_has_it() {
    let address = serve(app);
    for (fields, text) in [
        ("", "none"),
        ("Cookie: b=1\r\n", "none"),
        ("Cookie: aa=1; a=2; a=3\r\n", "2"),
        ("Cookie: A=1;a = 2 \r\n", "2"),
        ("Cookie: b=1\r\ncookie: a=\"x=y\"\r\n", "\"x=y\""),
        ("Cookie: a; a=\r\n", ""),
        ("Cookie: a=\u{e9}\r\n", "\u{e9}"),
    ] {
        assert_eq!(crate::get(address, "/borrowed", fields).body, text, "{fields}");
    }
}
