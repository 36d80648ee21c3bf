//! The versions of the packages inside this binary, as the workspace's lock file pinned them when it was compiled.

use std::collections::BTreeMap;

const LOCK: &str = include_str!("../../../Cargo.lock");

/// The locked versions of the packages named; several versions of one package are joined by a comma.
///
/// A name that the lock file does not know is left out.
#[must_use]
pub fn locked(names: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::<String, String>::new();
    for package in LOCK.split("[[package]]").skip(1) {
        let field =
            |key: &str| package.lines().find_map(|line| line.strip_prefix(key)?.trim_matches(['"', ' ']).into());
        let (Some(name), Some(version)) = (field("name = "), field("version = ")) else {
            continue;
        };
        if names.contains(&name) {
            let entry = found.entry(name.to_owned()).or_default();
            if !entry.is_empty() {
                entry.push_str(", ");
            }
            entry.push_str(version);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_package_and_leaves_out_what_is_not_there() {
        let found = locked(&["serde_json", "no-such-package"]);
        assert_eq!(found.len(), 1);
        assert!(found["serde_json"].starts_with("1."), "{found:?}");
    }
}
