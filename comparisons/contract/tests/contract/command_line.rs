//! What a target says when it cannot do what its command line asks.

use std::net::TcpListener;

use crate::{
    server::{Server, run},
    target::{TARGETS, frameworks},
};

#[test]
fn help_is_printed_and_names_every_option() {
    for target in TARGETS {
        let ended = run(target, &["--help"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        for option in ["--listen", "--workers", "--database", "--head-deadline", "--control", target.package] {
            assert!(ended.stdout.contains(option), "{}: {}", target.name, ended.stdout);
        }
    }
}

#[test]
fn what_is_not_an_option_ends_with_2() {
    for target in TARGETS {
        for arguments in [&["--frobnicate"][..], &["--workers", "0"], &["--listen", "nowhere"], &["stray"]] {
            let ended = run(target, arguments);
            assert_eq!(ended.code, Some(2), "{} {arguments:?}: {}", target.name, ended.stderr);
            assert!(ended.stderr.contains("--help"), "{} {arguments:?}: {}", target.name, ended.stderr);
        }
    }
}

#[test]
fn a_taken_port_is_said_so() {
    for target in TARGETS {
        // A listener that does not share its port, and one that might: another instance of the same target.
        let alone = TcpListener::bind("127.0.0.1:0").unwrap();
        let instance = Server::start(target);
        for address in [alone.local_addr().unwrap(), instance.address()] {
            let address = address.to_string();
            let ended = run(target, &["--listen", &address]);
            assert_eq!(ended.code, Some(1), "{}: {}", target.name, ended.stderr);
            assert!(
                ended.stderr.contains(&address) && ended.stderr.contains("in use"),
                "{}: {}",
                target.name,
                ended.stderr
            );
        }
    }
}

#[test]
fn a_database_that_cannot_be_used_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    for target in frameworks() {
        for url in [
            "mysql://localhost/world".to_owned(),
            "sqlite:/no/such/folder/world.db".to_owned(),
            format!("sqlite:{}", empty.display()),
        ] {
            let ended = run(target, &["--listen", "127.0.0.1:0", "--workers", "2", "--database", &url]);
            assert_eq!(ended.code, Some(1), "{}: {}", target.name, ended.stderr);
            assert!(ended.stderr.contains(&url), "{}: {}", target.name, ended.stderr);
            assert!(ended.stdout.is_empty(), "{}: {}", target.name, ended.stdout);
        }
    }
}
