//! Equal terms: what must not differ between two targets but the framework.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use memchr::memmem;

use crate::{
    client::Answer,
    server::{Seeded, Server},
    target::{Serves, TARGETS, Target},
};

const HEADERS: [&str; 4] = ["content-length", "content-type", "date", "server"];

/// One answer of each target for each route it serves, with bodies that are the same for all.
fn answers() -> Vec<(&'static Target, &'static str, Answer)> {
    let database = Seeded::new();
    let mut answers = Vec::new();
    for target in TARGETS {
        let (server, paths) = match target.serves {
            Serves::Everything => (
                database.serve(target),
                &["/plaintext", "/json", "/health", "/fortunes", "/users/42", "/download/1000"][..],
            ),
            Serves::Plain => (Server::start(target), &["/plaintext", "/json", "/health"][..]),
        };
        let mut client = server.connect();
        answers.extend(paths.iter().map(|&path| (target, path, client.get(path))));
        if target.serves == Serves::Everything {
            answers.push((target, "/echo", client.post("/echo", b"abc")));
        }
    }
    answers
}

#[test]
fn answers_differ_in_the_name_and_the_date_only() {
    let mut seen = BTreeMap::new();
    for (target, path, answer) in answers() {
        let mut headers = answer.headers.clone();
        headers.sort();
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, HEADERS, "{} {path}", target.name);
        assert_eq!(answer.header("server"), Some(target.header), "{} {path}", target.name);
        let date = answer.header("date").unwrap();
        assert_eq!(date.len(), "Sun, 06 Nov 1994 08:49:37 GMT".len(), "{} {path}", target.name);
        let age = SystemTime::now().duration_since(httpdate::parse_http_date(date).unwrap());
        // A date may be a second old when it is sent, and this test may wait for a CPU.
        assert!(age.is_ok_and(|age| age < Duration::from_secs(30)), "{} {path}: {date}", target.name);
        headers.retain(|(name, _)| name != "server" && name != "date");
        let bytes = answer.head_bytes - target.header.len();
        let same = seen.entry(path).or_insert_with(|| (headers.clone(), bytes, answer.body.clone()));
        assert_eq!((&headers, bytes), (&same.0, same.1), "{} {path}", target.name);
        assert!(answer.body == same.2, "{} {path}", target.name);
    }
}

#[test]
fn the_date_of_an_answer_moves() {
    for target in TARGETS {
        let server = Server::start(target);
        let mut client = server.connect();
        let mut date = || client.get("/plaintext").header("date").unwrap().to_owned();
        let first = date();
        let deadline = SystemTime::now() + Duration::from_secs(10);
        while date() == first {
            assert!(SystemTime::now() < deadline, "{} still says {first}", target.name);
        }
    }
}

#[test]
fn all_are_built_by_one_profile() {
    let profiles: BTreeSet<_> = TARGETS.iter().map(|target| target.built().profile.to_string()).collect();
    assert_eq!(profiles.len(), 1, "{profiles:?}");
}

#[test]
fn all_have_one_version_of_what_they_share() {
    let mut versions: BTreeMap<String, BTreeMap<&str, String>> = BTreeMap::new();
    for target in TARGETS {
        for (package, version) in Server::start(target).ready.versions.clone() {
            versions.entry(package).or_default().insert(target.package, version);
        }
    }
    let shared: Vec<_> = versions.iter().filter(|(_, targets)| targets.len() > 1).collect();
    assert!(shared.iter().any(|(package, _)| *package == "tokio"), "{versions:?}");
    for (package, targets) in shared {
        // The lock file is one, so each target names what it names; several versions would be joined by a comma.
        assert!(!targets.values().any(|version| version.contains(',')), "two versions of {package}: {targets:?}");
        assert_eq!(targets.values().collect::<BTreeSet<_>>().len(), 1, "{package}: {targets:?}");
    }
}

#[test]
fn all_allocate_with_mimalloc() {
    for target in TARGETS {
        let program = fs::read(&target.built().program).unwrap();
        assert!(memmem::find(&program, b"mi_malloc").is_some(), "{} does not link it", target.name);
        // Linked is not used: at its end mimalloc tells how many of its pages the process took.
        let output = Command::new(&target.built().program)
            .args(["--listen", "127.0.0.1:0", "--control"])
            .args(target.arguments)
            .env("MIMALLOC_SHOW_STATS", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let pages = said.lines().find_map(|line| line.trim().strip_prefix("pages     :"));
        let peak = pages.and_then(|line| line.split_whitespace().next()?.parse::<u32>().ok());
        assert!(peak.is_some_and(|peak| peak > 0), "{}: {said}", target.name);
    }
}
