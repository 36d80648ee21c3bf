//! Notes in SQLite: `cargo run -p armature-core --example rest_api -- 127.0.0.1:8080`.
//!
//! ```text
//! curl -i localhost:8080/notes --json '{"text":"milk"}'
//! curl -i localhost:8080/notes/1
//! ```

use armature_core::{Error, Failure, IntoResponse, Json, Path, Router, Server, State, StatusCode, get, http::header};
use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;

#[derive(Deserialize)]
struct NewNote {
    text: String,
}

#[derive(Serialize, sqlx::FromRow)]
struct Note {
    id: i64,
    text: String,
}

async fn list(State(pool): State<SqlitePool>) -> Result<Json<Vec<Note>>, Failure> {
    Ok(Json(sqlx::query_as("SELECT id, text FROM note ORDER BY id").fetch_all(&pool).await?))
}

async fn create(State(pool): State<SqlitePool>, Json(new): Json<NewNote>) -> Result<impl IntoResponse, Failure> {
    let note: Note =
        sqlx::query_as("INSERT INTO note (text) VALUES (?) RETURNING id, text").bind(new.text).fetch_one(&pool).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/notes/{}", note.id))], Json(note)))
}

async fn show(State(pool): State<SqlitePool>, Path(id): Path<i64>) -> Result<Json<Note>, Failure> {
    let note = sqlx::query_as("SELECT id, text FROM note WHERE id = ?").bind(id).fetch_optional(&pool).await?;
    note.map(Json).ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, "there is no such note"))
}

fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::bind(address)?.workers(1).drain_on_signals()?;
    println!("{}", server.local_addr());
    server.serve_async(async |_| -> Result<_, sqlx::Error> {
        let pool = SqlitePool::connect("sqlite::memory:").await?;
        sqlx::query("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)").execute(&pool).await?;
        Ok(Router::new().route("/notes", get(list).post(create)).route("/notes/{id}", get(show)).with_state(pool))
    })
}
