//! `cargo xtask check`: everything about the source that a machine can judge without running it.
//!
//! Owns the list of checks, their order and how their outcome is told. What each check looks for stands in a file of
//! its own below `check/`, as a pure function over the tree's text or over what cargo says of the packages.

use std::{env, path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Result, bail};
use clap::Args;
use harness::layout;

mod arrows;
mod claims;
mod documents;
mod examples;
mod fences;
mod floors;
mod licences;
mod names;
pub(crate) mod packages;
mod source;
mod toolchain;
mod tree;

use packages::Packages;
use tree::Tree;

/// Check format, lints, docs, and the rules of the house.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 when nothing failed, 1 otherwise. With CI=true a check that had to be skipped has failed.\n\n\
                  Examples:\n  cargo xtask check\n  cargo xtask check --only floors --only arrows\n  cargo xtask check --fix"
)]
pub(crate) struct Check {
    /// Run only this check; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Let rustfmt rewrite the files instead of complaining about them
    #[arg(long)]
    fix: bool,
    /// Say which checks there are
    #[arg(long)]
    list: bool,
}

/// What the checks look at.
struct Context {
    root: PathBuf,
    tree: Tree,
    fix: bool,
}

/// How a check ended.
enum Outcome {
    /// All is well; what was looked at.
    Fine(String),
    /// Something is wrong: one line a fault. Empty where a tool has printed its faults itself.
    Failed(Vec<String>),
    /// A tool is missing; what to do about it.
    Skipped(String),
}

/// A place and what is wrong there; the message says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    place: String,
    message: String,
}

impl Fault {
    fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }

    fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self::new(format!("{path}:{line}"), message)
    }
}

/// One check.
struct Entry {
    name: &'static str,
    about: &'static str,
    run: fn(&Context) -> Result<Outcome>,
}

/// All checks, in the order in which they run.
const CHECKS: &[Entry] = &[
    Entry {
        name: "fmt",
        about: "every file is as rustfmt leaves it",
        run: |context| toolchain::format(&context.root, context.fix),
    },
    Entry {
        name: "clippy",
        about: "no warning in any target of any package",
        run: |context| toolchain::lint(&context.root),
    },
    Entry {
        name: "docs",
        about: "rustdoc builds every package's documentation without a warning",
        run: |context| toolchain::document(&context.root),
    },
    Entry {
        name: "arrows",
        about: "packages depend only on the packages that the map allows",
        run: |context| {
            let packages = Packages::of_workspace(&context.root)?;
            Ok(judge(arrows::faults(&packages), format!("{} packages", packages.list.len())))
        },
    },
    Entry {
        name: "floors",
        about: "inside armature-core imports only go down",
        run: |context| Ok(judge(floors::faults(&context.tree), "no import goes up")),
    },
    Entry {
        name: "documents",
        about: "every path that a document names exists",
        run: |context| Ok(judge(documents::faults(&context.tree), "no path leads nowhere")),
    },
    Entry {
        name: "examples",
        about: "all that armature-core offers has an example, and says when it fails",
        run: |context| Ok(judge(examples::faults(&context.tree), "all shown in use")),
    },
    Entry {
        name: "names",
        about: "no forbidden name, attribute, mark or machine path",
        run: |context| Ok(judge(names::faults(&context.tree), "nothing forbidden")),
    },
    Entry {
        name: "claims",
        about: "no claim of speed without the experiment that tried it",
        run: |context| Ok(judge(claims::faults(&context.tree), "all tried")),
    },
    Entry {
        name: "unsafe",
        about: "unsafe code stands only in the files listed for it",
        run: |context| {
            let listed = format!("only in the {} files listed", fences::UNSAFE_FILES.len());
            Ok(judge(fences::unsafe_faults(&context.tree, fences::UNSAFE_FILES), listed))
        },
    },
    Entry {
        name: "headers",
        about: "every source file opens by saying what it owns",
        run: |context| Ok(judge(fences::header_faults(&context.tree), "all there")),
    },
    Entry {
        name: "licences",
        about: "every dependency's licence is in deny.toml's list",
        run: |context| {
            let allowed = licences::allowed(context.tree.text("deny.toml"))?;
            let packages = Packages::of_all(&context.root)?;
            let summary = format!("{} packages, {} licences allowed", packages.list.len(), allowed.len());
            Ok(judge(licences::faults(&packages, &allowed), summary))
        },
    },
];

impl Check {
    pub(crate) fn run(self) -> Result<ExitCode> {
        if self.list {
            for entry in CHECKS {
                println!("{:<10} {}", entry.name, entry.about);
            }
            return Ok(ExitCode::SUCCESS);
        }
        let chosen = choose(&self.only)?;
        let root = layout::workspace_root()?;
        let context = Context { tree: Tree::read(&root)?, root, fix: self.fix };
        let must_not_skip = env::var("CI").is_ok_and(|value| value == "true");
        let mut failed = Vec::new();
        for entry in &chosen {
            let begin = Instant::now();
            let outcome = (entry.run)(&context)?;
            let (word, remark, faults, passed) = told(outcome, must_not_skip);
            println!("{word:<8} {:<10} {remark} ({:.1} s)", entry.name, begin.elapsed().as_secs_f64());
            for fault in faults {
                println!("           {fault}");
            }
            if !passed {
                failed.push(entry.name);
            }
        }
        if failed.is_empty() {
            println!("{} checks, none failed", chosen.len());
            return Ok(ExitCode::SUCCESS);
        }
        println!("{} checks, {} failed: {}", chosen.len(), failed.len(), failed.join(", "));
        Ok(ExitCode::from(1))
    }
}

/// The entries of the names given, in the list's order; all without a name.
fn choose(only: &[String]) -> Result<Vec<&'static Entry>> {
    if let Some(unknown) = only.iter().find(|name| CHECKS.iter().all(|entry| entry.name != **name)) {
        let names: Vec<&str> = CHECKS.iter().map(|entry| entry.name).collect();
        bail!("there is no check named {unknown}; there are {}", names.join(", "));
    }
    Ok(CHECKS.iter().filter(|entry| only.is_empty() || only.iter().any(|name| name == entry.name)).collect())
}

/// The word, the remark and the faults to print, and whether the check counts as passed.
fn told(outcome: Outcome, must_not_skip: bool) -> (&'static str, String, Vec<String>, bool) {
    match outcome {
        Outcome::Fine(summary) => ("ok", summary, Vec::new(), true),
        Outcome::Failed(faults) if faults.is_empty() => ("failed", "see above".to_owned(), faults, false),
        Outcome::Failed(faults) => ("failed", format!("{} fault(s)", faults.len()), faults, false),
        Outcome::Skipped(cure) if must_not_skip => ("failed", cure, Vec::new(), false),
        Outcome::Skipped(cure) => ("skipped", cure, Vec::new(), true),
    }
}

fn judge(faults: Vec<Fault>, summary: impl Into<String>) -> Outcome {
    if faults.is_empty() {
        return Outcome::Fine(summary.into());
    }
    Outcome::Failed(faults.into_iter().map(|fault| format!("{}: {}", fault.place, fault.message)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_a_failure_only_where_it_must_be_there() {
        for (must_not_skip, word, passes) in [(false, "skipped", true), (true, "failed", false)] {
            let (told_word, _, _, passed) = told(Outcome::Skipped("install it".to_owned()), must_not_skip);
            assert_eq!((told_word, passed), (word, passes));
        }
    }

    #[test]
    fn a_fault_fails_the_check_and_is_told_with_its_place() {
        let (word, _, faults, passed) = told(judge(vec![Fault::at("a.rs", 3, "bad")], ""), false);
        assert_eq!((word, passed), ("failed", false));
        assert_eq!(faults, ["a.rs:3: bad"]);
    }

    #[test]
    fn names_choose_checks_in_the_lists_order() {
        let names = |only: &[&str]| -> Result<Vec<&str>> {
            let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
            Ok(choose(&only)?.iter().map(|entry| entry.name).collect())
        };
        assert_eq!(names(&["names", "fmt"]).unwrap(), ["fmt", "names"]);
        assert_eq!(names(&[]).unwrap().len(), CHECKS.len());
        assert!(names(&["nonsense"]).unwrap_err().to_string().contains("licences"));
    }
}
