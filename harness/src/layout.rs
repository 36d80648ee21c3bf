//! Where things lie: the workspace's root, the folder that cargo builds into, and the folder of runs in it.
//!
//! Decides places only; who writes there creates the folders. Read next: `record.rs`, which lists and reads the runs.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The root of the workspace: found upwards from the package that cargo runs (its environment variable
/// `CARGO_MANIFEST_DIR`), otherwise from the current folder.
///
/// # Errors
/// When no folder above holds a `Cargo.toml` with a `[workspace]` table.
pub fn workspace_root() -> Result<PathBuf> {
    let start = match env::var_os("CARGO_MANIFEST_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => env::current_dir().context("the current folder cannot be told")?,
    };
    root_above(&start).with_context(|| {
        format!(
            "no Cargo.toml with a [workspace] table at or above {}; run this command inside the checkout",
            start.display()
        )
    })
}

/// The folder that cargo builds into: `CARGO_TARGET_DIR`, or `target` in the workspace's root.
///
/// # Errors
/// As [`workspace_root`], or when a relative `CARGO_TARGET_DIR` has no current folder to stand on.
pub fn target_folder() -> Result<PathBuf> {
    match named(env::var_os("CARGO_TARGET_DIR")) {
        Some(folder) => std::path::absolute(&folder).with_context(|| format!("{} has no place", folder.display())),
        None => Ok(workspace_root()?.join("target")),
    }
}

/// The folder of runs; each is a folder named by the run's id. It need not exist.
///
/// # Errors
/// As [`target_folder`].
pub fn runs_folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("lab").join("runs"))
}

/// The folder of comparisons; each is a folder named by the comparison's id. It need not exist.
///
/// # Errors
/// As [`target_folder`].
pub fn comparisons_folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("lab").join("comparisons"))
}

/// The folder of what `prove-gate` has proven; each proof is a folder named by its id. It need not exist.
///
/// # Errors
/// As [`target_folder`].
pub fn proofs_folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("lab").join("proofs"))
}

/// The folder of flamegraphs; each is a folder named by its run's id. It need not exist.
///
/// # Errors
/// As [`target_folder`].
pub fn flamegraphs_folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("lab").join("flamegraphs"))
}

/// The folder of the ledger's runs; each is a folder named by its id. It need not exist.
///
/// # Errors
/// As [`target_folder`].
pub fn ledgers_folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("lab").join("ledgers"))
}

/// The folder of the tools that the lab installs for itself. It need not exist.
///
/// # Errors
/// As [`target_folder`].
pub fn tools_folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("lab").join("tools"))
}

/// The file that lists a suite's targets: its own, if it has one, else `lab.toml` in the workspace's root.
///
/// # Errors
/// As [`workspace_root`].
pub fn lab_of(suite: &str) -> Result<PathBuf> {
    let root = workspace_root()?;
    let own = root.join("suites").join(suite).join("lab.toml");
    Ok(if own.is_file() { own } else { root.join("lab.toml") })
}

/// cargo takes an empty variable for an absent one.
fn named(variable: Option<OsString>) -> Option<PathBuf> {
    variable.filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn root_above(start: &Path) -> Option<PathBuf> {
    start
        .ancestors()
        .find(|folder| {
            fs::read_to_string(folder.join("Cargo.toml"))
                .is_ok_and(|text| text.lines().any(|line| line.trim() == "[workspace]"))
        })
        .map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_nearest_folder_above_with_a_workspace_table() {
        let root = tempfile::tempdir().unwrap();
        let package = root.path().join("a/b");
        fs::create_dir_all(&package).unwrap();
        fs::write(root.path().join("Cargo.toml"), "[workspace]\nmembers = []\n").unwrap();
        fs::write(package.join("Cargo.toml"), "[package]\nname = \"b\"\n").unwrap();
        assert_eq!(root_above(&package), Some(root.path().to_path_buf()));
        assert_eq!(root_above(Path::new("/no/such/folder")), None);
    }

    #[test]
    fn this_package_stands_in_the_workspace() {
        let root = workspace_root().unwrap();
        assert!(root.join("harness/src/layout.rs").is_file(), "{}", root.display());
        assert!(runs_folder().unwrap().ends_with("lab/runs"));
    }

    #[test]
    fn an_empty_variable_names_no_folder() {
        assert_eq!(named(Some(OsString::new())), None);
        assert_eq!(named(Some("x".into())), Some(PathBuf::from("x")));
    }
}
