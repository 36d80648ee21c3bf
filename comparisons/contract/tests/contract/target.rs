//! Who is tested, and the binaries, each built alone by cargo so that feature unification changes none of them.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use serde_json::Value;

/// A server under test, as the lab would start it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) package: &'static str,
    pub(crate) arguments: &'static [&'static str],
    /// As the ready line gives it.
    pub(crate) name: &'static str,
    /// As the header `server` gives it.
    pub(crate) header: &'static str,
    pub(crate) serves: Serves,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serves {
    /// The whole contract.
    Everything,
    /// `/plaintext`, `/json` and `/health`.
    Plain,
}

pub(crate) const TARGETS: &[Target] = &[
    target("target-axum", &[], "axum", "axum", Serves::Everything),
    target("target-axum", &["--stock"], "axum-stock", "axum", Serves::Everything),
    target("target-actix", &[], "actix", "actix", Serves::Everything),
    target("target-armature", &[], "armature", "armature", Serves::Everything),
    target("target-hyper", &[], "hyper", "hyper", Serves::Plain),
    target("target-floor", &[], "floor", "floor", Serves::Plain),
];

const fn target(
    package: &'static str,
    arguments: &'static [&'static str],
    name: &'static str,
    header: &'static str,
    serves: Serves,
) -> Target {
    Target { package, arguments, name, header, serves }
}

/// The targets that serve the whole contract.
pub(crate) fn frameworks() -> impl Iterator<Item = &'static Target> {
    TARGETS.iter().filter(|target| target.serves == Serves::Everything)
}

/// What cargo made of a package.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) program: PathBuf,
    /// Optimisation, debug information, panics and overflow checks, as cargo reports them.
    pub(crate) profile: Value,
}

impl Target {
    pub(crate) fn built(&self) -> &'static Built {
        built(self.package)
    }
}

/// The program that makes the tables.
pub(crate) fn seeder() -> &'static Path {
    &built(SEEDER).program
}

/// Or what cargo said, which each test then repeats.
static BUILT: LazyLock<Result<BTreeMap<&'static str, Built>, String>> = LazyLock::new(|| {
    let mut built = BTreeMap::new();
    for target in TARGETS {
        if !built.contains_key(target.package) {
            built.insert(target.package, build(target.package, &["--package", target.package])?);
        }
    }
    let selection = ["--package", "workload", "--features", "database", "--bin", SEEDER];
    built.insert(SEEDER, build(SEEDER, &selection)?);
    Ok(built)
});

const SEEDER: &str = "workload-seed";

fn built(binary: &str) -> &'static Built {
    match &*BUILT {
        Ok(built) => &built[binary],
        Err(problem) => panic!("{problem}"),
    }
}

fn build(binary: &str, selection: &[&str]) -> Result<Built, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--locked", "--profile", "light", "--message-format", "json-render-diagnostics"])
        .args(selection)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{binary} does not build: {said}"));
    }
    let artifact = output
        .stdout
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .find(|message| message["target"]["name"] == binary && message["executable"].is_string())
        .ok_or_else(|| format!("cargo names no executable for {binary}: {said}"))?;
    Ok(Built {
        program: artifact["executable"].as_str().expect("checked above").into(),
        profile: artifact["profile"].clone(),
    })
}
