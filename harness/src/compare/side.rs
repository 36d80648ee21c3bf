//! One side of a comparison: its targets, and the binaries behind them.

use anyhow::{Result, bail};
use probe::suite::{Role, Target};

use super::{checkout::Checkout, source::Source};
use crate::{
    build::{self, Artifact, Request},
    host::Host,
    judge::{BASE, HEAD},
    target::Entry,
};

/// What is wanted of a side.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The targets.
    pub entries: &'a [Entry],
    /// Build profile.
    pub profile: &'a str,
    /// Whether the builds that count allocations are wanted as well.
    pub counted: bool,
    /// Whether stacks are to be walked, as for profiles.
    pub stacks: bool,
    /// The machine.
    pub host: &'a Host,
}

/// What a side is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The commit or binary.
    pub source: Source,
    /// Features to build with; none for what people run.
    pub features: Vec<&'static str>,
    /// Compiler flags of the program itself, besides those of the profile.
    pub flags: Vec<String>,
    /// Arguments to start with.
    pub arguments: Vec<String>,
}

impl Version {
    /// Whether it is a commit as people build it.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.source.is_committed() && self.features.is_empty() && self.flags.is_empty() && self.arguments.is_empty()
    }
}

impl From<Source> for Version {
    fn from(source: Source) -> Self {
        Self { source, features: Vec::new(), flags: Vec::new(), arguments: Vec::new() }
    }
}

/// A side's targets, ready to be started, each under its name with the side behind it.
#[derive(Debug, Clone)]
pub struct Built {
    /// One for each entry.
    pub targets: Vec<Target>,
    /// The binaries, and those that count.
    pub artifacts: Vec<Artifact>,
}

/// A side: the base or the head.
#[derive(Debug)]
pub struct Side {
    /// [`crate::judge::BASE`] or [`crate::judge::HEAD`].
    suffix: &'static str,
    version: Version,
    checkout: Option<Checkout>,
}

impl Side {
    /// A side of a commit or a binary.
    ///
    /// # Errors
    /// For a record, which has nothing to build.
    pub fn new(suffix: &'static str, version: Version) -> Result<Self> {
        let checkout = match &version.source {
            Source::Commit { hash, .. } => Some(Checkout::of(suffix.trim_start_matches('@'), hash, &version.flags)?),
            Source::Binary(_) => None,
            Source::Record(path) => bail!("{} is a record, and can only be compared with another", path.display()),
        };
        Ok(Self { suffix, version, checkout })
    }

    /// What it was named by.
    #[must_use]
    pub fn label(&self) -> String {
        self.version.source.label()
    }

    /// Builds what is wanted, saying each step to `say`.
    ///
    /// # Errors
    /// When something cannot be built; cargo's messages are on standard error by then.
    pub fn build(&mut self, wanted: &Wanted<'_>, mut say: impl FnMut(&str)) -> Result<Built> {
        let mut built = Built { targets: Vec::new(), artifacts: Vec::new() };
        for entry in wanted.entries {
            let name = format!("{}{}", entry.name, self.suffix);
            let (binary, counting) = match (&self.version.source, &mut self.checkout) {
                (Source::Binary(path), _) => (path.clone(), None),
                (source, Some(checkout)) => {
                    let Some(package) = entry.package.as_deref() else {
                        bail!("target {} is not built here, so it has no commits to compare", entry.name)
                    };
                    let label = source.label();
                    let binary = entry.binary.as_deref().unwrap_or(package);
                    let request = Request {
                        binary,
                        features: &self.version.features,
                        stacks: wanted.stacks,
                        ..Request::new(package, wanted.profile)
                    };
                    let plain = checkout
                        .build(&request, &wanted.host.rustc, || say(&format!("Building {package} of {label}.")))?;
                    let counts = wanted.counted && entry.binary.is_none();
                    let counting = counts.then(|| {
                        let features = [self.version.features.as_slice(), &["count-allocations"]].concat();
                        let request = Request { features: &features, line_tables: true, ..request };
                        let counting = || say(&format!("Building {package} of {label}, counting its allocations."));
                        checkout.build(&request, &wanted.host.rustc, counting)
                    });
                    (plain, counting.transpose()?)
                }
                (Source::Commit { .. } | Source::Record(_), None) => bail!("target {} cannot be built", entry.name),
            };
            let described = Entry { name: name.clone(), ..entry.clone() };
            for (program, counting) in [(Some(&binary), false), (counting.as_ref(), true)] {
                let Some(program) = program else { continue };
                let artifact = build::describe_artifact(&described, program, wanted.profile, &wanted.host.rustc)?;
                built.artifacts.push(Artifact { counting, ..artifact });
            }
            let mut target = entry.target(&name, &binary, counting.as_deref());
            for command in [&mut target.command, &mut target.counting] {
                if !command.is_empty() {
                    command.extend(self.version.arguments.iter().cloned());
                }
            }
            built.targets.push(target);
        }
        Ok(built)
    }
}

/// Whether two sides have the same binaries, byte for byte: then there is nothing to compare.
#[must_use]
pub fn identical(base: &Built, head: &Built) -> bool {
    let hashes = |built: &Built| built.artifacts.iter().map(|artifact| artifact.sha256.clone()).collect::<Vec<_>>();
    let arguments = |built: &Built| {
        built.targets.iter().map(|target| target.command.get(1..).unwrap_or_default().to_vec()).collect::<Vec<_>>()
    };
    hashes(base) == hashes(head) && arguments(base) == arguments(head)
}

/// A control: built from the tree as it stands, and launched on both sides, so that it cannot have changed.
///
/// # Errors
/// When it cannot be built, or is no package of this workspace.
pub fn control(entry: &Entry, profile: &str, host: &Host) -> Result<Built> {
    let Some(package) = entry.package.as_deref() else {
        bail!("target {} is not built here; a control is", entry.name)
    };
    let binary = Request::new(package, profile).build()?;
    let artifacts = vec![build::describe_artifact(entry, &binary, profile, &host.rustc)?];
    let targets = [BASE, HEAD]
        .map(|side| Target { role: Role::Control, ..entry.target(&format!("{}{side}", entry.name), &binary, None) });
    Ok(Built { targets: targets.into(), artifacts })
}
