//! Measures one target in one scenario: launch, warm up, windows of closed and open loops, end; and makes a sample of it.
//!
//! Which figures the generator may have spoilt is decided here. The order of launches, and who has its turn when, is `rounds.rs`'s.

use probe::{
    load::{Mode, Outcome, Pick, Plan as LoadPlan, Request},
    suite::{Case, Failure, Plan, Sample, Target},
};

use crate::{
    count::Count,
    judge::{self, Rule},
    load::{self, Load, Window},
    stats::histogram::{self, PERCENTILES},
    target::{Server, Setup},
    witness::{Spent, Witness},
};

/// An answer that takes longer than this counts as a timeout, s.
const TIMEOUT_S: f64 = 5.0;

/// One answer in this many is checked whole.
const VERIFY_EVERY: u32 = 64;

/// A generator that uses more of its CPUs than this may be what was measured.
const GENERATOR_SHARE_MAX: f64 = 0.8;

/// A server that uses at least this much of its CPUs was the bottleneck, however busy the generator.
const SERVER_SATURATED: f64 = 0.95;

/// Requests written later than this after they were due make latencies the generator's, µs.
const SEND_LAG_US_MAX: u64 = 1_000;

/// A case together with its load.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// How it is reported.
    pub case: Case,
    /// Requests on the wire at once, a connection, in the closed loop.
    pub pipeline: u32,
    /// What is sent, and what must come back.
    pub requests: Vec<Request>,
    /// In which order.
    pub pick: Pick,
    /// Answers after which a connection is closed and made anew.
    pub reconnect_every: Option<u32>,
    /// Whether the server needs the database for it.
    pub database: bool,
    /// How many statements the database is to run for each request, no more and no fewer; `None` leaves that uncounted.
    pub queries: Option<u32>,
    /// Pooled connections to the database, each worker, where the case is about them.
    pub pool: Option<u32>,
    /// What is counted as well, in launches that are not timed.
    pub counts: Vec<Count>,
}

/// Where and when one launch happens.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// What was asked of the suite.
    pub plan: &'a Plan,
    /// Where the data is.
    pub database: Option<&'a str>,
    /// The server.
    pub target: &'a Target,
    /// The load.
    pub scenario: &'a Scenario,
    /// The round, from 0.
    pub round: u32,
    /// The place in the round's order, from 0.
    pub slot: u32,
    /// Open-loop rates, requests/s; empty leaves the open loop out.
    pub rates: &'a [f64],
}

/// A launch under way: its server runs, and is loaded in one way after the other, each in one or several windows.
#[derive(Debug)]
pub struct Trial<'a> {
    launch: Launch<'a>,
    server: Server,
    /// What loads it now.
    load: Option<Load>,
    /// The windows of each way, in the order in which they were begun.
    loops: Vec<(Mode, Vec<Window>)>,
}

impl<'a> Trial<'a> {
    /// Launches the target.
    ///
    /// # Errors
    /// Why it does not run.
    pub fn start(launch: Launch<'a>) -> Result<Self, Failure> {
        let database = launch.database.filter(|_| launch.scenario.database);
        let setup = Setup { cpus: &launch.plan.placement.server, database, pool: launch.scenario.pool, slowdown: 1 };
        let server = Server::start(launch.target, &setup)
            .map_err(|trouble| launch.failure(trouble.reason, trouble.stderr_tail, false))?;
        Ok(Self { launch, server, load: None, loops: Vec::new() })
    }

    /// Begins to load it in that way, in windows of so many seconds.
    ///
    /// # Errors
    /// Why that cannot be done.
    pub fn begin(&mut self, mode: Mode, window_s: f64) -> Result<(), Failure> {
        let plan = self.launch.plan;
        // A server that has been loaded is warm; only the generator's connections are new.
        let warmup_s = if self.loops.is_empty() { plan.warmup_s } else { plan.warmup_s / 4.0 };
        // One generator at a time.
        self.load = None;
        let load_plan = load_plan(&self.launch, &self.server, mode, warmup_s, window_s);
        let load = Load::start(&plan.loadgen, &mut self.server, &load_plan);
        self.load = Some(load.map_err(|failure| self.launch.load_failed(failure))?);
        self.loops.push((mode, Vec::new()));
        Ok(())
    }

    /// Takes a window of the way that was begun last.
    ///
    /// # Errors
    /// Why there is no figure.
    pub fn take(&mut self) -> Result<(), Failure> {
        let (Some(load), Some((_, windows))) = (&mut self.load, self.loops.last_mut()) else {
            return Err(self.launch.failure("no load was begun".to_owned(), Vec::new(), false));
        };
        let witness = self.launch.witness();
        let window =
            load.window(&mut self.server, witness.as_ref()).map_err(|failure| self.launch.load_failed(failure))?;
        judge_answers(&self.launch, &mut self.server, &window.outcome)?;
        windows.push(window);
        Ok(())
    }

    /// Ends the server, and makes a sample of what was seen of it.
    ///
    /// # Errors
    /// Why there is none.
    pub fn finish(self) -> Result<Sample, Failure> {
        let Self { launch, server, load, loops } = self;
        drop(load);
        let broken = |error: anyhow::Error| launch.broken(&error);
        let mut sample = launch.sample();
        let mut peak_bytes = 0;
        for (mode, windows) in &loops {
            let whole = Window::joined(windows).map_err(broken)?;
            judge_count(&launch, &whole.outcome)?;
            launch.record(&mut sample, *mode, &whole).map_err(broken)?;
            match mode {
                Mode::Closed => record_seen(&launch, &mut sample, windows)?,
                Mode::Open { .. } => windows.iter().try_for_each(|window| judge_seen(&launch, window).map(drop))?,
            }
            if windows.len() > 1 {
                launch.record_turns(&mut sample, *mode, windows).map_err(broken)?;
            }
            peak_bytes = peak_bytes.max(whole.after.rss_peak_bytes);
        }
        sample.metrics.insert("rss_peak_bytes".to_owned(), peak_bytes as f64);
        server.stop().map_err(|trouble| launch.failure(trouble.reason, trouble.stderr_tail, false))?;
        Ok(sample)
    }
}

/// A brief closed loop, to learn at which rate a target saturates.
///
/// # Errors
/// Why it cannot be told.
pub fn saturation(launch: &Launch<'_>, server: &mut Server) -> Result<f64, Failure> {
    const WINDOW_S: f64 = 0.2;
    let window = window(launch, server, Mode::Closed, WINDOW_S / 4.0, WINDOW_S)?;
    Ok(window.outcome.requests as f64 / window.outcome.duration_s)
}

/// One window on a server that runs, judged.
///
/// # Errors
/// Why there is none.
pub(crate) fn window(
    launch: &Launch<'_>,
    server: &mut Server,
    mode: Mode,
    warmup_s: f64,
    duration_s: f64,
) -> Result<Window, Failure> {
    let plan = load_plan(launch, server, mode, warmup_s, duration_s);
    let witness = launch.witness();
    let window = load::window(&launch.plan.loadgen, server, &plan, witness.as_ref())
        .map_err(|failure| launch.load_failed(failure))?;
    judge(launch, server, &window.outcome)?;
    Ok(window)
}

/// A closed loop without warm-up on a server that runs, its counters left alone.
///
/// # Errors
/// Why there is no outcome.
pub(crate) fn unread_window(launch: &Launch<'_>, server: &mut Server, duration_s: f64) -> Result<Outcome, Failure> {
    let plan = load_plan(launch, server, Mode::Closed, 0.0, duration_s);
    let outcome = load::unread(&launch.plan.loadgen, server, &plan).map_err(|failure| launch.load_failed(failure))?;
    judge(launch, server, &outcome)?;
    Ok(outcome)
}

fn load_plan(launch: &Launch<'_>, server: &Server, mode: Mode, warmup_s: f64, duration_s: f64) -> LoadPlan {
    let cpus = &launch.plan.placement.generator;
    let threads = u32::try_from(cpus.len()).unwrap_or(1).max(1);
    let connections = launch.scenario.case.connections.unwrap_or(1).max(threads);
    LoadPlan {
        address: server.address(),
        connections,
        // Requests of an open loop are due one by one; a batch would make all but the first late by design.
        pipeline: if mode == Mode::Closed { launch.scenario.pipeline } else { 1 },
        threads,
        cpus: cpus.clone(),
        mode,
        warmup_s,
        duration_s,
        timeout_s: TIMEOUT_S,
        requests: launch.scenario.requests.clone(),
        pick: launch.scenario.pick,
        verify_every: VERIFY_EVERY,
        reconnect_every: launch.scenario.reconnect_every,
    }
}

/// Refuses an outcome that is none: wrong answers, a server that died, nothing answered.
fn judge(launch: &Launch<'_>, server: &mut Server, outcome: &Outcome) -> Result<(), Failure> {
    judge_answers(launch, server, outcome)?;
    judge_count(launch, outcome)
}

/// Refuses wrong answers, and a server that died.
fn judge_answers(launch: &Launch<'_>, server: &mut Server, outcome: &Outcome) -> Result<(), Failure> {
    let wrong = outcome.errors.status + outcome.errors.body;
    if wrong > 0 {
        let first = outcome.first_error.clone().unwrap_or_default();
        let reason = format!("{wrong} wrong answers under load; the first: {first}");
        return Err(launch.failure(reason, Vec::new(), true));
    }
    if !server.is_running() {
        let trouble = server.trouble();
        return Err(launch.failure(trouble.reason, trouble.stderr_tail, false));
    }
    Ok(())
}

/// Refuses a load of which nothing was answered.
fn judge_count(launch: &Launch<'_>, outcome: &Outcome) -> Result<(), Failure> {
    if outcome.requests == 0 {
        let first = outcome.first_error.clone().unwrap_or_else(|| "no request was answered".to_owned());
        return Err(launch.failure(format!("nothing was measured: {first}"), Vec::new(), false));
    }
    Ok(())
}

impl Launch<'_> {
    /// Who counts the statements, where the case has them counted.
    fn witness(&self) -> Option<Witness<'_>> {
        self.scenario.queries?;
        self.database.map(|url| Witness::new(&self.plan.seeder, url))
    }

    pub(crate) fn sample(&self) -> Sample {
        Sample::of(self.target, &self.scenario.case, self.round, self.slot)
    }

    /// Records what was seen while it was loaded in that way.
    fn record(&self, sample: &mut Sample, mode: Mode, window: &Window) -> anyhow::Result<()> {
        match mode {
            Mode::Closed => record_closed(sample, window, &self.plan.placement.server),
            Mode::Open { rate_per_s } => record_open(sample, window, rate_per_s, self.rates.len() > 1),
        }
    }

    /// Records what each window showed of what is judged as a time.
    fn record_turns(&self, sample: &mut Sample, mode: Mode, windows: &[Window]) -> anyhow::Result<()> {
        for window in windows {
            let mut turn = self.sample();
            self.record(&mut turn, mode, window)?;
            for (name, value) in
                turn.metrics.into_iter().filter(|(name, _)| matches!(judge::rule(name), Some(Rule::Time { .. })))
            {
                // Nothing may have been answered in so short a time.
                let figure = Some(value).filter(|value| value.is_finite() && *value > 0.0);
                sample.turns.entry(name).or_default().push(figure);
            }
        }
        Ok(())
    }

    pub(crate) fn failure(&self, reason: String, stderr_tail: Vec<String>, disqualifies: bool) -> Failure {
        Failure {
            target: self.target.name.clone(),
            case: Some(self.scenario.case.id.clone()),
            round: Some(self.round),
            reason,
            stderr_tail,
            disqualifies,
        }
    }

    fn load_failed(&self, failure: load::Failure) -> Failure {
        match failure {
            load::Failure::Server(trouble) => self.failure(trouble.reason, trouble.stderr_tail, false),
            load::Failure::Generator(error) => self.broken(&error),
        }
    }

    fn broken(&self, error: &anyhow::Error) -> Failure {
        self.failure(format!("{error:#}"), Vec::new(), false)
    }
}

fn record_closed(sample: &mut Sample, window: &Window, server_cpus: &[usize]) -> anyhow::Result<()> {
    let Window { outcome, before, after, .. } = window;
    let served = outcome.requests_total as f64;
    let user_us = after.cpu_user_us.saturating_sub(before.cpu_user_us) as f64;
    let system_us = after.cpu_system_us.saturating_sub(before.cpu_system_us) as f64;
    let server_share = (user_us + system_us) / (outcome.duration_s * 1e6 * server_cpus.len().max(1) as f64);
    let switches = |after: u64, before: u64| after.saturating_sub(before) as f64 / served;
    let voluntary = switches(after.context_switches_voluntary, before.context_switches_voluntary);
    let involuntary = switches(after.context_switches_involuntary, before.context_switches_involuntary);
    for (name, value) in [
        ("requests_per_s", outcome.requests as f64 / outcome.duration_s),
        ("requests", outcome.requests as f64),
        ("errors", outcome.errors.total() as f64),
        ("cpu_us_per_request", (user_us + system_us) / served),
        ("cpu_user_us_per_request", user_us / served),
        ("cpu_system_us_per_request", system_us / served),
        ("context_switches_voluntary_per_request", voluntary),
        ("context_switches_involuntary_per_request", involuntary),
        ("server_cpu_share", server_share),
        ("generator_cpu_share", outcome.health.cpu_share),
    ] {
        sample.metrics.insert(name.to_owned(), value);
    }
    record_histogram(sample, "closed", "closed_latency_us", &outcome.histogram_sent)?;
    if outcome.health.cpu_share > GENERATOR_SHARE_MAX && server_share < SERVER_SATURATED {
        let reason = format!(
            "you measured the client: the load generator used {:.0} % of its CPUs and the server only {:.0} % of its own",
            outcome.health.cpu_share * 100.0,
            server_share * 100.0
        );
        void(sample, &["requests_per_s", "closed_latency_us"], &reason);
    }
    Ok(())
}

/// Records what the database saw of the windows, and refuses what is not as the case demands.
fn record_seen(launch: &Launch<'_>, sample: &mut Sample, windows: &[Window]) -> Result<(), Failure> {
    let mut sum: Option<Spent> = None;
    for window in windows {
        let Some((connections, spent)) = judge_seen(launch, window)? else { return Ok(()) };
        sample.metrics.insert("database_connections".to_owned(), connections as f64);
        sum = match (sum, spent) {
            (Some(sum), Some(spent)) => Some(sum.plus(spent)),
            (sum, spent) => sum.or(spent),
        };
    }
    if let Some(spent) = sum {
        sample.metrics.insert("queries_per_request".to_owned(), spent.statements as f64 / spent.requests as f64);
        if spent.given_up > 0 {
            void(sample, &["queries_per_request"], "what the requests that were given up have cost is not known");
        }
    }
    Ok(())
}

/// The connections that the database showed, and its statements where they are known.
fn judge_seen(launch: &Launch<'_>, window: &Window) -> Result<Option<(u64, Option<Spent>)>, Failure> {
    let refused = |problem: String, disqualifies| {
        Err(launch.failure(format!("target {}: {problem}", launch.target.name), Vec::new(), disqualifies))
    };
    let [before, after] = match &window.seen {
        Some(Ok(seen)) => seen,
        Some(Err(error)) => return refused(format!("the database cannot be asked what it has seen: {error}"), false),
        None => return Ok(None),
    };
    if let Some(pool) = launch.scenario.pool {
        let workers = launch.plan.placement.server.len().max(1) as u64;
        let (found, asked) = (after.connections, u64::from(pool) * workers);
        if found != asked {
            let told = "a foreign server is told the size of its pool by {pool} in its command";
            return refused(format!("{found} connections at the database instead of {asked}; {told}"), true);
        }
    }
    let outcome = &window.outcome;
    let spent = Spent::between(before, after, outcome.requests_total, outcome.errors.total()).ok();
    match spent.zip(launch.scenario.queries).and_then(|(spent, queries)| spent.problem(queries)) {
        Some(problem) => refused(problem, true),
        None => Ok(Some((after.connections, spent))),
    }
}

fn record_open(sample: &mut Sample, window: &Window, rate_per_s: f64, several: bool) -> anyhow::Result<()> {
    let outcome: &Outcome = &window.outcome;
    // The first rate gives the metrics; with several, each rate keeps its histograms under its own name.
    let first = !sample.metrics.contains_key("open_rate_per_s");
    let suffix = if several { format!("@{rate_per_s:.0}") } else { String::new() };
    let due = outcome.histogram_due.as_deref().unwrap_or(&outcome.histogram_sent);
    if first {
        let lag_us = outcome.health.send_lag_us_p99;
        sample.metrics.insert("open_rate_per_s".to_owned(), rate_per_s);
        sample.metrics.insert("send_lag_us_p99".to_owned(), lag_us as f64);
        *sample.metrics.entry("errors".to_owned()).or_default() += outcome.errors.total() as f64;
        record_histogram(sample, "open_due", "open_latency_us", due)?;
        record_histogram(sample, "open_sent", "open_sent_latency_us", &outcome.histogram_sent)?;
        if lag_us > SEND_LAG_US_MAX {
            let reason = format!("you measured the client: requests were written {lag_us} µs late at p99");
            void(sample, &["open_latency_us", "open_sent_latency_us"], &reason);
        }
    }
    if several {
        sample.histograms.insert(format!("open_due{suffix}"), due.to_owned());
        sample.histograms.insert(format!("open_sent{suffix}"), outcome.histogram_sent.clone());
    }
    Ok(())
}

fn record_histogram(sample: &mut Sample, name: &str, metric: &str, text: &str) -> anyhow::Result<()> {
    let histogram = histogram::decode(text)?;
    for (percentile, quantile) in PERCENTILES {
        sample.metrics.insert(format!("{metric}_{percentile}"), histogram.value_at_quantile(*quantile) as f64);
    }
    sample.histograms.insert(name.to_owned(), text.to_owned());
    Ok(())
}

fn void(sample: &mut Sample, families: &[&str], reason: &str) {
    let names: Vec<String> =
        sample.metrics.keys().filter(|name| families.iter().any(|family| name.starts_with(family))).cloned().collect();
    for name in names {
        sample.void.insert(name, reason.to_owned());
    }
}
