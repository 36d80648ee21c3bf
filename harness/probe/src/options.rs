//! The command line that every server under test shares.
//!
//! By hand: `target-axum --listen 127.0.0.1:8080 --workers 1 [--database URL]`. The lab adds `--control`.

use std::{
    ffi::OsString,
    io::{self, Write},
    net::SocketAddr,
    num::NonZeroU32,
    process,
    time::Duration,
};

use lexopt::{Arg, Parser, ValueExt};

/// Pooled connections of each worker to the database where nothing else is asked for, the same for every target.
///
/// One worker is one thread, so more connections buy overlap with the database and nothing else. Eight keep a PostgreSQL
/// backend busy on each of a few cores, and 12 workers of eight still fit the 100 connections that PostgreSQL allows by
/// default.
pub const DATABASE_CONNECTIONS: u32 = 8;

/// What a server under test is told on its command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where to listen; port 0 lets the system choose, and the ready line says which it was.
    pub listen: SocketAddr,
    /// Workers, each one thread.
    pub workers: usize,
    /// `sqlite:FILE` or `postgres://…`; without it the database routes answer 503.
    pub database: Option<String>,
    /// After how long a head that has not come whole is cut; without it, whatever the server is set to.
    pub head_deadline: Option<Duration>,
    /// Pooled connections to it, each worker.
    pub pool: u32,
    /// Whether the lab holds the other end of standard input and output.
    pub control: bool,
    /// Which of the target's own switches were given.
    pub switches: Vec<String>,
}

/// A switch that only one target has, for example `--stock`.
#[derive(Debug, Clone, Copy)]
pub struct Switch {
    /// Name without dashes; one that ends in `=` takes a value.
    pub name: &'static str,
    /// One line for `--help`.
    pub help: &'static str,
}

impl Options {
    /// Reads the process's arguments; prints help and exits with 0, or prints what is wrong and exits with 2.
    #[must_use]
    pub fn from_env(program: &str, switches: &[Switch]) -> Self {
        match Self::parse(std::env::args_os().skip(1), switches) {
            Ok(Some(options)) => options,
            Ok(None) => {
                // Whoever reads may have seen enough (`| head`).
                let _ = writeln!(io::stdout(), "{}", help(program, switches));
                process::exit(0);
            }
            Err(problem) => {
                eprintln!("{program}: {problem}; try {program} --help");
                process::exit(2);
            }
        }
    }

    /// Whether the target's own switch `name` was given.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.switches.iter().any(|given| given == name)
    }

    /// The value of the target's own switch `name=`, if it was given.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// The values of the target's own switch `name=`, which may be given more than once.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.switches.iter().filter_map(move |given| given.strip_prefix(name)?.strip_prefix('='))
    }

    fn parse(
        arguments: impl IntoIterator<Item = OsString>,
        switches: &[Switch],
    ) -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            workers: 1,
            database: None,
            head_deadline: None,
            pool: DATABASE_CONNECTIONS,
            control: false,
            switches: Vec::new(),
        };
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("listen") => options.listen = parser.value()?.parse()?,
                Arg::Long("workers") => {
                    options.workers = parser.value()?.parse()?;
                    if options.workers == 0 {
                        return Err("--workers must be at least 1".into());
                    }
                }
                Arg::Long("database") => options.database = Some(parser.value()?.string()?),
                Arg::Long("head-deadline") => {
                    options.head_deadline = Some(Duration::from_millis(parser.value()?.parse()?));
                }
                Arg::Long("pool") => {
                    options.pool = parser.value()?.parse::<NonZeroU32>()?.get();
                }
                Arg::Long("control") => options.control = true,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Long(name) if switches.iter().any(|switch| switch.name == name) => {
                    options.switches.push(name.to_owned());
                }
                Arg::Long(name) if switches.iter().any(|switch| switch.name.strip_suffix('=') == Some(name)) => {
                    let name = name.to_owned();
                    options.switches.push(format!("{name}={}", parser.value()?.string()?));
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(Some(options))
    }
}

fn help(program: &str, switches: &[Switch]) -> String {
    let mut text = format!(
        "A server under test of the Armature lab.\n\n\
         Usage: {program} [--listen ADDRESS:PORT] [--workers N] [--database URL] [--pool N] [--head-deadline MS] [--control]\n\n\
         \x20 --listen ADDRESS:PORT  where to listen; port 0 lets the system choose [127.0.0.1:8080]\n\
         \x20 --workers N            worker threads [1]\n\
         \x20 --database URL         sqlite:FILE or postgres://…; without it the database routes answer 503\n\
         \x20 --pool N               pooled connections to it, each worker [{DATABASE_CONNECTIONS}]\n\
         \x20 --head-deadline MS     cut connections whose head takes longer [whatever the server is set to]\n\
         \x20 --control              speak the lab's control channel on standard input and output\n"
    );
    for switch in switches {
        text.push_str(&format!("  --{:<22} {}\n", switch.name, switch.help));
    }
    text.push_str(&format!(
        "\nExample:\n  {program} --listen 127.0.0.1:8080 --workers 1\n  curl -i http://127.0.0.1:8080/plaintext"
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: &[Switch] =
        &[Switch { name: "stock", help: "plain axum::serve" }, Switch { name: "fault=", help: "what is to go wrong" }];

    fn parse(line: &str) -> Result<Option<Options>, String> {
        Options::parse(line.split_whitespace().map(OsString::from), STOCK).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_what_the_lab_passes() {
        let options =
            parse("--listen 127.0.0.1:0 --workers 2 --database sqlite:x.db --head-deadline 200 --control --stock")
                .unwrap()
                .unwrap();
        assert_eq!(options.listen.port(), 0);
        assert_eq!((options.workers, options.control, options.pool), (2, true, DATABASE_CONNECTIONS));
        assert_eq!(options.database.as_deref(), Some("sqlite:x.db"));
        assert_eq!(options.head_deadline, Some(Duration::from_millis(200)));
        assert!(options.has("stock") && !options.has("other"));
        assert_eq!(parse("--pool 64").unwrap().unwrap().pool, 64);
        assert_eq!(options.value("fault"), None);
        for line in ["--fault work:3", "--fault=work:3"] {
            assert_eq!(parse(line).unwrap().unwrap().value("fault"), Some("work:3"), "{line}");
        }
        let options = parse("--fault a --stock --fault b=1").unwrap().unwrap();
        assert_eq!(options.values("fault").collect::<Vec<_>>(), ["a", "b=1"]);
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for line in [
            "--nonsense",
            "--workers 0",
            "--workers two",
            "--pool 0",
            "--pool many",
            "--listen nowhere",
            "--head-deadline soon",
            "--fault",
            "stray",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert_eq!(parse("--help"), Ok(None));
    }
}
