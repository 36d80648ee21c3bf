//! The corpus without a fuzzer: each file through its target, so that what was found once stays found.

use std::{fs, panic, path::PathBuf};

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn names(folder: PathBuf) -> Vec<String> {
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_file_of_the_corpus_passes() {
    let mut failed = Vec::new();
    for (target, run) in armature_fuzz::TARGETS {
        let files = names(corpus().join(target));
        assert!(!files.is_empty(), "{target} has no seeds");
        for file in files {
            let bytes = fs::read(corpus().join(target).join(&file)).unwrap();
            if panic::catch_unwind(|| run(&bytes)).is_err() {
                failed.push(format!("{target}/{file}"));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let mut targets: Vec<String> = armature_fuzz::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    targets.sort();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let programs: Vec<String> = targets.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(folder.join("targets")), programs);
    assert_eq!(names(corpus()), targets);
}
