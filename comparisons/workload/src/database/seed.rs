//! Makes and fills the tables of the contract. Leaves reading them to `database.rs`.

use std::str::FromStr;

use sqlx::{Connection, PgConnection, SqliteConnection};

use super::{Error, sqlite_options, unknown_url};

/// Every statement may run again on tables that are there: rows are added where they are missing and never changed.
const TABLES: &str = "CREATE TABLE IF NOT EXISTS world (id integer PRIMARY KEY, randomnumber integer NOT NULL); \
     CREATE TABLE IF NOT EXISTS fortune (id integer PRIMARY KEY, message varchar(2048) NOT NULL);";

const WORLDS_SQLITE: &str = "WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 10000) \
     INSERT INTO world SELECT id, abs(random() % 10000) + 1 FROM ids WHERE true ON CONFLICT DO NOTHING";

const WORLDS_POSTGRES: &str = "INSERT INTO world SELECT id, floor(random() * 10000)::integer + 1 \
     FROM generate_series(1, 10000) AS ids (id) ON CONFLICT DO NOTHING";

const FORTUNE: &str = "INSERT INTO fortune VALUES ($1, $2) ON CONFLICT DO NOTHING";

/// The twelve rows that the fortunes test prescribes, ids from 1 on.
pub(super) const FORTUNES: [&str; 12] = [
    "fortune: No such file or directory",
    "A computer scientist is someone who fixes things that aren't broken.",
    "After enough decimal places, nobody gives a damn.",
    "A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1",
    "A computer program does what you tell it to do, not what you want it to do.",
    "Emacs is a nice operating system, but I prefer UNIX. — Tom Christaensen",
    "Any program that runs right is obsolete.",
    "A list is only as strong as its weakest link. — Donald Knuth",
    "Feature: A bug with seniority.",
    "Computers make very fast, very accurate mistakes.",
    "<script>alert(\"This should not be displayed in a browser alert box.\");</script>",
    "フレームワークのベンチマーク",
];

/// Makes the tables `world` (10,000 rows) and `fortune` (12 rows) in the database at `url` where they are missing.
///
/// `url` is `sqlite:FILE`, the file being created if need be, or `postgres://…`. Runs inside a tokio runtime.
///
/// # Errors
/// When the URL is of another kind, or the database cannot be reached or written.
pub async fn seed(url: &str) -> Result<(), Error> {
    if url.starts_with("sqlite:") {
        let options = sqlite_options(url)?.create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(TABLES).execute(&mut *transaction).await?;
        sqlx::query(WORLDS_SQLITE).execute(&mut *transaction).await?;
        for (id, message) in (1..).zip(FORTUNES) {
            sqlx::query(FORTUNE).bind(id).bind(message).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        connection.close().await
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        let options = sqlx::postgres::PgConnectOptions::from_str(url)?;
        let mut connection = PgConnection::connect_with(&options).await?;
        let mut transaction = connection.begin().await?;
        sqlx::raw_sql(TABLES).execute(&mut *transaction).await?;
        sqlx::query(WORLDS_POSTGRES).execute(&mut *transaction).await?;
        for (id, message) in (1..).zip(FORTUNES) {
            sqlx::query(FORTUNE).bind(id).bind(message).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        // Without statistics the planner would guess at the join of the updates test until autovacuum has come by.
        sqlx::raw_sql("ANALYZE world, fortune").execute(&mut connection).await?;
        connection.close().await
    } else {
        Err(unknown_url(url))
    }
}
