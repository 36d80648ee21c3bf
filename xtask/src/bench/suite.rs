//! The suites: which there are, what each needs, and what its cases are.
//!
//! A suite is a package below suites/, or a program that was built elsewhere and is named by its path. What is built for one
//! stands in its Cargo.toml:
//!
//! ```toml
//! [package.metadata.lab]
//! needs = ["timed", "loadgen", "seeder"]  # the servers' timed builds, and two programs; all three if left out
//! rounds = 2                              # launches of each case unless --rounds says otherwise
//! ```
//!
//! Read next: `prepare.rs`, which builds it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use harness::{
    build::Request,
    layout, name, suite,
    target::{self, Entry},
};
use probe::suite::{Case, Depth};
use serde::Deserialize;

use super::prepare::say;

/// How a suite meets its targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As servers, behind sockets; some may be programs of benchmarks, which the suite tells from them.
    Servers,
    /// As programs of benchmarks, which its own lab.toml lists.
    Programs,
}

/// What is built for a suite beside itself, and what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Its targets as they are timed.
    pub(super) timed: bool,
    /// The load generator.
    pub(super) loadgen: bool,
    /// The program that fills and dumps the database.
    pub(super) seeder: bool,
}

/// A suite that is there to be run.
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    /// The file that lists its targets.
    pub(crate) lab: PathBuf,
    pub(super) kind: Kind,
    pub(super) needs: Needs,
    /// Rounds, where the suite has its own number of them.
    pub(super) rounds: Option<u32>,
    pub(crate) cases: Vec<Case>,
}

/// The names of all suites: the packages below suites/.
pub(super) fn all() -> Result<Vec<String>> {
    let folder = layout::workspace_root()?.join("suites");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .with_context(|| format!("{} cannot be read", folder.display()))?
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

impl Suite {
    /// Builds the suite of that name, or takes the program at that path, and asks it for its cases.
    pub(crate) fn find(wanted: &str) -> Result<Self> {
        if wanted.contains('/') {
            return Self::elsewhere(Path::new(wanted));
        }
        let known = all()?;
        if !known.iter().any(|name| name == wanted) {
            return Err(name::Unknown::new("suite", wanted, known.iter().map(String::as_str)).into());
        }
        say(&format!("Building the suite {wanted}: it decides what is sent and checks the answers (profile light)."));
        let program = Request::new(&format!("suite-{wanted}"), "light").build()?;
        let root = layout::workspace_root()?;
        let lab = layout::lab_of(wanted)?;
        let is_shared = lab == root.join("lab.toml") || target::has_servers(&lab)?;
        let kind = if is_shared { Kind::Servers } else { Kind::Programs };
        let manifest = root.join("suites").join(wanted).join("Cargo.toml");
        let text = fs::read_to_string(&manifest).with_context(|| format!("{} cannot be read", manifest.display()))?;
        let (needs, rounds) = wishes(&text, kind).with_context(|| format!("{} is not right", manifest.display()))?;
        Ok(Self { name: wanted.to_owned(), cases: suite::cases(&program)?, program, lab, kind, needs, rounds })
    }

    /// What a program needs that was built elsewhere it brings along.
    fn elsewhere(program: &Path) -> Result<Self> {
        Ok(Self {
            name: program.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            program: program.to_path_buf(),
            lab: layout::workspace_root()?.join("lab.toml"),
            kind: Kind::Servers,
            needs: Needs { timed: true, loadgen: false, seeder: false },
            rounds: None,
            cases: suite::cases(program)?,
        })
    }

    /// The cases that are wanted by name, or all that a kind of run includes if none is named.
    fn wanted<'a>(&'a self, names: &'a [String], depth: Depth) -> impl Iterator<Item = &'a Case> {
        let is_named = move |name: &str| names.iter().any(|wanted| wanted.split('@').next() == Some(name));
        self.cases.iter().filter(move |case| {
            if names.is_empty() { case.depth <= depth } else { is_named(&case.id) || is_named(&case.test) }
        })
    }

    /// Whether it counts anything in the cases that are wanted.
    pub(super) fn is_counted(&self, names: &[String], depth: Depth) -> bool {
        self.wanted(names, depth).any(|case| case.counted)
    }

    /// Those of the targets that take part in the cases that are wanted; the others need not be built.
    pub(crate) fn taking_part(&self, entries: Vec<Entry>, names: &[String], depth: Depth) -> Vec<Entry> {
        let serves = |entry: &Entry| {
            entry.serves.is_empty() || self.wanted(names, depth).any(|case| entry.serves.contains(&case.test))
        };
        entries.into_iter().filter(serves).collect()
    }

    /// Refuses a case that it does not know.
    pub(super) fn check_cases(&self, wanted: &[String]) -> Result<()> {
        let mut known: Vec<&str> = self.cases.iter().flat_map(|case| [case.test.as_str(), case.id.as_str()]).collect();
        known.sort_unstable();
        known.dedup();
        for wanted in wanted {
            // A concurrency level may follow the id.
            let id = wanted.split('@').next().unwrap_or(wanted);
            if !known.contains(&id) {
                return Err(name::Unknown::new("case", wanted, known).into());
            }
        }
        Ok(())
    }

    /// Prints what could be measured.
    pub(super) fn print_list(&self, entries: &[Entry]) {
        println!("Cases (--case takes a test or a case):");
        for case in &self.cases {
            let when = match case.depth {
                Depth::Quick => "--quick and longer",
                Depth::Default => "by default",
                Depth::Full => "--full",
                Depth::Named => "only when named",
            };
            println!("  {:<22} {:<16} {} ({when})", case.id, case.test, case.title);
        }
        println!("Targets:");
        for entry in entries {
            let role = format!("{:?}", entry.role).to_lowercase();
            let serves = if entry.serves.is_empty() { "all tests".to_owned() } else { entry.serves.join(", ") };
            let when = if entry.default { "" } else { " (only when named)" };
            println!("  {:<22} {role:<16} {serves}{when}", entry.name);
        }
    }
}

/// What a suite's Cargo.toml says of the lab.
fn wishes(manifest: &str, kind: Kind) -> Result<(Needs, Option<u32>)> {
    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields)]
    struct Lab {
        needs: Option<Vec<String>>,
        rounds: Option<u32>,
    }
    let table: toml::Table = toml::from_str(manifest)?;
    let lab = table.get("package").and_then(|package| package.get("metadata")?.get("lab"));
    let lab: Lab = lab.map_or_else(|| Ok(Lab::default()), |lab| lab.clone().try_into())?;
    let servers = kind == Kind::Servers;
    let Some(wanted) = lab.needs else {
        return Ok((Needs { timed: true, loadgen: servers, seeder: servers }, lab.rounds));
    };
    if let Some(unknown) = wanted.iter().find(|word| !["timed", "loadgen", "seeder"].contains(&word.as_str())) {
        bail!("package.metadata.lab.needs: {unknown:?} is none of timed, loadgen, seeder");
    }
    let has = |word: &str| wanted.iter().any(|wanted| wanted == word);
    Ok((Needs { timed: has("timed"), loadgen: has("loadgen"), seeder: has("seeder") }, lab.rounds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_says_what_it_needs_and_gets_all_of_its_kind_if_it_does_not() {
        for (lab, kind, expected) in [
            ("", Kind::Servers, Some(([true, true, true], None))),
            ("", Kind::Programs, Some(([true, false, false], None))),
            ("needs = []", Kind::Servers, Some(([false, false, false], None))),
            ("needs = [\"timed\", \"loadgen\"]\nrounds = 2", Kind::Servers, Some(([true, true, false], Some(2)))),
            ("needs = [\"generator\"]", Kind::Servers, None),
            ("need = []", Kind::Servers, None),
        ] {
            let manifest = format!("[package]\nname = \"suite-x\"\n[package.metadata.lab]\n{lab}\n");
            let found = wishes(&manifest, kind).ok();
            let found = found.map(|(needs, rounds)| ([needs.timed, needs.loadgen, needs.seeder], rounds));
            assert_eq!(found, expected, "{lab:?}");
        }
        let (needs, _) = wishes("[package]\nname = \"suite-x\"\n", Kind::Servers).unwrap();
        assert!(needs.timed && needs.loadgen && needs.seeder);
    }
}
