//! The way in for people: flags that become a plan, and the plan run at once. `summary.rs` prints what came out.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    process::ExitCode,
};

use clap::Parser;
use probe::load::{Body, Expect, Mode, Pick, Plan, Request};

use crate::{FAILED, USAGE, dialogue, engine::Engine, load::Load, summary};

const EXAMPLES: &str = "\
Examples:
  loadgen http://127.0.0.1:8080/json --connections 64 --duration 5
      closed loop: the rate at which the server saturates
  loadgen http://127.0.0.1:8080/json --rate 10000 --connections 64
      open loop: latency at 10,000 requests/s, counted from when each was due
  loadgen http://127.0.0.1:8080/plaintext --pipeline 16 --cpus 1 --verify-body 'Hello, World!'
      batches of 16, the generator bound to CPU 1, a sample of the bodies compared
  taskset -c 0 target-floor --listen 127.0.0.1:8080 & loadgen http://127.0.0.1:8080/plaintext --cpus 1
      server and generator on a CPU each

Exit code: 0 all answers were right; 1 some were not, or the load could not be run; 2 the command line is wrong.
With --plan (or nothing at all) the program is driven over standard input and output; harness/README.md says how.";

/// Puts load on an HTTP/1.1 server over keep-alive connections and times its answers.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version, after_help = EXAMPLES)]
struct Flags {
    /// What to request, for example http://127.0.0.1:8080/plaintext
    #[arg(value_name = "URL", conflicts_with = "plan", required_unless_present = "plan")]
    url: Option<String>,
    /// Read a plan from standard input instead, as the lab does
    #[arg(long)]
    plan: bool,
    /// Connections held open, over all threads
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: u32,
    /// Requests written at once on a connection before its answers are awaited
    #[arg(long, value_name = "N", default_value_t = 1)]
    pipeline: u32,
    /// Close each connection after so many answers and make it anew
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    reconnect_every: Option<u32>,
    /// The timed window, seconds
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    duration: f64,
    /// Load before the window, seconds
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    warmup: f64,
    /// Generator threads
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: u32,
    /// Requests per second over all connections: an open loop
    #[arg(long, value_name = "PER_S")]
    rate: Option<f64>,
    /// CPUs that the threads are bound to, in turn, for example 1 or 2,3
    #[arg(long, value_name = "CPU", value_delimiter = ',')]
    cpus: Vec<usize>,
    /// An answer that takes longer is a timeout, seconds
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    timeout: f64,
    /// Request method
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// A header field to send, "Name: value"; may be repeated
    #[arg(long, value_name = "FIELD")]
    header: Vec<String>,
    /// A body to send
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// The status that answers must have
    #[arg(long, value_name = "CODE", default_value_t = 200)]
    status: u16,
    /// The body that answers must have; each connection's first and every 1,000th answer is compared
    #[arg(long, value_name = "TEXT")]
    verify_body: Option<String>,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs what the command line asks for.
pub(crate) fn run() -> ExitCode {
    if std::env::args_os().len() <= 1 {
        return dialogue::run();
    }
    let flags = Flags::parse();
    let Some(url) = &flags.url else {
        return dialogue::run();
    };
    let planned = plan(&flags, url).and_then(|plan| Ok((Load::new(&plan)?, plan)));
    let (load, plan) = match planned {
        Ok(planned) => planned,
        Err(words) => {
            eprintln!("loadgen: {words}");
            return ExitCode::from(USAGE);
        }
    };
    let outcome = match Engine::warm_up(load).and_then(|mut engine| engine.run()) {
        Ok(outcome) => outcome,
        Err(words) => {
            eprintln!("loadgen: {words}");
            return ExitCode::from(FAILED);
        }
    };
    let printed = if flags.json { summary::json(&outcome) } else { summary::text(url, &plan, &outcome) };
    match printed {
        Ok(()) if outcome.errors.total() == 0 => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(FAILED),
        Err(error) => {
            eprintln!("loadgen: standard output: {error}");
            ExitCode::from(FAILED)
        }
    }
}

/// The plan that the flags describe.
fn plan(flags: &Flags, url: &str) -> Result<Plan, String> {
    let (host, path) = split(url)?;
    let mut headers = vec![("Host".to_owned(), host.to_owned())];
    for field in &flags.header {
        let (name, value) = field
            .split_once(':')
            .ok_or_else(|| format!("header field {field:?} has no colon; write \"Name: value\""))?;
        if name.eq_ignore_ascii_case("host") {
            headers.remove(0);
        }
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(Plan {
        address: resolve(host)?,
        connections: flags.connections,
        pipeline: flags.pipeline,
        threads: flags.threads,
        cpus: flags.cpus.clone(),
        mode: flags.rate.map_or(Mode::Closed, |rate_per_s| Mode::Open { rate_per_s }),
        warmup_s: flags.warmup,
        duration_s: flags.duration,
        timeout_s: flags.timeout,
        requests: vec![Request {
            method: flags.method.clone(),
            path: path.to_owned(),
            headers,
            body: flags.body.clone(),
            expect: Expect {
                status: flags.status,
                body: flags.verify_body.as_ref().map_or(Body::Any, |text| Body::Exact { text: text.clone() }),
            },
        }],
        pick: Pick::Cycle,
        verify_every: 1000,
        reconnect_every: flags.reconnect_every,
    })
}

/// The authority and the request target of `url`.
fn split(url: &str) -> Result<(&str, &str), String> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| format!("{url} is no address of a server; write it like http://127.0.0.1:8080/plaintext"))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let path = path.split('#').next().unwrap_or("");
    if path.starts_with('?') {
        return Err(format!("{url} has a query but no path; write / before the ?"));
    }
    Ok((host, if path.is_empty() { "/" } else { path }))
}

/// The first address of `host`, on port 80 if it names none.
fn resolve(host: &str) -> Result<SocketAddr, String> {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let found = if has_port { host.to_socket_addrs() } else { (host.trim_matches(['[', ']']), 80).to_socket_addrs() };
    found
        .map_err(|error| format!("host {host:?} has no address: {error}"))?
        .next()
        .ok_or_else(|| format!("host {host:?} has no address"))
}
