//! Who is let in, what is found, and that every answer can be traced.

use serde_json::json;

use crate::implementation::each;

#[test]
fn a_token_is_given_for_the_right_password_alone() {
    each(&[], |running| {
        let client = running.stranger();
        for (user, password, status) in
            [("ada", "lovelace", 200), ("ada", "byron", 401), ("lovelace", "ada", 401), ("", "", 401)]
        {
            client.post("/login", &json!({"user": user, "password": password})).has_status(status);
        }
    });
}

#[test]
fn nobody_enters_without_a_token() {
    each(&[], |running| {
        let (known, stranger) = (running.client(), running.stranger());
        known.post("/api/notes", &json!({"title": "a", "body": ""})).has_status(201);
        for (method, path) in [
            ("GET", "/api/notes"),
            ("GET", "/api/notes/1"),
            ("DELETE", "/api/notes/1"),
            ("GET", "/api/notes/1/attachment"),
            ("GET", "/api/notes/7"),
        ] {
            stranger.send(method, path, &[], None).has_status(401);
            let basic = format!("Basic {}", known.token());
            for field in ["Bearer", "Bearer nonsense", basic.as_str()] {
                stranger.send(method, path, &[("Authorization", field)], None).has_status(401);
            }
        }
        known.get("/api/notes/1").has_status(200);
    });
}

#[test]
fn what_is_not_there_is_a_problem_as_well() {
    each(&[], |running| {
        let client = running.client();
        for path in ["/", "/nowhere", "/api/nowhere", "/api/notes/1", "/api/notes/0", "/api/notes/one"] {
            client.get(path).has_status(404);
        }
        for (method, path, allowed) in [
            ("GET", "/login", &["POST"][..]),
            ("DELETE", "/api/notes", &["GET", "HEAD", "POST"]),
            ("POST", "/api/notes/1", &["GET", "HEAD", "PUT", "DELETE"]),
            ("DELETE", "/api/notes/1/attachment", &["GET", "HEAD", "PUT"]),
        ] {
            let content = (method == "POST").then_some(("application/json", &b"{}"[..]));
            let answer = client.send(method, path, &[], content);
            answer.has_status(405);
            let mut named: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
            if named.contains(&"OPTIONS") {
                client.send("OPTIONS", path, &[], None).has_status(204);
                named.retain(|name| *name != "OPTIONS");
            }
            let mut allowed = allowed.to_vec();
            named.sort_unstable();
            allowed.sort_unstable();
            assert_eq!(named, allowed, "{}", answer.place);
        }
    });
}

#[test]
fn an_answer_has_the_id_of_its_request_or_one_of_its_own() {
    each(&[], |running| {
        let (client, stranger) = (running.client(), running.stranger());
        for (client, path) in [(&client, "/api/notes"), (&client, "/nowhere"), (&stranger, "/api/notes")] {
            let answer = client.send("GET", path, &[("X-Request-Id", "deadbeef")], None);
            assert_eq!(answer.header("x-request-id"), "deadbeef", "{}", answer.place);
            let made = [client.get(path), client.get(path)];
            assert_ne!(made[0].header("x-request-id"), made[1].header("x-request-id"), "{}", answer.place);
        }
    });
}
