//! Checks a server's answers before anything is timed, in the sense of the TechEmpower toolset: status, header fields,
//! bodies byte by byte, counts and ranges of rows, escaping and order of the fortunes, and that updates persist.
//!
//! What it finds wrong voids the target for that test. It reads answers with a client and a JSON parser that none of
//! the servers under test contains.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use harness::{database, subject::Subject};
use probe::suite::Verification;
use serde_json::Value;

/// Rows of the World table, and the largest random number.
const WORLD: u64 = 10_000;

/// The fortunes page with its rows in the order of their messages, as the standard database yields it.
const FORTUNES: &str = include_str!("fortunes.html");

/// Checks one family of cases.
#[must_use]
pub fn verify(subject: &mut Subject<'_>, test: &str) -> Verification {
    let mut checker = Checker::new(subject.address);
    match test {
        "plaintext" => checker.fixed("/plaintext", "text/plain", "Hello, World!"),
        "json" => checker.json_message(),
        "db" => checker.single_row(),
        "queries" => checker.counted_rows("/queries?queries=", "/queries"),
        "cached-queries" => checker.counted_rows("/cached-queries?count=", "/cached-queries"),
        "fortunes" => checker.fortunes(),
        "updates" => {
            checker.counted_rows("/updates?queries=", "/updates");
            checker.updates_persist(subject.database);
        }
        other => checker.problem(format!("there are no checks for the test {other}")),
    }
    Verification {
        target: subject.target.to_owned(),
        test: test.to_owned(),
        checks: checker.checks,
        problems: checker.problems,
    }
}

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

struct Checker {
    agent: ureq::Agent,
    address: SocketAddr,
    checks: Vec<String>,
    problems: Vec<String>,
}

impl Checker {
    fn new(address: SocketAddr) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(10)))
            .http_status_as_error(false)
            .build()
            .new_agent();
        Self { agent, address, checks: Vec::new(), problems: Vec::new() }
    }

    fn checked(&mut self, what: impl Into<String>) {
        self.checks.push(what.into());
    }

    fn problem(&mut self, what: impl Into<String>) {
        // A server that is wrong everywhere need not fill the record with it.
        const MOST: usize = 8;
        if self.problems.len() < MOST {
            self.problems.push(what.into());
        }
    }

    /// An answer with status 200, the header fields that the rules demand and a body whose length was declared.
    fn get(&mut self, path: &str, content_type: &str) -> Option<Answer> {
        let answer = match self.fetch(path) {
            Ok(answer) => answer,
            Err(error) => {
                self.problem(format!("GET {path}: no answer: {error}"));
                return None;
            }
        };
        if answer.status != 200 {
            self.problem(format!("GET {path}: status {} instead of 200", answer.status));
            return None;
        }
        for name in ["server", "date"] {
            if answer.headers.get(name).is_none_or(String::is_empty) {
                self.problem(format!("GET {path}: no {name} header field"));
            }
        }
        let length = answer.headers.get("content-length").map(String::as_str);
        if length != Some(&answer.body.len().to_string()) && !answer.headers.contains_key("transfer-encoding") {
            self.problem(format!("GET {path}: Content-Length is {length:?} for {} bytes", answer.body.len()));
        }
        let found = answer.headers.get("content-type").cloned().unwrap_or_default();
        if !same_media_type(&found, content_type) {
            self.problem(format!("GET {path}: Content-Type is {found:?} instead of {content_type}"));
        }
        Some(answer)
    }

    fn fetch(&self, path: &str) -> Result<Answer, ureq::Error> {
        let mut response = self.agent.get(format!("http://{}{path}", self.address)).call()?;
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        Ok(Answer { status: response.status().as_u16(), headers, body: response.body_mut().read_to_string()? })
    }

    fn fixed(&mut self, path: &str, content_type: &str, body: &str) {
        if let Some(answer) = self.get(path, content_type)
            && answer.body != body
        {
            self.problem(format!("GET {path}: the body is {:?} instead of {body:?}", short(&answer.body)));
        }
        self.checked(format!("GET {path}: status, header fields, body byte by byte"));
    }

    fn json_message(&mut self) {
        if let Some(answer) = self.get("/json", "application/json") {
            let expected = serde_json::json!({ "message": "Hello, World!" });
            if serde_json::from_str::<Value>(&answer.body).ok().as_ref() != Some(&expected) {
                self.problem(format!("GET /json: the body is {:?} instead of {expected}", short(&answer.body)));
            }
        }
        self.checked("GET /json: status, header fields, the object and nothing else");
    }

    fn single_row(&mut self) {
        let mut ids = BTreeSet::new();
        for _ in 0..20 {
            let Some(answer) = self.get("/db", "application/json") else {
                return;
            };
            match serde_json::from_str(&answer.body).ok().as_ref().and_then(world) {
                Some((id, _)) => ids.insert(id),
                None => return self.problem(format!("GET /db: not a row of World: {:?}", short(&answer.body))),
            };
        }
        if ids.len() < 2 {
            self.problem("GET /db: twenty requests yielded the same row; it is to be chosen at random");
        }
        self.checked("GET /db: twenty rows of World, integers from 1 to 10,000, chosen at random");
    }

    /// The rules for the count: missing, not a number or below 1 means 1; above 500 means 500.
    fn counted_rows(&mut self, path: &str, bare: &str) {
        let table: &[(String, usize)] = &[
            (bare.to_owned(), 1),
            (path.to_owned(), 1),
            (format!("{path}foo"), 1),
            (format!("{path}0"), 1),
            (format!("{path}-3"), 1),
            (format!("{path}1"), 1),
            (format!("{path}20"), 20),
            (format!("{path}500"), 500),
            (format!("{path}501"), 500),
            (format!("{path}99999999999999999999"), 500),
        ];
        for (path, count) in table {
            if let Some(rows) = self.rows(path)
                && rows.len() != *count
            {
                self.problem(format!("GET {path}: {} rows instead of {count}", rows.len()));
            }
        }
        self.checked(format!("GET {path}N: count of rows for N missing, no number, below 1, 1, 20, 500, above 500"));
    }

    fn rows(&mut self, path: &str) -> Option<Vec<(u64, u64)>> {
        let answer = self.get(path, "application/json")?;
        let parsed = serde_json::from_str::<Value>(&answer.body).ok();
        let rows: Option<Vec<(u64, u64)>> =
            parsed.as_ref().and_then(Value::as_array).and_then(|rows| rows.iter().map(world).collect());
        let Some(rows) = rows else {
            self.problem(format!("GET {path}: not an array of rows of World: {:?}", short(&answer.body)));
            return None;
        };
        let distinct: BTreeSet<u64> = rows.iter().map(|(id, _)| *id).collect();
        if rows.len() >= 20 && distinct.len() < rows.len() / 2 {
            self.problem(format!("GET {path}: only {} distinct rows of {}", distinct.len(), rows.len()));
        }
        Some(rows)
    }

    fn updates_persist(&mut self, database: Option<(&Path, &str)>) {
        let Some((seeder, url)) = database else {
            return self.problem("updates cannot be checked without a database");
        };
        let dump = |checker: &mut Self| {
            database::dump_world(seeder, url)
                .map_err(|error| checker.problem(format!("the World table cannot be read: {error:#}")))
                .ok()
        };
        let Some(before) = dump(self) else { return };
        let Some(rows) = self.rows("/updates?queries=500") else {
            return;
        };
        let Some(after) = dump(self) else { return };
        if after.len() != before.len() {
            self.problem(format!("the World table has {} rows after updates instead of {}", after.len(), before.len()));
        }
        let answered: BTreeMap<u64, u64> = rows.into_iter().collect();
        let stored = |table: &BTreeMap<u32, u32>, id: u64| {
            u32::try_from(id).ok().and_then(|id| table.get(&id)).map(|number| u64::from(*number))
        };
        let lost = answered.iter().filter(|(id, number)| stored(&after, **id) != Some(**number)).count();
        if lost > 0 {
            self.problem(format!("GET /updates: {lost} of {} numbers are not in the database", answered.len()));
        }
        let changed = answered.keys().filter(|id| stored(&before, **id) != stored(&after, **id)).count();
        // A new number equals the old one once in 10,000 times.
        if changed < answered.len() * 9 / 10 {
            self.problem(format!("GET /updates: only {changed} of {} rows changed", answered.len()));
        }
        self.checked(
            "GET /updates?queries=500: the numbers answered stand in the database afterwards, read by another process",
        );
    }

    fn fortunes(&mut self) {
        if let Some(answer) = self.get("/fortunes", "text/html; charset=utf-8") {
            let (found, expected) = (normalised(&answer.body), normalised(FORTUNES));
            if answer.body.contains("<script>") {
                self.problem("GET /fortunes: the <script> row is not escaped");
            }
            if found != expected {
                let at = found.bytes().zip(expected.bytes()).take_while(|(a, b)| a == b).count();
                let from = (0..=at.saturating_sub(20)).rev().find(|index| found.is_char_boundary(*index)).unwrap_or(0);
                self.problem(format!("GET /fortunes: the page differs from the rule at {:?}", short(&found[from..])));
            }
        }
        self.checked("GET /fortunes: the whole page: thirteen rows in the order of their messages, escaped, UTF-8");
    }
}

/// A row of World, if its fields are integers in range.
fn world(value: &Value) -> Option<(u64, u64)> {
    let field = |name: &str| value.get(name).and_then(Value::as_u64).filter(|number| (1..=WORLD).contains(number));
    Some((field("id")?, field("randomNumber")?))
}

/// The type must be the same; a charset is compared if one is demanded, and may be added otherwise.
fn same_media_type(found: &str, demanded: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        text.to_ascii_lowercase().replace('"', "").split(';').map(|part| part.trim().to_owned()).collect()
    };
    let (found, demanded) = (parts(found), parts(demanded));
    demanded.iter().all(|part| found.contains(part)) && found.first() == demanded.first()
}

/// The page without white space between tags, quotation marks in either of the two escapes that HTML has for them.
fn normalised(page: &str) -> String {
    let lines: String = page.lines().map(str::trim).collect();
    lines
        .replace("> <", "><")
        .replace("&#34;", "&quot;")
        .replace("&#x22;", "&quot;")
        .replace("&#39;", "&apos;")
        .replace("&#x27;", "&apos;")
        .replace("&#38;", "&amp;")
        .replace("&#60;", "&lt;")
        .replace("&#62;", "&gt;")
        .replace("&#x2F;", "/")
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        for (found, demanded, same) in [
            ("text/plain", "text/plain", true),
            ("text/plain; charset=utf-8", "text/plain", true),
            ("text/html", "text/html; charset=utf-8", false),
            ("text/html;charset=\"UTF-8\"", "text/html; charset=utf-8", true),
            ("application/json", "text/plain", false),
            ("", "text/plain", false),
        ] {
            assert_eq!(same_media_type(found, demanded), same, "{found} for {demanded}");
        }
    }

    #[test]
    fn rows_of_world() {
        for (text, row) in [
            (r#"{"id":1,"randomNumber":10000}"#, Some((1, 10_000))),
            (r#"{"id":0,"randomNumber":1}"#, None),
            (r#"{"id":1,"randomNumber":10001}"#, None),
            (r#"{"id":"1","randomNumber":1}"#, None),
            (r#"{"id":1}"#, None),
        ] {
            assert_eq!(world(&serde_json::from_str(text).unwrap()), row, "{text}");
        }
    }

    #[test]
    fn the_expected_page_is_sorted_and_escaped() {
        let messages: Vec<&str> = FORTUNES
            .split("<tr><td>")
            .skip(1)
            .filter_map(|row| row.split("</td><td>").nth(1)?.split("</td>").next())
            .collect();
        assert_eq!(messages.len(), 13);
        assert!(!FORTUNES.contains("<script>"));
        let unescaped: Vec<String> = messages.iter().map(|message| message.replace("&lt;", "<")).collect();
        let mut sorted = unescaped.clone();
        sorted.sort();
        assert_eq!(unescaped, sorted);
    }
}
