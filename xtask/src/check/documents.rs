//! Paths that documents name: each must lead to something in the checkout.
//!
//! Two kinds of names are read from Markdown: link targets, and words in backticks that look like a path of this
//! project. Outputs of a run, programs and globs in backticks are not paths and are left alone.

use super::{Fault, tree::Tree};

/// Paths that lead nowhere.
pub(super) fn faults(tree: &Tree) -> Vec<Fault> {
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
    let outside = link.contains("://") || link.starts_with("mailto:");
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
            ("harness/src/record.rs", ""),
            ("README.md", ""),
            (".ci/run", ""),
        ]))
        .len()
    }

    #[test]
    fn paths_that_lead_somewhere_pass() {
        for text in [
            "[picture](picture.svg) and [readme](../README.md#top) and [web](https://example.org/no.rs)",
            "![picture](./picture.svg \"title\") [here](#anchor)",
            "`harness/src/record.rs` `harness/src/` `record.rs` `src/record.rs` `.ci/run` `picture.svg`",
            "`target/lab/runs/x/run.json` `run.json` `cargo xtask bench` `a/*/b.rs` `/proc/stat` `.rs` `harness/NAME/x.rs`",
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
        ] {
            assert_eq!(fault_count(text), 1, "{text}");
        }
    }
}
