//! Notes: what may be stored, and how it is found again.

use serde_json::{Value, json};

use crate::implementation::each;

fn note(title: &str, body: &str) -> Value {
    json!({"title": title, "body": body})
}

#[test]
fn a_note_lives_from_post_to_delete() {
    each(&[], |running| {
        let client = running.client();
        let created = client.post("/api/notes", &note("first", "text"));
        created.has_status(201);
        assert_eq!(created.header("location"), "/api/notes/1", "{}", created.place);
        let stored = json!({"id": 1, "title": "first", "body": "text"});
        assert_eq!(created.json(), stored, "{}", created.place);
        assert_eq!(client.get("/api/notes/1").json(), stored, "{}", created.place);

        let head = client.send("HEAD", "/api/notes/1", &[], None);
        head.has_status(200);
        assert_eq!(head.header("content-type"), "application/json", "{}", head.place);

        let replaced = client.put("/api/notes/1", &note("second", ""));
        replaced.has_status(200);
        let stored = json!({"id": 1, "title": "second", "body": ""});
        assert_eq!(replaced.json(), stored, "{}", replaced.place);
        assert_eq!(client.get("/api/notes/1").json(), stored, "{}", replaced.place);

        let deleted = client.send("DELETE", "/api/notes/1", &[], None);
        deleted.has_status(204);
        for answer in [
            client.get("/api/notes/1"),
            client.put("/api/notes/1", &note("third", "")),
            client.send("DELETE", "/api/notes/1", &[], None),
        ] {
            answer.has_status(404);
        }
        let next = client.post("/api/notes", &note("first", "text"));
        assert_eq!(next.header("location"), "/api/notes/2", "{}", next.place);
    });
}

#[test]
fn fields_out_of_bounds_are_named_all_at_once() {
    each(&[], |running| {
        let client = running.client();
        client.post("/api/notes", &note("to be replaced", "")).has_status(201);
        // Characters, not bytes: each of these has two.
        let letters = |count| "\u{e9}".repeat(count);
        for (title, body, blamed) in [
            (letters(1), letters(0), &[][..]),
            (letters(100), letters(10_000), &[]),
            (letters(0), letters(0), &["title"]),
            (letters(101), letters(0), &["title"]),
            (letters(1), letters(10_001), &["body"]),
            (letters(101), letters(10_001), &["title", "body"]),
        ] {
            let (post, put) =
                (client.post("/api/notes", &note(&title, &body)), client.put("/api/notes/1", &note(&title, &body)));
            if blamed.is_empty() {
                post.has_status(201);
                put.has_status(200);
            } else {
                post.blames(blamed);
                put.blames(blamed);
            }
        }
    });
}

#[test]
fn what_is_no_note_is_refused_with_the_reason() {
    let large = format!("{{\"title\": \"a\", \"body\": \"{}\"}}", "x".repeat(128 * 1024));
    each(&[], |running| {
        let client = running.client();
        for (media_type, body, status, reason) in [
            ("application/json", "{\"title\": \"a\", \"body\": \"\"}", 201, ""),
            ("application/json; charset=utf-8", "{\"title\": \"a\", \"body\": \"\"}", 201, ""),
            ("application/json", "{\"title\": ", 400, ""),
            ("application/json", "", 400, ""),
            ("application/json", "{\"body\": \"\"}", 422, "title"),
            ("application/json", "{\"title\": 1, \"body\": \"\"}", 422, "string"),
            ("application/json", "[]", 422, ""),
            ("text/plain", "{\"title\": \"a\", \"body\": \"\"}", 415, ""),
            ("application/json", &large, 413, ""),
        ] {
            let answer = client.send("POST", "/api/notes", &[], Some((media_type, body.as_bytes())));
            answer.has_status(status);
            let text = String::from_utf8_lossy(&answer.body);
            assert!(text.contains(reason), "{}: {body:.40}: {text}", answer.place);
        }
    });
}

#[test]
fn pages_lead_to_their_neighbours() {
    each(&[], |running| {
        let client = running.client();
        for number in 1..=25 {
            client.post("/api/notes", &note(&number.to_string(), "")).has_status(201);
        }
        for (query, page, per_page, ids, link) in [
            ("", 1, 20, 1..21, &[(2, 20, "next")][..]),
            ("?page=2", 2, 20, 21..26, &[(1, 20, "prev")]),
            ("?page=2&per_page=5", 2, 5, 6..11, &[(3, 5, "next"), (1, 5, "prev")]),
            ("?per_page=25", 1, 25, 1..26, &[]),
            ("?per_page=100&page=1", 1, 100, 1..26, &[]),
            ("?page=18446744073709551615", u64::MAX, 20, 0..0, &[(u64::MAX - 1, 20, "prev")]),
        ] {
            let answer = client.get(&format!("/api/notes{query}"));
            answer.has_status(200);
            let listing = answer.json();
            let found: Vec<u64> =
                listing["notes"].as_array().unwrap().iter().map(|note| note["id"].as_u64().unwrap()).collect();
            assert_eq!(found, ids.collect::<Vec<_>>(), "{}", answer.place);
            let said = (&listing["page"], &listing["per_page"], &listing["total"]);
            assert_eq!(said, (&page.into(), &per_page.into(), &25.into()), "{}", answer.place);
            let link: Vec<String> = link
                .iter()
                .map(|(page, size, rel)| format!("</api/notes?page={page}&per_page={size}>; rel=\"{rel}\""))
                .collect();
            assert_eq!(answer.header("link"), link.join(", "), "{}", answer.place);
        }
    });
}

#[test]
fn pages_out_of_bounds_name_the_parameter() {
    each(&[], |running| {
        let client = running.client();
        for (query, blamed) in [
            ("page=0", &["page"][..]),
            ("per_page=0", &["per_page"]),
            ("per_page=101", &["per_page"]),
            ("page=0&per_page=0", &["page", "per_page"]),
        ] {
            client.get(&format!("/api/notes?{query}")).blames(blamed);
        }
        for (query, name) in
            [("page=two", "page"), ("per_page=", "per_page"), ("per_page=-1", "per_page"), ("page=1.5", "page")]
        {
            let answer = client.get(&format!("/api/notes?{query}"));
            answer.has_status(400);
            let detail = answer.json()["detail"].to_string();
            assert!(detail.contains(name), "{}: {detail}", answer.place);
        }
    });
}
