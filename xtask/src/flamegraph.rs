//! `cargo xtask flamegraph`: where a request's time, memory or instructions go, what changed in that, and what another framework
//! does otherwise.
//!
//! `flamegraph/side.rs` makes profiles of what was named, `flamegraph/drawn.rs` pictures and tables of profiles. Taking profiles is
//! `harness::profile`'s, drawing `reports::flamegraph`'s.

use std::{path::PathBuf, process::ExitCode, time::SystemTime};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum, builder::PossibleValuesParser};
use harness::{
    build, layout,
    lock::Lock,
    profile::{self, Folded, Names, Roles},
    run,
};
use probe::suite::ProfileKind;

use crate::bench::{self, INTERRUPTED};

mod drawn;
mod side;

use drawn::Drawn;
use side::{Source, Taken};

/// Profile a target under the lab's own load, and draw where a request's time, memory or instructions go.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask flamegraph                                     armature's CPU time in the case json
  cargo xtask flamegraph --target axum --case fortunes
  cargo xtask flamegraph --kind alloc                        who allocates: bytes and blocks of a request
  cargo xtask flamegraph --kind instructions                 exact, in user mode, by callgrind
  cargo xtask flamegraph --diff main                         the tree as it stands against main
  cargo xtask flamegraph v0.2.0 --diff v0.1.0
  cargo xtask flamegraph --against axum                      by role: what one spends and the other does not
  cargo xtask flamegraph mine.folded --diff theirs.folded    of any tool that folds stacks
  cargo xtask flamegraph target/lab/flamegraphs/RUN          draw it again, for example with --kernel or --rules

How to read the pictures: flamegraphs/README.md.

Exit codes: 0 drawn; 2 wrong command line; 3 there is nothing to draw (no profile, too few names, a side that does not build,
a target that dies or serves nothing); 130 interrupted.")]
pub(crate) struct Flamegraph {
    /// A commit, a program, folded stacks, or the folder of an earlier flamegraph [the tree as it stands].
    source: Option<String>,
    /// What it is compared with: the same.
    #[arg(long, value_name = "BASE")]
    diff: Option<String>,
    /// Another target in the same case, compared by role: read, parse, route, extract, handler, encode, write, …
    #[arg(long, value_name = "TARGET", conflicts_with = "diff")]
    against: Option<String>,
    /// The target that is profiled.
    #[arg(long, value_name = "NAME", default_value = "armature")]
    target: String,
    /// The case that it serves.
    #[arg(long, value_name = "NAME", default_value = "json")]
    case: String,
    /// What is looked at [cpu; with --against instructions too, where valgrind is].
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Who samples CPU time [perf where it may run, else the probe within the process].
    #[arg(long, value_enum)]
    sampler: Option<Sampler>,
    /// Profiles of each side, in launches of their own [alone 1; compared 6 of CPU time, 2 of counts].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    profiles: Option<u32>,
    /// Seconds of each window; there is one without the sampler and one with it.
    #[arg(long, value_name = "SECONDS", value_parser = bench::seconds)]
    duration: Option<f64>,
    /// Samples in a second of CPU time.
    #[arg(long, value_name = "HZ", default_value_t = 997, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// Show the kernel's functions in place of one frame for all of them.
    #[arg(long)]
    kernel: bool,
    /// More rules for names, before those of flamegraphs/rules.toml (repeatable).
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// More roles of functions, before those of flamegraphs/roles.toml (repeatable).
    #[arg(long, value_name = "FILE")]
    roles: Vec<PathBuf>,
    /// Leave out frames that are narrower than this share of the picture, % [0.05, or what keeps it under 1.5 MB].
    #[arg(long, value_name = "PERCENT")]
    min_width: Option<f64>,
    /// The profile that targets are built with.
    #[arg(long, default_value = "profiling", value_parser = PossibleValuesParser::new(build::PROFILES))]
    profile: String,
    /// The folder of what is drawn [a new one below target/lab/flamegraphs].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// CPU time.
    Cpu,
    /// Bytes and blocks that are allocated.
    Alloc,
    /// Instructions in user mode.
    Instructions,
}

/// Who samples CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sampler {
    Perf,
    Probe,
}

impl Kind {
    /// The units of its profiles, each with the name of its files.
    fn pictures(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Cpu => &[("ns", "cpu")],
            Self::Alloc => &[("bytes", "alloc-bytes"), ("blocks", "alloc-blocks")],
            Self::Instructions => &[("instructions", "instructions")],
        }
    }

    /// Whether all of it is counted, so that two launches agree.
    fn is_counted(self) -> bool {
        self != Self::Cpu
    }
}

impl Flamegraph {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let names = Names::read(&self.rules)?;
        let roles = Roles::read(&self.roles)?;
        let source = self.source.as_deref().map(Source::named).transpose()?;
        let base = self.diff.as_deref().map(Source::named).transpose()?;
        let folder = self.out.clone().map_or_else(
            || Ok::<_, anyhow::Error>(layout::flamegraphs_folder()?.join(run::new_id("flamegraph", SystemTime::now()))),
            Ok,
        )?;
        let is_taken = |source: &Option<Source>| source.as_ref().is_none_or(Source::is_built);
        let is_old = !is_taken(&source) || base.as_ref().is_some_and(|base| !base.is_built());
        // A figure of another machine's, or of another hour, is drawn; that it is compared is the user's wish.
        let _lock = (is_taken(&source) || base.as_ref().is_some_and(Source::is_built))
            .then(|| Lock::take(&crate::command_line()))
            .transpose()?;
        bench::make_folder(&folder)?;
        let drawn =
            Drawn { folder: &folder, names: &names, roles: &roles, kernel: self.kernel, width_min: self.min_width };
        for kind in self.kinds()? {
            let taken = match (is_old, &base) {
                (true, Some(base)) => side::old_and_new(&self, kind, base, source.as_ref(), &folder)?,
                _ => side::take(&self, kind, base.as_ref(), source.as_ref(), &folder)?,
            };
            let Some(taken) = taken else {
                eprintln!("Interrupted. What was profiled is in {}", folder.display());
                return Ok(ExitCode::from(INTERRUPTED));
            };
            self.draw(kind, &taken, &drawn)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is looked at, in order.
    fn kinds(&self) -> Result<Vec<Kind>> {
        Ok(match (self.kind, &self.against) {
            (Some(kind), _) => vec![kind],
            (None, Some(_)) if build::find_program("valgrind").is_some() => vec![Kind::Cpu, Kind::Instructions],
            (None, Some(_)) => {
                eprintln!("There is no valgrind: instructions are not counted; sudo apt-get install -y valgrind");
                vec![Kind::Cpu]
            }
            (None, None) => vec![Kind::Cpu],
        })
    }

    fn draw(&self, kind: Kind, taken: &Taken, drawn: &Drawn<'_>) -> Result<()> {
        for (unit, stem) in kind.pictures() {
            let of = |side: &Vec<Folded>| -> Vec<Folded> {
                side.iter()
                    .filter(|profile| profile.header.unit == *unit || !profile.header.has_requests())
                    .cloned()
                    .collect()
            };
            let head = of(&taken.head);
            if head.is_empty() {
                bail!("there is no profile of {} in {unit}", taken.head_label);
            }
            match taken.base.as_ref().map(of) {
                None => drawn.alone(stem, &head)?,
                Some(base) if base.is_empty() => bail!("there is no profile of {} in {unit}", taken.base_label),
                Some(base) if self.against.is_some() => {
                    drawn.by_role(stem, [&head, &base], [&taken.head_label, &taken.base_label], unit)?;
                }
                Some(base) => drawn.changed(stem, &base, &head, [&taken.base_label, &taken.head_label])?,
            }
        }
        Ok(())
    }

    /// How the plan asks for it.
    fn profiled(&self, kind: Kind) -> Result<ProfileKind> {
        Ok(match (kind, self.sampler) {
            (Kind::Alloc, _) => ProfileKind::Allocations,
            (Kind::Instructions, _) if build::find_program("valgrind").is_none() => {
                bail!("there is no valgrind to count instructions with; sudo apt-get install -y valgrind")
            }
            (Kind::Instructions, _) => ProfileKind::Instructions,
            (Kind::Cpu, Some(Sampler::Probe)) => ProfileKind::CpuByProbe,
            (Kind::Cpu, Some(Sampler::Perf)) => {
                profile::event().map_err(anyhow::Error::msg).context("perf was asked for")?;
                ProfileKind::CpuByPerf
            }
            (Kind::Cpu, None) => match profile::event() {
                Ok(_) => ProfileKind::CpuByPerf,
                Err(reason) => {
                    eprintln!("note: {reason}. The probe samples from within the process instead.");
                    ProfileKind::CpuByProbe
                }
            },
        })
    }

    /// Profiles of each side.
    fn rounds(&self, kind: Kind) -> u32 {
        let is_compared = self.diff.is_some() || self.against.is_some();
        self.profiles.unwrap_or(match (is_compared, kind.is_counted()) {
            (false, _) => 1,
            (true, true) => 2,
            (true, false) => 6,
        })
    }

    /// Seconds of a window.
    fn window_s(&self) -> f64 {
        let is_compared = self.diff.is_some() || self.against.is_some();
        self.duration.unwrap_or(if is_compared { 3.0 } else { 10.0 })
    }
}
