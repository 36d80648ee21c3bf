//! What a load counts, checks and times, against servers that behave in known ways.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use probe::load::{Body, Mode, Pick};

use crate::peer::{histogram, ok, plan, run, run_windows, run_with, server};

#[test]
fn every_answer_is_counted_once() {
    let open = Mode::Open { rate_per_s: 1000.0 };
    for (connections, pipeline, threads, mode) in [
        (1, 1, 1, Mode::Closed),
        (5, 1, 2, Mode::Closed),
        (4, 16, 1, Mode::Closed),
        (3, 7, 3, Mode::Closed),
        (1, 1, 1, open),
        (5, 1, 2, open),
    ] {
        let served = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&served);
        let address = server(move |peer| {
            while peer.request().is_some() {
                counter.fetch_add(1, Ordering::SeqCst);
                peer.send(ok("hello").as_bytes());
            }
        });
        let mut plan = plan(address, Body::Exact { text: "hello".to_owned() });
        (plan.connections, plan.pipeline, plan.threads, plan.mode) = (connections, pipeline, threads, mode);
        plan.verify_every = 10;
        let mut at_pause = 0;
        let outcome = run_with(&plan, || at_pause = served.load(Ordering::SeqCst));
        let case = format!("{connections} connections × {pipeline}, {threads} threads, {mode:?}: {outcome:?}");
        assert_eq!(outcome.requests_total, served.load(Ordering::SeqCst) - at_pause, "{case}");
        assert_eq!(outcome.errors.total(), 0, "{case}");
        assert_eq!(outcome.first_error, None, "{case}");
        assert_eq!(histogram(&outcome.histogram_sent).len(), outcome.requests_total, "{case}");
        assert!(outcome.requests > 0 && outcome.requests <= outcome.requests_total, "{case}");
        assert!(outcome.verified >= u64::from(connections), "{case}");
        assert!(outcome.bytes_read >= outcome.requests * ok("hello").len() as u64, "{case}");
        assert!(outcome.health.cpu_share > 0.0 && outcome.health.cpu_share <= 1.05, "{case}");
        assert!((outcome.duration_s - 0.2).abs() < 1e-9, "{case}");
        match mode {
            Mode::Closed => assert_eq!(outcome.histogram_due, None, "{case}"),
            Mode::Open { .. } => {
                assert_eq!(outcome.requests_total, 200, "{case}");
                assert_eq!(histogram(outcome.histogram_due.as_ref().unwrap()).len(), 200, "{case}");
            }
        }
    }
}

#[test]
fn another_go_is_another_window_over_the_same_connections() {
    for mode in [Mode::Closed, Mode::Open { rate_per_s: 1000.0 }] {
        let (served, accepted) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (counter, connects) = (Arc::clone(&served), Arc::clone(&accepted));
        let address = server(move |peer| {
            connects.fetch_add(1, Ordering::SeqCst);
            while peer.request().is_some() {
                counter.fetch_add(1, Ordering::SeqCst);
                peer.send(ok("hello").as_bytes());
            }
        });
        let mut plan = plan(address, Body::Exact { text: "hello".to_owned() });
        (plan.connections, plan.mode, plan.duration_s) = (3, mode, 0.1);
        let mut at_pause = 0;
        let outcomes = run_windows(&plan, 3, || at_pause = served.load(Ordering::SeqCst));
        let total: u64 = outcomes.iter().map(|outcome| outcome.requests_total).sum();
        assert_eq!(total, served.load(Ordering::SeqCst) - at_pause, "{mode:?}");
        assert_eq!(accepted.load(Ordering::SeqCst), 3, "{mode:?}");
        for outcome in outcomes {
            assert_eq!((outcome.errors.total(), outcome.connects), (0, 0), "{outcome:?}");
            assert_eq!(histogram(&outcome.histogram_sent).len(), outcome.requests_total, "{outcome:?}");
            assert!(outcome.requests > 0, "{outcome:?}");
            if mode != Mode::Closed {
                assert_eq!(outcome.requests_total, 100, "{outcome:?}");
            }
        }
    }
}

#[test]
fn wrong_answers_are_found() {
    let rows = Body::JsonArray { count: 2, integers: vec!["id".to_owned()] };
    let hello = Body::Exact { text: "hello".to_owned() };
    let not_found = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned();
    for (expected, answer, status_is_wrong, words) in [
        (hello.clone(), not_found, true, "GET /: status 404 instead of 200"),
        (hello.clone(), ok("hellO"), false, "GET /: body \"hellO\" instead of \"hello\""),
        (hello, ok("hell"), false, "GET /: a body of 4 bytes instead of 5"),
        (rows, ok(r#"[{"id":1}]"#), false, "GET /: a JSON array of 1 rows instead of 2"),
        (Body::Any, "SSH-2.0-x\r\n\r\n".to_owned(), false, "GET /: not an HTTP/1.1 answer: invalid HTTP version"),
    ] {
        let address = server(move |peer| peer.answer_all(&answer));
        let mut plan = plan(address, expected);
        plan.warmup_s = 0.0;
        let outcome = run(&plan);
        let found = if status_is_wrong { outcome.errors.status } else { outcome.errors.body };
        assert!(found > 0, "{outcome:?}");
        assert_eq!(found, outcome.errors.total(), "{outcome:?}");
        assert_eq!(outcome.first_error.as_deref(), Some(words));
    }
}

#[test]
fn a_sample_finds_answers_that_turn_wrong_during_the_load() {
    let turned = Arc::new(AtomicBool::new(false));
    let wrong = Arc::clone(&turned);
    let address = server(move |peer| {
        while peer.request().is_some() {
            let body = if wrong.load(Ordering::SeqCst) { "jello" } else { "hello" };
            peer.send(ok(body).as_bytes());
        }
    });
    let mut plan = plan(address, Body::Exact { text: "hello".to_owned() });
    plan.verify_every = 7;
    let outcome = run_with(&plan, || turned.store(true, Ordering::SeqCst));
    let sampled = outcome.requests_total / 7;
    assert!(outcome.errors.body.abs_diff(sampled) <= 1, "{outcome:?}");
    assert_eq!(outcome.errors.total(), outcome.errors.body, "{outcome:?}");
}

#[test]
fn requests_are_taken_in_the_plans_order() {
    let address = server(|peer| {
        while let Some(head) = peer.request() {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            peer.send(ok(&path).as_bytes());
        }
    });
    let mut plan = plan(address, Body::Any);
    let template = plan.requests[0].clone();
    plan.requests.clear();
    for path in ["/a", "/bb", "/ccc"] {
        let mut request = template.clone();
        path.clone_into(&mut request.path);
        request.expect.body = Body::Exact { text: path.to_owned() };
        plan.requests.push(request);
    }
    for (pick, pipeline) in [(Pick::Cycle, 1), (Pick::Cycle, 4), (Pick::Random { seed: 7 }, 5)] {
        (plan.pick, plan.pipeline) = (pick, pipeline);
        let outcome = run(&plan);
        assert_eq!(outcome.errors.total(), 0, "{pick:?} × {pipeline}: {outcome:?}");
        assert!(outcome.verified > 3);
    }
}

/// The server stands still once for 400 ms. At 200 requests/s on one connection some 80 requests come due meanwhile:
/// all of them waited for their server, though only one had been written.
#[test]
fn an_open_loop_sees_the_stall_that_a_sender_s_clock_omits() {
    const STALL: Duration = Duration::from_millis(400);
    let stall = Arc::new(AtomicBool::new(false));
    let due = Arc::clone(&stall);
    let address = server(move |peer| {
        while peer.request().is_some() {
            if due.swap(false, Ordering::SeqCst) {
                thread::sleep(STALL);
            }
            peer.send(ok("").as_bytes());
        }
    });
    let mut plan = plan(address, Body::Any);
    plan.mode = Mode::Open { rate_per_s: 200.0 };
    plan.duration_s = 1.0;
    let outcome = run_with(&plan, || stall.store(true, Ordering::SeqCst));
    let slow = |text: &str| histogram(text).count_between(100_000, 10_000_000);
    let (from_due, from_sent) = (slow(outcome.histogram_due.as_ref().unwrap()), slow(&outcome.histogram_sent));
    assert_eq!(outcome.requests_total, 200, "the backlog is caught up and not forgotten: {outcome:?}");
    assert!(from_due >= 50, "{from_due} requests waited 100 ms since they were due");
    assert!((1..5).contains(&from_sent), "{from_sent} requests waited 100 ms since they were written");
    assert!(histogram(outcome.histogram_due.as_ref().unwrap()).max() >= 390_000);
}

#[test]
fn what_a_hopelessly_slow_server_leaves_undone_counts_as_timeouts() {
    let address = server(|peer| {
        while peer.request().is_some() {
            thread::sleep(Duration::from_millis(20));
            peer.send(ok("").as_bytes());
        }
    });
    let mut plan = plan(address, Body::Any);
    plan.mode = Mode::Open { rate_per_s: 1000.0 };
    (plan.duration_s, plan.timeout_s) = (0.3, 0.3);
    let outcome = run(&plan);
    let due = histogram(outcome.histogram_due.as_ref().unwrap());
    assert!(outcome.errors.timeout > 200, "{outcome:?}");
    assert_eq!(outcome.requests_total + outcome.errors.timeout, 300, "{outcome:?}");
    assert_eq!(due.len(), 300, "each is timed, the abandoned with the time they waited");
    assert!(due.value_at_quantile(0.99) > 300_000, "{}", due.value_at_quantile(0.99));
}

#[test]
fn answers_that_do_not_come_are_timeouts() {
    let address = server(|peer| while peer.request().is_some() {});
    let mut plan = plan(address, Body::Any);
    (plan.warmup_s, plan.duration_s, plan.timeout_s, plan.pipeline) = (0.0, 0.3, 0.1, 3);
    let outcome = run(&plan);
    assert_eq!((outcome.requests, outcome.requests_total), (0, 0), "{outcome:?}");
    assert_eq!(outcome.errors.total(), outcome.errors.timeout, "{outcome:?}");
    // One batch of three after the other, each for a timeout and up to two ticks of 10 ms, as long as the window lasts.
    assert!(outcome.errors.timeout >= 3 && outcome.errors.timeout.is_multiple_of(3), "{outcome:?}");
    assert!(outcome.first_error.unwrap().starts_with("GET /: no answer in "));
}
