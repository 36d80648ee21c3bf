//! `cargo xtask fuzz` as its user meets it, with a stand-in for rustup and targets that act as libFuzzer does.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

const MANIFEST: &str =
    "[workspace]\nmembers = [\"armature-core/fuzz\"]\nresolver = \"3\"\n\n[profile.light]\ninherits = \"dev\"\n";

const PACKAGE: &str = "[package]\nname = \"armature-fuzz\"\nversion = \"0.1.0\"\nedition = \"2024\"\nautobins = false\n\n\
                       [features]\nlibfuzzer = []\n\n\
                       [[bin]]\nname = \"calm\"\npath = \"calm.rs\"\nrequired-features = [\"libfuzzer\"]\n\n\
                       [[bin]]\nname = \"wild\"\npath = \"wild.rs\"\nrequired-features = [\"libfuzzer\"]\n";

/// Answers for the compiler, and builds by copying.
const RUSTUP: &str = "#!/bin/sh\n\
                      case \"$3\" in\n\
                      rustc) echo 'host: here' ;;\n\
                      cargo) mkdir -p \"$CARGO_TARGET_DIR/here/fuzz\" && cp armature-core/fuzz/*.sh \"$CARGO_TARGET_DIR/here/fuzz\" &&\n\
                      cd \"$CARGO_TARGET_DIR/here/fuzz\" && for it in *.sh; do mv \"$it\" \"${it%.sh}\"; done ;;\n\
                      esac\n";

/// Finds nothing.
const CALM: &str = "#!/bin/sh\n\
                    echo '#12 DONE   cov: 34 ft: 56 corp: 7/8b' >&2\n\
                    echo 'stat::number_of_executed_units: 12' >&2\n";

/// Finds an input at once, makes it smaller when asked, and fails on any.
const WILD: &str = "#!/bin/sh\n\
                    for it; do\n\
                    case \"$it\" in\n\
                    -exact_artifact_path=*) printf small >\"${it#*=}\"; exit 0 ;;\n\
                    -artifact_prefix=*) prefix=${it#*=} ;;\n\
                    esac\n\
                    done\n\
                    echo \"thread 'x' panicked at a/b.rs:1:2:\" >&2\n\
                    echo 'went wrong' >&2\n\
                    echo 'stack backtrace:' >&2\n\
                    [ -n \"$prefix\" ] || exit 77\n\
                    printf 'not so small' >\"${prefix}crash-1\"\n\
                    echo \"artifact_prefix='$prefix'; Test unit written to ${prefix}crash-1\" >&2\n\
                    exit 77\n";

/// A checkout with the two targets, and a folder of programs.
fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    write("Cargo.toml", MANIFEST);
    write("armature-core/fuzz/Cargo.toml", PACKAGE);
    write("armature-core/fuzz/src/lib.rs", "#[test]\nfn replay() {}\n");
    write("armature-core/fuzz/calm.rs", "fn main() {}\n");
    write("armature-core/fuzz/wild.rs", "fn main() {}\n");
    write("armature-core/fuzz/calm.sh", CALM);
    write("armature-core/fuzz/wild.sh", WILD);
    write("armature-core/fuzz/corpus/calm/seed", "a");
    write("programs/rustup", RUSTUP);
    write("programs/c++", "#!/bin/sh\n");
    folder
}

fn fuzz(folder: &Path, arguments: &[&str], path: &str, is_ci: bool) -> (Output, String) {
    xtask(folder, &[&["fuzz"], arguments].concat(), path, is_ci)
}

fn xtask(folder: &Path, arguments: &[&str], path: &str, is_ci: bool) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .current_dir(folder)
        .args(arguments)
        .env("PATH", path)
        .env("CARGO_MANIFEST_DIR", folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env_remove("CXX");
    if is_ci {
        command.env("CI", "true")
    } else {
        command.env_remove("CI")
    };
    let output = command.output().unwrap();
    let told = [&output.stdout[..], &output.stderr].concat();
    (output, String::from_utf8(told).unwrap())
}

fn with_programs(folder: &Path) -> String {
    format!("{}:{}", folder.join("programs").display(), std::env::var("PATH").unwrap())
}

#[test]
fn a_quiet_target_passes_and_a_finding_is_told_with_what_to_do() {
    let folder = checkout();
    let path = with_programs(folder.path());
    let (output, told) = fuzz(folder.path(), &["--seconds", "1", "--only", "calm"], &path, false);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("12 inputs, 34 places") && told.contains("ok. 1 passed; 0 failed"), "{told}");

    let (output, told) = fuzz(folder.path(), &["--seconds", "1"], &path, false);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let input = folder.path().join("armature-core/fuzz/artifacts/wild/crash-1");
    let again = format!("cargo xtask fuzz --only wild --replay {}", input.display());
    for piece in ["a/b.rs:1:2: went wrong", "input of 5 bytes: small", &again, "FAILED. 1 passed; 1 failed"] {
        assert!(told.contains(piece), "{piece}: {told}");
    }
    assert_eq!(fs::read(&input).unwrap(), b"small");
    let arguments = ["--only", "wild", "--replay", "armature-core/fuzz/artifacts/wild/crash-1"];
    let (output, told) = fuzz(folder.path(), &arguments, &path, false);
    assert!(output.status.code() == Some(1) && told.contains("went wrong"), "{told}");
}

#[test]
fn a_full_test_run_fuzzes_and_a_quick_one_does_not() {
    let folder = checkout();
    let path = with_programs(folder.path());
    for (arguments, sum, code) in [
        (&["test"][..], "2 passed, 1 failed", 1),
        (&["test", "--fast"], "1 passed, 0 failed", 0),
        (&["test", "--", "none"], "0 passed, 0 failed", 0),
    ] {
        let (output, told) = xtask(folder.path(), arguments, &path, false);
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(lines.lines().last(), Some(sum), "{arguments:?}: {told}");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    }
}

#[test]
fn without_a_nightly_compiler_the_cure_is_told() {
    let folder = checkout();
    for (is_ci, code) in [(false, 3), (true, 1)] {
        let (output, told) = fuzz(folder.path(), &[], "", is_ci);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains("rustup toolchain install nightly"), "{told}");
    }
}

#[test]
fn targets_are_listed_and_an_unknown_one_is_refused() {
    let folder = checkout();
    let (output, told) = fuzz(folder.path(), &["--list"], "", false);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(told.split_whitespace().collect::<Vec<_>>(), ["calm", "1", "files", "wild", "0", "files"]);
    let (output, told) = fuzz(folder.path(), &["--only", "clam"], "", false);
    assert!(output.status.code() == Some(2) && told.contains("`calm`"), "{told}");
}
