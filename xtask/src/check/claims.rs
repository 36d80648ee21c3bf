//! Claims of speed: a sentence of the framework's comments or of a document that makes one names the experiment that tried it,
//! as in "(ledger: static-path)".
//!
//! What counts as a claim is a short list of words, and nothing is understood: a sentence with one of them is a claim. The
//! lab's own packages compare times for a living and are not read, nor are the ledger and its templates, which hold results.

use std::collections::HashSet;

use super::{Fault, tree::Tree};

/// Words with which speed is claimed, in lower case.
const WORDS: &[&str] = &[
    "faster",
    "fastest",
    "fast path",
    "quicker",
    "speeds up",
    "speedup",
    "times as fast",
    "cheaper",
    "cheapest",
    "saves time",
    "outperform",
    "high-performance",
    "blazing",
    "lightning",
    "zero-cost",
    "zero cost",
    "zero-overhead",
];

/// Phrases with one of them that tell of a pace, not of a gain.
const NO_CLAIMS: &[&str] = &["no faster than"];

/// Whose comments are read.
const SOURCES: &[&str] = &["armature-core/", "comparisons/"];

/// Documents that hold results.
const RESULTS: &[&str] = &["reports/LEDGER.md", "reports/templates/"];

/// Where experiments are named: the files of those in process and over sockets, and the ledger.
const CATALOGUES: &[&str] = &["suites/experiments/src/", "suites/knobs/src/"];
const LEDGER: &str = "reports/LEDGER.md";

/// Sentences that claim speed and name no experiment, or one that does not exist.
pub(super) fn faults(tree: &Tree) -> Vec<Fault> {
    let known = experiments(tree);
    let comments = tree.texts(".rs").filter(|(path, _)| is_of(path, SOURCES)).flat_map(|(path, text)| {
        let lines = text
            .lines()
            .map(|line| line.trim_start().strip_prefix("//").map(|line| line.trim_start_matches(['/', '!'])));
        sentences(lines).into_iter().map(move |sentence| (path, sentence))
    });
    let documents = tree
        .texts(".md")
        .filter(|(path, _)| !is_of(path, RESULTS))
        .flat_map(|(path, text)| sentences(text.lines().map(Some)).into_iter().map(move |sentence| (path, sentence)));
    comments
        .chain(documents)
        .filter_map(|(path, (line, text))| Some(Fault::at(path, line, problem(&text, &known)?)))
        .collect()
}

fn is_of(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}

/// The names of all experiments.
fn experiments(tree: &Tree) -> HashSet<&str> {
    let files = tree.texts(".rs").filter(|(path, _)| is_of(path, CATALOGUES));
    let named = files.flat_map(|(_, text)| text.split("name: \"").skip(1).filter_map(|rest| rest.split('"').next()));
    named.chain(tree.text(LEDGER).lines().filter_map(|line| line.strip_prefix("### "))).collect()
}

/// The sentences of lines, each with the line that it begins on; `None` is a line that is no text. They end at a point
/// followed by white space, and before a line without text, an item of a list or a row of a table.
fn sentences<'a>(lines: impl Iterator<Item = Option<&'a str>>) -> Vec<(usize, String)> {
    let mut found = vec![(1, String::new())];
    for (at, line) in lines.enumerate() {
        let text = line.unwrap_or_default().trim();
        let begins = text.is_empty() || ["- ", "* ", "| ", "#"].iter().any(|mark| text.starts_with(mark));
        if begins {
            found.push((at + 1, String::new()));
        }
        for piece in text.split_inclusive(". ") {
            if let Some((line, sentence)) = found.last_mut() {
                if sentence.is_empty() {
                    *line = at + 1;
                }
                sentence.push_str(piece.trim_end());
                sentence.push(' ');
            }
            if piece.trim_end().ends_with('.') {
                found.push((at + 1, String::new()));
            }
        }
    }
    found
}

/// What is wrong with a sentence.
fn problem(sentence: &str, known: &HashSet<&str>) -> Option<String> {
    let lower = NO_CLAIMS.iter().fold(sentence.to_lowercase(), |text, phrase| text.replace(phrase, ""));
    let word = WORDS.iter().find(|word| lower.contains(*word))?;
    let named = lower.split("(ledger: ").skip(1).filter_map(|rest| rest.split(')').next());
    let names: Vec<&str> = named.flat_map(|names| names.split(", ")).collect();
    if names.is_empty() {
        return Some(format!(
            "\"{word}\" claims speed; name the experiment that shows it, (ledger: NAME), or say it without"
        ));
    }
    let unknown = names.into_iter().find(|name| !known.contains(name))?;
    Some(format!("there is no experiment {unknown}; cargo xtask ledger knows which there are"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPERIMENT: &str = "Experiment { name: \"static-path\", group: \"routing\" }";

    fn fault_lines(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("suites/experiments/src/routing.rs", EXPERIMENT),
            ("suites/knobs/src/catalogue.rs", "name: \"cork\","),
            ("reports/LEDGER.md", "### core-affinity\n\nA faster server."),
            (path, text),
        ]);
        faults(&tree).into_iter().map(|fault| fault.place).collect()
    }

    #[test]
    fn sentences_that_claim_nothing_or_name_their_experiment_pass() {
        for (path, text) in [
            ("README.md", "A server reads no faster than\nits client sends."),
            ("README.md", "The breakfast is fast. What became slower is said."),
            ("README.md", "A map is faster\nthan the tree (ledger: static-path)."),
            ("README.md", "Pinned, it is faster (ledger: core-affinity, cork). It is small."),
            ("harness/src/a.rs", "//! Which of two is faster."),
            (
                "armature-core/src/a.rs",
                "//! Finds a path. The map is cheaper (ledger: static-path).\nlet faster = \"faster\";",
            ),
            ("reports/templates/a.md", "faster"),
        ] {
            assert_eq!(fault_lines(path, text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn claims_without_an_experiment_are_faults() {
        for (path, text, line) in [
            ("README.md", "One.\n\nThis is\nfaster than that.", 3),
            ("README.md", "It is faster. So says the ledger (ledger: static-path).", 1),
            ("README.md", "- small\n- Zero-cost, (ledger: none)", 2),
            ("README.md", "| a | b |\n|---|---|\n| blazing | c |", 3),
            ("README.md", "Faster (ledger: static-path, gone).", 1),
            ("armature-core/src/a.rs", "fn a() {}\n    // This is the fast\n    // path.\nfn b() {}", 2),
            ("comparisons/axum/src/main.rs", "/// Twice\n/// times as fast.", 1),
        ] {
            assert_eq!(fault_lines(path, text), [format!("{path}:{line}")], "{text}");
        }
    }
}
