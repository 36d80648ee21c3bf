//! Profiles: where a server's CPU time, allocations or instructions go while it serves a case.
//!
//! A suite that is run by `rounds.rs` takes a profile in place of a sample when its plan says so: same requests, same checks, same
//! order of launches. `cpu.rs`, `allocation.rs` and `instruction.rs` look; all leave a [`Folded`] in the plan's folder. What two
//! sides of them differ in is `compare.rs`'s, what functions are called in a picture `rules.rs`'s; drawing is the reports'.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use probe::suite::{Failure, ProfileKind, Profiling, Sample};

use crate::{build, file, trial::Launch};

mod allocation;
mod compare;
mod cpu;
mod folded;
mod instruction;
mod perf;
mod rules;
mod symbol;

pub use compare::{Change, Differential, RoleCost, Row, compare, roles};
pub use folded::{Folded, Header, KERNEL, UNKNOWN};
pub use perf::event;
pub use rules::{Names, Roles};

use symbol::Symbols;

/// The end of the names of files that hold profiles.
pub const SUFFIX: &str = ".folded";

/// What the outermost function of a thread is called, in part: where stacks begin that were walked to their end.
const ROOTS: &[&str] = &["thread_start", "start_thread", "_start", "lang_start", "clone3"];

/// A profile in which more stacks than this do not reach the start of their thread is of no use. Unwind tables leave the caller's frame
/// pointer to be read from where it no longer is while a function returns: in optimised servers that cuts 1 stack in 100, and 6 where
/// nothing is optimised and returning is most of what is done.
const CUT_MAX: f64 = 0.1;

/// What a launch takes besides its windows, s, on two CPUs: naming what was seen, above all.
pub(crate) const EXPECTED_S: f64 = 3.0;

/// Profiles a launch, and leaves what it has seen in files.
///
/// # Errors
/// Why there is no profile; one that shows nothing is none.
pub(crate) fn take(launch: &Launch<'_>, profiling: &Profiling) -> Result<Sample, Failure> {
    let (sample, profiles) = match profiling.kind {
        ProfileKind::CpuByPerf | ProfileKind::CpuByProbe => cpu::take(launch, profiling)?,
        ProfileKind::Allocations => (launch.sample(), allocation::take(launch)?),
        ProfileKind::Instructions => (launch.sample(), instruction::take(launch)?),
    };
    for profile in &profiles {
        leave(profile, launch, profiling).map_err(|error| launch.failure(format!("{error:#}"), Vec::new(), false))?;
    }
    Ok(sample)
}

fn leave(profile: &Folded, launch: &Launch<'_>, profiling: &Profiling) -> Result<()> {
    let Header { target, requests, unit, .. } = &profile.header;
    if *requests == 0 {
        bail!("{target} served nothing while it was profiled");
    }
    if profile.header.is_sampled() {
        profile.judge()?;
    } else {
        profile.judge_names()?;
    }
    let case = &launch.scenario.case.id;
    let name = format!("{target}.{case}.{unit}.{:03}{SUFFIX}", launch.round);
    file::write_whole(&profiling.folder.join(name), profile.text()?.as_bytes())
}

/// The profiles in a folder whose figures are in `unit`, by target, in the order of their rounds.
///
/// # Errors
/// When the folder or a profile cannot be read.
pub fn read(folder: &Path, unit: &str) -> Result<Vec<Folded>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(SUFFIX));
    paths.sort();
    let profiles = paths.iter().map(|path| parsed(path)).collect::<Result<Vec<Folded>>>()?;
    Ok(profiles.into_iter().filter(|profile| profile.header.unit == unit).collect())
}

/// A profile from its file, of this lab's or of another tool's.
///
/// # Errors
/// When it cannot be read, is none, or shows nothing.
pub fn read_file(path: &Path) -> Result<Folded> {
    let profile = parsed(path)?;
    profile.judge()?;
    Ok(profile)
}

fn parsed(path: &Path) -> Result<Folded> {
    let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Folded::parse(&String::from_utf8_lossy(&bytes), &name)
}

/// Which stacks reach the start of their thread, cut off there: what lies outside is the C library's, whose own frames have no
/// pointers to be walked by.
#[derive(Debug, Default)]
struct Walks {
    whole: u64,
    cut: u64,
}

impl Walks {
    /// A stack from the start of its thread on.
    fn trim<'a>(&mut self, stack: &'a [String], count: u64) -> &'a [String] {
        let is_root = |name: &String| ROOTS.iter().any(|root| name.contains(root));
        // Several may look like it, one below the other.
        match stack.iter().position(is_root) {
            Some(root) => {
                self.whole += count;
                &stack[root..]
            }
            None => {
                self.cut += count;
                stack
            }
        }
    }

    /// Refuses a profile whose stacks were not walked to their end.
    fn judge(&self, target: &str) -> Result<()> {
        let share = self.cut as f64 / (self.whole + self.cut).max(1) as f64;
        if share > CUT_MAX {
            bail!(
                "{:.0} % of the stacks in the profile of {target} do not reach the start of their thread, and no more than \
                 {:.0} % may: was the program built without frame pointers (-C force-frame-pointers=yes), or stripped?",
                share * 100.0,
                CUT_MAX * 100.0
            );
        }
        Ok(())
    }
}

/// SHA-256 of a program; empty where it cannot be read.
fn hash_of(program: &Path) -> String {
    fs::read(program).map(|content| build::sha256(&content)).unwrap_or_default()
}
