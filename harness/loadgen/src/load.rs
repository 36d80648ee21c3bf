//! A plan that has been checked and made ready to run. The threads share one and only read it.

use std::net::SocketAddr;

use probe::load::{Mode, Pick, Plan};

use crate::{clock::seconds_ns, request::Prepared};

/// What is to be sent, where, and when.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) connections: u32,
    /// Requests in a batch.
    pub(crate) pipeline: u32,
    pub(crate) threads: u32,
    pub(crate) cpus: Vec<usize>,
    /// Requests per second of an open loop; none in a closed one.
    pub(crate) rate_per_s: Option<f64>,
    pub(crate) warmup_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) timeout_ns: u64,
    pub(crate) requests: Vec<Prepared>,
    pub(crate) pick: Pick,
    pub(crate) verify_every: u32,
    /// Answers after which a connection is made anew.
    pub(crate) reconnect_every: Option<u32>,
}

impl Load {
    /// Checks `plan` and prepares it.
    ///
    /// # Errors
    /// In words, what in the plan cannot be run and what would be right.
    pub(crate) fn new(plan: &Plan) -> Result<Self, String> {
        check_sizes(plan)?;
        check_times(plan)?;
        check_requests(plan)?;
        Ok(Self {
            address: plan.address,
            connections: plan.connections,
            pipeline: plan.pipeline,
            threads: plan.threads,
            cpus: plan.cpus.clone(),
            rate_per_s: match plan.mode {
                Mode::Closed => None,
                Mode::Open { rate_per_s } => Some(rate_per_s),
            },
            warmup_ns: seconds_ns(plan.warmup_s),
            duration_ns: seconds_ns(plan.duration_s),
            timeout_ns: seconds_ns(plan.timeout_s),
            requests: plan.requests.iter().map(|request| Prepared::new(request, plan.address)).collect(),
            pick: plan.pick,
            verify_every: plan.verify_every,
            reconnect_every: plan.reconnect_every,
        })
    }
}

fn check_sizes(plan: &Plan) -> Result<(), String> {
    for (name, value) in [
        ("connections", plan.connections),
        ("pipeline", plan.pipeline),
        ("threads", plan.threads),
        ("verify_every", plan.verify_every),
        ("reconnect_every", plan.reconnect_every.unwrap_or(1)),
    ] {
        if value == 0 {
            return Err(format!("{name} is 0; it must be at least 1"));
        }
    }
    if plan.threads > plan.connections {
        return Err(format!(
            "{} threads for {} connections; each thread needs at least one connection",
            plan.threads, plan.connections
        ));
    }
    match plan.mode {
        Mode::Closed => Ok(()),
        Mode::Open { .. } if plan.pipeline != 1 => Err(format!(
            "pipeline is {} in an open loop; requests that are due one by one cannot share a batch, so it must be 1",
            plan.pipeline
        )),
        Mode::Open { rate_per_s } if rate_per_s.is_finite() && rate_per_s > 0.0 => Ok(()),
        Mode::Open { rate_per_s } => Err(format!("rate is {rate_per_s} requests/s; it must be above 0")),
    }
}

fn check_times(plan: &Plan) -> Result<(), String> {
    /// A day: longer loads are a mistake in a unit.
    const TIME_S_MAX: f64 = 86_400.0;
    for (name, value_s, may_be_0) in
        [("warm-up", plan.warmup_s, true), ("duration", plan.duration_s, false), ("timeout", plan.timeout_s, false)]
    {
        let long_enough = value_s > 0.0 || (may_be_0 && value_s == 0.0);
        if !long_enough || value_s > TIME_S_MAX {
            let bound = if may_be_0 { "from" } else { "above" };
            return Err(format!("{name} is {value_s} s; it must lie {bound} 0 up to {TIME_S_MAX} s"));
        }
    }
    Ok(())
}

fn check_requests(plan: &Plan) -> Result<(), String> {
    if plan.requests.is_empty() {
        return Err("the plan holds no request; it must hold at least one".to_owned());
    }
    for request in &plan.requests {
        let (method, path) = (&request.method, &request.path);
        if !is_token(method) {
            return Err(format!("method {method:?} is no HTTP method, which is a word such as GET"));
        }
        if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("path {path:?} must begin with / and hold neither spaces nor non-ASCII characters"));
        }
        for (name, value) in &request.headers {
            if !is_token(name) || value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
                return Err(format!(
                    "header field {name:?}: {value:?} cannot be sent; a name is a word, a value one line"
                ));
            }
            if name.eq_ignore_ascii_case("content-length") {
                return Err("Content-Length follows from the body and cannot be given".to_owned());
            }
        }
    }
    Ok(())
}

/// Whether `text` is a token of RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}
