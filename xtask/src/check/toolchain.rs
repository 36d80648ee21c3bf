//! The checks that are tools of the Rust toolchain: rustfmt, clippy, rustdoc. They print their faults themselves.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use super::{Outcome, packages::Packages};

/// rustfmt over every file; with `fix` it rewrites them.
pub(super) fn format(root: &Path, fix: bool) -> Result<Outcome> {
    if !is_installed("fmt") {
        return Ok(missing("rustfmt"));
    }
    let mode: &[&str] = if fix { &[] } else { &["--check"] };
    judge(
        cargo(root).args(["fmt", "--all"]).args(mode),
        if fix { "every file rewritten where it had to be" } else { "nothing to change" },
    )
}

/// A package with features that add code to it, as cargo names them.
const FEATURES: (&str, &str) = ("armature-core", "armature-core/http2,armature-core/simd-json,armature-core/tls");

/// clippy over every target of every package; a warning is a fault.
pub(super) fn lint(root: &Path) -> Result<Outcome> {
    if !is_installed("clippy") {
        return Ok(missing("clippy"));
    }
    let (package, features) = FEATURES;
    let has_features = Packages::of_workspace(root)?.list.iter().any(|it| it.name == package);
    let features: &[&str] = if has_features { &["--features", features] } else { &[] };
    judge(
        cargo(root)
            .args(["clippy", "--workspace", "--all-targets", "--profile", "light"])
            .args(features)
            .args(["--", "-D", "warnings"]),
        "no warning",
    )
}

/// rustdoc over every package; a warning is a fault.
pub(super) fn document(root: &Path) -> Result<Outcome> {
    judge(
        cargo(root).args(["doc", "--no-deps", "--workspace", "--profile", "light"]).env("RUSTDOCFLAGS", "-D warnings"),
        "no warning",
    )
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Set for xtask by `cargo run`; left in place, build scripts of other packages would see it change.
    cargo.current_dir(root).env_remove("CARGO_MANIFEST_DIR");
    cargo
}

fn judge(command: &mut Command, summary: &str) -> Result<Outcome> {
    let status = command.status().context("cargo cannot be started; is it in PATH?")?;
    Ok(if status.success() { Outcome::Fine(summary.to_owned()) } else { Outcome::Failed(Vec::new()) })
}

fn is_installed(subcommand: &str) -> bool {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn missing(component: &str) -> Outcome {
    Outcome::Skipped(format!("{component} is not installed: rustup component add {component}"))
}
