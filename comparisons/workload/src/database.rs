//! The database of the contract: the tables `world` and `fortune` and what the routes ask of them (TechEmpower's tests
//! `db`, `queries`, `updates`, `fortunes` and `cached-queries`).
//!
//! One [`Database`] belongs to one worker. Leaves the page to `page.rs`, the tables' making to `seed.rs`, and what the
//! database itself has seen to `seen.rs` and `trace_unsafe.rs`; read those next.

#[cfg(feature = "one-statement")]
mod one_statement;
mod page;
mod seed;
mod seen;
mod trace_unsafe;

use std::{collections::BTreeSet, str::FromStr, sync::Arc, time::Duration};

use serde::Serialize;
use sqlx::{
    ConnectOptions, PgPool, Pool, SqlitePool,
    pool::PoolOptions,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::sync::Mutex;

pub use page::render;
pub use seed::seed;
pub use seen::{Seen, count_statements, seen};
/// What goes wrong between a target and its database.
pub use sqlx::Error;

/// Rows of `world`; their ids are 1 to this.
pub const WORLDS: i32 = 10_000;

/// How long an SQLite connection waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// SQLite has one writer at a time. The writers of this process queue here, first come first served and asleep;
/// without the queue they would poll the file's lock with growing pauses (sqlite3_busy_timeout).
static SQLITE_WRITER: Mutex<()> = Mutex::const_new(());

// Both databases read `$N` as their N-th parameter, so the statements exist once.
const SELECT_WORLD: &str = "SELECT id, randomnumber FROM world WHERE id = $1";
const SELECT_WORLDS: &str = "SELECT id, randomnumber FROM world ORDER BY id";
const SELECT_FORTUNES: &str = "SELECT id, message FROM fortune";

/// All rows of one request at once, as a JSON array of pairs.
const UPDATE_SQLITE: &str = "UPDATE world SET randomnumber = drawn.number \
     FROM (SELECT value ->> 0 AS id, value ->> 1 AS number FROM json_each($1)) AS drawn \
     WHERE world.id = drawn.id";

/// All rows of one request at once. The rows are locked in the order of their ids before any is written, whatever plan
/// the join gets, so two requests can wait for each other but never in a circle.
const UPDATE_POSTGRES: &str = "WITH drawn AS (SELECT * FROM unnest($1::int4[], $2::int4[]) AS pair (id, number)), \
     locked AS MATERIALIZED (SELECT id FROM world WHERE id = ANY ($1) ORDER BY id FOR UPDATE) \
     UPDATE world SET randomnumber = drawn.number FROM drawn JOIN locked USING (id) WHERE world.id = drawn.id";

/// A row of `world`, serialised as `{"id":…,"randomNumber":…}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct World {
    /// 1 to [`WORLDS`].
    pub id: i32,
    /// 1 to 10,000.
    #[serde(rename = "randomNumber")]
    pub random_number: i32,
}

/// A row of `fortune`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fortune {
    /// 1 to 12; the row added at request time has 0.
    pub id: i32,
    /// Text, not yet escaped for HTML.
    pub message: String,
}

/// One worker's connections to the database and its copy of `world`; clones share both.
#[derive(Debug, Clone)]
pub struct Database(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Either,
    cached: Vec<World>,
}

#[derive(Debug)]
enum Either {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Database {
    /// Opens `connections` connections to `url`, `sqlite:FILE` or `postgres://…`, and loads the cached rows.
    ///
    /// The tables must exist; see [`seed`]. Must run inside the tokio runtime of the worker that will use it.
    ///
    /// # Errors
    /// When the URL is of another kind, the database cannot be reached, or the tables are missing or incomplete.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, Error> {
        let pool = if url.starts_with("sqlite:") {
            // Who counts goes in first: nothing that the server asks for is missed.
            let counted = PoolOptions::new().after_connect(|connection, _| Box::pin(trace_unsafe::count(connection)));
            Either::Sqlite(filled(counted, connections, sqlite_options(url)?).await?)
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url)?.disable_statement_logging();
            Either::Postgres(filled(PoolOptions::new(), connections, options).await?)
        } else {
            return Err(unknown_url(url));
        };
        let rows: Vec<(i32, i32)> = match &pool {
            Either::Sqlite(pool) => sqlx::query_as(SELECT_WORLDS).fetch_all(pool).await?,
            Either::Postgres(pool) => sqlx::query_as(SELECT_WORLDS).fetch_all(pool).await?,
        };
        let cached: Vec<_> = rows.into_iter().map(World::from).collect();
        if i32::try_from(cached.len()) != Ok(WORLDS) {
            let problem = format!(
                "table world has {} rows instead of {WORLDS}; run workload-seed --database {url}",
                cached.len()
            );
            return Err(Error::Configuration(problem.into()));
        }
        Ok(Self(Arc::new(Inner { pool, cached })))
    }

    /// One row of `world`.
    ///
    /// # Errors
    /// When `id` is not in the table or the database fails.
    pub async fn world(&self, id: i32) -> Result<World, Error> {
        let row: (i32, i32) = match &self.0.pool {
            Either::Sqlite(pool) => sqlx::query_as(SELECT_WORLD).bind(id).fetch_one(pool).await?,
            Either::Postgres(pool) => sqlx::query_as(SELECT_WORLD).bind(id).fetch_one(pool).await?,
        };
        Ok(row.into())
    }

    /// One row of `world`, chosen at random.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn random_world(&self) -> Result<World, Error> {
        self.world(random_id()).await
    }

    /// `rows` rows of `world` chosen at random, each read by a statement of its own, as the test demands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn worlds(&self, rows: usize) -> Result<Vec<World>, Error> {
        self.read((0..rows).map(|_| random_id())).await
    }

    /// Reads `rows` different rows of `world` chosen at random, each by a statement of its own, gives each a new random
    /// number, stores them, and returns them as stored.
    ///
    /// The rows differ so that each number that is answered is also the one that is stored.
    ///
    /// # Errors
    /// When the database fails; then nothing is stored.
    pub async fn update(&self, rows: usize) -> Result<Vec<World>, Error> {
        let mut ids = BTreeSet::new();
        while ids.len() < rows {
            ids.insert(random_id());
        }
        let mut worlds = self.read(ids.into_iter()).await?;
        for world in &mut worlds {
            world.random_number = random_number();
        }
        match &self.0.pool {
            Either::Sqlite(pool) => {
                let pairs: Vec<_> = worlds.iter().map(|world| (world.id, world.random_number)).collect();
                let pairs = serde_json::to_string(&pairs).map_err(|error| Error::Encode(error.into()))?;
                let _turn = SQLITE_WRITER.lock().await;
                sqlx::query(UPDATE_SQLITE).bind(pairs).execute(pool).await?;
            }
            Either::Postgres(pool) => {
                let (ids, numbers): (Vec<_>, Vec<_>) =
                    worlds.iter().map(|world| (world.id, world.random_number)).unzip();
                sqlx::query(UPDATE_POSTGRES).bind(ids).bind(numbers).execute(pool).await?;
            }
        }
        Ok(worlds)
    }

    /// All fortunes and the one that is added at request time, sorted by message.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fortunes(&self) -> Result<Vec<Fortune>, Error> {
        let rows: Vec<(i32, String)> = match &self.0.pool {
            Either::Sqlite(pool) => sqlx::query_as(SELECT_FORTUNES).fetch_all(pool).await?,
            Either::Postgres(pool) => sqlx::query_as(SELECT_FORTUNES).fetch_all(pool).await?,
        };
        let mut fortunes: Vec<_> = rows.into_iter().map(|(id, message)| Fortune { id, message }).collect();
        fortunes.push(Fortune { id: 0, message: "Additional fortune added at request time.".to_owned() });
        fortunes.sort_unstable_by(|one, other| one.message.cmp(&other.message));
        Ok(fortunes)
    }

    /// `rows` rows of `world` chosen at random from the worker's copy, which was read when it connected.
    #[must_use]
    pub fn cached(&self, rows: usize) -> Vec<World> {
        (0..rows).map(|_| self.0.cached[fastrand::usize(..self.0.cached.len())]).collect()
    }

    /// The whole of `world` in the order of its ids, as it stood when the worker connected.
    #[must_use]
    pub fn cached_table(&self) -> &[World] {
        &self.0.cached
    }

    /// Ends the connections once the queries in flight have ended.
    pub async fn close(&self) {
        match &self.0.pool {
            Either::Sqlite(pool) => pool.close().await,
            Either::Postgres(pool) => pool.close().await,
        }
    }

    /// One statement per id, all on one connection, so that a request waits for a connection once.
    async fn read(&self, ids: impl ExactSizeIterator<Item = i32>) -> Result<Vec<World>, Error> {
        #[cfg(feature = "one-statement")]
        if one_statement::is_due() {
            return one_statement::read(self, ids.collect()).await;
        }
        let mut worlds = Vec::with_capacity(ids.len());
        match &self.0.pool {
            Either::Sqlite(pool) => {
                let mut connection = pool.acquire().await?;
                for id in ids {
                    let row: (i32, i32) = sqlx::query_as(SELECT_WORLD).bind(id).fetch_one(&mut *connection).await?;
                    worlds.push(row.into());
                }
            }
            Either::Postgres(pool) => {
                let mut connection = pool.acquire().await?;
                for id in ids {
                    let row: (i32, i32) = sqlx::query_as(SELECT_WORLD).bind(id).fetch_one(&mut *connection).await?;
                    worlds.push(row.into());
                }
            }
        }
        Ok(worlds)
    }
}

impl From<(i32, i32)> for World {
    fn from((id, random_number): (i32, i32)) -> Self {
        Self { id, random_number }
    }
}

fn random_id() -> i32 {
    fastrand::i32(1..=WORLDS)
}

fn random_number() -> i32 {
    fastrand::i32(1..=10_000)
}

fn unknown_url(url: &str) -> Error {
    Error::Configuration(format!("{url}: a database is sqlite:FILE or postgres://…").into())
}

fn sqlite_options(url: &str) -> Result<SqliteConnectOptions, Error> {
    Ok(SqliteConnectOptions::from_str(url)?
        .journal_mode(SqliteJournalMode::Wal)
        // In WAL mode this loses no consistency, only the newest commits when the machine itself fails.
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging())
}

/// A pool that has opened all its connections, so that no request pays for one.
async fn filled<DB: sqlx::Database>(
    pool: PoolOptions<DB>,
    connections: u32,
    options: <DB::Connection as sqlx::Connection>::Options,
) -> Result<Pool<DB>, Error> {
    let pool = pool
        .max_connections(connections)
        // The pool tests a connection when it comes back; testing it again costs a round trip per request.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await?;
    let mut held = Vec::new();
    for _ in 0..connections {
        held.push(pool.acquire().await?);
    }
    Ok(pool)
}
