//! Builds fuzz targets with a nightly compiler: with LLVM's counters of covered edges, and AddressSanitizer.
//!
//! cargo-fuzz passes the same flags; doing so here saves installing it. Its `--cfg fuzzing` is left out, so that what is
//! fuzzed is what is served.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use harness::layout;

use super::{FEATURE, PACKAGE};

/// The flags of clang's `-fsanitize=fuzzer` (<https://clang.llvm.org/docs/SanitizerCoverage.html>), and its sanitizer.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address";

/// The profile in the root `Cargo.toml`.
const PROFILE: &str = "fuzz";

/// A nightly compiler.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// What it builds for, named as it is built for: with `--target`, build scripts and macros are not instrumented.
    host: String,
}

impl Toolchain {
    /// Finds it, or says what is missing.
    pub(super) fn find() -> Result<Self, &'static str> {
        let version = nightly("rustc").arg("-vV").stderr(Stdio::null()).output().ok();
        let version = version.filter(|output| output.status.success()).ok_or("a nightly Rust toolchain")?;
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("a nightly Rust toolchain")?;
        let compiler = env::var_os("CXX").unwrap_or_else(|| "c++".into());
        let has_compiler =
            Command::new(compiler).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        if has_compiler { Ok(Self { host: host.to_owned() }) } else { Err("a C++ compiler") }
    }

    /// Builds these targets.
    pub(super) fn build(&self, root: &Path, targets: &[String]) -> Result<()> {
        eprintln!("building {} fuzz target(s) with nightly Rust", targets.len());
        let status = nightly("cargo")
            .current_dir(root)
            .args(["build", "--package", PACKAGE, "--features", FEATURE, "--profile", PROFILE, "--target", &self.host])
            .args(targets.iter().flat_map(|target| ["--bin", target]))
            .env("RUSTFLAGS", FLAGS)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .status()
            .context("rustup cannot be started")?;
        if !status.success() {
            bail!("the fuzz targets do not build; cargo's message stands above");
        }
        Ok(())
    }

    /// The program of a target.
    pub(super) fn program(&self, target: &str) -> Result<PathBuf> {
        Ok(layout::target_folder()?.join(&self.host).join(PROFILE).join(target))
    }
}

/// A program of the nightly toolchain, free of what cargo and rustup set for the one that runs this.
fn nightly(program: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", program]).stdin(Stdio::null());
    for variable in ["CARGO", "CARGO_MANIFEST_DIR", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    command
}
