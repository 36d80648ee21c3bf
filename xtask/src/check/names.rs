//! What may not be written anywhere in the checkout: names without a meaning, praise in names, switched-off alarms,
//! loose notes, paths of one machine, pictograms.
//!
//! This file is the one that spells them out, so it is the one that is not judged.

use super::{
    Fault,
    source::{Kind, Token, tokens},
    tree::Tree,
};

/// The file that is not judged.
const SELF: &str = "xtask/src/check/names.rs";

/// Written by cargo, not by people.
const GENERATED: &[&str] = &["Cargo.lock"];

/// Names for files, folders and modules that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "manager", "impl", "misc"];

/// Praise: two things are told apart by what they do differently.
const PRAISE: &[&str] = &["fast_", "optimized_", "optimised_", "high_performance_"];
const PRAISE_IN_TYPES: &[&str] = &["Fast", "Optimized", "Optimised", "HighPerformance"];

/// Notes that nobody will find again unless they name an issue: `TODO(#12)`.
const NOTES: &[&str] = &["TODO", "FIXME"];

/// Places that exist on one machine only, and text that leads out of the checkout.
const MACHINE_PATHS: &[&str] = &["/work/", "/root/", "/home/", "../shared"];

/// Everything forbidden that the tree holds.
pub(super) fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults: Vec<Fault> = tree.paths().filter_map(path_fault).collect();
    for (path, text) in tree.texts("") {
        if path == SELF || GENERATED.contains(&path) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            faults.extend(line_faults(line).map(|message| Fault::at(path, number + 1, message)));
        }
        if path.ends_with(".rs") {
            let found = code_faults(&tokens(text));
            faults.extend(found.into_iter().map(|(line, message)| Fault::at(path, line, message)));
        }
    }
    faults
}

fn path_fault(path: &str) -> Option<Fault> {
    let empty = path
        .split('/')
        .map(|part| part.split('.').next().unwrap_or_default())
        .find(|stem| EMPTY_NAMES.contains(stem))?;
    Some(Fault::new(path, format!("{empty} says nothing; name it by what it holds")))
}

/// What is wrong with a line of any text.
fn line_faults(line: &str) -> impl Iterator<Item = String> {
    let note = NOTES
        .iter()
        .find(|note| loose_note(line, note))
        .map(|note| format!("{note} without an issue; write {note}(#number), or do it"));
    let machine = MACHINE_PATHS
        .iter()
        .find(|place| holds_path(line, place))
        .map(|place| format!("{place} exists on one machine only; derive the path, or take it as an argument"));
    let pictogram = line
        .chars()
        .find(|character| is_pictogram(*character))
        .map(|character| format!("U+{:04X} is a pictogram; use a word", u32::from(character)));
    [note, machine, pictogram].into_iter().flatten()
}

fn loose_note(line: &str, note: &str) -> bool {
    line.match_indices(note).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + note.len()..];
        let is_word = !before.is_some_and(is_name_part) && !after.chars().next().is_some_and(is_name_part);
        let names_issue =
            after.strip_prefix("(#").is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()));
        is_word && !names_issue
    })
}

/// Whether a path begins here: `x/work/` is part of a longer one, such as an address.
fn holds_path(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(|before| is_name_part(before) || "./~}".contains(before))
    })
}

fn is_name_part(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Characters with the property Emoji_Presentation below U+1F000 (Unicode's emoji-data.txt), the blocks of pictograms
/// above it, and the selector that turns other signs into pictures.
fn is_pictogram(character: char) -> bool {
    matches!(u32::from(character),
        0x231A..=0x231B | 0x23E9..=0x23EC | 0x23F0 | 0x23F3 | 0x25FD..=0x25FE | 0x2614..=0x2615 | 0x2648..=0x2653
        | 0x267F | 0x2693 | 0x26A1 | 0x26AA..=0x26AB | 0x26BD..=0x26BE | 0x26C4..=0x26C5 | 0x26CE | 0x26D4 | 0x26EA
        | 0x26F2..=0x26F3 | 0x26F5 | 0x26FA | 0x26FD | 0x2705 | 0x270A..=0x270B | 0x2728 | 0x274C | 0x274E
        | 0x2753..=0x2755 | 0x2757 | 0x2795..=0x2797 | 0x27B0 | 0x27BF | 0x2B1B..=0x2B1C | 0x2B50 | 0x2B55
        | 0xFE0F | 0x1F000..=0x1FAFF)
}

/// What is wrong with the code of a file, each with its line.
fn code_faults(code: &[Token<'_>]) -> Vec<(usize, String)> {
    let mut faults = Vec::new();
    for (at, token) in code.iter().enumerate() {
        if token.kind != Kind::Word {
            continue;
        }
        if praises(token.text) {
            faults.push((token.line, format!("{} praises itself; name it by what it does differently", token.text)));
        }
        let opens_attribute = at > 0 && matches!(code[at - 1].text, "[" | ",");
        let takes_list = code.get(at + 1).is_some_and(|next| next.text == "(");
        if token.text == "allow" && opens_attribute && takes_list {
            let list = || code[at + 2..].iter().take_while(|inner| inner.text != ")");
            if list().any(|inner| inner.text == "dead_code") {
                faults.push((token.line, "allow(dead_code): remove what is dead".to_owned()));
            } else if !list().any(|inner| inner.text == "reason") {
                faults.push((token.line, "allow without a reason; add reason = \"…\"".to_owned()));
            }
        }
        let declares = at > 0 && code[at - 1].text == "mod";
        if declares && EMPTY_NAMES.contains(&token.text) {
            faults.push((token.line, format!("mod {} says nothing; name it by what it holds", token.text)));
        }
    }
    faults
}

fn praises(name: &str) -> bool {
    let in_value =
        PRAISE.iter().any(|praise| name.match_indices(praise).any(|(at, _)| at == 0 || name[..at].ends_with('_')));
    let in_type = PRAISE_IN_TYPES.iter().any(|praise| {
        name.strip_prefix(praise).is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase()))
    });
    in_value || in_type
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        faults(&Tree::of(&[(path, text)])).into_iter().map(|fault| fault.message).collect()
    }

    #[test]
    fn what_is_forbidden_is_found() {
        for (path, text, piece) in [
            ("a/utils.rs", "", "utils says nothing"),
            ("tests/common/mod.rs", "", "common says nothing"),
            ("a.rs", "mod helpers {}", "mod helpers"),
            ("a.rs", "fn fast_parse() {}", "fast_parse praises"),
            ("a.rs", "let very_fast_path = 1;", "praises"),
            ("a.rs", "struct OptimizedRouter;", "praises"),
            ("a.rs", "#[allow(dead_code)]", "remove what is dead"),
            ("a.rs", "#![allow(clippy::x, dead_code, reason = \"\")]", "remove what is dead"),
            ("a.rs", "#[allow(clippy::x)]", "without a reason"),
            ("a.rs", "#[cfg_attr(x, allow(unused))]", "without a reason"),
            ("a.rs", "// TODO: later", "without an issue"),
            ("b.sh", "# FIXME(soon)", "without an issue"),
            ("b.md", "see ../shared/x", "one machine"),
            ("b.toml", "path = \"/work/main\"", "one machine"),
            ("b.md", "in /root/x", "one machine"),
            ("b.md", "done \u{2705}", "U+2705"),
            ("b.md", "\u{1F680} go", "U+1F680"),
        ] {
            let found = messages(path, text);
            assert!(found.len() == 1 && found[0].contains(piece), "{path}: {text}: {found:?}");
        }
    }

    #[test]
    fn what_only_looks_like_it_passes() {
        for (path, text) in [
            ("a.rs", "#[allow(unsafe_code, reason = \"the kernel's interface\")]"),
            ("a.rs", "fn allow(x: u32) {} f(allow(1));"),
            ("a.rs", "let breakfast_time = steadfast; struct Fast; struct Fasten;"),
            ("a.rs", "// TODO(#12): the other half\nlet AUTODOC = 1;"),
            ("b.md", "https://example.org/work/x and target/root/x; ✓ → … µs"),
            ("a/manage.rs", ""),
            (SELF, "#[allow(dead_code)] // TODO"),
            ("Cargo.lock", "fast_ TODO"),
        ] {
            assert_eq!(messages(path, text), Vec::<String>::new(), "{path}: {text}");
        }
    }
}
