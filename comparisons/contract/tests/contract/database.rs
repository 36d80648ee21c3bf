//! The routes that read and write the database.

use std::{collections::BTreeMap, fs, path::Path};

use probe::Reply;

use crate::{
    server::{Seeded, Server},
    target::frameworks,
};

#[test]
fn the_number_of_rows_follows_the_parameter() {
    let database = Seeded::new();
    for target in frameworks() {
        let server = database.serve(target);
        let mut client = server.connect();
        for (route, name) in [("/queries", "queries"), ("/updates", "queries"), ("/cached-queries", "count")] {
            for (query, expected) in [
                (String::new(), 1),
                ("?".to_owned(), 1),
                (format!("?{name}="), 1),
                (format!("?{name}=foo"), 1),
                (format!("?{name}=2.5"), 1),
                (format!("?{name}=-3"), 1),
                (format!("?{name}=0"), 1),
                (format!("?{name}=1"), 1),
                (format!("?other=7&{name}=20"), 20),
                (format!("?{name}=500"), 500),
                (format!("?{name}=501"), 500),
                (format!("?{name}=99999999999999999999999"), 500),
            ] {
                let answer = client.get(&format!("{route}{query}"));
                let context = format!("{} {route}{query}", target.name);
                assert_eq!(
                    (answer.status, answer.header("content-type")),
                    (200, Some("application/json")),
                    "{context}"
                );
                assert!(answer.text().starts_with('['), "{context}: {}", answer.text());
                assert_eq!(answer.worlds().len(), expected, "{context}");
            }
        }
    }
}

#[test]
fn db_is_one_row_drawn_anew_each_time() {
    let database = Seeded::new();
    for target in frameworks() {
        let server = database.serve(target);
        let mut client = server.connect();
        let mut ids = BTreeMap::new();
        for _ in 0..50 {
            let answer = client.get("/db");
            assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
            assert!(answer.text().starts_with(r#"{"id":"#), "{} {}", target.name, answer.text());
            ids.extend(answer.worlds());
        }
        // 50 draws out of 10,000 are all different in 9 of 10 runs, and fewer than 40 never happen.
        assert!(ids.len() >= 40, "{} drew {} different rows", target.name, ids.len());
    }
}

#[test]
fn updates_persist() {
    let database = Seeded::new();
    for target in frameworks() {
        let server = database.serve(target);
        for rows in [1, 20, 500] {
            let mut expected = database.dump();
            let answer = server.connect().get(&format!("/updates?queries={rows}"));
            let updated: BTreeMap<_, _> = answer.worlds().into_iter().collect();
            assert_eq!(updated.len(), rows, "{} updates each row once", target.name);
            expected.extend(updated);
            assert!(database.dump() == expected, "{} stores what it answers and nothing else", target.name);
        }
        let stored = database.dump();
        for (id, number) in server.connect().get("/queries?queries=500").worlds() {
            assert_eq!(stored[&id], number, "{} row {id}", target.name);
        }
    }
}

#[test]
fn cached_rows_do_not_follow_updates() {
    let database = Seeded::new();
    for target in frameworks() {
        let server = database.serve(target);
        let mut client = server.connect();
        let mut rows =
            || -> BTreeMap<_, _> { (0..20).flat_map(|_| client.get("/cached-queries?count=500").worlds()).collect() };
        let before = rows();
        assert_eq!(server.connect().get("/updates?queries=500").status, 200);
        for (id, number) in rows() {
            assert_eq!(*before.get(&id).unwrap_or(&number), number, "{} row {id}", target.name);
        }
    }
}

#[test]
fn fortunes_are_sorted_escaped_and_one_more() {
    let rows = [
        (11, "&#60;script&#62;alert(&#34;This should not be displayed in a browser alert box.&#34;);&#60;/script&#62;"),
        (4, "A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1"),
        (5, "A computer program does what you tell it to do, not what you want it to do."),
        (2, "A computer scientist is someone who fixes things that aren&#39;t broken."),
        (8, "A list is only as strong as its weakest link. — Donald Knuth"),
        (0, "Additional fortune added at request time."),
        (3, "After enough decimal places, nobody gives a damn."),
        (7, "Any program that runs right is obsolete."),
        (10, "Computers make very fast, very accurate mistakes."),
        (6, "Emacs is a nice operating system, but I prefer UNIX. — Tom Christaensen"),
        (9, "Feature: A bug with seniority."),
        (1, "fortune: No such file or directory"),
        (12, "フレームワークのベンチマーク"),
    ];
    let rows: String = rows.iter().map(|(id, message)| format!("<tr><td>{id}</td><td>{message}</td></tr>\n")).collect();
    let page = format!(
        "<!DOCTYPE html>\n<html>\n<head><title>Fortunes</title></head>\n<body>\n<table>\n\
         <tr><th>id</th><th>message</th></tr>\n{rows}</table>\n</body>\n</html>"
    );
    let database = Seeded::new();
    for target in frameworks() {
        let answer = database.serve(target).connect().get("/fortunes");
        let found = (answer.status, answer.header("content-type"));
        assert_eq!(found, (200, Some("text/html; charset=utf-8")), "{}", target.name);
        assert_eq!(answer.text(), page, "{}", target.name);
    }
}

#[test]
fn many_connections_update_at_once() {
    let database = Seeded::new();
    for target in frameworks() {
        let url = database.url();
        let server = Server::start_with(target, &["--workers", "2", "--database", &url]);
        let mut clients: Vec<_> = (0..64).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.send(b"GET /updates?queries=20 HTTP/1.1\r\nhost: localhost\r\n\r\n");
        }
        for client in &mut clients {
            let answer = client.answer();
            assert_eq!(answer.status, 200, "{} {}", target.name, answer.text());
            assert_eq!(answer.worlds().len(), 20, "{}", target.name);
        }
    }
}

/// Statements that the server's database has run.
fn statements(server: &mut Server) -> u64 {
    match server.command(r#"{"command":"quiesce"}"#) {
        Reply::Counters(counters) => counters.statements.expect("the shared database counts its statements"),
        other => panic!("not counters: {other:?}"),
    }
}

#[test]
fn every_row_is_read_by_a_statement_of_its_own_and_all_are_stored_by_one() {
    let database = Seeded::new();
    for target in frameworks() {
        let mut server = database.serve(target);
        for (path, expected) in [
            ("/health", 0),
            ("/cached-queries?count=20", 0),
            ("/db", 1),
            ("/queries?queries=1", 1),
            ("/queries?queries=20", 20),
            ("/queries?queries=500", 500),
            ("/fortunes", 1),
            ("/updates?queries=1", 2),
            ("/updates?queries=20", 21),
        ] {
            let before = statements(&mut server);
            for _ in 0..3 {
                assert_eq!(server.connect().get(path).status, 200, "{} {path}", target.name);
            }
            assert_eq!(statements(&mut server) - before, 3 * expected, "{} {path}", target.name);
        }
    }
}

#[test]
fn a_pool_has_as_many_connections_as_it_is_told() {
    let database = Seeded::new();
    let url = database.url();
    let file = Path::new(url.trim_start_matches("sqlite:")).canonicalize().unwrap();
    for target in frameworks() {
        for (arguments, expected) in [
            (&["--workers", "1"][..], 8),
            (&["--pool", "1"], 1),
            (&["--pool", "5", "--workers", "2"], 10),
            (&["--pool", "64"], 64),
        ] {
            let server = Server::start_with(target, &[arguments, &["--database", &url]].concat());
            // SQLite has the file open once for each connection.
            let open = fs::read_dir(format!("/proc/{}/fd", server.ready.pid)).unwrap().flatten();
            let found = open.filter_map(|entry| fs::read_link(entry.path()).ok()).filter(|link| *link == file).count();
            assert_eq!(found, expected, "{} {arguments:?}", target.name);
        }
    }
}
