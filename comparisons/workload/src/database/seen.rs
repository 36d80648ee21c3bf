//! What a PostgreSQL server itself says of the clients that use a database: its own statistics, read by another client.
//!
//! SQLite has nobody to ask: see `trace_unsafe.rs`.

use std::str::FromStr;

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use super::Error;

const CONNECTIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' \
     AND datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()";

/// Whoever asks asks by this statement; its own runs are the only ones that are left out.
const STATEMENTS: &str = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements \
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
     AND userid = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND query NOT LIKE '%pg_stat_%'";

/// What a server has seen of one user in one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Connections that are open, this one left out.
    pub connections: i64,
    /// Statements that have been run until now; why they are not known where nobody counts them.
    pub statements: Result<i64, String>,
}

/// Has the PostgreSQL server at `url` show its count of statements; it must have loaded `pg_stat_statements` at its start.
///
/// # Errors
/// When it cannot be reached or has no such extension.
pub async fn count_statements(url: &str) -> Result<(), Error> {
    let mut connection = connect(url).await?;
    sqlx::raw_sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements").execute(&mut connection).await?;
    connection.close().await
}

/// Asks the PostgreSQL server at `url` what it has seen of its user and database.
///
/// # Errors
/// When it cannot be reached.
pub async fn seen(url: &str) -> Result<Seen, Error> {
    let mut connection = connect(url).await?;
    let connections = sqlx::query_scalar(CONNECTIONS).fetch_one(&mut connection).await?;
    let statements = sqlx::query_scalar(STATEMENTS).fetch_one(&mut connection).await;
    connection.close().await?;
    Ok(Seen { connections, statements: statements.map_err(|error| error.to_string()) })
}

async fn connect(url: &str) -> Result<PgConnection, Error> {
    PgConnection::connect_with(&PgConnectOptions::from_str(url)?).await
}
