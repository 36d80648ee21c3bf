//! What the database itself has seen of a server: statements that it has run and connections that it holds.
//!
//! PostgreSQL is asked by another client. SQLite is a part of the server's process: its own count comes over the control
//! channel, and its connections are the process's open files. What cannot be seen is said, never assumed. Read next:
//! `trial.rs`, which looks before and after a window.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use probe::message::Counters;

use crate::{database, procfs, target::Server};

/// Whoever can tell what reaches the database.
#[derive(Debug, Clone, Copy)]
pub struct Witness<'a> {
    seeder: &'a Path,
    url: &'a str,
}

/// What the database has seen of a server until now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Connections that are open.
    pub connections: u64,
    /// Statements that have been run, or why nobody knows.
    pub statements: Result<u64, String>,
}

impl<'a> Witness<'a> {
    /// For the database at `url`, with the program that asks PostgreSQL.
    pub(crate) fn new(seeder: &'a Path, url: &'a str) -> Self {
        Self { seeder, url }
    }

    /// Looks. The server's `counters` were read just now, and nothing is under way.
    ///
    /// # Errors
    /// When not even the connections can be seen.
    pub(crate) fn look(&self, server: &Server, counters: &Counters) -> Result<Seen> {
        match self.url.strip_prefix("sqlite:") {
            Some(file) => {
                let file = PathBuf::from(file).canonicalize().with_context(|| format!("{file} is not there"))?;
                let statements = counters.statements.ok_or_else(|| {
                    "SQLite is a part of the server, which does not tell how many statements it has run".to_owned()
                });
                Ok(Seen { connections: procfs::open_files(server.pid(), &file), statements })
            }
            None => parse(&database::run_seeder(self.seeder, &["--seen", "--database", self.url])?),
        }
    }
}

fn parse(text: &str) -> Result<Seen> {
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let (Some(connections), Some(statements)) = (line("connections "), line("statements ")) else {
        bail!("this is not what a database has seen: {text:?}");
    };
    let statements = match statements.strip_prefix("unknown: ") {
        Some(reason) => Err(format!("PostgreSQL does not tell: {reason}")),
        None => Ok(statements.parse()?),
    };
    Ok(Seen { connections: connections.parse()?, statements })
}

/// So many statements for so many requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Answered requests.
    pub requests: u64,
    /// Requests that got no answer; what they have cost, or whether they have come at all, nobody knows.
    pub given_up: u64,
    /// Statements that the database ran meanwhile.
    pub statements: u64,
}

impl Spent {
    /// Between two looks.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn between(before: &Seen, after: &Seen, requests: u64, given_up: u64) -> Result<Self, String> {
        let (before, after) = (before.statements.clone()?, after.statements.clone()?);
        let statements = after.checked_sub(before).ok_or("the database's count was set back meanwhile")?;
        Ok(Self { requests, given_up, statements })
    }

    /// What two windows have cost together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            given_up: self.given_up + other.given_up,
            statements: self.statements + other.statements,
        }
    }

    /// What is wrong with it where each request is to cost exactly so many statements.
    #[must_use]
    pub fn problem(&self, queries: u32) -> Option<String> {
        let queries = u128::from(queries);
        let (answered, all) = (u128::from(self.requests), u128::from(self.requests) + u128::from(self.given_up));
        let is_right = (queries * answered..=queries * all).contains(&u128::from(self.statements));
        (!is_right).then(|| format!("{self}; each request is to run {queries}"))
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database ran {} statements for {} requests", self.statements, self.requests)?;
        if self.given_up > 0 { write!(f, " and {} that were given up", self.given_up) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_other_number_of_statements_is_a_problem() {
        for (queries, requests, given_up, statements, is_right) in [
            (1, 1_000, 0, 1_000, true),
            (20, 50, 0, 1_000, true),
            (21, 50, 0, 1_050, true),
            // All rows by one statement; from a cache; one too few, and one too many, in the whole of a window.
            (20, 50, 0, 50, false),
            (1, 1_000, 0, 0, false),
            (20, 50, 0, 999, false),
            (20, 50, 0, 1_001, false),
            // Requests that were given up excuse what they may have cost, and nothing else.
            (20, 50, 2, 1_013, true),
            (20, 50, 2, 1_040, true),
            (20, 50, 2, 999, false),
            (20, 50, 2, 1_041, false),
            (500, u64::MAX, u64::MAX, u64::MAX, false),
        ] {
            let spent = Spent { requests, given_up, statements };
            assert_eq!(spent.problem(queries).is_none(), is_right, "{spent}, {queries}");
        }
        let problem = Spent { requests: 50, given_up: 0, statements: 50 }.problem(20).unwrap();
        assert_eq!(problem, "the database ran 50 statements for 50 requests; each request is to run 20");
    }

    #[test]
    fn what_is_not_known_is_no_number() {
        let seen =
            |statements: Result<u64, &str>| Seen { connections: 8, statements: statements.map_err(str::to_owned) };
        for (before, after, spent) in [
            (Ok(100), Ok(120), Ok(20)),
            (Ok(100), Ok(100), Ok(0)),
            (Err("no extension"), Ok(120), Err("no extension")),
            (Ok(120), Ok(3), Err("the database's count was set back meanwhile")),
        ] {
            let found = Spent::between(&seen(before), &seen(after), 1, 0).map(|spent| spent.statements);
            assert_eq!(found, spent.map_err(str::to_owned));
        }
    }

    #[test]
    fn the_program_s_lines_are_read() {
        let seen = |statements| Some(Seen { connections: 8, statements });
        for (text, expected) in [
            ("connections 8\nstatements 4711\n", seen(Ok(4711))),
            (
                "connections 8\nstatements unknown: no such relation\n",
                seen(Err("PostgreSQL does not tell: no such relation".to_owned())),
            ),
            ("connections 8\n", None),
            ("statements 1\nconnections many\n", None),
            ("", None),
        ] {
            assert_eq!(parse(text).ok(), expected, "{text:?}");
        }
    }
}
