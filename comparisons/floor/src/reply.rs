//! The bytes that lie ready for each route, made anew when the second changes. Leaves when to send them to
//! `connection.rs`.

use std::time::{SystemTime, UNIX_EPOCH};

use workload::payload;

/// `{"message":…}` as every other target serialises it; here it is fixed.
const JSON: &str = r#"{"message":"Hello, World!"}"#;

/// One whole response per route.
#[derive(Debug)]
pub(crate) struct Replies {
    second: u64,
    plaintext: Vec<u8>,
    json: Vec<u8>,
    health: Vec<u8>,
    not_found: Vec<u8>,
}

impl Replies {
    pub(crate) fn at(now: SystemTime) -> Self {
        let date = httpdate::fmt_http_date(now);
        let reply = |status: &str, media_type: &str, body: &str| {
            format!(
                "HTTP/1.1 {status}\r\nserver: floor\r\ndate: {date}\r\ncontent-type: {media_type}\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        };
        Self {
            second: second(now),
            plaintext: reply("200 OK", payload::TEXT_PLAIN, payload::PLAINTEXT),
            json: reply("200 OK", payload::APPLICATION_JSON, JSON),
            health: reply("200 OK", payload::TEXT_PLAIN, payload::HEALTH),
            not_found: reply("404 Not Found", payload::TEXT_PLAIN, ""),
        }
    }

    /// Writes the date anew if its second is over (RFC 9110 §6.6.1 has no finer unit).
    pub(crate) fn refresh(&mut self, now: SystemTime) {
        if second(now) != self.second {
            *self = Self::at(now);
        }
    }

    /// The answer to the request whose head begins with `head`.
    pub(crate) fn to(&self, head: &[u8]) -> &[u8] {
        let Some(target) = head.strip_prefix(b"GET ") else {
            return &self.not_found;
        };
        for (path, reply) in
            [(&b"/plaintext "[..], &self.plaintext), (b"/json ", &self.json), (b"/health ", &self.health)]
        {
            if target.starts_with(path) {
                return reply;
            }
        }
        &self.not_found
    }
}

fn second(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_head_decides_and_the_date_moves_once_a_second() {
        let mut replies = Replies::at(UNIX_EPOCH);
        for (head, expected) in [
            ("GET /plaintext HTTP/1.1", "Hello, World!"),
            ("GET /json HTTP/1.1", r#"{"message":"Hello, World!"}"#),
            ("GET /health HTTP/1.1", "ok"),
            ("GET /plaintexts HTTP/1.1", ""),
            ("POST /plaintext HTTP/1.1", ""),
            ("", ""),
        ] {
            let reply = String::from_utf8(replies.to(head.as_bytes()).to_vec()).unwrap();
            let (head, body) = reply.split_once("\r\n\r\n").unwrap();
            assert_eq!(body, expected);
            assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
            assert!(head.contains("date: Thu, 01 Jan 1970 00:00:00 GMT"), "{head}");
        }
        for (millis, date) in [(999, "00:00:00"), (1000, "00:00:01"), (61_500, "00:01:01")] {
            replies.refresh(UNIX_EPOCH + Duration::from_millis(millis));
            let reply = String::from_utf8(replies.to(b"GET /json ").to_vec()).unwrap();
            assert!(reply.contains(date), "{reply}");
        }
    }
}
