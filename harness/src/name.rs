//! What to say of a name that is not known: the nearest that is.

use std::fmt;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_nearest_and_lists_all() {
        let known = ["armature", "axum", "actix"];
        assert!(Unknown::new("target", "axm", known).to_string().contains("did you mean `axum`?"));
        assert!(Unknown::new("target", "armatrue", known).to_string().contains("`armature`?"));
        let far = Unknown::new("target", "zzzzzzzz", known).to_string();
        assert!(!far.contains("did you mean") && far.ends_with("armature, axum, actix"), "{far}");
    }
}
