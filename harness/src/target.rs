//! The servers under test: which there are (`lab.toml`), and one of them running.
//!
//! A target is a process. Those of this workspace speak the control channel (`probe::message`); foreign ones are met at
//! their port alone. Read next: `load.rs`.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use probe::{
    message::{Allocations, Command, Counters, PROTOCOL, Ready, Reply, Site, Stack},
    options::DATABASE_CONNECTIONS,
    suite::{Role, Target},
};
use serde::Deserialize;

use crate::{
    layout, name,
    process::{Child, Silence, Start, describe},
    procfs::{self, Resident},
};

/// How long a server may take until it listens.
const START_PATIENCE: Duration = Duration::from_secs(5);

/// How long a server may take to answer a command.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// How long a server may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// A `[[target]]` of lab.toml.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name in reports and for `--target`.
    pub name: String,
    /// What it is in the comparison.
    pub role: Role,
    /// The workspace package that it is built from.
    #[serde(default)]
    pub package: Option<String>,
    /// The package's binary, where it has another name than the package.
    #[serde(default)]
    pub binary: Option<String>,
    /// The package's binary that is counted, where that is another program and not another build of the same.
    #[serde(default)]
    pub counting: Option<String>,
    /// The command of a foreign server.
    #[serde(default)]
    pub command: Vec<String>,
    /// Arguments added to the package's binary.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// The families of cases that it serves; empty means all.
    #[serde(default)]
    pub serves: Vec<String>,
    /// Whether a foreign server speaks the control channel.
    #[serde(default)]
    pub control: bool,
    /// The port of a foreign server without a control channel; 0 lets the lab choose and fill in `{port}`.
    #[serde(default)]
    pub port: u16,
    /// Whether it is measured when no `--target` is given.
    #[serde(default = "yes")]
    pub default: bool,
}

impl Entry {
    /// The target under `name`: started from `binary`, and where it is counted from `counting`. A foreign server keeps its command.
    #[must_use]
    pub fn target(&self, name: &str, binary: &Path, counting: Option<&Path>) -> Target {
        let ours = self.package.is_some();
        let started = |binary: &Path| {
            let mut command = vec![binary.to_string_lossy().into_owned()];
            command.extend(self.arguments.iter().cloned());
            command
        };
        Target {
            name: name.to_owned(),
            role: self.role,
            command: if ours { started(binary) } else { self.command.clone() },
            counting: counting.map(started).unwrap_or_default(),
            serves: self.serves.clone(),
            control: ours || self.control,
            port: self.port,
        }
    }
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lab {
    /// The tests in which the servers of the root's lab.toml take part; none leaves them out.
    #[serde(default)]
    servers: Vec<String>,
    target: Vec<Entry>,
}

impl Lab {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not right", path.display()))
    }
}

/// Whether a suite with this file of its own meets servers all the same: those of the root's lab.toml.
///
/// # Errors
/// As [`entries`].
pub fn has_servers(lab: &Path) -> Result<bool> {
    Ok(!Lab::read(lab)?.servers.is_empty())
}

/// Reads the targets from lab.toml; before a suite's own stand the servers of the root's, if it has tests for them.
///
/// # Errors
/// When the file is missing or wrong; the message names the line.
pub fn entries(lab: &Path) -> Result<Vec<Entry>> {
    let mut lab_file = Lab::read(lab)?;
    if !lab_file.servers.is_empty() {
        let mut servers = entries(&layout::workspace_root()?.join("lab.toml"))?;
        for server in servers.iter_mut().filter(|server| server.serves.is_empty()) {
            server.serves.clone_from(&lab_file.servers);
        }
        lab_file.target.splice(..0, servers);
    }
    for (index, entry) in lab_file.target.iter().enumerate() {
        let foreign = !entry.command.is_empty();
        let place = || format!("{}: target {}", lab.display(), entry.name);
        if entry.package.is_some() == foreign {
            bail!("{}: give it either a `package` of this workspace or a `command`", place());
        }
        if foreign && !entry.control && entry.port == 0 && !entry.command.iter().any(|word| word.contains("{port}")) {
            bail!("{}: with neither `control` nor `port` the command must hold {{port}}", place());
        }
        if lab_file.target[..index].iter().any(|other| other.name == entry.name) {
            bail!("{}: the name is taken by an earlier target", place());
        }
    }
    Ok(lab_file.target)
}

/// The entries that were asked for by name, or those measured by default.
///
/// # Errors
/// For a name that is not in lab.toml; the message names the nearest.
pub fn choose(entries: &[Entry], names: &[String]) -> Result<Vec<Entry>> {
    if names.is_empty() {
        return Ok(entries.iter().filter(|entry| entry.default).cloned().collect());
    }
    for wanted in names {
        if !entries.iter().any(|entry| entry.name == *wanted) {
            return Err(name::Unknown::new("target", wanted, entries.iter().map(|entry| entry.name.as_str())).into());
        }
    }
    Ok(entries.iter().filter(|entry| names.contains(&entry.name)).cloned().collect())
}

/// What a server is told at its start.
#[derive(Debug, Clone)]
pub struct Setup<'a> {
    /// CPUs it runs on; one worker each.
    pub cpus: &'a [usize],
    /// Where the data is.
    pub database: Option<&'a str>,
    /// Pooled connections to it, each worker; `None` leaves them as they are for every target.
    pub pool: Option<u32>,
    /// How many times longer it may take for everything: 1, and more under a tool that slows it down.
    pub slowdown: u32,
}

/// A server under test that listens.
#[derive(Debug)]
pub struct Server {
    name: String,
    child: Child,
    address: SocketAddr,
    ready: Option<Ready>,
    slowdown: u32,
}

/// Why a server could not be started or used: a sentence for people, and what it wrote to standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What happened and what to do about it.
    pub reason: String,
    /// The last lines of standard error.
    pub stderr_tail: Vec<String>,
}

impl Server {
    /// Starts the target and waits until it listens.
    ///
    /// # Errors
    /// When it cannot be started, ends, says something else, or does not listen in 5 s.
    pub fn start(target: &Target, setup: &Setup<'_>) -> Result<Self, Trouble> {
        let start = if target.control { Self::start_controlled } else { Self::start_foreign };
        start(target, setup)
    }

    fn start_controlled(target: &Target, setup: &Setup<'_>) -> Result<Self, Trouble> {
        let mut command = target.command.clone();
        let workers = setup.cpus.len().max(1).to_string();
        command.extend(["--control", "--listen", "127.0.0.1:0", "--workers", &workers].map(str::to_owned));
        if let Some(database) = setup.database {
            command.extend(["--database".to_owned(), database.to_owned()]);
        }
        if let Some(pool) = setup.pool {
            command.extend(["--pool".to_owned(), pool.to_string()]);
        }
        let mut child = spawn(target, command, setup)?;
        match child.hear(START_PATIENCE * setup.slowdown) {
            Ok(Reply::Ready(ready)) if ready.protocol == PROTOCOL => Ok(Self {
                name: target.name.clone(),
                child,
                address: ready.address,
                ready: Some(ready),
                slowdown: setup.slowdown,
            }),
            Ok(Reply::Ready(ready)) => {
                let reason = format!(
                    "target {} speaks version {} of the control channel and the lab version {PROTOCOL}",
                    target.name, ready.protocol
                );
                Err(Trouble::of(&mut child, reason))
            }
            Ok(other) => Err(Trouble::of(&mut child, format!("target {} began with {other:?}", target.name))),
            Err(silence) => Err(Trouble::at_start(target, setup, &mut child, &silence)),
        }
    }

    fn start_foreign(target: &Target, setup: &Setup<'_>) -> Result<Self, Trouble> {
        let port = free_port(target.port).map_err(|error| {
            let reason = format!(
                "target {} wants port {}, which is taken ({error}); stop what listens there (`ss -ltnp`) or change \
                 its port in lab.toml",
                target.name, target.port
            );
            Trouble { reason, stderr_tail: Vec::new() }
        })?;
        let workers = setup.cpus.len().max(1).to_string();
        let command = target
            .command
            .iter()
            .map(|word| {
                word.replace("{port}", &port.to_string())
                    .replace("{workers}", &workers)
                    .replace("{database}", setup.database.unwrap_or_default())
                    .replace("{pool}", &setup.pool.unwrap_or(DATABASE_CONNECTIONS).to_string())
            })
            .collect();
        let mut child = spawn(target, command, setup)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let deadline = Instant::now() + START_PATIENCE * setup.slowdown;
        loop {
            if TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_ok() {
                let name = target.name.clone();
                return Ok(Self { name, child, address, ready: None, slowdown: setup.slowdown });
            }
            if !child.is_running() {
                return Err(Trouble::at_start(target, setup, &mut child, &Silence::Closed));
            }
            if Instant::now() > deadline {
                return Err(Trouble::at_start(target, setup, &mut child, &Silence::Timeout));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Its ready line; `None` for a server without a control channel.
    #[must_use]
    pub fn ready(&self) -> Option<&Ready> {
        self.ready.as_ref()
    }

    /// Waits until it has nothing to do and reads its counters.
    ///
    /// # Errors
    /// When it ended, or does not answer in 5 s.
    pub fn quiesce(&mut self) -> Result<Counters, Trouble> {
        self.read(&Command::Quiesce)
    }

    /// Reads its counters as they stand.
    ///
    /// # Errors
    /// When it ended, or does not answer in 5 s.
    pub fn counters(&mut self) -> Result<Counters, Trouble> {
        self.read(&Command::Counters)
    }

    fn read(&mut self, command: &Command) -> Result<Counters, Trouble> {
        if self.ready.is_none() {
            return if self.child.is_running() { Ok(procfs::counters(self.child.pid())) } else { Err(self.trouble()) };
        }
        match self.ask(command)? {
            Reply::Counters(counters) => Ok(counters),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Has it remember from now on where allocated blocks come from; `false` if it cannot.
    ///
    /// # Errors
    /// When it ended, or does not answer in 5 s.
    pub fn watch(&mut self) -> Result<bool, Trouble> {
        Ok(matches!(self.ask(&Command::Watch)?, Reply::Counters(_)))
    }

    /// The blocks that were allocated since [`Server::watch`] and are still there, by call site; the largest first.
    ///
    /// # Errors
    /// When it ended, or does not answer in 5 s.
    pub fn sites(&mut self) -> Result<Vec<Site>, Trouble> {
        match self.ask(&Command::Sites)? {
            Reply::Sites { sites } => Ok(sites),
            other => Err(self.unexpected(&other)),
        }
    }

    /// All that was allocated since [`Server::watch`], by stack.
    ///
    /// # Errors
    /// When it ended, or does not answer in 5 s.
    pub fn allocated(&mut self) -> Result<Vec<Stack>, Trouble> {
        self.stacks(&Command::Allocated).map(|(stacks, _)| stacks)
    }

    /// Has the process note from now on, so many times in a second of its CPU time, which stack is running.
    ///
    /// # Errors
    /// When it cannot, ended, or does not answer in 5 s.
    pub fn sample(&mut self, rate_hz: u32) -> Result<(), Trouble> {
        match self.ask(&Command::Sample { rate_hz })? {
            Reply::Counters(_) => Ok(()),
            other => Err(self.unexpected(&other)),
        }
    }

    /// The stacks that were noted since [`Server::sample`], and how many samples had no room; nothing is noted any more.
    ///
    /// # Errors
    /// When it ended, or does not answer in 5 s.
    pub fn samples(&mut self) -> Result<(Vec<Stack>, u64), Trouble> {
        self.stacks(&Command::Samples)
    }

    fn stacks(&mut self, command: &Command) -> Result<(Vec<Stack>, u64), Trouble> {
        match self.ask(command)? {
            Reply::Stacks { stacks, lost } => Ok((stacks, lost)),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Orders it to stop and returns at once: it finishes what is in flight, while clients may go on.
    ///
    /// # Errors
    /// When it ended, or does not answer in 5 s.
    pub fn order_to_stop(&mut self) -> Result<(), Trouble> {
        match self.ask(&Command::Shutdown)? {
            Reply::Stopping => Ok(()),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Waits for the end of a server that was ordered to stop, and returns what it had not given back by then, with where
    /// that came from if it was watched; `None` if it does not tell.
    ///
    /// # Errors
    /// When it does not end with exit code 0, in the time that it has for stopping and for its last word.
    pub fn farewell(mut self) -> Result<Option<(Allocations, Vec<Site>)>, Trouble> {
        let said = match self.child.hear(ANSWER_PATIENCE * self.slowdown) {
            Ok(Reply::Ended { allocations, sites }) => Some((allocations, sites)),
            Ok(other) => return Err(self.unexpected(&other)),
            Err(_) => None,
        };
        self.stop().map(|()| said)
    }

    /// The memory of its process that is in RAM now; `None` where the kernel does not tell, or for a foreign server.
    #[must_use]
    pub fn resident(&self) -> Option<Resident> {
        procfs::resident(self.ready.as_ref()?.pid)
    }

    fn ask(&mut self, command: &Command) -> Result<Reply, Trouble> {
        if self.child.say(command).is_err() {
            return Err(self.trouble());
        }
        self.child.hear(ANSWER_PATIENCE * self.slowdown).map_err(|_| self.trouble())
    }

    fn unexpected(&mut self, reply: &Reply) -> Trouble {
        Trouble::of(&mut self.child, format!("target {} answered {reply:?}", self.name))
    }

    /// What has become of it, when something went wrong.
    pub fn trouble(&mut self) -> Trouble {
        // A server that was just killed may need a moment until the kernel reports it.
        let reason = match self.child.wait(Duration::from_millis(100)) {
            Some(status) => format!("target {} {} while it was measured", self.name, describe(status)),
            None => format!("target {} hangs: it does not answer on its control channel", self.name),
        };
        Trouble::of(&mut self.child, reason)
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        self.child.is_running()
    }

    /// Asks it to end and waits; one that does not end in 2 s is killed.
    ///
    /// # Errors
    /// When it ended otherwise than with exit code 0, or had to be killed.
    pub fn stop(mut self) -> Result<(), Trouble> {
        if self.ready.is_none() {
            self.child.signal(nix::sys::signal::Signal::SIGTERM);
            self.child.end(STOP_PATIENCE * self.slowdown);
            return Ok(());
        }
        let _ = self.child.say(&Command::Shutdown);
        let patience = STOP_PATIENCE * self.slowdown;
        match self.child.end(patience) {
            Some(status) if status.success() => Ok(()),
            Some(status) => {
                let reason = format!("target {} {} when it was asked to end", self.name, describe(status));
                Err(Trouble::of(&mut self.child, reason))
            }
            None => {
                let reason = format!("target {} did not end in {} s and was killed", self.name, patience.as_secs());
                Err(Trouble::of(&mut self.child, reason))
            }
        }
    }
}

impl Trouble {
    fn of(child: &mut Child, reason: String) -> Self {
        Self { reason, stderr_tail: child.stderr_tail() }
    }

    fn at_start(target: &Target, setup: &Setup<'_>, child: &mut Child, silence: &Silence) -> Self {
        let patience = (START_PATIENCE * setup.slowdown).as_secs();
        let what = match (silence, child.wait(Duration::from_millis(100))) {
            (Silence::Closed, Some(status)) => format!("{} before it listened", describe(status)),
            (Silence::Garbage(line), _) => format!("began with something else than a ready line: {line:?}"),
            _ if target.control => format!("printed no ready line in {patience} s"),
            _ => format!("does not listen on its port after {patience} s"),
        };
        let tail = child.stderr_tail();
        let last = tail.last().map_or_else(
            || "it wrote nothing to standard error".to_owned(),
            |line| format!("its last stderr line was {line:?}"),
        );
        let reason = format!("target {} {what}; {last}; try it by hand, and `cargo xtask doctor`", target.name);
        Self { reason, stderr_tail: tail }
    }
}

fn spawn(target: &Target, command: Vec<String>, setup: &Setup<'_>) -> Result<Child, Trouble> {
    let (program, arguments) = match command.split_first() {
        Some((program, arguments)) => (program.clone(), arguments.to_vec()),
        None => (String::new(), Vec::new()),
    };
    let mut start = Start::new(&target.name, Path::new(&program)).arguments(arguments);
    start.cpus = setup.cpus;
    start.spawn().map_err(|error| Trouble { reason: format!("target {error:#}"), stderr_tail: Vec::new() })
}

/// The port itself if it is free, or a free one for 0.
fn free_port(port: u16) -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr()?.port())
}
