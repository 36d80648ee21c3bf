//! The program as a process: what it refuses, when it ends, and what it prints for people.

use std::{process::Stdio, time::Duration};

use crate::peer::{DEADLINE, Generator, ok, plan, program, server};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use probe::load::{Body, Event, Mode, Outcome, Plan};

fn hello() -> std::net::SocketAddr {
    server(|peer| peer.answer_all(&ok("hello")))
}

#[test]
fn it_ends_when_standard_input_closes() {
    for during_window in [false, true] {
        let mut plan = plan(hello(), Body::Any);
        plan.duration_s = 60.0;
        let mut generator = Generator::start(&serde_json::to_string(&plan).unwrap());
        assert_eq!(generator.event(), Event::Warm);
        if during_window {
            generator.say(r#"{"command":"go"}"#);
        }
        generator.hang_up();
        let (status, took) = generator.end();
        assert_eq!(status.code(), Some(1));
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

#[test]
fn plans_that_cannot_be_run_are_refused() {
    let good = || plan("127.0.0.1:1".parse().unwrap(), Body::Any);
    let changed = |change: fn(&mut Plan)| {
        let mut plan = good();
        change(&mut plan);
        serde_json::to_string(&plan).unwrap()
    };
    for (line, words) in [
        ("hello".to_owned(), "not a plan"),
        ("{}".to_owned(), "missing field"),
        (changed(|plan| plan.connections = 0), "connections is 0"),
        (changed(|plan| plan.threads = 2), "2 threads for 1 connections"),
        (changed(|plan| plan.verify_every = 0), "verify_every is 0"),
        (changed(|plan| plan.reconnect_every = Some(0)), "reconnect_every is 0"),
        (changed(|plan| plan.duration_s = 0.0), "duration is 0 s"),
        (changed(|plan| plan.timeout_s = -1.0), "timeout is -1 s"),
        (changed(|plan| plan.requests.clear()), "no request"),
        (changed(|plan| plan.requests[0].path = "a b".to_owned()), "path \"a b\""),
        (changed(|plan| plan.requests[0].method = String::new()), "method \"\""),
        (changed(|plan| plan.requests[0].headers = vec![("X".to_owned(), "a\r\nb".to_owned())]), "header field \"X\""),
        (changed(|plan| plan.mode = Mode::Open { rate_per_s: 0.0 }), "rate is 0 requests/s"),
        (
            changed(|plan| (plan.mode, plan.pipeline) = (Mode::Open { rate_per_s: 1.0 }, 2)),
            "pipeline is 2 in an open loop",
        ),
    ] {
        let mut generator = Generator::start(&line);
        let Event::Failed { message } = generator.event() else { panic!("{line} was run") };
        assert!(message.contains(words), "{message} for {line}");
        assert_eq!(generator.end().0.code(), Some(2), "{line}");
    }
}

#[test]
fn a_cpu_that_is_not_there_is_named() {
    let mut plan = plan(hello(), Body::Any);
    plan.cpus = vec![1000];
    let mut generator = Generator::start(&serde_json::to_string(&plan).unwrap());
    let Event::Failed { message } = generator.event() else { panic!("it runs on CPU 1000") };
    assert!(message.starts_with("CPU 1000 cannot be used"), "{message}");
    assert_eq!(generator.end().0.code(), Some(1));
}

#[test]
fn people_get_a_summary() {
    let url = format!("http://{}/", hello());
    let short = ["--duration", "0.2", "--warmup", "0.05", "--connections", "2"];
    for (flags, code, parts) in [
        (&["--verify-body", "hello"] as &[&str], 0, &["closed loop", "Flattered", "errors       none"] as &[&str]),
        (&["--rate", "200"], 0, &["open loop at 200 requests/s", "since due"]),
        (&["--status", "404"], 1, &["status 200 instead of 404"]),
        (&["--rate", "200", "--pipeline", "2"], 2, &["pipeline is 2 in an open loop"]),
        (&["--connections", "x"], 2, &["invalid value 'x'"]),
    ] {
        // A flag given twice would be refused, so a case's own --connections goes in the place of the short ones.
        let short = if flags.contains(&"--connections") { &short[..4] } else { &short[..] };
        let output = program().arg(&url).args(short).args(flags).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{flags:?}: {text}");
        for part in parts {
            assert!(text.contains(part), "{flags:?}: {part:?} is missing in {text}");
        }
    }
    let output = program().arg(&url).args(short).arg("--json").output().unwrap();
    let outcome: Outcome = serde_json::from_slice(&output.stdout).unwrap();
    assert!(outcome.requests > 0);
}

#[test]
fn mistakes_on_the_command_line_come_with_the_cure() {
    for (arguments, words) in [
        (&["127.0.0.1:1/x"] as &[&str], "write it like http://127.0.0.1:8080/plaintext"),
        (&["http://127.0.0.1:1?x"], "write / before the ?"),
        (&["http://127.0.0.1:1/", "--header", "X"], "write \"Name: value\""),
        (&["--connections", "3"], "<URL>"),
    ] {
        let output = program().args(arguments).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
    let help = program().arg("--help").output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains("Examples:"));
}

#[test]
fn control_c_ends_it() {
    let mut child = program()
        .args([&format!("http://{}/", hello()), "--duration", "60", "--warmup", "60"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let began = std::time::Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(began.elapsed() < DEADLINE, "it goes on"),
        }
        std::thread::yield_now();
    };
    assert!(!status.success());
}
