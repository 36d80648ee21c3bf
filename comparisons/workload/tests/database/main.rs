//! What the targets ask of the database, on SQLite in a temporary folder and on a private PostgreSQL server.
//!
//! Both run the same cases. Read next: `cluster.rs`, which starts the server.

mod cluster;

use std::{collections::BTreeSet, process::Command, thread};

use cluster::Cluster;
use tokio::runtime::{Builder, Runtime};
use workload::database::{Database, Error, WORLDS, World, render, seed, seen};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// The whole of what a database owes to the contract.
fn check(url: &str) {
    runtime().block_on(async {
        let error = Database::connect(url, 1).await.expect_err("nothing is seeded yet");
        assert!(error.to_string().contains("world") || matches!(error, Error::Database(_)), "{error}");
        seed(url).await.unwrap();
        let database = Database::connect(url, 2).await.unwrap();
        reads(&database).await;
        updates_persist(&database, url).await;
        fortunes(&database).await;
        database.close().await;
    });
    updates_at_once(url);
}

async fn reads(database: &Database) {
    for id in [1, 2, WORLDS] {
        assert_eq!(database.world(id).await.unwrap().id, id);
    }
    for id in [0, -1, WORLDS + 1] {
        assert!(matches!(database.world(id).await, Err(Error::RowNotFound)), "{id}");
    }
    for rows in [1, 2, 20, 500] {
        for worlds in [database.worlds(rows).await.unwrap(), database.cached(rows)] {
            assert_eq!(worlds.len(), rows);
            assert!(worlds.iter().all(|world| in_range(*world)), "{worlds:?}");
        }
    }
    // 500 draws out of 10,000 numbers leave far more than 100 different ones unless the numbers are not random.
    let seen: BTreeSet<_> = database.worlds(500).await.unwrap().iter().map(|world| world.random_number).collect();
    assert!(seen.len() > 100, "{} different numbers", seen.len());
}

async fn updates_persist(database: &Database, url: &str) {
    for rows in [1, 20, 500] {
        let updated = database.update(rows).await.unwrap();
        assert_eq!(updated.len(), rows);
        assert!(updated.iter().all(|world| in_range(*world)), "{updated:?}");
        assert!(updated.is_sorted_by(|one, next| one.id < next.id), "each row once: {updated:?}");
        for world in &updated {
            assert_eq!(database.world(world.id).await.unwrap(), *world);
        }
        // Seeding again adds what is missing, which is nothing, and changes no row.
        seed(url).await.unwrap();
        for world in &updated {
            assert_eq!(database.world(world.id).await.unwrap(), *world);
        }
    }
}

async fn fortunes(database: &Database) {
    let fortunes = database.fortunes().await.unwrap();
    assert_eq!(fortunes.len(), 13);
    assert!(fortunes.is_sorted_by(|one, next| one.message < next.message), "{fortunes:?}");
    let page = render(&fortunes).unwrap();
    for row in [
        "<tr><td>0</td><td>Additional fortune added at request time.</td></tr>",
        "<tr><td>2</td><td>A computer scientist is someone who fixes things that aren&#39;t broken.</td></tr>",
        "<tr><td>6</td><td>Emacs is a nice operating system, but I prefer UNIX. — Tom Christaensen</td></tr>",
        "<tr><td>11</td><td>&#60;script&#62;alert(&#34;This should not be displayed in a browser alert box.&#34;);\
         &#60;/script&#62;</td></tr>",
        "<tr><td>12</td><td>フレームワークのベンチマーク</td></tr>",
    ] {
        assert!(page.contains(row), "{row} is not in {page}");
    }
    assert_eq!(page.matches("<tr><td>").count(), 13);
    assert!(!page.contains("<script"));
}

/// Workers with connections of their own update overlapping rows at once: none fails, none waits in a circle.
fn updates_at_once(url: &str) {
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                runtime().block_on(async {
                    let database = Database::connect(url, 4).await.unwrap();
                    let requests: Vec<_> = (0..40)
                        .map(|_| {
                            let database = database.clone();
                            tokio::spawn(async move { database.update(500).await.unwrap().len() })
                        })
                        .collect();
                    for request in requests {
                        assert_eq!(request.await.unwrap(), 500);
                    }
                    database.close().await;
                });
            });
        }
    });
}

fn in_range(world: World) -> bool {
    (1..=WORLDS).contains(&world.id) && (1..=10_000).contains(&world.random_number)
}

#[test]
fn sqlite_serves_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.db");
    // An empty file is an SQLite database without tables.
    std::fs::write(&file, "").unwrap();
    check(&format!("sqlite:{}", file.display()));
}

#[test]
fn postgres_serves_the_contract() {
    if let Some(cluster) = Cluster::start_or_skip() {
        check(&cluster.url());
        connections_are_seen(&cluster.url());
    }
}

/// This cluster counts no statements, which must not read as a number.
fn connections_are_seen(url: &str) {
    runtime().block_on(async {
        for connections in [1, 3] {
            let database = Database::connect(url, connections).await.unwrap();
            let found = seen(url).await.unwrap();
            assert_eq!(found.connections, i64::from(connections));
            assert!(found.statements.as_ref().is_err_and(|reason| reason.contains("pg_stat_statements")), "{found:?}");
            database.close().await;
        }
    });
}

#[test]
fn a_database_that_cannot_be_used_is_said_so() {
    runtime().block_on(async {
        for (url, expected) in [
            ("mysql://localhost/world", "sqlite:FILE or postgres://"),
            ("sqlite:/no/such/folder/world.db", "unable to open database file"),
            ("postgres:///world?host=/no/such/folder", "No such file"),
        ] {
            let connected = Database::connect(url, 1).await.map(drop).unwrap_err().to_string();
            let seeded = seed(url).await.unwrap_err().to_string();
            for message in [connected, seeded] {
                assert!(message.contains(expected), "{url}: {message}");
            }
        }
    });
}

#[test]
fn the_seeder_fills_dumps_and_complains() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("world.db").display());
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_workload-seed")).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    for arguments in [&[][..], &["--database"], &["--frobnicate"], &["--dump"]] {
        let (code, _, stderr) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(stderr.contains("--help"), "{stderr}");
    }
    let (code, _, stderr) = run(&["--dump", "--database", &url]);
    assert_eq!(code, Some(1), "there is no file yet");
    assert!(stderr.contains(&url), "{stderr}");
    assert_eq!(run(&["--database", &url]).0, Some(0));
    let first = run(&["--dump", "--database", &url]);
    assert_eq!(first.1.lines().count(), 10_000);
    assert!(first.1.starts_with("1 "), "{}", first.1);
    assert_eq!(run(&["--database", &url]).0, Some(0));
    assert_eq!(run(&["--dump", "--database", &url]), first, "seeding again changes nothing");
    let (code, stdout, _) = run(&["--help"]);
    assert!(code == Some(0) && stdout.contains("--dump") && stdout.contains("--database"), "{stdout}");
}
