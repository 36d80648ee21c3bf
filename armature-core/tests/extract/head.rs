//! Extractors of the head: path, query, header fields, state, extensions and connection.

use std::{collections::BTreeMap, rc::Rc};

use armature_core::{
    Path, Query, Router, SmallPairs, SmallString, StatusCode,
    extract::{Extension, Param, Peer, Rejection, State, TypedHeader},
    get,
    headers::{Authorization, ContentLength, IfModifiedSince, Range, authorization::Bearer},
    service::ConnectionInfo,
};
use serde::Deserialize;

use crate::{Answer, serve};

#[derive(Deserialize)]
struct Entry {
    year: u16,
    slug: SmallString,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Newest,
    Oldest,
}

#[derive(Debug, Deserialize)]
struct Search {
    text: String,
    page: Option<u32>,
    #[serde(default)]
    tag: Vec<String>,
    #[serde(default)]
    order: Option<Order>,
    #[serde(flatten)]
    more: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Paging {
    page: u32,
}

async fn by_position(Param(b): Param<1, SmallString>, Param(a): Param<0, i8>) -> String {
    format!("{a} {b}")
}

async fn search(Query(Search { text, page, tag, order, more }): Query<Search>) -> String {
    format!("{text:?} {page:?} {tag:?} {order:?} {more:?}")
}

async fn maybe_page(page: Option<Query<Paging>>) -> String {
    format!("{:?}", page.map(|Query(paging)| paging.page))
}

async fn page_or_reason(page: Result<Query<Paging>, Rejection>) -> (StatusCode, String) {
    match page {
        Ok(Query(paging)) => (StatusCode::OK, paging.page.to_string()),
        Err(rejection) => (StatusCode::IM_A_TEAPOT, format!("{} {}", rejection.status().as_u16(), rejection.reason())),
    }
}

async fn bearer(TypedHeader(token): TypedHeader<Authorization<Bearer>>) -> String {
    token.token().to_owned()
}

async fn maybe_range(range: Option<TypedHeader<Range>>, length: Option<TypedHeader<ContentLength>>) -> String {
    format!("{:?} {:?}", range.is_some(), length.map(|TypedHeader(length)| length.0))
}

async fn since(TypedHeader(since): TypedHeader<IfModifiedSince>) -> (TypedHeader<IfModifiedSince>, &'static str) {
    (TypedHeader(since), "since")
}

async fn peer(Peer(address): Peer, connection: Rc<ConnectionInfo>, maybe: Option<Peer>) -> String {
    let is_one = connection.peer() == Some(address) && maybe == Some(Peer(address));
    format!("{} {is_one} {}", address.ip(), connection.is_secure())
}

fn app() -> Router {
    Router::new()
        .route("/number/{n}", get(async |Path(n): Path<u32>| n.to_string()))
        .route("/text/{id}", get(async |Path(id): Path<SmallString>| id))
        .route("/rest/{*path}", get(async |Path(path): Path<String>| path))
        .route("/sum/{a}/{b}", get(async |Path((a, b)): Path<(i8, i8)>| (a + b).to_string()))
        .route("/list/{a}/{b}", get(async |Path(list): Path<Vec<u8>>| format!("{list:?}")))
        .route("/blog/{year}/{slug}", get(async |Path(entry): Path<Entry>| format!("{} {}", entry.year, entry.slug)))
        .route("/positions/{a}/{b}", get(by_position))
        .route("/too-few/{a}/{b}", get(async |Path(only): Path<String>| only))
        .route("/too-many/{a}", get(async |Path((a, _)): Path<(String, String)>| a))
        .route("/no-such/{a}", get(async |Param(second): Param<1, String>| second))
        .route("/search", get(search))
        .route("/pairs", get(async |Query(pairs): Query<Vec<(String, String)>>| format!("{pairs:?}")))
        .route("/small-pairs", get(async |Query(pairs): Query<SmallPairs>| format!("{pairs:?}")))
        .route("/map", get(async |Query(map): Query<BTreeMap<String, u8>>| format!("{map:?}")))
        .route("/maybe-page", get(maybe_page))
        .route("/page-or-reason", get(page_or_reason))
        .route("/bearer", get(bearer))
        .route("/maybe-range", get(maybe_range))
        .route("/since", get(since))
        .route("/peer", get(peer))
        .route("/state", get(async |State(number): State<u8>| number.to_string()))
        .route("/extension", get(async |Extension(number): Extension<u8>| number.to_string()))
        .route("/maybe-extension", get(async |it: Option<Extension<u8>>| format!("{it:?}")))
        .with_state(7_u8)
}

/// Target, status, text.
type Case<'a> = (&'a str, u16, &'a str);

fn check(cases: &[Case<'_>]) {
    let address = serve(app);
    for (target, status, text) in cases {
        let Answer { status: seen, body, .. } = crate::get(address, target, "");
        assert_eq!((seen, &*body), (*status, *text), "{target}");
    }
}

const FAILED: &str = "the server has failed";

#[test]
fn parameters_of_the_path() {
    check(&[
        ("/number/7", 200, "7"),
        ("/number/%37", 200, "7"),
        ("/number/x", 400, "the path does not fit: `n`: invalid value: string \"x\", expected u32"),
        ("/number/+7", 400, "the path does not fit: `n`: invalid value: string \"+7\", expected u32"),
        ("/number/-1", 400, "the path does not fit: `n`: invalid value: string \"-1\", expected u32"),
        ("/number/4294967296", 400, "the path does not fit: `n`: invalid value: string \"4294967296\", expected u32"),
        ("/text/a+b%20c%2Fd%C3%A9", 200, "a+b c/dé"),
        ("/text/%2525", 200, "%25"),
        ("/text/%zz", 400, "the path does not fit: `id`: the % at byte 1 is not followed by two hexadecimal digits"),
        ("/text/ab%", 400, "the path does not fit: `id`: the % at byte 3 is not followed by two hexadecimal digits"),
        ("/text/ab%4", 400, "the path does not fit: `id`: the % at byte 3 is not followed by two hexadecimal digits"),
        ("/text/%ff", 400, "the path does not fit: `id`: it is not UTF-8"),
        ("/rest/a/%62/c", 200, "a/b/c"),
        ("/rest/a/%6", 400, "the path does not fit: `path`: the % at byte 3 is not followed by two hexadecimal digits"),
        ("/sum/100/-100", 200, "0"),
        ("/sum/1/128", 400, "the path does not fit: `b`: invalid value: string \"128\", expected i8"),
        ("/sum/%/1", 400, "the path does not fit: `a`: the % at byte 1 is not followed by two hexadecimal digits"),
        ("/list/1/2", 200, "[1, 2]"),
        ("/list/1/256", 400, "the path does not fit: `b`: invalid value: string \"256\", expected u8"),
        ("/blog/2024/a%20b", 200, "2024 a b"),
        ("/blog/x/y", 400, "the path does not fit: `year`: invalid value: string \"x\", expected u16"),
        (
            "/blog/2024/%x",
            400,
            "the path does not fit: `slug`: the % at byte 1 is not followed by two hexadecimal digits",
        ),
        ("/positions/1/two", 200, "1 two"),
        ("/positions/one/two", 400, "the path does not fit: `a`: invalid value: string \"one\", expected i8"),
        (
            "/positions/1/%",
            400,
            "the path does not fit: `b`: the % at byte 1 is not followed by two hexadecimal digits",
        ),
        ("/too-few/1/2", 500, FAILED),
        ("/too-many/1", 500, FAILED),
        ("/no-such/1", 500, FAILED),
    ]);
}

#[test]
fn fields_of_the_query() {
    check(&[
        ("/search?text=a", 200, "\"a\" None [] None {}"),
        ("/search?text=a+b%2Bc%C3%A9&page=2", 200, "\"a b+cé\" Some(2) [] None {}"),
        ("/search?tag=a&text=&tag=b&&tag=%61", 200, "\"\" None [\"a\", \"b\", \"a\"] None {}"),
        ("/search?text&tag=a", 200, "\"\" None [\"a\"] None {}"),
        ("/search?text=a=b&order=oldest&z=1&y=2", 200, "\"a=b\" None [] Some(Oldest) {\"y\": \"2\", \"z\": \"1\"}"),
        ("/search?te%78t=a", 200, "\"a\" None [] None {}"),
        ("/search", 400, "the query string does not fit: missing field `text`"),
        ("/search?", 400, "the query string does not fit: missing field `text`"),
        (
            "/search?text=a&order=no",
            400,
            "the query string does not fit: `order`: unknown variant `no`, expected `newest` or `oldest`",
        ),
        (
            "/search?text=a&text=b",
            400,
            "the query string does not fit: `text`: it is there 2 times, one value is asked for",
        ),
        (
            "/search?text=a&te%78t=b",
            400,
            "the query string does not fit: `text`: it is there 2 times, one value is asked for",
        ),
        ("/map?a=1&b=x", 400, "the query string does not fit: `b`: invalid value: string \"x\", expected u8"),
        (
            "/map?a=1&b=%zz",
            400,
            "the query string does not fit: `b`: the % at byte 1 is not followed by two hexadecimal digits",
        ),
        (
            "/map?a=1&%",
            400,
            "the query string does not fit: the name of field 2: the % at byte 1 is not followed by two hexadecimal digits",
        ),
        (
            "/map?a=1&b=1%2",
            400,
            "the query string does not fit: `b`: the % at byte 2 is not followed by two hexadecimal digits",
        ),
        (
            "/search?text=a&unknown=%f",
            400,
            "the query string does not fit: `unknown`: the % at byte 1 is not followed by two hexadecimal digits",
        ),
        ("/map?a=%ff", 400, "the query string does not fit: `a`: it is not UTF-8"),
        ("/map", 200, "{}"),
        ("/pairs?b=1&a=+&b=", 200, "[(\"b\", \"1\"), (\"a\", \" \"), (\"b\", \"\")]"),
        ("/maybe-page", 200, "None"),
        ("/maybe-page?page=3", 200, "Some(3)"),
        ("/maybe-page?page=x", 400, "the query string does not fit: `page`: invalid value: string \"x\", expected u32"),
        ("/page-or-reason?page=3", 200, "3"),
        (
            "/page-or-reason?page=%",
            418,
            "400 the query string does not fit: `page`: the % at byte 1 is not followed by two hexadecimal digits",
        ),
    ]);
}

#[test]
fn what_is_quoted_is_cut() {
    let address = serve(app);
    let answer = crate::get(address, &format!("/number/{}", "é".repeat(1_000).replace('é', "%C3%A9")), "");
    assert_eq!((answer.status, answer.body.len()), (400, 502), "{answer:?}");
    assert!(answer.body.ends_with("éé…"), "{answer:?}");
}

#[test]
fn ten_megabytes_of_query_are_refused() {
    let address = serve(app);
    let answer = crate::get(address, &format!("/map?a={}", "1".repeat(10_000_000)), "");
    assert!(matches!(answer.status, 414 | 431), "{answer:?}");
}

#[test]
fn header_fields_and_what_is_known_beside_them() {
    let address = serve(app);
    let cases: &[(&str, &str, u16, &str)] = &[
        ("/bearer", "authorization: Bearer abc\r\n", 200, "abc"),
        ("/bearer", "", 400, "the field authorization is missing"),
        ("/bearer", "Authorization: Basic YTpi\r\n", 400, "the field authorization is malformed"),
        ("/bearer", "Authorization:\r\n", 400, "the field authorization is malformed"),
        ("/maybe-range", "", 200, "false None"),
        ("/maybe-range", "Range: bytes=0-1\r\n", 200, "true None"),
        ("/maybe-range", "Range: all of it\r\n", 400, "the field range is malformed"),
        ("/since", "If-Modified-Since: yesterday\r\n", 400, "the field if-modified-since is malformed"),
        ("/peer", "", 200, "127.0.0.1 true false"),
        ("/state", "", 200, "7"),
        ("/extension", "", 500, FAILED),
        ("/maybe-extension", "", 200, "None"),
    ];
    for (target, fields, status, text) in cases {
        let Answer { status: seen, body, .. } = crate::get(address, target, fields);
        assert_eq!((seen, &*body), (*status, *text), "{target} {fields}");
    }
    let sent = "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let answer = crate::get(address, "/since", sent);
    assert!(answer.head.to_ascii_lowercase().contains(sent.trim_end().to_ascii_lowercase().as_str()), "{answer:?}");
}

#[test]
fn small_pairs_are_those_of_a_vector() {
    let address = serve(app);
    let many = |count: usize, value: &str| (0..count).map(|at| format!("name{at}={value}&")).collect::<String>();
    for query in [
        String::new(),
        "a".to_owned(),
        "a=1&b=%C3%A9&a=+2&&=&c=%3d".to_owned(),
        many(8, "x"),
        many(9, "%20"),
        many(3, &"long".repeat(100)),
        "a=%zz".to_owned(),
        "%ff=1".to_owned(),
    ] {
        let [small, vector] = ["small-pairs", "pairs"].map(|path| crate::get(address, &format!("/{path}?{query}"), ""));
        assert_eq!((small.status, &small.body), (vector.status, &vector.body), "{query}");
    }
}
