//! Whether every package that the workspace is built from has a licence that the project may ship.
//!
//! The list stands in `deny.toml`, where cargo-deny reads it too. Expressions are SPDX: `MIT OR Apache-2.0`.

use anyhow::{Context, Result};
use toml::Value;

use super::{Fault, packages::Packages};

/// The licences in the `[licenses] allow` list of `deny.toml`.
pub(super) fn allowed(deny: &str) -> Result<Vec<String>> {
    let table: Value = toml::from_str(deny).context("deny.toml is no TOML")?;
    let list = table
        .get("licenses")
        .and_then(|licenses| licenses.get("allow"))
        .and_then(Value::as_array)
        .context("deny.toml has no list [licenses] allow")?;
    Ok(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// Packages whose licence is missing or not in the list.
pub(super) fn faults(packages: &Packages, allowed: &[String]) -> Vec<Fault> {
    packages
        .list
        .iter()
        .filter_map(|package| {
            let message = match &package.licence {
                None => "names no licence".to_owned(),
                Some(expression) if permits(expression, allowed) => return None,
                Some(expression) => {
                    format!("is licensed {expression}, which deny.toml does not allow")
                }
            };
            Some(Fault::new(
                &package.name,
                format!("{message}; do without it, or allow the licence there after reading it"),
            ))
        })
        .collect()
}

/// Whether the expression can be met with allowed licences alone. The old forms `MIT/Apache-2.0` and `MIT or Apache-2.0`
/// mean OR.
fn permits(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ").replace(" or ", " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    let permitted = reader.any();
    permitted && reader.words.is_empty()
}

/// Reads an expression from the left; AND binds closer than OR (SPDX specification, annex D).
struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl<'a> Reader<'a> {
    fn any(&mut self) -> bool {
        let mut permitted = self.all();
        while self.takes("OR") {
            permitted |= self.all();
        }
        permitted
    }

    fn all(&mut self) -> bool {
        let mut permitted = self.one();
        while self.takes("AND") {
            permitted &= self.one();
        }
        permitted
    }

    fn one(&mut self) -> bool {
        if self.takes("(") {
            let permitted = self.any();
            return self.takes(")") && permitted;
        }
        let Some(licence) = self.next() else {
            return false;
        };
        let name = if self.takes("WITH") {
            format!("{licence} WITH {}", self.next().unwrap_or_default())
        } else {
            licence.to_owned()
        };
        // An exception only widens what a licence grants.
        self.allowed.iter().any(|known| *known == name || known == licence)
    }

    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.words.first() == Some(&word);
        if is_next {
            self.words = &self.words[1..];
        }
        is_next
    }
}

#[cfg(test)]
mod tests {
    use super::super::packages::Package;
    use super::*;

    const DENY: &str = "[licenses]\nallow = [\"MIT\", \"Apache-2.0\"]\n";

    #[test]
    fn expressions_are_weighed() {
        let allowed = allowed(DENY).unwrap();
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("MIT OR GPL-3.0-only", true),
            ("MIT or GPL-3.0-only", true),
            ("GPL-3.0-only OR MIT", true),
            ("MIT AND GPL-3.0-only", false),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0-only OR MIT AND Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", false),
            ("(GPL-3.0-only OR MIT) AND Apache-2.0", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT Apache-2.0", false),
            ("(MIT", false),
            ("", false),
        ] {
            assert_eq!(permits(expression, &allowed), expected, "{expression}");
        }
    }

    #[test]
    fn a_package_without_an_allowed_licence_is_a_fault() {
        let package = |name: &str, licence: Option<&str>| Package {
            name: name.to_owned(),
            licence: licence.map(str::to_owned),
            ..Package::default()
        };
        let packages = Packages {
            list: vec![
                package("fine", Some("MIT")),
                package("copyleft", Some("AGPL-3.0-only")),
                package("silent", None),
            ],
        };
        let faults = faults(&packages, &allowed(DENY).unwrap());
        let places: Vec<&str> = faults.iter().map(|fault| fault.place.as_str()).collect();
        assert_eq!(places, ["copyleft", "silent"]);
    }

    #[test]
    fn a_list_must_be_there() {
        for text in ["", "[licenses]\n", "not toml ["] {
            assert!(allowed(text).is_err(), "{text}");
        }
    }
}
