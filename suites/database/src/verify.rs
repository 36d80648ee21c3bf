//! Checks a server before anything is timed: its answers against the tables, as another process reads them, and the
//! statements that each of its requests costs against what the database has counted.
//!
//! What answers alone cannot show is found here: all rows read by one statement, rows from a cache, rows of no table.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use harness::{database, subject::Subject, witness::Spent};
use probe::suite::Verification;
use serde_json::Value;

use crate::scenario::{POOL_ROWS, QUERY_LEVELS, UPDATE_LEVELS, update_statements};

/// Requests whose statements are counted together, each row of them read from the tables as well.
const REQUESTS: u32 = 5;

/// The fortunes of the standard tables, and the one that is added.
const FORTUNES: usize = 13;

/// Longer than any answer of this suite.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// Random numbers of World by id.
type Worlds = BTreeMap<u32, u32>;

/// Checks one family of cases.
pub(crate) fn verify(subject: &mut Subject<'_>, test: &str) -> Verification {
    let mut checker = Checker { agent: agent(), subject, checks: Vec::new(), problems: Vec::new() };
    match test {
        "db" | "concurrent" => checker.reads("/db", None, 1),
        "queries" => QUERY_LEVELS.iter().for_each(|(rows, _)| checker.queries(*rows)),
        "pool" => checker.queries(POOL_ROWS),
        "fortunes" => checker.fortunes(),
        "updates" => UPDATE_LEVELS.iter().for_each(|(rows, _)| checker.updates(*rows)),
        other => checker.problems.push(format!("there are no checks for the test {other}")),
    }
    let Checker { subject, checks, problems, .. } = checker;
    Verification { target: subject.target.to_owned(), test: test.to_owned(), checks, problems }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10)));
    config.http_status_as_error(false).build().into()
}

struct Checker<'a, 's> {
    agent: ureq::Agent,
    subject: &'a mut Subject<'s>,
    checks: Vec<String>,
    problems: Vec<String>,
}

impl Checker<'_, '_> {
    fn queries(&mut self, rows: u32) {
        self.reads(&format!("/queries?queries={rows}"), Some(rows), rows);
    }

    /// Rows that are only read: as the tables have them, each by a statement of its own.
    fn reads(&mut self, path: &str, rows: Option<u32>, statements: u32) {
        let answers = self.counted(path, "application/json", statements);
        let answered = answers.iter().map(|answer| worlds(answer, rows)).collect::<Result<Vec<_>, _>>();
        let found = answered.and_then(|answered| compared(&answered.concat(), &self.table()?));
        self.note(path, "each row is in the table", found);
    }

    /// Rows that are changed: as the tables have them afterwards, unless a later request has changed them again.
    fn updates(&mut self, rows: u32) {
        let path = format!("/updates?queries={rows}");
        let answers = self.counted(&path, "application/json", update_statements(rows));
        let answered = answers.iter().map(|answer| worlds(answer, Some(rows))).collect::<Result<Vec<_>, _>>();
        let found = answered.and_then(|answered| {
            let last: Worlds = answered.concat().into_iter().collect();
            compared(&last.into_iter().collect::<Vec<_>>(), &self.table()?)
        });
        self.note(&path, "each number is in the table afterwards", found);
    }

    fn fortunes(&mut self) {
        let answers = self.counted("/fortunes", "text/html", 1);
        let found = answers.iter().try_for_each(|page| fortunes(page));
        self.note("/fortunes", "thirteen rows, escaped, in the order of their messages", found);
    }

    fn note(&mut self, path: &str, check: &str, found: Result<(), String>) {
        self.checks.push(format!("GET {path}: {check}"));
        self.problems.extend(found.err().map(|problem| format!("GET {path}: {problem}")));
    }

    /// The answers to a few requests that are to cost so many statements each.
    fn counted(&mut self, path: &str, media_type: &str, statements: u32) -> Vec<String> {
        let before = self.subject.seen();
        let mut answers = Vec::new();
        for _ in 0..REQUESTS {
            match self.get(path, media_type) {
                Ok(body) => answers.push(body),
                Err(problem) => {
                    self.problems.push(format!("GET {path}: {problem}"));
                    return Vec::new();
                }
            }
        }
        let spent = before.and_then(|before| Spent::between(&before, &self.subject.seen()?, u64::from(REQUESTS), 0));
        // What is not known is told by the harness, once for each target.
        if let Ok(spent) = spent {
            let problem = spent.problem(statements);
            self.note(path, &format!("{statements} statement(s) at the database"), problem.map_or(Ok(()), Err));
        }
        answers
    }

    fn get(&self, path: &str, media_type: &str) -> Result<String, String> {
        let url = format!("http://{}{path}", self.subject.address);
        let mut answer = self.agent.get(url).call().map_err(|error| format!("no answer: {error}"))?;
        if answer.status().as_u16() != 200 {
            return Err(format!("status {} instead of 200", answer.status().as_u16()));
        }
        let found = answer.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if found.split(';').next().map(str::trim) != Some(media_type) {
            return Err(format!("Content-Type is {found:?} instead of {media_type}"));
        }
        let body = answer.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_string();
        body.map_err(|error| format!("the body breaks off: {error}"))
    }

    /// The World table as another process reads it.
    fn table(&self) -> Result<Worlds, String> {
        let (seeder, url) = self.subject.database.ok_or("there is no database")?;
        database::dump_world(seeder, url).map_err(|error| format!("the World table cannot be read: {error:#}"))
    }
}

/// The rows of an answer: an array of so many, or one object.
fn worlds(body: &str, rows: Option<u32>) -> Result<Vec<(u32, u32)>, String> {
    let wrong = || format!("not rows of World: {:?}", body.chars().take(80).collect::<String>());
    let value: Value = serde_json::from_str(body).map_err(|_| wrong())?;
    let values = match (&value, rows) {
        (Value::Array(values), Some(rows)) if values.len() == rows as usize => values.as_slice(),
        (Value::Array(values), Some(rows)) => return Err(format!("{} rows instead of {rows}", values.len())),
        (Value::Object(_), None) => std::slice::from_ref(&value),
        _ => return Err(wrong()),
    };
    let integer = |value: &Value, name| value.get(name)?.as_u64()?.try_into().ok();
    let row = |value| Some((integer(value, "id")?, integer(value, "randomNumber")?));
    values.iter().map(row).collect::<Option<_>>().ok_or_else(wrong)
}

/// Whether rows are those of the table, and not one and the same again and again.
fn compared(rows: &[(u32, u32)], table: &Worlds) -> Result<(), String> {
    let strange = rows.iter().filter(|(id, number)| table.get(id) != Some(number)).count();
    if strange > 0 {
        return Err(format!("{strange} of {} rows are not in the table", rows.len()));
    }
    let different = rows.iter().collect::<BTreeSet<_>>().len();
    // The fewest rows are five of 10,000: fewer than two different ones come once in 10^16 times.
    if rows.len() >= REQUESTS as usize && different < 2 {
        return Err("the same row each time; it is to be chosen at random".to_owned());
    }
    Ok(())
}

/// Whether a page has all fortunes, in order.
fn fortunes(page: &str) -> Result<(), String> {
    let messages: Vec<&str> =
        page.split("<tr><td>").skip(1).filter_map(|row| row.split("</td><td>").nth(1)?.split("</td>").next()).collect();
    if messages.len() != FORTUNES {
        return Err(format!("{} rows instead of {FORTUNES}", messages.len()));
    }
    if page.contains("<script>") {
        return Err("the <script> row is not escaped".to_owned());
    }
    // An escaped message begins with `&` where its text begins with `<`; both come before every letter.
    if !messages.is_sorted() {
        return Err("the rows are not in the order of their messages".to_owned());
    }
    if !messages.contains(&"Additional fortune added at request time.") {
        return Err("the fortune of the request is not there".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_from_answers() {
        let row = r#"{"id":1,"randomNumber":7}"#;
        for (body, rows, expected) in [
            (row.to_owned(), None, Some(vec![(1, 7)])),
            (format!("[{row},{row}]"), Some(2), Some(vec![(1, 7), (1, 7)])),
            (format!("[{row}]"), Some(2), None),
            (format!("[{row}]"), None, None),
            (row.to_owned(), Some(1), None),
            (r#"{"id":"1","randomNumber":7}"#.to_owned(), None, None),
            ("[1]".to_owned(), Some(1), None),
            ("nothing".to_owned(), None, None),
        ] {
            assert_eq!(worlds(&body, rows).ok(), expected, "{body}");
        }
    }

    #[test]
    fn rows_that_no_table_has_are_a_problem() {
        let table = Worlds::from([(1, 10), (2, 20)]);
        for (rows, is_right) in [
            (&[(1, 10), (2, 20), (1, 10), (2, 20), (2, 20)][..], true),
            (&[(1, 10)], true),
            (&[(1, 11)], false),
            (&[(3, 10)], false),
            (&[(1, 10); 5], false),
        ] {
            assert_eq!(compared(rows, &table).is_ok(), is_right, "{rows:?}");
        }
    }

    #[test]
    fn a_page_is_whole_escaped_and_in_order() {
        let page = |messages: &[&str]| -> String {
            messages.iter().map(|message| format!("<tr><td>1</td><td>{message}</td></tr>")).collect()
        };
        let mut right = vec!["&lt;script&gt;", "Additional fortune added at request time."];
        right.extend(["b"; FORTUNES - 2]);
        let mut unordered = right.clone();
        unordered.swap(0, 1);
        let mut unescaped = right.clone();
        unescaped[0] = "<script>";
        let mut missing = right.clone();
        missing[1] = "a";
        for (messages, is_right) in
            [(&right[..], true), (&right[1..], false), (&unordered, false), (&unescaped, false), (&missing, false)]
        {
            assert_eq!(fortunes(&page(messages)).is_ok(), is_right, "{messages:?}");
        }
    }
}
