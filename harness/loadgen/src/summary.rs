//! Prints an outcome, for people or as JSON.

use std::io::{self, Cursor, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{Histogram, serialization::Deserializer};
use probe::load::{Errors, Mode, Outcome, Plan};

/// Above this share of its CPUs the generator, not the server, may be what was measured.
const CPU_SHARE_MAX: f64 = 0.8;
/// Above this send lag at the 99th percentile the schedule was not kept, µs.
const SEND_LAG_US_MAX: u64 = 1000;

/// Prints `outcome` as one line of JSON.
pub(crate) fn json(outcome: &Outcome) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", serde_json::to_string(outcome)?)
}

/// Prints `outcome` of running `plan` against `url` for people.
pub(crate) fn text(url: &str, plan: &Plan, outcome: &Outcome) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let requests_per_s = as_f64(outcome.requests) / outcome.duration_s;
    let mib_per_s = as_f64(outcome.bytes_read) / outcome.duration_s / f64::from(1 << 20);
    writeln!(out, "{url}")?;
    writeln!(out, "{}\n", describe(plan))?;
    writeln!(
        out,
        "requests/s   {requests_per_s:.0}  ({} answers in {:.2} s, {mib_per_s:.1} MiB/s read)\n",
        outcome.requests, outcome.duration_s
    )?;
    let sent = decode(&outcome.histogram_sent)?;
    writeln!(out, "latency, µs           p50      p90      p99    p99.9      max")?;
    match &outcome.histogram_due {
        Some(due) => {
            latency(&mut out, "since due", &decode(due)?)?;
            latency(&mut out, "since written", &sent)?;
            writeln!(
                out,
                "Judge by the first row: the second leaves out the wait of requests that a slow server held up.\n"
            )?;
        }
        None => {
            latency(&mut out, "since written", &sent)?;
            writeln!(
                out,
                "Flattered: a closed loop sends nothing while it waits for a slow answer. --rate measures without that.\n"
            )?;
        }
    }
    writeln!(out, "errors       {}", errors(&outcome.errors))?;
    if let Some(first) = &outcome.first_error {
        writeln!(out, "             first: {first}")?;
    }
    writeln!(out, "checked      {} bodies", outcome.verified)?;
    let health = &outcome.health;
    writeln!(
        out,
        "generator    {:.0} % of its CPU, send lag p99 {} µs",
        health.cpu_share * 100.0,
        health.send_lag_us_p99
    )?;
    if health.cpu_share > CPU_SHARE_MAX || health.send_lag_us_p99 > SEND_LAG_US_MAX {
        writeln!(
            out,
            "             The generator was at its limit: this may be its speed and not the server's. Give it more\n\
             \x20            threads and CPUs of its own (--threads, --cpus)."
        )?;
    }
    Ok(())
}

fn describe(plan: &Plan) -> String {
    let mode = match plan.mode {
        Mode::Closed if plan.pipeline > 1 => format!("closed loop in batches of {}", plan.pipeline),
        Mode::Closed => "closed loop".to_owned(),
        Mode::Open { rate_per_s } => format!("open loop at {rate_per_s} requests/s"),
    };
    let cpus: Vec<String> = plan.cpus.iter().map(ToString::to_string).collect();
    let cpus = if cpus.is_empty() { "any".to_owned() } else { cpus.join(",") };
    format!(
        "{mode}, {} connection(s), {} thread(s) on CPU {cpus}, {} s after {} s of warm-up",
        plan.connections, plan.threads, plan.duration_s, plan.warmup_s
    )
}

fn latency(out: &mut impl Write, name: &str, histogram: &Histogram<u64>) -> io::Result<()> {
    write!(out, "  {name:<14}")?;
    for quantile in [0.5, 0.9, 0.99, 0.999] {
        write!(out, " {:>8}", histogram.value_at_quantile(quantile))?;
    }
    writeln!(out, " {:>8}", histogram.max())
}

fn errors(errors: &Errors) -> String {
    let named = [
        ("connect", errors.connect),
        ("read", errors.read),
        ("timeout", errors.timeout),
        ("status", errors.status),
        ("body", errors.body),
    ];
    let some: Vec<String> =
        named.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}")).collect();
    if some.is_empty() { "none".to_owned() } else { some.join(", ") }
}

fn decode(text: &str) -> io::Result<Histogram<u64>> {
    let bytes = STANDARD.decode(text).map_err(io::Error::other)?;
    Deserializer::new()
        .deserialize(&mut Cursor::new(bytes))
        .map_err(|error| io::Error::other(format!("histogram: {error:?}")))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a load stay below 2^52")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
