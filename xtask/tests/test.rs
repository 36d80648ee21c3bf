//! `cargo xtask test` as its user meets it, on a small workspace: the sum at the end, the exit code, Ctrl-C.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const MANIFEST: &str = "[workspace]\n\n[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
                        [profile.light]\ninherits = \"dev\"\n";

/// How long a command on the small workspace may take; it takes a second or two unless the machine is very busy.
const PATIENCE: Duration = Duration::from_secs(120);

fn workspace(library: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("Cargo.toml"), MANIFEST).unwrap();
    fs::write(folder.path().join("src/lib.rs"), library).unwrap();
    folder
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .current_dir(folder)
        .arg("test")
        .env("CARGO_MANIFEST_DIR", folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env_remove("CI");
    command
}

#[test]
fn the_last_line_is_the_sum_over_all_runners() {
    for (library, sum, code) in [
        ("//! ```\n//! assert!(true);\n//! ```\n#[test]\nfn a() {}\n#[test]\nfn b() {}\n", "3 passed, 0 failed", 0),
        ("#[test]\nfn a() {}\n#[test]\nfn b() { panic!() }\n", "1 passed, 1 failed", 1),
        ("fn broken( {}\n", "0 passed, 0 failed", 1),
    ] {
        let folder = workspace(library);
        let output = command(folder.path()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told.lines().last(), Some(sum), "{told}");
        assert_eq!(output.status.code(), Some(code), "{told}");
    }
}

#[test]
fn arguments_reach_cargo_and_the_quick_selection_has_no_documentation_tests() {
    let folder = workspace("//! ```\n//! assert!(true);\n//! ```\n#[test]\nfn alpha() {}\n#[test]\nfn beta() {}\n");
    for (arguments, sum) in [(&["--", "alpha"][..], "1 passed, 0 failed"), (&["--fast"], "2 passed, 0 failed")] {
        let output = command(folder.path()).args(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told.lines().last(), Some(sum), "{arguments:?}: {told}");
    }
}

#[test]
fn an_interrupt_ends_cargo_and_the_tests_it_runs() {
    let library = "#[test]\nfn waits() {\n    std::fs::write(\"pid\", std::process::id().to_string()).unwrap();\n    \
                   loop { std::thread::park(); }\n}\n";
    let folder = workspace(library);
    let mut child = command(folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let waiting: i32 = until(|| fs::read_to_string(folder.path().join("pid")).ok()?.parse().ok());
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let status = until(|| child.try_wait().unwrap());
    assert_ne!(status.code(), Some(0), "{status}");
    until(|| has_ended(waiting).then_some(()));
}

/// Whether a process is gone, or only waits to be reaped (state Z in proc_pid_stat(5)).
fn has_ended(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

/// Asks again and again until there is an answer.
fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "no answer in {PATIENCE:?}");
        thread::sleep(Duration::from_millis(10));
    }
}
