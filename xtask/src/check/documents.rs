//! Paths and tests that documents name: each must be there.
//!
//! Two kinds of paths are read from Markdown: link targets, and words in backticks that look like a path of this
//! project. Outputs of a run, programs and globs in backticks are not paths and are left alone. Tests are read from what
//! follows the words "Held by" in the same paragraph, so that no invariant outlives the test that holds it.

use std::collections::HashSet;

use super::{
    Fault,
    source::{Kind, tokens},
    tree::Tree,
};

/// Paths that lead nowhere, and tests that are gone.
pub(super) fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = path_faults(tree);
    faults.extend(test_faults(tree));
    faults
}

/// Names behind "Held by" that no function of the checkout has.
fn test_faults(tree: &Tree) -> Vec<Fault> {
    let functions = functions(tree);
    let mut faults = Vec::new();
    for (document, text) in tree.texts(".md") {
        for (at, _) in text.match_indices("Held by") {
            let line = text[..at].lines().count().max(1);
            let rest = &text[at..];
            let end = ["\n\n", "\n- "].iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
            let is_name = |word: &&str| {
                word.contains('_') && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            };
            let gone = quoted(&rest[..end]).filter(is_name).filter(|name| !functions.contains(name));
            faults.extend(gone.map(|name| {
                Fault::at(document, line, format!("there is no test {name}; name the one that holds this now"))
            }));
        }
    }
    faults
}

/// The names of all functions.
fn functions(tree: &Tree) -> HashSet<&str> {
    let mut names = HashSet::new();
    for (_, text) in tree.texts(".rs") {
        let code = tokens(text);
        let pairs = code.windows(2).filter(|pair| pair[0].text == "fn" && pair[1].kind == Kind::Word);
        names.extend(pairs.map(|pair| pair[1].text));
    }
    names
}

fn path_faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (document, text) in tree.texts(".md") {
        let mut fenced = false;
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            if fenced {
                continue;
            }
            let links = links(line).filter(|link| !linked(tree, document, link));
            let words = quoted(line).filter(|word| !named(tree, document, word));
            faults.extend(links.chain(words).map(|path| {
                Fault::at(document, number + 1, format!("{path} is not in the checkout; correct the path or remove it"))
            }));
        }
    }
    faults
}

/// What stands between `](` and `)`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// What stands between backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a link is of no concern here, or leads to something.
fn linked(tree: &Tree, document: &str, link: &str) -> bool {
    let target = link.split(['#', ' ']).next().unwrap_or_default();
    // A path of Rust is rustdoc's to follow.
    let outside = link.contains("::") || link.contains("://") || link.starts_with("mailto:");
    outside || target.is_empty() || resolve(document, target).is_some_and(|path| tree.has(&path))
}

/// Whether a word in backticks is no path of this project, or names something in it.
fn named(tree: &Tree, document: &str, word: &str) -> bool {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-/".contains(character);
    // `comparisons/NAME/` is a pattern for the reader to fill in.
    let is_blank = |part: &str| part.len() > 1 && part.chars().all(|letter| letter.is_ascii_uppercase());
    let is_path = word.chars().all(is_plain) && !word.starts_with(['/', '-']) && !word.split('/').any(is_blank);
    if word.is_empty() || !is_path {
        return true;
    }
    let is_source = [".rs", ".md"].iter().any(|ending| word.ends_with(ending) && word.len() > 3);
    let head = word.split('/').next().unwrap_or_default();
    let in_tree = word.contains('/') && !head.is_empty() && tree.has(head);
    if !is_source && !in_tree {
        return true;
    }
    let tail = format!("/{word}");
    tree.has(word)
        || resolve(document, word).is_some_and(|path| tree.has(&path))
        || (is_source && tree.paths().any(|path| path.ends_with(&tail)))
}

/// The path from the root of a path that is relative to a document; `None` if it leaves the checkout.
fn resolve(document: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_count(text: &str) -> usize {
        faults(&Tree::of(&[
            ("docs/guide.md", text),
            ("docs/picture.svg", ""),
            ("harness/src/record.rs", "fn a_test_of_it() {}"),
            ("README.md", ""),
            (".ci/run", ""),
        ]))
        .len()
    }

    #[test]
    fn paths_that_lead_somewhere_pass() {
        for text in [
            "[picture](picture.svg) and [readme](../README.md#top) and [web](https://example.org/no.rs)",
            "![picture](./picture.svg \"title\") [here](#anchor) [item](module::Item)",
            "`harness/src/record.rs` `harness/src/` `record.rs` `src/record.rs` `.ci/run` `picture.svg`",
            "`target/lab/runs/x/run.json` `run.json` `cargo xtask bench` `a/*/b.rs` `/proc/stat` `.rs` `harness/NAME/x.rs`",
            "Held by `a_test_of_it` in\n`record.rs`, and `cargo xtask check`.\n\n`not_a_test`",
            "- Held by `a_test_of_it`.\n- `not_a_test`",
            "```\n`harness/none.rs` [x](none.md)\n```",
        ] {
            assert_eq!(fault_count(text), 0, "{text}");
        }
    }

    #[test]
    fn paths_that_lead_nowhere_are_faults() {
        for text in [
            "[gone](gone.md)",
            "[out](../../etc/passwd)",
            "`harness/src/gone.rs`",
            "`gone.rs`",
            "`harness/gone`",
            "`.ci/gone`",
            "Held by `a_test_of_it` and\n`a_test_that_is_gone`.",
        ] {
            assert_eq!(fault_count(text), 1, "{text}");
        }
    }
}
