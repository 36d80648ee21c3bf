//! `cargo xtask prove-gate`: shows that the gate finds what it should, calls nothing that is not there, and never passes what was
//! not measured. What is put wrong is listed in `prove_gate/fault.rs`, how records are spoilt in `prove_gate/spoilt.rs`.

use std::{fs, path::PathBuf, process::ExitCode, time::SystemTime};

use anyhow::{Context, Result, bail};
use clap::Args;
use harness::{
    compare::{Comparison, Source, Version},
    file,
    judge::{Evidence, PAIRS_MIN, Row, Verdict},
    layout,
    lock::Lock,
    run,
};
use probe::suite::Family;

use crate::{
    bench::{INTERRUPTED, make_folder},
    compare::{COUNTS, Choice, Kept, Measured, Outcome, Pairing, Session, TIMES},
    output,
};

mod fault;
mod proof;
mod spoilt;

use fault::Fault;
use proof::{Caught, Proof};

/// Rows that have to be judged on two builds of one commit before their false alarms say anything.
const ROWS_MIN: usize = 100;

/// Cases that are judged on two builds of one commit: all that the engine has without thousands of connections.
const ALIKE_CASES: &[&str] =
    &["plaintext-1-deep", "plaintext-16-deep", "json", "users", "echo-1-kib", "download-64-kib"];

/// Rounds of work whose cost is measured, to know how many make 3 %.
const CALIBRATION_ROUNDS: u64 = 20_000;

/// Prove that the gate catches what it should, here and today, and raises no false alarms.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask prove-gate            everything: at least 100 rows of two builds of one commit, every fault, every spoilt record
  cargo xtask prove-gate --quick    one batch of two builds, the faults, the spoilt records

Faults are built into the armature target by its feature `faults`, which no other build has. The table says which metric is
meant to catch each fault and whether it did; the last line is what this machine would have caught today.

Exit codes: 0 proven; 1 a fault got through, or there were false alarms; 3 it could not be tried; 130 interrupted.")]
pub(crate) struct ProveGate {
    /// Judge two builds of one commit once, however few rows that makes.
    #[arg(long)]
    quick: bool,
    /// Try only this fault (repeatable): allocation, work-3, work-5, work-10, arc, stall, drop; `none` for none.
    #[arg(long = "fault", value_name = "NAME")]
    faults: Vec<String>,
    /// Leave out what takes longest: two builds of one commit against each other.
    #[arg(long)]
    no_alike: bool,
    /// Take times although `cargo xtask doctor` finds that they would mislead here.
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    pairing: Pairing,
    #[command(flatten)]
    kept: Kept,
    /// Print the proof as JSON instead of tables.
    #[arg(long)]
    json: bool,
}

impl ProveGate {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let faults = fault::chosen(&self.faults)?;
        let _lock = Lock::take(&crate::command_line())?;
        let tree = Source::tree()?;
        let id = run::new_id("proof", SystemTime::now());
        let folder = self.kept.out.clone().map_or_else(|| layout::proofs_folder().map(|all| all.join(&id)), Ok)?;
        make_folder(&folder)?;
        let mut proof = Proof::new(id, tree.label());
        let trial = Trial { proof_gate: &self, tree, folder: folder.clone() };
        let whole = trial.alike(&mut proof)? && trial.faults(&faults, &mut proof)? && trial.spoilt(&mut proof)?;
        proof.finished = run::timestamp(SystemTime::now());
        file::write_whole(&folder.join("proof.json"), proof.json()?.as_bytes())?;
        file::write_whole(&folder.join("proof.md"), proof.markdown().as_bytes())?;
        if !whole {
            eprintln!("Interrupted. What was proven until then is in {}", folder.display());
            return Ok(ExitCode::from(INTERRUPTED));
        }
        output::print(&if self.json { proof.json()? } else { proof.markdown() })?;
        eprintln!("{}", folder.join("proof.md").display());
        Ok(ExitCode::from(u8::from(!proof.holds())))
    }
}

/// What the trials share. Each returns `false` after Ctrl-C.
struct Trial<'a> {
    proof_gate: &'a ProveGate,
    tree: Source,
    folder: PathBuf,
}

impl Trial<'_> {
    /// A comparison of armature, the one target that has faults, in `cases`, kept under `name`.
    fn measured(&self, cases: &[&str], name: &str) -> Measured {
        let ProveGate { anyway, pairing, kept, .. } = self.proof_gate;
        Measured {
            choice: Choice {
                targets: vec!["armature".to_owned()],
                cases: cases.iter().map(|&case| case.to_owned()).collect(),
            },
            only: None,
            anyway: *anyway,
            pairing: pairing.clone(),
            kept: Kept { out: Some(self.folder.join(name)), ..kept.clone() },
        }
    }

    /// Two builds of one commit, their functions in another order: whatever is called is a false alarm.
    fn alike(&self, proof: &mut Proof) -> Result<bool> {
        if self.proof_gate.no_alike {
            return Ok(true);
        }
        for batch in 0_u64.. {
            let mut measured = self.measured(ALIKE_CASES, &format!("alike-{batch}"));
            measured.pairing.seed += batch * 2;
            let shuffled = Version { flags: fault::shuffled(batch + 1), ..self.tree.clone().into() };
            let Some(comparison) = compare(&measured, &[COUNTS, TIMES], self.tree.clone().into(), shuffled)? else {
                return Ok(false);
            };
            proof.add_alike(&comparison)?;
            if self.proof_gate.quick || proof.rows_judged >= ROWS_MIN {
                break;
            }
        }
        Ok(true)
    }

    /// Each fault against the same commit without it.
    fn faults(&self, faults: &[&Fault], proof: &mut Proof) -> Result<bool> {
        let mut rounds_per_share = None;
        for fault in faults {
            let mut arguments = fault.arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>();
            if let Some(share) = fault.work {
                let per_share = match rounds_per_share {
                    Some(known) => known,
                    None => match self.calibrate()? {
                        Some(found) => *rounds_per_share.insert(found),
                        None => return Ok(false),
                    },
                };
                arguments.push(format!("--fault=work:{}", (share * per_share).round().max(1.0)));
            }
            let measured = self.measured(fault.cases, fault.name);
            eprintln!("Fault {}: {}.", fault.name, fault.about);
            let faulty = Version { features: vec!["faults"], arguments, ..self.tree.clone().into() };
            let Some(comparison) = compare(&measured, &[fault.part], self.tree.clone().into(), faulty)? else {
                return Ok(false);
            };
            proof.faults.push(caught(fault, &comparison));
        }
        Ok(true)
    }

    /// How many rounds of work cost as much as a request does: measured as everything else is.
    fn calibrate(&self) -> Result<Option<f64>> {
        let mut measured = self.measured(&[fault::WORK_CASE], "calibration");
        measured.pairing.controls = vec!["none".to_owned()];
        let arguments = vec![format!("--fault=work:{CALIBRATION_ROUNDS}")];
        let faulty = Version { features: vec!["faults"], arguments, ..self.tree.clone().into() };
        let Some(comparison) = compare(&measured, &[TIMES], self.tree.clone().into(), faulty)? else {
            return Ok(None);
        };
        let row = row(&comparison, "cpu_us_per_request");
        let Some(Evidence::Time(time)) = row.and_then(|row| row.evidence.as_ref()) else {
            bail!("it could not be measured what work costs: {:?}", comparison.notes)
        };
        let share = (time.ratio.median - 1.0) / CALIBRATION_ROUNDS as f64;
        if share <= 0.0 {
            bail!("{CALIBRATION_ROUNDS} rounds of work cost nothing: the compiler has left them out");
        }
        Ok(Some(1.0 / share))
    }

    /// Records that nobody may pass.
    fn spoilt(&self, proof: &mut Proof) -> Result<bool> {
        let sound = self.folder.join("sound");
        let mut measured = self.measured(&[fault::WORK_CASE], "sound");
        // What it shows is not looked at, only that it is there.
        (measured.pairing.pairs, measured.pairing.duration, measured.anyway) = (PAIRS_MIN as u32, 0.1, true);
        let shuffled = Version { flags: fault::shuffled(1), ..self.tree.clone().into() };
        if compare(&measured, &[COUNTS, TIMES], self.tree.clone().into(), shuffled)?.is_none() {
            return Ok(false);
        }
        for (name, spoil) in spoilt::WAYS {
            let folder = self.folder.join(format!("spoilt-{}", name.replace(' ', "-")));
            spoilt::copy(&sound, &folder).with_context(|| format!("{} cannot be made", folder.display()))?;
            let told = spoil(&folder).and_then(|()| spoilt::exit_code(&folder));
            proof.spoilt.push((String::from(*name), told?));
            fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
        }
        Ok(true)
    }
}

/// One comparison; `None` after Ctrl-C.
fn compare(
    measured: &Measured,
    parts: &[crate::compare::Part],
    base: Version,
    head: Version,
) -> Result<Option<Comparison>> {
    match Session::new(measured, parts, None)?.compare(base, head)? {
        Outcome::Interrupted => Ok(None),
        Outcome::Judged(comparison, _) => Ok(Some(*comparison)),
    }
}

fn row<'a>(comparison: &'a Comparison, metric: &str) -> Option<&'a Row> {
    let rows = &comparison.judgement.as_ref()?.rows;
    let of_metric = || rows.iter().filter(|row| row.metric == metric);
    of_metric().find(|row| row.verdict == Verdict::Regression).or_else(|| of_metric().next())
}

/// Whether the metric that is meant to catch a fault did.
fn caught(fault: &Fault, comparison: &Comparison) -> Caught {
    let row = row(comparison, fault.metric);
    let size = match row.and_then(|row| row.evidence.as_ref()) {
        Some(Evidence::Time(time)) => Some((time.ratio.median - 1.0) * 100.0),
        Some(Evidence::Count(count)) => Some(count.head - count.base),
        None => None,
    };
    let unit = if fault.part.only() == Family::Times { "%" } else { "" };
    let reason = match row {
        Some(row) => row.reason.clone(),
        None => format!("there was no row of {}: {}", fault.metric, comparison.notes.join(" ")),
    };
    Caught {
        fault: fault.name.to_owned(),
        about: fault.about.to_owned(),
        metric: fault.metric.to_owned(),
        is_caught: row.is_some_and(|row| row.verdict == Verdict::Regression),
        seen: size,
        unit: unit.to_owned(),
        reason,
    }
}
