//! `cargo xtask check` as its user meets it: a small checkout with something wrong in it, the command, its exit code.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// A checkout of one package called `workload`, with these files besides.
fn checkout(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "[workspace]\n\n[package]\nname = \"workload\"\nversion = \"0.1.0\"\nedition = \"2024\"\nlicense = \"MIT\"\n\n\
                    [profile.light]\ninherits = \"dev\"\n";
    let basis =
        [("Cargo.toml", manifest), ("src/lib.rs", "//! Nothing.\n"), ("deny.toml", "[licenses]\nallow = [\"MIT\"]\n")];
    for (path, content) in basis.iter().chain(files) {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let status = Command::new("git").args(["init", "--quiet"]).arg(folder.path()).status().unwrap();
    assert!(status.success());
    folder
}

fn check(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .current_dir(folder)
        .arg("check")
        .args(arguments)
        .env("CARGO_MANIFEST_DIR", folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env_remove("CI")
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn each_check_fails_on_what_it_is_there_for() {
    for (name, path, content, piece) in [
        ("fmt", "src/lib.rs", "//! Nothing.\nfn  f( ) {}\n", "failed   fmt"),
        ("clippy", "src/lib.rs", "//! Nothing.\npub fn f() -> u32 {\n    return 1;\n}\n", "failed   clippy"),
        ("docs", "src/lib.rs", "//! See [`Gone`].\n", "failed   docs"),
        ("arrows", "Cargo.toml", "[workspace]\n\n[package]\nname = \"newcomer\"\n", "newcomer: has no row"),
        ("floors", "armature-core/src/h1.rs", "//! H.\nuse crate::worker;\n", "armature-core/src/h1.rs:2"),
        ("documents", "README.md", "See `src/gone.rs`.\n", "README.md:1: src/gone.rs"),
        ("names", "src/utils.rs", "//! U.\n", "src/utils.rs: utils"),
        ("claims", "README.md", "Small.\n\nIt is zero-cost.\n", "README.md:3"),
        ("unsafe", "src/lib.rs", "//! Nothing.\nunsafe fn f() {}\n", "src/lib.rs:2"),
        ("headers", "src/lib.rs", "fn f() {}\n", "src/lib.rs:1"),
        ("licences", "deny.toml", "[licenses]\nallow = [\"ISC\"]\n", "workload: is licensed MIT"),
    ] {
        let folder = checkout(&[(path, content)]);
        let output = check(folder.path(), &["--only", name]);
        let told = told(&output);
        assert_eq!(output.status.code(), Some(1), "{name}: {told}");
        assert!(told.contains(piece), "{name}: {told}");
    }
}

#[test]
fn a_checkout_in_order_passes_and_fix_puts_the_format_in_order() {
    let folder = checkout(&[("src/lib.rs", "//! Nothing.\n\npub  fn f( ) {}\n")]);
    let names = ["fmt", "clippy", "docs", "arrows", "floors", "documents", "names", "headers", "licences"];
    let chosen: Vec<&str> = names.iter().flat_map(|name| ["--only", name]).collect();
    assert_eq!(check(folder.path(), &chosen).status.code(), Some(1));
    let fixed = check(folder.path(), &[&["--fix"], &chosen[..]].concat());
    assert_eq!(fixed.status.code(), Some(0), "{}", told(&fixed));
    let again = check(folder.path(), &chosen);
    assert_eq!(again.status.code(), Some(0), "{}", told(&again));
    assert!(told(&again).contains("9 checks, none failed"), "{}", told(&again));
}

#[test]
fn an_unknown_check_is_named_with_those_there_are() {
    let folder = checkout(&[]);
    let output = check(folder.path(), &["--only", "nonsense"]);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && complaint.contains("nonsense") && complaint.contains("floors"), "{complaint}");
    let listed = check(folder.path(), &["--list"]);
    assert!(listed.status.success() && told(&listed).lines().count() == 12, "{}", told(&listed));
}
