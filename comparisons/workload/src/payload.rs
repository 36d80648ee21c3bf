//! Bodies and media types of the contract, and how a request asks for a number of rows or bytes.
//!
//! Leaves the rows themselves to `database.rs`. Read next: `../../README.md`, which lists the routes.

use serde::Serialize;

/// Body of `GET /plaintext`.
pub const PLAINTEXT: &str = "Hello, World!";

/// What the handler of `GET /panic` panics with.
pub const PANIC: &str = "asked to by GET /panic";

/// Body of `GET /health`.
pub const HEALTH: &str = "ok";

/// Media type of `/plaintext`, `/health`, `/users/{id}` and of every refusal.
pub const TEXT_PLAIN: &str = "text/plain";

/// Media type of `/json` and of every route that answers with rows of `world`.
pub const APPLICATION_JSON: &str = "application/json";

/// Media type of `/fortunes`.
pub const TEXT_HTML: &str = "text/html; charset=utf-8";

/// Media type of `/download/{bytes}` and `/echo`.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// The largest request body that `POST /echo` sends back, in bytes; a larger one is refused with 413.
pub const ECHO_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The most that `GET /download/{bytes}` hands out, in bytes; more is refused with 400.
pub const DOWNLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most rows that one request may ask for (TechEmpower, "Multiple database queries", rule on bounds).
pub const ROWS_MAX: usize = 500;

/// What `GET /json` serialises, anew for each request.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Message {
    /// The greeting, in the member `message`.
    pub message: &'static str,
}

impl Message {
    /// The message of the contract.
    #[must_use]
    pub const fn hello() -> Self {
        Self { message: PLAINTEXT }
    }
}

/// How many rows a request asks for, from the raw value of its parameter `queries` or `count`.
///
/// Missing, not a decimal integer, or below 1 counts as 1; above [`ROWS_MAX`] counts as [`ROWS_MAX`], however many
/// digits it has.
#[must_use]
pub fn row_count(raw: Option<&str>) -> usize {
    let digits = raw.unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 1;
    }
    // Only a number that overflows is left as an error here, and that is above the limit too.
    digits.parse().unwrap_or(ROWS_MAX).clamp(1, ROWS_MAX)
}

/// The body of `GET /download/{bytes}`: the bytes 0, 1, … 250, 0, 1, … up to the length asked for.
///
/// A prime period shows a chunk that is lost, doubled or out of place at any power of two. `None` above
/// [`DOWNLOAD_BYTES_MAX`].
#[must_use]
pub fn download(bytes: usize) -> Option<Vec<u8>> {
    const PERIOD: [u8; 251] = {
        let mut period = [0; 251];
        let mut at = 0;
        while at < period.len() {
            period[at] = at as u8;
            at += 1;
        }
        period
    };
    if bytes > DOWNLOAD_BYTES_MAX {
        return None;
    }
    let mut body = Vec::with_capacity(bytes);
    while body.len() < bytes {
        let rest = bytes - body.len();
        body.extend_from_slice(&PERIOD[..rest.min(PERIOD.len())]);
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_count_follows_the_bounds() {
        for (raw, expected) in [
            (None, 1),
            (Some(""), 1),
            (Some("abc"), 1),
            (Some("2x"), 1),
            (Some("2.5"), 1),
            (Some(" 5"), 1),
            (Some("+5"), 1),
            (Some("-5"), 1),
            (Some("0"), 1),
            (Some("000"), 1),
            (Some("1"), 1),
            (Some("007"), 7),
            (Some("20"), 20),
            (Some("499"), 499),
            (Some("500"), 500),
            (Some("501"), 500),
            (Some("99999999999999999999999999"), 500),
            (Some("٣"), 1),
        ] {
            assert_eq!(row_count(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn download_has_the_length_asked_for_and_repeats_after_251() {
        for bytes in [0, 1, 250, 251, 252, 65_536, DOWNLOAD_BYTES_MAX] {
            let body = download(bytes).unwrap();
            assert_eq!(body.len(), bytes);
            assert!(body.iter().enumerate().all(|(at, &byte)| usize::from(byte) == at % 251));
        }
        assert_eq!(download(DOWNLOAD_BYTES_MAX + 1), None);
    }
}
