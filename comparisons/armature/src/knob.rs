//! `--knob NAME=VALUE`: turns one setting of the server away from where it stands, for an experiment to compare.
//!
//! Names are those of the fields of `Limits` and `Tuning`, and of the methods of `Server`, with dashes. Without a knob everything
//! stands where it does for every user, but for what all targets have alike.

use std::{fmt::Display, str::FromStr, time::Duration};

use anyhow::{Context, bail};
use armature_core::{Balance, Limits, Server, Tuning};
use probe::Options;
use workload::listen;

/// For `--help`.
pub(crate) const HELP: &str = "NAME=VALUE turns a setting of armature-core, such as no-delay=false (repeatable)";

/// How the server is set.
pub(crate) struct Knobs {
    limits: Limits,
    tuning: Tuning,
    workers: usize,
    balance: Balance,
    pins: bool,
}

impl Knobs {
    /// What the command line asks for.
    pub(crate) fn of(options: &Options) -> anyhow::Result<Self> {
        let defaults = Limits::default();
        let mut knobs = Self {
            limits: Limits {
                head_deadline: options.head_deadline.unwrap_or(defaults.head_deadline),
                backlog_connections: listen::BACKLOG,
                drain_deadline: Duration::from_secs(listen::DRAIN_SECONDS),
                ..defaults
            },
            tuning: Tuning::default(),
            workers: options.workers,
            balance: Balance::default(),
            pins: false,
        };
        for knob in options.values("knob") {
            knobs.turn(knob).with_context(|| format!("--knob {knob}"))?;
        }
        Ok(knobs)
    }

    fn turn(&mut self, knob: &str) -> anyhow::Result<()> {
        let (name, value) = knob.split_once('=').context("it is no NAME=VALUE")?;
        let Self { limits, tuning, .. } = self;
        match name {
            "workers" => set(&mut self.workers, value),
            "pin-workers" => set(&mut self.pins, value),
            "balance" => {
                self.balance = match value {
                    "kernel" => Balance::Kernel,
                    "least-connections" => Balance::LeastConnections,
                    _ => bail!("the balance is kernel or least-connections"),
                };
                Ok(())
            }
            "requests-per-poll-max" => set(&mut limits.requests_per_poll_max, value),
            "connections-max" => set(&mut limits.connections_max, value),
            "idle-deadline-min-ms" => set_duration(&mut limits.idle_deadline_min, value, Duration::from_millis),
            "no-delay" => set(&mut tuning.no_delay, value),
            "syn-data-connections-max" => set(&mut tuning.syn_data_connections_max, value),
            "busy-poll-us" => set_duration(&mut tuning.busy_poll, value, Duration::from_micros),
            "copy-bytes-max" => set(&mut tuning.copy_bytes_max, value),
            "answers-per-write-max" => set(&mut tuning.answers_per_write_max, value),
            "sends-files" => set(&mut tuning.sends_files, value),
            "joins-file-heads" => set(&mut tuning.joins_file_heads, value),
            "adapts-read-size" => set(&mut tuning.adapts_read_size, value),
            "keeps-idle-buffers" => set(&mut tuning.keeps_idle_buffers, value),
            "event-interval-polls" => set(&mut tuning.event_interval_polls, value),
            "global-queue-interval-polls" => set(&mut tuning.global_queue_interval_polls, value),
            "blocking-threads-max" => set(&mut tuning.blocking_threads_max, value),
            _ => bail!("there is no such knob; comparisons/armature/src/knob.rs lists them"),
        }
    }

    /// A server that is set so.
    pub(crate) fn apply(self, server: Server) -> Server {
        let server = server.workers(self.workers).limits(self.limits).tuning(self.tuning);
        server.balance(self.balance).pin_workers(self.pins)
    }
}

fn set<T: FromStr<Err: Display>>(field: &mut T, value: &str) -> anyhow::Result<()> {
    *field = value.parse().map_err(|error| anyhow::anyhow!("{value:?} is no value of it: {error}"))?;
    Ok(())
}

fn set_duration(field: &mut Duration, value: &str, unit: fn(u64) -> Duration) -> anyhow::Result<()> {
    let mut number = 0;
    set(&mut number, value)?;
    *field = unit(number);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn knobs(knob: &str) -> Result<Knobs, String> {
        let options = Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            workers: 1,
            database: None,
            head_deadline: None,
            pool: 1,
            control: false,
            switches: vec![format!("knob={knob}")],
        };
        Knobs::of(&options).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn each_field_of_the_tuning_has_a_knob_that_turns_it() {
        let fields = format!("{:#?}", Tuning::default());
        let names =
            fields.lines().filter_map(|line| Some(line.strip_prefix("    ")?.split_once(':')?.0.replace('_', "-")));
        for name in names {
            let name = if name == "busy-poll" { "busy-poll-us" } else { &name };
            let turned = ["false", "true", "7"]
                .iter()
                .any(|value| knobs(&format!("{name}={value}")).is_ok_and(|knobs| knobs.tuning != Tuning::default()));
            assert!(turned, "{name}");
        }
    }

    #[test]
    fn what_is_no_knob_or_no_value_of_one_is_refused() {
        for (knob, problem) in [
            ("no-delay", "NAME=VALUE"),
            ("no-delay=perhaps", "\"perhaps\" is no value of it"),
            ("speed=11", "no such knob"),
            ("balance=even", "kernel or least-connections"),
            ("busy-poll-us=-1", "is no value of it"),
        ] {
            let error = knobs(knob).err().unwrap();
            assert!(error.contains(problem) && error.contains(knob), "{error}");
        }
    }
}
