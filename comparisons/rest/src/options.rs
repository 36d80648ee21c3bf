//! The command line: that of every server under test, and a switch with which a test need not wait for half a minute.

use std::time::Duration;

use probe::options::Switch;

const TIMEOUT: Duration = Duration::from_secs(30);
const TIMEOUT_IMPATIENT: Duration = Duration::from_millis(100);

const IMPATIENT: Switch = Switch { name: "impatient", help: "a request may take 100 ms instead of 30 s" };

/// What the service is told on its command line.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen, and with how many workers.
    pub server: probe::Options,
    /// How long a request may take until it is answered.
    pub timeout: Duration,
}

impl Options {
    /// Reads the process's arguments; prints help and exits with 0, or prints what is wrong and exits with 2.
    #[must_use]
    pub fn from_env(program: &str) -> Self {
        let server = probe::Options::from_env(program, &[IMPATIENT]);
        let timeout = if server.has(IMPATIENT.name) { TIMEOUT_IMPATIENT } else { TIMEOUT };
        Self { server, timeout }
    }
}
