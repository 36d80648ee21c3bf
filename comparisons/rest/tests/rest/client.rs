//! A client of the service, and what holds for each of its answers.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};
use ureq::{
    Agent,
    http::{HeaderMap, Request},
};

/// How long an answer may take on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(30);

/// A type and a body.
pub(crate) type Content<'a> = (&'a str, &'a [u8]);

pub(crate) struct Client {
    name: &'static str,
    address: SocketAddr,
    agent: Agent,
    token: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    /// For messages: who answered, and what was asked.
    pub(crate) place: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn new(name: &'static str, address: SocketAddr) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        Self { name, address, agent: config.build().into(), token: None }
    }

    pub(crate) fn login(&mut self) {
        let answer = self.post("/login", &json!({"user": "ada", "password": "lovelace"}));
        answer.has_status(200);
        assert_eq!(answer.json()["token_type"], "Bearer", "{}", answer.place);
        self.token = Some(answer.json()["access_token"].as_str().expect("a token").to_owned());
    }

    /// The token that was given out, or none.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], Some(("application/json", body.to_string().as_bytes())))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[], Some(("application/json", body.to_string().as_bytes())))
    }

    /// Sends a request and holds the answer to what is promised for all of them.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        content: Option<Content<'_>>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let place = format!("{}: {method} {path} {headers:?}", self.name);
        let answer = match content {
            Some((media_type, body)) => self.agent.run(request.header("Content-Type", media_type).body(body).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut answer = answer.unwrap_or_else(|problem| panic!("{place}: {problem}"));
        let body = answer.body_mut().read_to_vec().unwrap_or_else(|problem| panic!("{place}: {problem}"));
        let answer = Answer { place, status: answer.status().as_u16(), headers: answer.headers().clone(), body };
        answer.is_as_promised(method);
        answer
    }

    /// Sends a head with a length, and what there is of the body; gives the status line and the header fields.
    pub(crate) fn begin(&self, head: &str, length: usize, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let token = self.token();
        let head = format!("{head}\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("the server reads");
        // A server that has seen enough may have closed its side; its answer is there all the same.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("an answer while the rest of the body is missing");
            answer.push(byte[0]);
        }
        String::from_utf8(answer).expect("ASCII").to_lowercase()
    }
}

impl Answer {
    fn is_as_promised(&self, method: &str) {
        assert!(!self.header("x-request-id").is_empty(), "{}", self.place);
        if self.status == 401 {
            assert!(self.header("www-authenticate").starts_with("Bearer"), "{}", self.place);
        }
        if self.status >= 400 && method != "HEAD" {
            assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.place);
            let problem = self.json();
            assert_eq!(problem["status"], self.status, "{}: {problem}", self.place);
            assert!(problem["title"].is_string() && problem["detail"].is_string(), "{}: {problem}", self.place);
        }
    }

    pub(crate) fn has_status(&self, status: u16) {
        assert_eq!(self.status, status, "{}: {}", self.place, String::from_utf8_lossy(&self.body));
    }

    /// The status is 422, and these are the fields to blame.
    pub(crate) fn blames(&self, fields: &[&str]) {
        self.has_status(422);
        let problem = self.json();
        let blamed: Vec<&str> =
            problem["errors"].as_array().into_iter().flatten().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(blamed, fields, "{}: {problem}", self.place);
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.place, String::from_utf8_lossy(&self.body)))
    }

    /// A header field, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII")).unwrap_or_default()
    }
}
