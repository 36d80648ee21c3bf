//! Starts child processes so that none outlives the lab, and keeps the last lines of what they complain about.
//!
//! Every child asks the kernel to be killed when its parent's thread ends (prctl(2), PR_SET_PDEATHSIG): whatever
//! happens to the lab, no server, generator or database is left behind. Children get a process group of their own, so
//! that a Ctrl-C reaches the lab alone and the lab ends them in order. Read next: `target.rs`, `load.rs`.
#![allow(unsafe_code, reason = "pre_exec is the only door to what a child does between fork and exec")]

use std::{
    collections::VecDeque,
    ffi::OsString,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{self, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::{
        prctl,
        signal::{self, Signal},
    },
    unistd::{Gid, Pid, Uid, getppid},
};
use serde::{Serialize, de::DeserializeOwned};

/// Lines of standard error that are kept.
const TAIL_LINES: usize = 20;

/// A line longer than this is cut; a broken program must not fill the record.
const TAIL_LINE_CHARACTERS: usize = 400;

/// What to start and how.
#[derive(Debug, Clone)]
pub struct Start<'a> {
    /// The name it goes by in messages.
    pub name: &'a str,
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// CPUs it may run on; empty means all that the parent may use.
    pub cpus: &'a [usize],
    /// User and group to run as, where it may not run as root.
    pub user: Option<(Uid, Gid)>,
    /// The signal it gets when its parent ends.
    pub orphan_signal: Signal,
}

impl<'a> Start<'a> {
    /// A child that runs anywhere, as whoever runs the lab.
    #[must_use]
    pub fn new(name: &'a str, program: &Path) -> Self {
        Self {
            name,
            command: vec![program.as_os_str().to_owned()],
            cpus: &[],
            user: None,
            orphan_signal: Signal::SIGKILL,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<S: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Starts it, with its three standard streams in the lab's hands.
    ///
    /// # Errors
    /// When the program cannot be executed or its CPUs or user cannot be set.
    pub fn spawn(self) -> Result<Child> {
        let Some((program, arguments)) = self.command.split_first() else {
            bail!("{} has an empty command", self.name)
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        if let Some((uid, gid)) = self.user {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        let cpus = cpu_set(self.cpus)?;
        let (signal, parent) = (self.orphan_signal, Pid::this());
        let before_exec = move || -> io::Result<()> {
            if let Some(cpus) = &cpus {
                sched_setaffinity(Pid::from_raw(0), cpus)?;
            }
            prctl::set_pdeathsig(signal)?;
            // The parent may have ended before the line above took effect.
            if getppid() == parent { Ok(()) } else { Err(io::Error::other("the parent is gone")) }
        };
        // SAFETY: between fork and exec the closure only makes system calls (sched_setaffinity, prctl, getppid) on
        // values it owns; it takes no lock and allocates nothing unless it fails, when the child ends anyway.
        unsafe { command.pre_exec(before_exec) };
        let mut child = command
            .spawn()
            .with_context(|| format!("{} cannot be started: {}", self.name, program.to_string_lossy()))?;
        let stdin = child.stdin.take();
        let lines = lines(child.stdout.take());
        let (tail, tail_reader) = tail(child.stderr.take());
        Ok(Child { name: self.name.to_owned(), child, stdin, lines, tail, tail_reader: Some(tail_reader) })
    }
}

/// A child process; dropped, it is killed and waited for.
#[derive(Debug)]
pub struct Child {
    name: String,
    child: process::Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    tail: Arc<Mutex<VecDeque<String>>>,
    tail_reader: Option<JoinHandle<()>>,
}

/// Why no message came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// The time ran out.
    Timeout,
    /// Standard output was closed.
    Closed,
    /// A line came that is not a message.
    Garbage(String),
}

impl Child {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes one JSON object on a line of its own.
    ///
    /// # Errors
    /// When the child does not read any more.
    pub fn say(&mut self, message: &impl Serialize) -> Result<()> {
        self.write_line(&serde_json::to_string(message)?)
    }

    /// Writes a line to a program that does not speak JSON.
    ///
    /// # Errors
    /// When the child does not read any more.
    pub fn write_line(&mut self, text: &str) -> Result<()> {
        let line = format!("{text}\n").into_bytes();
        let Some(stdin) = &mut self.stdin else { bail!("{} was told to end", self.name) };
        stdin.write_all(&line).and_then(|()| stdin.flush()).with_context(|| format!("{} does not listen", self.name))
    }

    /// The next message on its standard output.
    ///
    /// # Errors
    /// [`Silence`] tells why there is none.
    pub fn hear<T: DeserializeOwned>(&mut self, patience: Duration) -> Result<T, Silence> {
        let line = self.read_line(patience)?;
        serde_json::from_str(&line).map_err(|_| Silence::Garbage(cut(&line)))
    }

    /// The next line of a program that does not speak JSON.
    ///
    /// # Errors
    /// [`Silence`] tells why there is none.
    pub fn read_line(&mut self, patience: Duration) -> Result<String, Silence> {
        self.lines.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Timeout => Silence::Timeout,
            RecvTimeoutError::Disconnected => Silence::Closed,
        })
    }

    /// Closes its standard input, which tells every program of the lab to end.
    pub fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        // It may have ended by itself meanwhile: nothing is left to do then.
        let _ = signal::kill(self.nix_pid(), signal);
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end; `None` if it is still running after `patience`.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Ends it: hangs up, waits for `patience`, kills.
    pub fn end(&mut self, patience: Duration) -> Option<ExitStatus> {
        self.hang_up();
        self.wait(patience).or_else(|| {
            self.kill();
            None
        })
    }

    /// The last lines of its standard error; complete once it has ended.
    pub fn stderr_tail(&mut self) -> Vec<String> {
        if !self.is_running()
            && let Some(reader) = self.tail_reader.take()
        {
            let deadline = Instant::now() + Duration::from_millis(200);
            // A grandchild may hold the pipe open; what was read by then has to do.
            while !reader.is_finished() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(2));
            }
        }
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn kill(&mut self) {
        // The whole group goes, so that the children of a foreign server's launcher go with it.
        let _ = signal::killpg(self.nix_pid(), Signal::SIGKILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn nix_pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Says how a process ended, for people.
#[must_use]
pub fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(number)) => {
            let name = Signal::try_from(number).map_or_else(|_| number.to_string(), |signal| signal.to_string());
            format!("was killed by {name}")
        }
        (None, None) => "ended".to_owned(),
    }
}

fn cpu_set(cpus: &[usize]) -> Result<Option<CpuSet>> {
    if cpus.is_empty() {
        return Ok(None);
    }
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu).with_context(|| format!("there is no CPU {cpu}"))?;
    }
    Ok(Some(set))
}

fn lines(stream: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    if let Some(stream) = stream {
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(io::Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
    }
    receiver
}

fn tail(stream: Option<impl Read + Send + 'static>) -> (Arc<Mutex<VecDeque<String>>>, JoinHandle<()>) {
    let tail = Arc::new(Mutex::new(VecDeque::new()));
    let kept = Arc::clone(&tail);
    let reader = thread::spawn(move || {
        let Some(stream) = stream else { return };
        for line in BufReader::new(stream).split(b'\n').map_while(io::Result::ok) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == TAIL_LINES {
                kept.pop_front();
            }
            kept.push_back(cut(&String::from_utf8_lossy(&line)));
        }
    });
    (tail, reader)
}

fn cut(line: &str) -> String {
    line.chars().take(TAIL_LINE_CHARACTERS).collect()
}
