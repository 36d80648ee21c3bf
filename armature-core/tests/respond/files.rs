//! Directories as services: what is found, what is not, conditions and ranges.

use std::{
    fs::{self, File},
    os::unix::{fs::symlink, net::UnixListener},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use armature_core::{ErrorKind, Failure, Files, Response, Router, State, file, get, respond::Conditions};
use nix::{sys::stat::Mode, unistd::mkfifo};
use tempfile::TempDir;

use crate::{client::until, server::Running};

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn age(path: impl AsRef<Path>) {
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

/// A directory with a site in it, and secrets beside it.
fn site() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let at = |path: &str| place.path().join(path);
    fs::create_dir_all(at("site/sub/deep")).unwrap();
    fs::create_dir_all(at("site/.well-known")).unwrap();
    fs::create_dir_all(at("site/.git")).unwrap();
    fs::create_dir_all(at("outside")).unwrap();
    for (path, text) in [
        ("secret.txt", "secret"),
        ("outside/secret.txt", "secret"),
        ("site/index.html", "<p>home"),
        ("site/ten.txt", "0123456789"),
        ("site/empty.css", ""),
        ("site/a b\u{e4}.JS", "script"),
        ("site/without", "bytes"),
        ("site/100%.txt", "all"),
        ("site/sub/index.html", "<p>sub"),
        ("site/.well-known/security.txt", "contact"),
        ("site/.git/config", "secret"),
        ("site/.env", "secret"),
    ] {
        fs::write(at(path), text).unwrap();
        age(at(path));
    }
    symlink("../ten.txt", at("site/sub/link-inside.txt")).unwrap();
    symlink("sub", at("site/link-to-sub")).unwrap();
    symlink("../secret.txt", at("site/link-outside.txt")).unwrap();
    symlink("../outside", at("site/link-to-outside")).unwrap();
    symlink(at("secret.txt"), at("site/link-absolute.txt")).unwrap();
    symlink("/dev/zero", at("site/link-device")).unwrap();
    symlink("/proc/self/root", at("site/link-magic")).unwrap();
    symlink("link-loop", at("site/link-loop")).unwrap();
    mkfifo(&at("site/pipe"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    drop(UnixListener::bind(at("site/socket")).unwrap());
    place
}

async fn single_file(State(path): State<PathBuf>, conditions: Conditions) -> Result<Response, Failure> {
    Ok(file::File::open(path).await?.answer(&conditions))
}

async fn no_file(conditions: Conditions) -> Result<Response, Failure> {
    Ok(file::File::open("/dev/zero").await?.answer(&conditions))
}

fn serve(place: &TempDir) -> Running {
    let root = place.path().join("site");
    let single = root.join("ten.txt");
    Running::start(move || {
        let files = Files::new(&root).unwrap();
        Router::new()
            .route_service("/", files.clone())
            .route_service("/static/{*path}", files)
            .route("/single", get(single_file))
            .route("/no-file", get(no_file))
            .with_state(single.clone())
    })
}

#[test]
fn files_are_found_by_their_paths() {
    let place = site();
    let server = serve(&place);
    let (html, text) = ("text/html; charset=utf-8", "text/plain; charset=utf-8");
    for (path, media_type, body) in [
        ("/", html, "<p>home"),
        ("/single", text, "0123456789"),
        ("/static/index.html", html, "<p>home"),
        ("/static/ten.txt?query", text, "0123456789"),
        ("/static/empty.css", "text/css; charset=utf-8", ""),
        ("/static/a%20b%c3%A4.JS", "text/javascript; charset=utf-8", "script"),
        ("/static/%74en.txt", text, "0123456789"),
        ("/static/without", "application/octet-stream", "bytes"),
        ("/static/100%25.txt", text, "all"),
        ("/static/sub/", html, "<p>sub"),
        ("/static/sub/link-inside.txt", text, "0123456789"),
        ("/static/link-to-sub/", html, "<p>sub"),
        ("/static/.well-known/security.txt", text, "contact"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = server.ask(method, path, "");
            let expected = if method == "GET" { body } else { "" };
            assert_eq!(
                (answer.status, String::from_utf8(answer.body.clone()).unwrap()),
                (200, expected.into()),
                "{path}"
            );
            assert_eq!(answer.header("content-length"), Some(&*body.len().to_string()), "{method} {path}");
            assert_eq!(answer.header("content-type"), Some(media_type), "{path}");
            assert_eq!(answer.header("accept-ranges"), Some("bytes"), "{path}");
            assert_eq!(answer.header("last-modified"), Some(MODIFIED), "{path}");
            assert!(answer.header("etag").is_some_and(|tag| tag.starts_with('"')), "{path}");
        }
    }
}

#[test]
fn nothing_else_is_found() {
    let place = site();
    let server = serve(&place);
    for path in [
        "none",
        "none/",
        "sub/none.html",
        "sub/deep/",
        "ten.txt/",
        "ten.txt/a",
        "..",
        "../",
        "../secret.txt",
        "sub/../../secret.txt",
        "sub/../ten.txt",
        "./ten.txt",
        "%2e%2e/secret.txt",
        "%2E%2E/secret.txt",
        ".%2e/secret.txt",
        "%2e./secret.txt",
        "..%2fsecret.txt",
        "%2e%2e%2fsecret.txt",
        "sub%2f..%2f..%2fsecret.txt",
        "%252e%252e/secret.txt",
        "%252e%252e%252fsecret.txt",
        "..%5csecret.txt",
        "..\\secret.txt",
        "%c0%ae%c0%ae/secret.txt",
        "%uff0e%uff0e/secret.txt",
        "..;/secret.txt",
        "....//secret.txt",
        "/ten.txt",
        "/etc/passwd",
        "//etc/passwd",
        "%2fetc%2fpasswd",
        "file:///etc/passwd",
        "100%.txt",
        "ten.txt%00",
        "ten.txt%00.html",
        "ten.txt%0a",
        "ten.txt%20",
        ".git/config",
        ".env",
        "%2eenv",
        "link-outside.txt",
        "link-to-outside",
        "link-to-outside/secret.txt",
        "link-absolute.txt",
        "link-device",
        "link-magic/etc/passwd",
        "link-loop",
        "pipe",
        "pipe/",
        "socket",
        &"a".repeat(300),
        &"a/".repeat(3_000),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = server.ask(method, &format!("/static/{path}"), "");
            assert_eq!((answer.status, answer.body.as_slice()), (404, b"".as_slice()), "{method} {path}");
        }
    }
    let others = server.ask("POST", "/static/ten.txt", "Content-Length: 0");
    assert_eq!((others.status, others.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(server.ask("GET", "/no-file", "").status, 500);
}

#[test]
fn a_directory_is_redirected_to_its_slash_and_to_no_other_host() {
    let place = site();
    fs::create_dir(place.path().join("site/sub/a:b c")).unwrap();
    let server = serve(&place);
    for (path, location) in [
        ("/static/sub", "./sub/"),
        ("/static/sub?a=b", "./sub/?a=b"),
        ("/static/link-to-sub", "./link-to-sub/"),
        ("/static/sub/a:b%20c", "./a%3Ab%20c/"),
    ] {
        let answer = server.ask("GET", path, "");
        assert_eq!((answer.status, answer.header("location")), (301, Some(location)), "{path}");
    }
}

#[test]
fn conditions_and_ranges_are_heeded() {
    let place = site();
    let server = serve(&place);
    let tag = server.ask("GET", "/static/ten.txt", "").header("etag").unwrap().to_owned();
    let (before, all) = ("Sun, 06 Nov 1994 08:49:36 GMT", Some("0123456789"));
    for (fields, status, body, content_range) in [
        ("If-None-Match: TAG", 304, None, None),
        ("If-None-Match: W/TAG", 304, None, None),
        ("If-None-Match: \"other\"", 200, all, None),
        ("If-None-Match: \"other\"|If-Modified-Since: MODIFIED", 200, all, None),
        ("If-Modified-Since: MODIFIED", 304, None, None),
        ("If-Modified-Since: BEFORE", 200, all, None),
        ("If-Match: TAG", 200, all, None),
        ("If-Match: \"other\"", 412, Some(""), None),
        ("If-Unmodified-Since: MODIFIED", 200, all, None),
        ("If-Unmodified-Since: BEFORE", 412, Some(""), None),
        ("If-Unmodified-Since: BEFORE|Range: bytes=0-1", 412, Some(""), None),
        ("If-None-Match: TAG|Range: bytes=99-", 304, None, None),
        ("Range: bytes=2-4", 206, Some("234"), Some("bytes 2-4/10")),
        ("Range: bytes=7-", 206, Some("789"), Some("bytes 7-9/10")),
        ("Range: bytes=-3", 206, Some("789"), Some("bytes 7-9/10")),
        ("Range: bytes=0-99", 206, all, Some("bytes 0-9/10")),
        ("Range: bytes=10-", 416, Some(""), Some("bytes */10")),
        ("Range: bytes=-0", 416, Some(""), Some("bytes */10")),
        ("Range: bytes=0-1,3-4", 200, all, None),
        ("Range: bytes=4-2", 200, all, None),
        ("Range: pages=1-2", 200, all, None),
        ("Range: bytes=2-4|If-Range: TAG", 206, Some("234"), Some("bytes 2-4/10")),
        ("Range: bytes=2-4|If-Range: \"other\"", 200, all, None),
        ("Range: bytes=2-4|If-Range: MODIFIED", 200, all, None),
        ("Range: bytes=10-|If-Range: \"other\"", 200, all, None),
        ("Range: bytes=2-4|If-None-Match: \"other\"", 206, Some("234"), Some("bytes 2-4/10")),
    ] {
        let fields = fields.replace("TAG", &tag).replace("MODIFIED", MODIFIED).replace("BEFORE", before);
        for path in ["/static/ten.txt", "/single"] {
            let answer = server.ask("GET", path, &fields);
            let got = (answer.status, answer.body.as_slice(), answer.header("content-range"));
            assert_eq!(got, (status, body.unwrap_or_default().as_bytes(), content_range), "{fields}");
            let has_tag = matches!(status, 200 | 206 | 304);
            assert_eq!(answer.header("etag"), has_tag.then_some(tag.as_str()), "{fields}");
            let head = server.ask("HEAD", path, &fields);
            // A range is part of GET alone (RFC 9110 §14.2).
            let expected = if matches!(status, 206 | 416) { 200 } else { status };
            assert_eq!((head.status, head.header("content-range")), (expected, None), "HEAD {fields}");
        }
    }
    assert_eq!(server.ask("GET", "/static/empty.css", "Range: bytes=0-").status, 200);
}

#[test]
fn a_tag_is_another_after_a_change_and_weak_right_after_it() {
    let place = site();
    let server = serve(&place);
    let path = place.path().join("site/ten.txt");
    let tag = || server.ask("GET", "/static/ten.txt", "").header("etag").unwrap().to_owned();
    fs::write(&path, "9876543210").unwrap();
    let fresh = tag();
    assert!(fresh.starts_with("W/\""), "{fresh}");
    let resumed = server.ask("GET", "/static/ten.txt", &format!("Range: bytes=2-|If-Range: {fresh}"));
    assert_eq!(resumed.body, b"9876543210");
    assert_eq!(server.ask("GET", "/static/ten.txt", &format!("If-None-Match: {fresh}")).status, 304);
    until("the change is old enough", || tag() == fresh.trim_start_matches("W/"));
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(SystemTime::now() + Duration::from_secs(100))
        .unwrap();
    let future = server.ask("GET", "/static/ten.txt", "");
    assert!(future.header("etag").unwrap().starts_with("W/\""), "{future:?}");
    // What claims to change in the future has changed by now at the latest (RFC 9110 §8.8.2.1).
    let date = |name| httpdate::parse_http_date(future.header(name).unwrap()).unwrap();
    assert!(date("last-modified") <= date("date"), "{future:?}");
    age(&path);
    // Same name, size and time, but another file.
    let copy = place.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    age(&copy);
    let before = tag();
    fs::rename(&copy, &path).unwrap();
    assert_ne!(before, tag());
}

#[test]
fn a_directory_that_is_not_there_is_an_error_that_names_it() {
    let error = Files::new("/none/such").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Directory);
    assert!(error.to_string().contains("/none/such"), "{error}");
}
