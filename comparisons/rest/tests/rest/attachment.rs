//! Attachments: what comes in as a form and goes out as it came.

use serde_json::json;

use crate::{
    client::{Answer, Client},
    implementation::{Running, each},
};

const BYTES_MAX: usize = 1024 * 1024;

/// A client that has logged in and stored one note.
fn client(running: &Running) -> Client {
    let client = running.client();
    client.post("/api/notes", &json!({"title": "a", "body": ""})).has_status(201);
    client
}

/// A form with a part for each name, media type (or none) and content.
fn form(parts: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, media_type, content) in parts {
        let file = format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a\"\r\n");
        form.extend_from_slice(file.as_bytes());
        if !media_type.is_empty() {
            form.extend_from_slice(format!("Content-Type: {media_type}\r\n").as_bytes());
        }
        form.extend_from_slice(&[b"\r\n", *content, b"\r\n"].concat());
    }
    form.extend_from_slice(b"--cut--\r\n");
    form
}

fn upload(client: &Client, form: &[u8]) -> Answer {
    client.send("PUT", "/api/notes/1/attachment", &[], Some(("multipart/form-data; boundary=cut", form)))
}

#[test]
fn an_attachment_is_kept_with_its_media_type() {
    each(&[], |running| {
        let client = client(running);
        client.get("/api/notes/1/attachment").has_status(404);
        for (parts, media_type, content) in [
            (&[("file", "image/png", &b"\x89PNG\r\n\x00"[..])][..], "image/png", &b"\x89PNG\r\n\x00"[..]),
            (&[("file", "", b"plain")], "application/octet-stream", b"plain"),
            (&[("file", "text/plain", b"")], "text/plain", b""),
            (&[("note", "", b"x"), ("file", "text/csv", b"a\r\n--cu"), ("more", "", b"y")], "text/csv", b"a\r\n--cu"),
        ] {
            upload(&client, &form(parts)).has_status(204);
            let answer = client.get("/api/notes/1/attachment");
            answer.has_status(200);
            assert_eq!(answer.header("content-type"), media_type, "{}", answer.place);
            assert_eq!(answer.body, content, "{}", answer.place);
        }
    });
}

#[test]
fn an_unchanged_attachment_is_not_sent_again() {
    each(&[], |running| {
        let client = client(running);
        let send = |content: &[u8]| upload(&client, &form(&[("file", "text/plain", content)])).has_status(204);
        let ask = |field: &str| client.send("GET", "/api/notes/1/attachment", &[("If-None-Match", field)], None);
        send(b"one");
        let etag = client.get("/api/notes/1/attachment").header("etag").to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{}: {etag}", running.name);
        for (field, status) in [
            (etag.clone(), 304),
            (format!("W/{etag}"), 304),
            (format!("\"other\", {etag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            let answer = ask(&field);
            answer.has_status(status);
            assert_eq!(answer.header("etag"), etag, "{}", answer.place);
            assert_eq!(answer.body.is_empty(), status == 304, "{}", answer.place);
        }
        send(b"two");
        ask(&etag).has_status(200);
    });
}

#[test]
fn what_cannot_be_attached_is_refused() {
    each(&[], |running| {
        let client = client(running);
        upload(&client, &form(&[])).blames(&["file"]);
        upload(&client, &form(&[("other", "", b"x")])).blames(&["file"]);
        let cut_short = form(&[("file", "", b"x")]);
        upload(&client, &cut_short[..cut_short.len() - 9]).has_status(400);
        let whole = form(&[("file", "", b"x")]);
        for (path, media_type, status) in [
            ("/api/notes/1/attachment", "image/png", 415),
            ("/api/notes/2/attachment", "multipart/form-data; boundary=cut", 404),
        ] {
            client.send("PUT", path, &[], Some((media_type, &whole))).has_status(status);
        }
        client.get("/api/notes/1/attachment").has_status(404);
    });
}

#[test]
fn an_attachment_has_at_most_a_mebibyte() {
    each(&[], |running| {
        let client = client(running);
        for (size, status) in [(BYTES_MAX, 204), (BYTES_MAX + 1, 413)] {
            upload(&client, &form(&[("file", "", &vec![b'x'; size])])).has_status(status);
        }
        assert_eq!(client.get("/api/notes/1/attachment").body.len(), BYTES_MAX, "{}", running.name);
    });
}

#[test]
fn too_large_an_attachment_is_refused_while_it_arrives() {
    each(&[], |running| {
        let client = client(running);
        let begun = form(&[("file", "", &vec![b'x'; BYTES_MAX + 256 * 1024])]);
        let head = "PUT /api/notes/1/attachment HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=cut";
        // The rest of what is announced never comes.
        let answer = client.begin(head, 1 << 30, &begun[..BYTES_MAX + 128 * 1024]);
        assert!(answer.starts_with("http/1.1 413 "), "{}: {answer}", running.name);
        assert!(answer.contains("application/problem+json"), "{}: {answer}", running.name);
    });
}
