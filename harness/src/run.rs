//! Runs a suite to its end, or to the user's, and keeps its record on disk all the while.
//!
//! Leaves building to `build.rs` and drawing to whoever listens. Read next: `record.rs`.

use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Result, bail};
use probe::suite::{Event, Plan};

use crate::{
    layout,
    record::{self, Commit, Record, Status},
    suite::{Heard, Session},
};

/// How often the record is written while samples come in.
const WRITE_EVERY: Duration = Duration::from_secs(2);

/// How long a suite may take to end its children after a Ctrl-C; the whole must be over within 2 s.
const END_PATIENCE: Duration = Duration::from_millis(1500);

/// Earlier runs of a suite that are looked at.
const REMEMBERED_MAX: usize = 8;

/// A suite that says nothing for so long after a step should have ended hangs.
const HANG_PATIENCE: Duration = Duration::from_secs(60);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// To the end of its plan; single targets may have failed.
    Complete,
    /// The suite died, hung or said what cannot be understood.
    Broken,
    /// The user ended it.
    Interrupted,
}

/// Runs the suite `program` on `plan`, absorbing what it says into `record`, which is kept up to date in `folder`.
///
/// `listener` sees every event after the record did. `interrupted` is looked at several times a second. The finished
/// record is the caller's to write: what was measured can be shown even where there is no room left for it.
///
/// # Errors
/// When the record cannot be written at the beginning, or the suite cannot be started.
pub fn run(
    record: &mut Record,
    folder: &Path,
    program: &Path,
    plan: &Plan,
    interrupted: &AtomicBool,
    mut listener: impl FnMut(&Event),
) -> Result<Ended> {
    record.write(folder)?;
    let mut session = Session::start(program, plan)?;
    let mut written = Instant::now();
    let mut last_word = Instant::now();
    let mut patience = HANG_PATIENCE;
    let (ended, status) = loop {
        if interrupted.load(Ordering::Relaxed) {
            break (Ended::Interrupted, partial("it was interrupted"));
        }
        match session.listen(Duration::from_millis(100)) {
            Heard::Event(event) => {
                last_word = Instant::now();
                if let Event::Step { expected_s, .. } = &*event {
                    patience = HANG_PATIENCE + Duration::from_secs_f64(expected_s.max(0.0) * 2.0);
                }
                record.absorb(&event);
                listener(&event);
                if *event == Event::Finished {
                    break (Ended::Complete, Status::Complete);
                }
                if written.elapsed() > WRITE_EVERY {
                    // A full disk now may have room at the end; the last write is the one that must succeed.
                    let _ = record.write(folder);
                    written = Instant::now();
                }
            }
            Heard::Nothing if last_word.elapsed() > patience => {
                break (Ended::Broken, partial(&format!("the suite said nothing for {} s", patience.as_secs())));
            }
            Heard::Nothing => {}
            Heard::Broken(reason) => break (Ended::Broken, partial(&reason)),
        }
    };
    session.end(END_PATIENCE);
    record.status = status;
    record.finished = Some(timestamp(SystemTime::now()));
    Ok(ended)
}

/// What a suite says that it will do with a plan, before it does anything: the number of its cases, and seconds.
///
/// It is ended then. The plan's programs need not be there.
///
/// # Errors
/// When it cannot be started, or begins with something else.
pub fn foresee(program: &Path, plan: &Plan) -> Result<(usize, f64)> {
    let mut session = Session::start(program, plan)?;
    let heard = session.listen(HANG_PATIENCE);
    session.end(END_PATIENCE);
    match heard {
        Heard::Event(event) => match *event {
            Event::Planned { cases, expected_s, .. } => Ok((cases.len(), expected_s)),
            other => bail!("the suite began with {other:?} in place of what it plans"),
        },
        Heard::Nothing => bail!("the suite said nothing for {} s", HANG_PATIENCE.as_secs()),
        Heard::Broken(reason) => bail!("{reason}"),
    }
}

/// How long the newest complete run of the same suite on an equal plan took, s; of the newest few that there are.
#[must_use]
pub fn remember(runs: &Path, suite: &str, plan: &Plan) -> Option<f64> {
    let names = |plan: &Plan| plan.targets.iter().map(|target| target.name.clone()).collect::<Vec<_>>();
    let is_equal = |other: &Plan| {
        (other.depth, other.rounds, &other.cases, &other.connections)
            == (plan.depth, plan.rounds, &plan.cases, &plan.connections)
            && (other.warmup_s, other.duration_s) == (plan.warmup_s, plan.duration_s)
            && names(other) == names(plan)
    };
    let found = record::list(runs).ok()?;
    let own = found.iter().rev().filter(|found| found.id.contains(&format!("Z-{suite}-"))).take(REMEMBERED_MAX);
    own.filter_map(|found| Record::read(&found.folder).ok())
        .find(|record| record.suite == suite && record.status == Status::Complete && is_equal(&record.plan))
        .and_then(|record| {
            let at = |time: &str| humantime::parse_rfc3339(time).ok();
            Some(at(record.finished.as_deref()?)?.duration_since(at(&record.started)?).ok()?.as_secs_f64())
        })
}

fn partial(reason: &str) -> Status {
    Status::Partial { reason: reason.to_owned() }
}

/// RFC 3339 in UTC, to the second.
#[must_use]
pub fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// A name for a run that sorts by its start and is unique on this machine.
#[must_use]
pub fn new_id(suite: &str, time: SystemTime) -> String {
    let stamp = timestamp(time).replace(':', "-");
    format!("{stamp}-{suite}-{:04x}", fastrand::u16(..))
}

/// The commit of the checkout, if it is one.
#[must_use]
pub fn commit() -> Option<Commit> {
    let root = layout::workspace_root().ok()?;
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(&root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    Some(Commit { hash: git(&["rev-parse", "HEAD"])?, dirty: !git(&["status", "--porcelain"])?.is_empty() })
}
