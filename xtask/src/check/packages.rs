//! What cargo says of the packages: names, licences, who depends on whom, and the programs and tests in them.

use std::{env, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Packages as `cargo metadata` gives them.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    pub(crate) list: Vec<Package>,
}

/// A package.
#[derive(Debug, Default, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// As an SPDX expression; `None` where the package names none.
    pub(crate) licence: Option<String>,
    /// Direct dependencies of any kind and for any system.
    pub(crate) dependencies: Vec<Dependency>,
    /// Programs.
    pub(crate) programs: Vec<Target>,
    /// Integration tests.
    pub(crate) tests: Vec<Target>,
}

/// Something that cargo builds of a package.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// Features without which cargo does not build it.
    pub(crate) features: Vec<String>,
}

/// A direct dependency.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    /// The package's name, also where it is renamed.
    pub(crate) name: String,
    /// Whether only tests, examples and benchmarks use it.
    pub(crate) for_tests: bool,
}

impl Packages {
    /// The packages of the workspace.
    pub(crate) fn of_workspace(root: &Path) -> Result<Self> {
        Self::ask(root, &["--no-deps"])
    }

    /// The packages of the workspace and all that they are built from on this system.
    pub(super) fn of_all(root: &Path) -> Result<Self> {
        let output = Command::new("rustc").arg("-vV").output().context("rustc cannot be started")?;
        let version = String::from_utf8_lossy(&output.stdout).into_owned();
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
        Self::ask(root, &["--filter-platform", host])
    }

    fn ask(root: &Path, arguments: &[&str]) -> Result<Self> {
        let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(root)
            .args(["metadata", "--format-version", "1"])
            .args(arguments)
            .output()
            .context("cargo cannot be started; is it in PATH?")?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Self::parse(&serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?)
    }

    fn parse(metadata: &Value) -> Result<Self> {
        let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
        let list = packages.iter().map(Package::parse).collect::<Result<_>>()?;
        Ok(Self { list })
    }
}

impl Package {
    fn parse(package: &Value) -> Result<Self> {
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let targets = |kind: &str| {
            let all = package["targets"].as_array().into_iter().flatten();
            all.filter(|target| target["kind"][0] == kind).filter_map(Target::parse).collect()
        };
        Ok(Self {
            name: package["name"].as_str().context("a package has no name")?.to_owned(),
            licence: package["license"].as_str().map(str::to_owned),
            dependencies: dependencies
                .filter_map(|dependency| {
                    Some(Dependency {
                        name: dependency["name"].as_str()?.to_owned(),
                        for_tests: dependency["kind"] == "dev",
                    })
                })
                .collect(),
            programs: targets("bin"),
            tests: targets("test"),
        })
    }
}

impl Target {
    fn parse(target: &Value) -> Option<Self> {
        let features = target["required-features"].as_array().into_iter().flatten();
        Some(Self {
            name: target["name"].as_str()?.to_owned(),
            features: features.filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_licences_and_dependencies_are_read() {
        let metadata = serde_json::json!({"packages": [{
            "name": "a",
            "license": "MIT",
            "dependencies": [{"name": "b", "kind": null, "rename": "c"}, {"name": "d", "kind": "dev"}],
            "targets": [
                {"name": "a", "kind": ["lib"]},
                {"name": "seed", "kind": ["bin"], "required-features": ["database"]},
                {"name": "wire", "kind": ["test"]},
            ],
        }]});
        let packages = Packages::parse(&metadata).unwrap();
        let package = &packages.list[0];
        assert_eq!((package.name.as_str(), package.licence.as_deref()), ("a", Some("MIT")));
        let dependencies: Vec<_> =
            package.dependencies.iter().map(|dependency| (dependency.name.as_str(), dependency.for_tests)).collect();
        assert_eq!(dependencies, [("b", false), ("d", true)]);
        assert_eq!((package.programs[0].name.as_str(), package.tests[0].name.as_str()), ("seed", "wire"));
        assert_eq!((package.programs.len(), package.programs[0].features.len()), (1, 1));
        assert!(Packages::parse(&serde_json::json!({})).is_err());
    }
}
