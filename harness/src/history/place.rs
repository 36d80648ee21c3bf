//! Where a history is: a file, or a server that several machines share.

use std::{env, fmt, path::PathBuf};

use anyhow::{Context, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::layout;

/// The environment variable that names the history to use: a path, or a postgres:// URL.
pub const VARIABLE: &str = "ARMATURE_HISTORY";

/// What a path keeps as it is in a URL.
const IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// Which history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An SQLite file; made when it is not there.
    File(PathBuf),
    /// The URL of a PostgreSQL database.
    Server(String),
}

impl Place {
    /// What a word means: a URL, or a path.
    #[must_use]
    pub fn named(word: &str) -> Self {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| word.starts_with(scheme));
        if is_url { Self::Server(word.to_owned()) } else { Self::File(word.into()) }
    }

    /// What the command line names, else what [`VARIABLE`] does, else `lab/history.db` in cargo's target folder.
    ///
    /// # Errors
    /// As [`layout::target_folder`].
    pub fn chosen(named: Option<&str>) -> Result<Self> {
        let variable = env::var(VARIABLE).ok().filter(|word| !word.is_empty());
        match named.map(str::to_owned).or(variable) {
            Some(word) => Ok(Self::named(&word)),
            None => Ok(Self::File(layout::target_folder()?.join("lab").join("history.db"))),
        }
    }

    /// The URL that the driver understands.
    pub(super) fn url(&self) -> Result<String> {
        match self {
            Self::Server(url) => Ok(url.clone()),
            Self::File(path) => {
                let path = std::path::absolute(path).with_context(|| format!("{} has no place", path.display()))?;
                let text = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
                Ok(format!("sqlite://{}?mode=rwc", utf8_percent_encode(text, IN_PATHS)))
            }
        }
    }
}

/// Without the password that a URL may have.
impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Server(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
                let place = rest.split_once('@').map_or(rest, |(_, place)| place);
                write!(formatter, "{scheme}://{}", place.split('?').next().unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_url_or_a_path_and_no_password_is_shown() {
        for (word, shown, url) in [
            ("/a b/%?#ü.db", "/a b/%?#ü.db", "sqlite:///a%20b/%25%3F%23%C3%BC.db?mode=rwc"),
            ("postgres://u:secret@h:1/d?password=s", "postgres://h:1/d", "postgres://u:secret@h:1/d?password=s"),
            ("postgresql://h/d", "postgresql://h/d", "postgresql://h/d"),
        ] {
            let place = Place::named(word);
            assert_eq!((place.to_string().as_str(), place.url().unwrap().as_str()), (shown, url));
        }
    }
}
