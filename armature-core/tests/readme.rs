//! The tables of the README say what the code does.

use std::fs;

use armature_core::{Limits, Tuning, h1::Refusal};

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
fn every_limit_and_every_field_of_the_tuning_is_in_the_table() {
    let readme = readme();
    let fields = format!("{:#?}{:#?}", Limits::default(), Tuning::default());
    let names: Vec<_> = fields.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(':')).collect();
    assert!(names.len() > 30, "{fields}");
    for (name, _) in names {
        let name = name.trim();
        if name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_') {
            assert!(readme.contains(&format!("| `{name}` |")), "missing: {name}");
        }
    }
}
