//! Builds the binaries that a run needs, each alone, and describes exactly what came out.
//!
//! Alone, because cargo unifies the features of what it builds together: one server's choice of features would change
//! what its rival links. The targets share a lock file, a compiler and a profile.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{layout, process::describe, target::Entry};

/// The build profiles that a target may be built with.
pub const PROFILES: &[&str] = &["lto-fat", "lto-thin", "release", "native", "profiling", "light"];

/// An exact binary and how it came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The target it serves as.
    pub target: String,
    /// The package; empty for a foreign server.
    pub package: String,
    /// Build profile; empty for a foreign server.
    pub profile: String,
    /// Extra compiler flags, from RUSTFLAGS and the profile.
    pub flags: String,
    /// `rustc --version`; empty for a foreign server.
    pub rustc: String,
    /// SHA-256 of the binary, hexadecimal.
    pub sha256: String,
    /// Size of the binary, bytes.
    pub size_bytes: u64,
    /// SHA-256 of Cargo.lock, hexadecimal; empty for a foreign server.
    pub lock_sha256: String,
    /// Whether it is what is counted beside the build that is timed, and never timed itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counting: bool,
}

/// Something to build.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Workspace package.
    pub package: &'a str,
    /// The binary's name.
    pub binary: &'a str,
    /// One of [`PROFILES`].
    pub profile: &'a str,
    /// Features to turn on.
    pub features: &'a [&'a str],
    /// Whether the binary says which lines its code comes from, also where the profile leaves that out.
    pub line_tables: bool,
    /// Whether its stacks can be walked and its inlined functions named: it keeps frame pointers, in C code too, and says what each
    /// function is called (debug information of level 1, without which those that were inlined have no paths).
    pub stacks: bool,
}

/// Where something is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The root of the checkout.
    pub root: PathBuf,
    /// The folder that cargo builds into.
    pub target: PathBuf,
    /// Compiler flags besides those of the profile and the environment.
    pub flags: Vec<String>,
    /// Compiler flags for the program itself and not for what it depends on, which is built once for all of them.
    pub program_flags: Vec<String>,
}

impl<'a> Request<'a> {
    /// A package whose binary has its name.
    #[must_use]
    pub fn new(package: &'a str, profile: &'a str) -> Self {
        Self { package, binary: package, profile, features: &[], line_tables: false, stacks: false }
    }

    /// Builds it in this workspace and returns the path of the binary. Cargo's own progress goes to standard error.
    ///
    /// # Errors
    /// When cargo fails; its messages are on standard error by then.
    pub fn build(&self) -> Result<PathBuf> {
        self.build_at(&Place {
            root: layout::workspace_root()?,
            target: layout::target_folder()?,
            flags: Vec::new(),
            program_flags: Vec::new(),
        })
    }

    /// Builds it in another checkout.
    ///
    /// # Errors
    /// As [`Request::build`].
    pub fn build_at(&self, place: &Place) -> Result<PathBuf> {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&place.root).args([
            if place.program_flags.is_empty() { "build" } else { "rustc" },
            "--locked",
            "--package",
            self.package,
            "--bin",
            self.binary,
        ]);
        cargo.args(["--profile", self.profile]).arg("--target-dir").arg(&place.target);
        if !place.flags.is_empty() {
            // The variable takes the place of what config files say, so it has to hold what RUSTFLAGS said.
            let own = env::var("RUSTFLAGS").unwrap_or_default();
            let given = own.split_whitespace().chain(place.flags.iter().map(String::as_str));
            let flags: Vec<&str> = given.chain(self.flags().map(|flag| -> &str { flag })).collect();
            cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")).env_remove("RUSTFLAGS");
            // C code may say when it was built (mimalloc's does), and two builds of one source would differ in that
            // (reproducible-builds.org/docs/source-date-epoch).
            cargo.env("SOURCE_DATE_EPOCH", "946684800");
        }
        if !self.features.is_empty() {
            cargo.args(["--features", &self.features.join(",")]);
        }
        if self.line_tables {
            cargo.args(["--config", &format!("profile.{}.debug='line-tables-only'", self.profile)]);
        }
        for flag in self.flags() {
            cargo.args(["--config", &format!("build.rustflags=['{flag}']")]);
        }
        if self.stacks {
            cargo.args(["--config", &format!("profile.{}.debug=1", self.profile)]);
            let own = env::var("CFLAGS").unwrap_or_default();
            cargo.env("CFLAGS", format!("{own} -fno-omit-frame-pointer").trim());
        }
        // Set for xtask by `cargo run`; it would make every build script believe that it belongs to xtask.
        cargo.env_remove("CARGO_MANIFEST_DIR");
        if !place.program_flags.is_empty() {
            cargo.arg("--").args(&place.program_flags);
        }
        let status = cargo.status().context("cargo cannot be started; is it in PATH?")?;
        if !status.success() {
            bail!("building {} {}; cargo's messages are above", self.package, describe(status));
        }
        let binary = place.target.join(self.profile).join(self.binary);
        if !binary.is_file() {
            bail!("cargo built {} but left no binary at {}", self.package, binary.display());
        }
        Ok(binary)
    }

    /// The compiler flags of the profile, and those of what is asked for.
    fn flags(&self) -> impl Iterator<Item = &'static str> {
        let flags = profile_flags(self.profile);
        let missing = self.stacks && !flags.contains(&FRAME_POINTERS);
        flags.iter().copied().chain(missing.then_some(FRAME_POINTERS))
    }
}

/// Installs a program from the registry into the lab's own folder, in exactly this version, unless it is there already, and
/// returns its path.
///
/// # Errors
/// When cargo fails; its messages are on standard error by then.
pub fn install(package: &str, version: &str) -> Result<PathBuf> {
    let folder = layout::tools_folder()?.join(format!("{package}-{version}"));
    let program = folder.join("bin").join(package);
    if program.is_file() {
        return Ok(program);
    }
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["install", package, "--locked", "--version", &format!("={version}"), "--root"])
        .arg(&folder)
        .arg("--target-dir")
        .arg(folder.join("build"))
        .env_remove("CARGO_MANIFEST_DIR")
        .status()
        .context("cargo cannot be started; is it in PATH?")?;
    if !status.success() || !program.is_file() {
        bail!("installing {package} {version} {}; cargo's messages are above", describe(status));
    }
    // What it was made of is ten times what it is.
    let _ = fs::remove_dir_all(folder.join("build"));
    Ok(program)
}

/// Has every function keep a pointer to its caller's frame.
const FRAME_POINTERS: &str = "-Cforce-frame-pointers=yes";

/// Flags that belong to a profile but that a profile cannot hold.
fn profile_flags(profile: &str) -> &'static [&'static str] {
    match profile {
        "native" => &["-Ctarget-cpu=native"],
        "profiling" => &[FRAME_POINTERS],
        _ => &[],
    }
}

/// Describes the binary behind a target.
///
/// # Errors
/// When the binary cannot be read.
pub fn describe_artifact(entry: &Entry, binary: &Path, profile: &str, rustc: &str) -> Result<Artifact> {
    let content = fs::read(binary).with_context(|| format!("{} cannot be read", binary.display()))?;
    let ours = entry.package.is_some();
    let mut flags: Vec<String> = env::var("RUSTFLAGS").into_iter().filter(|flags| !flags.is_empty()).collect();
    flags.extend(profile_flags(profile).iter().map(|flag| (*flag).to_owned()));
    let lock_sha256 =
        if ours { sha256(&fs::read(layout::workspace_root()?.join("Cargo.lock"))?) } else { String::new() };
    let own = |text: &str| if ours { text.to_owned() } else { String::new() };
    Ok(Artifact {
        target: entry.name.clone(),
        package: entry.package.clone().unwrap_or_default(),
        profile: own(profile),
        flags: own(&flags.join(" ")),
        rustc: own(rustc),
        sha256: sha256(&content),
        size_bytes: content.len() as u64,
        lock_sha256,
        counting: false,
    })
}

/// The program that a command would start, found in PATH as execvp(3) does.
#[must_use]
pub fn find_program(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let name = Path::new(name.as_ref());
    if name.components().count() > 1 {
        return name.is_file().then(|| name.to_path_buf());
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_the_standard_says() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
