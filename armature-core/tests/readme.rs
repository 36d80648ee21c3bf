//! The tables of the README say what the code does.

use std::fs;

use armature_core::{Limits, h1::Refusal};

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

#[test]
fn every_refusal_is_in_the_table() {
    let readme = readme();
    for refusal in Refusal::ALL {
        let row = format!("| {} | {} | {} |", refusal.status().as_u16(), refusal.reason(), refusal.section());
        assert!(readme.contains(&row), "missing: {row}");
    }
}

#[test]
fn every_limit_is_in_the_table() {
    let readme = readme();
    let limits = format!("{:#?}", Limits::default());
    let names: Vec<_> = limits.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(':')).collect();
    assert!(names.len() > 20, "{limits}");
    for (name, _) in names {
        let name = name.trim();
        if name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_') {
            assert!(readme.contains(&format!("| `{name}` |")), "missing: {name}");
        }
    }
}
