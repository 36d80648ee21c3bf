//! A fault on demand: rows that the contract wants read one by one, read all at once, with the same answers.
//!
//! Behind the feature `one-statement`, which no build that is compared has; the lab's tests see by it whether the lab notices.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{Database, Either, Error, World};

/// Requests that a process serves rightly before: more than the checks of one case send, fewer than those of many.
const RIGHT_REQUESTS: u32 = 7;

const SELECT_SQLITE: &str = "SELECT world.id, randomnumber FROM json_each($1) JOIN world ON world.id = value";
const SELECT_POSTGRES: &str = "SELECT id, randomnumber FROM unnest($1::int4[]) AS ids (id) JOIN world USING (id)";

static REQUESTS: AtomicU32 = AtomicU32::new(0);

/// Whether this request is served wrongly.
pub(super) fn is_due() -> bool {
    REQUESTS.fetch_add(1, Ordering::Relaxed) >= RIGHT_REQUESTS
}

pub(super) async fn read(database: &Database, ids: Vec<i32>) -> Result<Vec<World>, Error> {
    let rows: Vec<(i32, i32)> = match &database.0.pool {
        Either::Sqlite(pool) => {
            let ids = serde_json::to_string(&ids).map_err(|error| Error::Encode(error.into()))?;
            sqlx::query_as(SELECT_SQLITE).bind(ids).fetch_all(pool).await?
        }
        Either::Postgres(pool) => sqlx::query_as(SELECT_POSTGRES).bind(ids).fetch_all(pool).await?,
    };
    Ok(rows.into_iter().map(World::from).collect())
}
