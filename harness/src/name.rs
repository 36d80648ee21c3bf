//! What to say of a name that is not known: the nearest that is.

/// The message for an unknown `kind` of thing: the nearest known name, and all of them.
#[must_use]
pub fn unknown<'a>(kind: &str, wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(wanted, name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().div_ceil(2))
        .map_or_else(String::new, |(_, name)| format!("did you mean `{name}`? "));
    format!("there is no {kind} `{wanted}`; {nearest}Known: {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_nearest_and_lists_all() {
        let known = ["armature", "axum", "actix"];
        assert!(unknown("target", "axm", known).contains("did you mean `axum`?"));
        assert!(unknown("target", "armatrue", known).contains("`armature`?"));
        let far = unknown("target", "zzzzzzzz", known);
        assert!(!far.contains("did you mean") && far.ends_with("armature, axum, actix"), "{far}");
    }
}
