//! The store: an index of runs in SQLite or PostgreSQL, by one set of statements through sqlx.
//!
//! What is recorded is there whole or not at all, and once [`Store::record`] has returned it outlives the process and the machine's
//! power. Opening, and what to do about a damaged file, is `mod.rs`'s.

use std::{collections::BTreeMap, sync::Once, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use sqlx::{
    AnyConnection, Connection, SqlSafeStr,
    any::install_default_drivers,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

use super::{
    entry::{Entry, Figure, Run, SCHEMA, ordered},
    place::Place,
};
use crate::{judge::Series, record::Commit};

/// How the tables came about, by version. A file that has been released is never changed; what is new is a new file.
const MIGRATIONS: &[(i64, &str, &str)] =
    &[(1, "run and figure", include_str!("../../migrations/0001_run_and_figure.sql"))];

/// Where the database keeps which of them it has; it may have tables of others.
const APPLIED: &str = "lab_migration";

/// How long a writer waits for others on the same file.
const BUSY_PATIENCE: Duration = Duration::from_secs(30);

/// How long a server may take until it lets one in.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// So many figures of one place are handed to a judgement: the last 30 changes are what is judged by.
const SERIES_MAX: usize = 31;

/// An open history.
#[derive(Debug)]
pub struct Store {
    runtime: Runtime,
    /// `None` once it is closed.
    connection: Option<AnyConnection>,
    place: Place,
}

/// The file is no database any more.
#[derive(Debug)]
pub(super) struct Damage(String);

impl std::fmt::Display for Damage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Damage {}

/// What narrows a list; empty words narrow nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The suite's name.
    pub suite: String,
    /// The commit's hash, or how it begins.
    pub commit: String,
    /// The machine's key, or how it begins.
    pub machine: String,
}

/// Runs whose figures belong to one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The machine's key.
    pub machine: String,
    /// The suite's name.
    pub suite: String,
    /// The targets' build profile.
    pub profile: String,
}

impl From<&Run> for Scope {
    fn from(run: &Run) -> Self {
        Self { machine: run.machine.clone(), suite: run.suite.clone(), profile: run.profile.clone() }
    }
}

const PUT_RUN: &str = "INSERT INTO lab_run \
     (run, suite, started, finished, complete, commit_hash, commit_dirty, profile, machine, host) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
     ON CONFLICT (run) DO UPDATE SET suite = excluded.suite, started = excluded.started, finished = excluded.finished, \
     complete = excluded.complete, commit_hash = excluded.commit_hash, commit_dirty = excluded.commit_dirty, \
     profile = excluded.profile, machine = excluded.machine, host = excluded.host";

const PUT_FIGURE: &str =
    "INSERT INTO lab_figure (run, target, case_id, metric, value, rounds) VALUES ($1, $2, $3, $4, $5, $6)";

const RUN: &str = "SELECT run, suite, started, finished, complete, commit_hash, commit_dirty, profile, machine, host \
     FROM lab_run WHERE run = $1";

const RUNS: &str = "SELECT run, suite, started, finished, complete, commit_hash, commit_dirty, profile, machine, host \
     FROM lab_run WHERE ($1 = '' OR suite = $1) AND ($2 = '' OR substr(commit_hash, 1, length($2)) = $2) \
     AND ($3 = '' OR substr(machine, 1, length($3)) = $3)";

const FIGURES: &str = "SELECT target, case_id, metric, value, rounds FROM lab_figure WHERE run = $1";

/// Of commits as they are, whose runs came to their end.
const BASELINE: &str = "SELECT run FROM lab_run WHERE machine = $1 AND suite = $2 AND profile = $3 AND complete = 1 \
     AND commit_dirty = 0 AND commit_hash <> $4 AND started < $5 ORDER BY started DESC, run DESC LIMIT 1";

const SERIES: &str = "SELECT f.target, f.case_id, r.commit_hash, f.value \
     FROM lab_figure f JOIN lab_run r ON r.run = f.run \
     WHERE r.machine = $1 AND r.suite = $2 AND r.profile = $3 AND f.metric = $4 AND r.complete = 1 \
     AND r.commit_dirty = 0 AND r.commit_hash <> $5 ORDER BY r.started, r.run";

type RunRow = (String, String, String, Option<String>, i64, Option<String>, i64, String, String, String);

impl Store {
    /// Connects, and brings the tables to this program's version. A file is looked over first.
    pub(super) fn connect(place: &Place) -> Result<Self> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(install_default_drivers);
        let runtime = Builder::new_current_thread().enable_all().build().context("no runtime can be started")?;
        let url = place.url()?;
        let connect = async { timeout(CONNECT_PATIENCE, AnyConnection::connect(&url)).await };
        let connection = runtime
            .block_on(connect)
            .with_context(|| format!("it does not answer within {} s", CONNECT_PATIENCE.as_secs()))??;
        // From here on it is closed when this fails: SQLite, which removes its log by name, must be done before a file is moved.
        let mut store = Self { runtime, connection: Some(connection), place: place.clone() };
        if matches!(place, Place::File(_)) {
            let (runtime, connection) = store.parts()?;
            runtime.block_on(settle(connection))?;
        }
        store.migrate()?;
        Ok(store)
    }

    fn migrate(&mut self) -> Result<()> {
        let migrations = MIGRATIONS.iter().map(|&(version, name, sql)| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
        });
        let mut migrator = Migrator::with_migrations(migrations.collect());
        migrator.dangerous_set_table_name(APPLIED);
        let (runtime, connection) = self.parts()?;
        match runtime.block_on(migrator.run(connection)) {
            Err(MigrateError::VersionMissing(version)) => {
                let newest = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
                bail!(
                    "it has version {version} and this program knows versions up to {newest}; update the checkout, or keep \
                     another history with --history or {}",
                    super::VARIABLE
                )
            }
            outcome => Ok(outcome?),
        }
    }

    fn parts(&mut self) -> Result<(&Runtime, &mut AnyConnection)> {
        let connection = self.connection.as_mut().context("the history is closed")?;
        Ok((&self.runtime, connection))
    }

    /// Enters a run; what was known of the same run before is replaced. It is durable when this returns.
    ///
    /// # Errors
    /// When the database refuses or is gone; it is as it was before then.
    pub fn record(&mut self, entry: &Entry) -> Result<()> {
        let run = &entry.run;
        let host = serde_json::to_string(&run.host).context("the host cannot be put into JSON")?;
        let place = self.place.to_string();
        let (runtime, connection) = self.parts()?;
        let put = async {
            let mut transaction = connection.begin().await?;
            let commit = run.commit.as_ref();
            sqlx::query(PUT_RUN)
                .bind(&run.run)
                .bind(&run.suite)
                .bind(&run.started)
                .bind(run.finished.clone())
                .bind(i64::from(run.complete))
                .bind(commit.map(|commit| commit.hash.clone()))
                .bind(i64::from(commit.is_some_and(|commit| commit.dirty)))
                .bind(&run.profile)
                .bind(&run.machine)
                .bind(&host)
                .execute(&mut *transaction)
                .await?;
            sqlx::query("DELETE FROM lab_figure WHERE run = $1").bind(&run.run).execute(&mut *transaction).await?;
            for figure in &entry.figures {
                sqlx::query(PUT_FIGURE)
                    .bind(&run.run)
                    .bind(&figure.target)
                    .bind(&figure.case)
                    .bind(&figure.metric)
                    .bind(figure.value)
                    .bind(i64::from(figure.rounds))
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await
        };
        runtime.block_on(put).with_context(|| format!("run {} cannot be recorded in {place}", run.run))
    }

    /// The run of exactly this id.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn find(&mut self, run: &str) -> Result<Option<Entry>> {
        let (runtime, connection) = self.parts()?;
        let found = runtime.block_on(async {
            let row: Option<RunRow> = sqlx::query_as(RUN).bind(run).fetch_optional(&mut *connection).await?;
            let Some(row) = row else { return Ok::<_, sqlx::Error>(None) };
            let figures: Vec<(String, String, String, f64, i64)> =
                sqlx::query_as(FIGURES).bind(run).fetch_all(&mut *connection).await?;
            Ok(Some((row, figures)))
        })?;
        let Some((row, figures)) = found else { return Ok(None) };
        let figure = |(target, case, metric, value, rounds)| Figure {
            target,
            case,
            metric,
            value,
            rounds: u32::try_from(rounds).unwrap_or(u32::MAX),
        };
        let figures = ordered(figures.into_iter().map(figure).collect());
        Ok(Some(Entry { schema: SCHEMA, run: run_of(row)?, figures }))
    }

    /// The runs that pass the filter, oldest first.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn list(&mut self, filter: &Filter) -> Result<Vec<Run>> {
        let (runtime, connection) = self.parts()?;
        let rows: Vec<RunRow> = runtime.block_on(
            sqlx::query_as(RUNS).bind(&filter.suite).bind(&filter.commit).bind(&filter.machine).fetch_all(connection),
        )?;
        let mut runs = rows.into_iter().map(run_of).collect::<Result<Vec<Run>>>()?;
        // Here, because databases order text each by its own rules.
        runs.sort_by(|a, b| (&a.started, &a.run).cmp(&(&b.started, &b.run)));
        Ok(runs)
    }

    /// What a run is looked at beside: the last one before it on the same machine, of the same suite and profile, whose commit is
    /// another and had nothing uncommitted.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn baseline(&mut self, run: &Run) -> Result<Option<Entry>> {
        let scope = Scope::from(run);
        let hash = run.commit.as_ref().map_or("", |commit| commit.hash.as_str());
        let (runtime, connection) = self.parts()?;
        let found: Option<(String,)> = runtime.block_on(
            sqlx::query_as(BASELINE)
                .bind(&scope.machine)
                .bind(&scope.suite)
                .bind(&scope.profile)
                .bind(hash)
                .bind(&run.started)
                .fetch_optional(connection),
        )?;
        found.map_or(Ok(None), |(run,)| self.find(&run))
    }

    /// A metric's figures commit by commit, oldest first, for each target and case; without those of the commit `head`. Of several
    /// runs of a commit the last counts, and trees with uncommitted changes do not.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn series(&mut self, scope: &Scope, metric: &str, head: &str) -> Result<Vec<Series>> {
        let (runtime, connection) = self.parts()?;
        let rows: Vec<Point> = runtime.block_on(
            sqlx::query_as(SERIES)
                .bind(&scope.machine)
                .bind(&scope.suite)
                .bind(&scope.profile)
                .bind(metric)
                .bind(head)
                .fetch_all(connection),
        )?;
        Ok(by_place(rows, metric))
    }

    /// Removes runs with their figures, all or none, and says how many were there.
    ///
    /// # Errors
    /// When the database refuses; nothing is removed then.
    pub fn delete(&mut self, runs: &[String]) -> Result<u64> {
        let place = self.place.to_string();
        let (runtime, connection) = self.parts()?;
        let delete = async {
            let mut removed = 0;
            let mut transaction = connection.begin().await?;
            for run in runs {
                let statement = sqlx::query("DELETE FROM lab_run WHERE run = $1").bind(run);
                removed += statement.execute(&mut *transaction).await?.rows_affected();
            }
            transaction.commit().await?;
            Ok::<_, sqlx::Error>(removed)
        };
        runtime.block_on(delete).with_context(|| format!("runs cannot be removed from {place}"))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // What was recorded is safe already; closed, an SQLite history is a single file again.
            let _ = self.runtime.block_on(connection.close());
        }
    }
}

/// Makes an SQLite file fit for several processes, and looks for damage.
async fn settle(connection: &mut AnyConnection) -> Result<()> {
    let patience = format!("PRAGMA busy_timeout = {}", BUSY_PATIENCE.as_millis());
    sqlx::raw_sql(sqlx::AssertSqlSafe(patience)).execute(&mut *connection).await?;
    // Readers go on beside a writer; FULL, so that a commit is on the disk when it returns (https://sqlite.org/wal.html).
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut *connection).await?;
    sqlx::raw_sql("PRAGMA synchronous = FULL").execute(&mut *connection).await?;
    let told: Vec<(String,)> = sqlx::query_as("PRAGMA quick_check").fetch_all(&mut *connection).await?;
    match told.first() {
        Some((word,)) if word == "ok" => Ok(()),
        found => Err(anyhow!(Damage(found.map_or_else(String::new, |(problem,)| problem.clone())))),
    }
}

/// Why the file is no database, if that is what an error says.
pub(super) fn damage(error: &anyhow::Error) -> Option<String> {
    /// SQLITE_CORRUPT and SQLITE_NOTADB (https://sqlite.org/rescode.html).
    const CODES: [u32; 2] = [11, 26];
    error.chain().find_map(|cause| {
        if let Some(damage) = cause.downcast_ref::<Damage>() {
            return Some(damage.to_string());
        }
        let told = cause.downcast_ref::<sqlx::Error>()?.as_database_error()?;
        let code: u32 = told.code()?.parse().ok()?;
        CODES.contains(&(code & 0xff)).then(|| told.message().to_owned())
    })
}

fn run_of(row: RunRow) -> Result<Run> {
    let (run, suite, started, finished, complete, hash, dirty, profile, machine, host) = row;
    let host = serde_json::from_str(&host).with_context(|| format!("the host of run {run} cannot be read"))?;
    let commit = hash.map(|hash| Commit { hash, dirty: dirty != 0 });
    Ok(Run { run, suite, started, finished, complete: complete != 0, commit, profile, machine, host })
}

/// Target, case, commit and figure.
type Point = (String, String, String, f64);

/// Sorts points, oldest first, into series with one figure a commit: the last.
fn by_place(points: Vec<Point>, metric: &str) -> Vec<Series> {
    let mut series = BTreeMap::<(String, String), Vec<(String, f64)>>::new();
    for (target, case, commit, value) in points {
        let own = series.entry((target, case)).or_default();
        own.retain(|(other, _)| *other != commit);
        own.push((commit, value));
    }
    series
        .into_iter()
        .map(|((target, case), figures)| {
            let last = &figures[figures.len().saturating_sub(SERIES_MAX)..];
            Series { target, case, metric: metric.to_owned(), figures: last.iter().map(|(_, value)| *value).collect() }
        })
        .collect()
}
