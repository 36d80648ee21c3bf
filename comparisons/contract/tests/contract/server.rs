//! A running server under test with the lab's end of its control channel; gone with the value.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use probe::{Ready, Reply};
use tempfile::TempDir;

use crate::{
    client::{Client, PATIENCE},
    target::{Target, seeder},
};

pub(crate) struct Server {
    child: Child,
    commands: Option<ChildStdin>,
    replies: Receiver<String>,
    pub(crate) ready: Ready,
}

impl Server {
    /// One worker, no database.
    pub(crate) fn start(target: &Target) -> Self {
        Self::start_with(target, &["--workers", "1"])
    }

    pub(crate) fn start_with(target: &Target, arguments: &[&str]) -> Self {
        let mut child = Command::new(&target.built().program)
            .args(["--listen", "127.0.0.1:0", "--control"])
            .args(target.arguments)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the target starts");
        let commands = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (lines, replies) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
        let first = replies.recv_timeout(PATIENCE).expect("a ready line");
        let Ok(Reply::Ready(ready)) = serde_json::from_str(&first) else {
            panic!("{}: not a ready line: {first}", target.name);
        };
        Self { child, commands, replies, ready }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.ready.address
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.ready.address)
    }

    /// Writes a line to the control channel and gives the reply.
    pub(crate) fn command(&mut self, line: &str) -> Reply {
        let commands = self.commands.as_mut().expect("open");
        commands.write_all(format!("{line}\n").as_bytes()).expect("the target reads");
        let reply = self.replies.recv_timeout(PATIENCE).expect("a reply");
        serde_json::from_str(&reply).unwrap_or_else(|error| panic!("not a reply: {error}: {reply}"))
    }

    pub(crate) fn close_stdin(&mut self) {
        self.commands = None;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("the target runs");
    }

    /// Waits for the process's end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the target does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A freshly seeded SQLite database in a folder of its own.
pub(crate) struct Seeded(TempDir);

impl Seeded {
    pub(crate) fn new() -> Self {
        let seeded = Self(tempfile::tempdir().unwrap());
        let status = Command::new(seeder()).args(["--database", &seeded.url()]).status().unwrap();
        assert!(status.success());
        seeded
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite:{}", self.0.path().join("world.db").display())
    }

    /// The table `world`, read behind the server's back: numbers by id.
    pub(crate) fn dump(&self) -> BTreeMap<u64, u64> {
        let output = Command::new(seeder()).args(["--dump", "--database", &self.url()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let row = |line: &str| {
            let (id, number) = line.split_once(' ').unwrap();
            (id.parse().unwrap(), number.parse().unwrap())
        };
        text.lines().map(row).collect()
    }

    pub(crate) fn serve(&self, target: &Target) -> Server {
        Server::start_with(target, &["--workers", "1", "--database", &self.url()])
    }
}

/// What a process said that ended by itself.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a target that is expected to end by itself, with standard input closed.
pub(crate) fn run(target: &Target, arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let mut child = Command::new(&target.built().program)
        .args(target.arguments)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(fs::File::create(&out).unwrap())
        .stderr(fs::File::create(&err).unwrap())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let ended = Ended {
        code: status.and_then(|status| status.code()),
        stdout: fs::read_to_string(&out).unwrap(),
        stderr: fs::read_to_string(&err).unwrap(),
    };
    assert!(status.is_some(), "{} {arguments:?} does not end: {}", target.name, ended.stderr);
    ended
}
