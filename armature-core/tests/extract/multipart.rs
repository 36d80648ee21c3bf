//! Forms with files: every body whole, and cut in two at every byte.

use armature_core::{
    Router,
    extract::{Multipart, Rejection},
    post,
};

use crate::{exchange, post_head, serve};

async fn describe(mut form: Multipart) -> Result<String, Rejection> {
    let mut parts = String::new();
    while let Some(mut part) = form.part().await? {
        let content = part.bytes(100).await?;
        let (name, file, kind) = (part.name(), part.file_name(), part.content_type());
        parts += &format!("[{name} {file:?} {kind:?} {}]", content.escape_ascii());
    }
    Ok(parts)
}

/// Reads names only; contents are skipped.
async fn names(mut form: Multipart) -> Result<String, Rejection> {
    form.set_parts_max(2);
    let mut names = String::new();
    while let Some(part) = form.part().await? {
        names += part.name();
    }
    Ok(names)
}

/// Reads on after a rejection.
async fn again(mut form: Multipart) -> String {
    while let Ok(Some(_)) = form.part().await {}
    form.part().await.map_or_else(|rejection| rejection.reason().to_owned(), |part| format!("{}", part.is_some()))
}

async fn text(mut form: Multipart) -> Result<String, Rejection> {
    let Some(mut part) = form.part().await? else { return Ok("none".into()) };
    part.text(100).await
}

async fn maybe(form: Option<Multipart>) -> String {
    form.is_some().to_string()
}

fn app() -> Router {
    Router::new()
        .route("/describe", post(describe))
        .route("/names", post(names))
        .route("/again", post(again))
        .route("/text", post(text))
        .route("/maybe", post(maybe))
        .route("/small", post(describe).body_bytes_max(100))
}

/// A body from lines that are written with LF here.
fn lines(text: &str) -> String {
    text.replace('\n', "\r\n")
}

const TYPE: &str = "multipart/form-data; boundary=b";

/// Target, body in lines, status, text.
type Case<'a> = (&'a str, &'a str, u16, &'a str);

/// Sends each body whole, and cut in two at every byte.
fn check(cases: &[Case<'_>]) {
    let address = serve(app);
    for (target, body, status, text) in cases {
        let body = lines(body);
        let head = post_head(target, TYPE, body.len());
        for cut in 0..body.len().max(1) {
            let (first, second) = body.as_bytes().split_at(cut);
            let answer = exchange(address, &[&[head.as_bytes(), first].concat(), second]);
            assert_eq!((answer.status, &*answer.body), (*status, *text), "{target} {body} cut at {cut}");
        }
    }
}

const A: &str = "Content-Disposition: form-data; name=a";

#[test]
fn parts_are_read_wherever_the_body_is_cut() {
    check(&[
        ("/describe", "--b--\n", 200, ""),
        ("/describe", "--b--", 200, ""),
        ("/describe", &format!("--b\n{A}\n\nx\n--b--\n"), 200, "[a None None x]"),
        ("/describe", &format!("\n--b\n{A}\n\n\n--b--\n"), 200, "[a None None ]"),
        ("/describe", &format!("--b\n{A}\n\n--b--\n"), 200, "[a None None ]"),
        (
            "/describe",
            "before\n--c\n--b \t\ncontent-disposition: FORM-DATA; NAME=\"a\\\"b\"; filename=\"c:\\d é;.txt\"\nX: y\nContent-Type: text/plain\n\n\n--x\n--\n\n--b\nContent-Disposition: form-data; name=\"\"\n\n-\n--b-- \nafter\n--b\n",
            200,
            "[a\"b Some(\"c:\\\\d é;.txt\") Some(\"text/plain\") \\r\\n--x\\r\\n--\\r\\n][ None None -]",
        ),
        ("/names", &format!("--b\n{A}\n\n1\n--b\n{A}\n\n2\n--b--"), 200, "aa"),
        (
            "/names",
            &format!("--b\n{A}\n\n1\n--b\n{A}\n\n2\n--b\n{A}\n\n3\n--b--"),
            413,
            "the form has more than 2 parts",
        ),
        ("/text", &format!("--b\n{A}\n\né\n--b--"), 200, "é"),
    ]);
}

#[test]
fn forms_that_are_malformed_say_why() {
    let ends = "the form ends before its last boundary";
    let field = "a field in the head of a part is malformed";
    let disposition = "the Content-Disposition of a part is malformed";
    let line = "a boundary of the form is not followed by the end of its line";
    let long = format!("--b\n{A}\n\n{}\n--b--", "x".repeat(101));
    check(&[
        ("/describe", "", 400, ends),
        ("/describe", "x", 400, ends),
        ("/describe", "--c--", 400, ends),
        ("/describe", "--b", 400, ends),
        ("/describe", "--b-", 400, ends),
        ("/describe", "--b\n", 400, ends),
        ("/describe", &format!("--b\n{A}\n"), 400, ends),
        ("/describe", &format!("--b\n{A}\n\nx"), 400, ends),
        ("/describe", &format!("--b\n{A}\n\nx\n--"), 400, ends),
        ("/describe", &format!("--b\n{A}\n\nx\n--b"), 400, ends),
        ("/describe", &format!("--b\n{A}\n\nx\n--b\n"), 400, ends),
        ("/again", &format!("--b\n{A}\n\nx\n--b\n"), 400 - 200, ends),
        ("/describe", &format!("--bc\n{A}\n\nx\n--b--"), 400, line),
        ("/describe", &format!("--b-\n{A}\n\nx\n--b--"), 400, line),
        ("/describe", &format!("--b\n{A}\n\nx\n--b.\n\n"), 400, line),
        ("/describe", "--b\n\nx\n--b--", 400, "a part of the form has no Content-Disposition"),
        ("/describe", "--b\nContent-Type: a/b\n\nx\n--b--", 400, "a part of the form has no Content-Disposition"),
        ("/describe", &format!("--b\n{A}\n{A}\n\nx\n--b--"), 400, "a field in the head of a part is repeated"),
        ("/describe", "--b\nContent-Disposition: form-data\n\nx\n--b--", 400, "a part of the form has no name"),
        ("/describe", "--b\nContent-Disposition: form-data; name=a; name=b\n\nx\n--b--", 400, disposition),
        ("/describe", "--b\nContent-Disposition: form-data; name=\"a\n\nx\n--b--", 400, disposition),
        ("/describe", "--b\nContent-Disposition: attachment; name=a\n\nx\n--b--", 400, disposition),
        ("/describe", "--b\nContent-Disposition form-data\n\nx\n--b--", 400, field),
        ("/describe", "--b\nContent Disposition: form-data\n\nx\n--b--", 400, field),
        ("/describe", "--b\n folded: a\n\nx\n--b--", 400, field),
        ("/describe", "--b\nA: b\u{1}\n\nx\n--b--", 400, field),
        ("/describe", &long, 413, "the part `a` is larger than 100 bytes"),
        ("/small", &long, 413, "the request body is too large"),
    ]);
}

#[test]
fn bytes_that_are_no_text_or_no_line_are_refused() {
    let address = serve(app);
    let cases: &[(&str, &[u8], &str)] = &[
        ("/text", b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\xff\r\n--b--", "the part `a` is not UTF-8"),
        (
            "/text",
            b"--b\r\nContent-Disposition: form-data; name=\"\xff\"\r\n\r\nx\r\n--b--",
            "the head of a part is not UTF-8",
        ),
        (
            "/text",
            b"--b\r\nContent-Disposition: form-data; name=a\nA: b\r\n\r\nx\r\n--b--",
            "a field in the head of a part is malformed",
        ),
        (
            "/text",
            b"--b\r\nContent-Disposition: form-data; name=a\r\r\n\r\nx\r\n--b--",
            "a field in the head of a part is malformed",
        ),
        ("/text", b"--b\nContent-Disposition: form-data; name=a\n\nx\n--b--", "the form ends before its last boundary"),
    ];
    for (target, body, text) in cases {
        let answer = crate::post(address, target, TYPE, body);
        assert_eq!((answer.status, &*answer.body), (400, *text), "{}", body.escape_ascii());
    }
}

#[test]
fn heads_of_parts_and_boundaries_are_bounded() {
    let address = serve(app);
    let with_field = |bytes: usize| lines(&format!("--b\n{A}\nX: {}\n\n1\n--b--", "x".repeat(bytes)));
    for (body, status, text) in [
        (with_field(8_000), 200, "1"),
        (with_field(8_200), 400, "the head of a part is too large"),
        (with_field(1_000_000), 400, "the head of a part is too large"),
        ("--b".to_owned() + &" ".repeat(1_000_000), 400, "the head of a part is too large"),
    ] {
        let answer = crate::post(address, "/text", TYPE, body.as_bytes());
        assert_eq!((answer.status, &*answer.body), (status, text));
    }
    let (longest, too_long) = ("b".repeat(70), "b".repeat(71));
    let bad = "the boundary of the form is malformed";
    let malformed = "the content type of the form is malformed";
    let none = "a body of type multipart/form-data is expected";
    for (content_type, boundary, status, text) in [
        ("multipart/form-data; boundary=\"a b\"", "a b", 200, "1"),
        ("Multipart/Form-Data;charset=utf-8;BOUNDARY=----x'()+_,-./:=?", "----x'()+_,-./:=?", 200, "1"),
        (&*format!("multipart/form-data; boundary={longest}"), &*longest, 200, "1"),
        (&*format!("multipart/form-data; boundary={too_long}"), &*too_long, 400, bad),
        ("multipart/form-data; boundary=\"b \"", "b ", 400, bad),
        ("multipart/form-data; boundary=", "", 400, bad),
        ("multipart/form-data; boundary=\"b&\"", "b&", 400, bad),
        ("multipart/form-data", "b", 400, "the content type of the form has no boundary"),
        ("multipart/form-data; boundary=\"b", "b", 400, malformed),
        ("multipart/form-data; boundary=b; boundary=c", "b", 400, malformed),
        ("multipart/mixed; boundary=b", "b", 415, none),
        ("", "b", 415, none),
    ] {
        let body = lines(&format!("--{boundary}\n{A}\n\n1\n--{boundary}--"));
        let answer = crate::post(address, "/text", content_type, body.as_bytes());
        assert_eq!((answer.status, &*answer.body), (status, text), "{content_type}");
    }
    for (content_type, body, status, text) in
        [("", "", 200, "false"), (TYPE, "--b--", 200, "true"), ("", "x", 415, none)]
    {
        let answer = crate::post(address, "/maybe", content_type, body.as_bytes());
        assert_eq!((answer.status, &*answer.body), (status, text), "{content_type} {body}");
    }
}
