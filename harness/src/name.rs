//! What to say of a name that is not known: the nearest that is.

use std::fmt;

use anyhow::{Result, bail};

/// Names that are told when the one wanted is not there: about a screen of them.
const TOLD_MAX: usize = 20;

/// A name that is not known: a mistake on the command line, not of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown(String);

impl Unknown {
    /// Says which `kind` of thing was `wanted`, the nearest known name, and all of them.
    #[must_use]
    pub fn new<'a>(kind: &str, wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let nearest = known
            .iter()
            .map(|name| (strsim::damerau_levenshtein(wanted, name), name))
            .min()
            .filter(|(distance, name)| *distance <= name.len().div_ceil(2))
            .map_or_else(String::new, |(_, name)| format!("did you mean `{name}`? "));
        Self(format!("there is no {kind} `{wanted}`; {nearest}Known: {}", known.join(", ")))
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Unknown {}

/// Which of the names `known`, oldest first, is meant by a whole one, by how one begins, or by `latest`.
///
/// # Errors
/// When it is none of them, or may be several.
pub fn meant<'a>(kind: &str, wanted: &str, known: &[&'a str]) -> Result<&'a str> {
    let begin = |name: &&&str| name.starts_with(wanted);
    let found: Vec<&str> = match known.iter().find(|name| **name == wanted) {
        Some(whole) => vec![whole],
        None if wanted == "latest" => known.last().copied().into_iter().collect(),
        None => known.iter().filter(begin).copied().collect(),
    };
    match found.as_slice() {
        [name] => Ok(name),
        [] => Err(Unknown::new(kind, wanted, known.iter().rev().take(TOLD_MAX).copied()).into()),
        several => bail!(
            "`{wanted}` begins the ids of {} {kind}s: {}; write more of it",
            several.len(),
            several.iter().rev().take(TOLD_MAX).copied().collect::<Vec<_>>().join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_by_its_beginning() {
        let known = ["a-1", "a-12", "b"];
        for (wanted, expected) in
            [("a-1", Some("a-1")), ("a-12", Some("a-12")), ("b", Some("b")), ("latest", Some("b"))]
        {
            assert_eq!(meant("run", wanted, &known).ok(), expected, "{wanted}");
        }
        let several = meant("run", "a", &known).unwrap_err();
        assert!(several.to_string().contains("begins the ids of 2 runs: a-12, a-1;") && !several.is::<Unknown>());
        assert!(meant("run", "c", &known).unwrap_err().is::<Unknown>());
        assert!(meant("run", "latest", &[]).unwrap_err().is::<Unknown>());
    }

    #[test]
    fn suggests_the_nearest_and_lists_all() {
        let known = ["armature", "axum", "actix"];
        assert!(Unknown::new("target", "axm", known).to_string().contains("did you mean `axum`?"));
        assert!(Unknown::new("target", "armatrue", known).to_string().contains("`armature`?"));
        let far = Unknown::new("target", "zzzzzzzz", known).to_string();
        assert!(!far.contains("did you mean") && far.ends_with("armature, axum, actix"), "{far}");
    }
}
