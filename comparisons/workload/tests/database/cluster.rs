//! A private PostgreSQL server for one test, reached through a socket in its own folder and gone with the value.

use std::{
    env, fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User},
};
use tempfile::TempDir;

/// How long the server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Cluster {
    server: Child,
    folder: TempDir,
}

impl Cluster {
    /// Starts a server; `None`, after saying so, where PostgreSQL is not installed. On CI that is a failure.
    pub(crate) fn start_or_skip() -> Option<Self> {
        let Some(binaries) = binaries() else {
            let problem = "no PostgreSQL server binaries in PATH or /usr/lib/postgresql; apt-get install postgresql";
            assert!(env::var_os("CI").is_none_or(|value| value != "true"), "{problem}");
            eprintln!("skipped: {problem}");
            return None;
        };
        Some(Self::start(&binaries))
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://armature@localhost/postgres?host={}", self.folder.path().display())
    }

    fn start(binaries: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let initialised = command(&binaries.join("initdb"), folder.path())
            .args(["--auth=trust", "--username=armature", "--no-sync", "--encoding=UTF8", "--locale=C", "--pgdata"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(initialised.status.success(), "{}", String::from_utf8_lossy(&initialised.stderr));
        let log = folder.path().join("log");
        let server = command(&binaries.join("postgres"), folder.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c"])
            .arg(format!("unix_socket_directories={}", folder.path().display()))
            .arg("-D")
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut cluster = Self { server, folder };
        cluster.wait_until_it_answers(binaries, &log);
        cluster
    }

    fn wait_until_it_answers(&mut self, binaries: &Path, log: &Path) {
        let deadline = Instant::now() + PATIENCE;
        let answers = || {
            let mut asked = Command::new(binaries.join("pg_isready"));
            asked.arg("--quiet").arg("--host").arg(self.folder.path());
            asked.status().unwrap().success()
        };
        while !answers() {
            let said = || fs::read_to_string(log).unwrap_or_default();
            let ended = self.server.try_wait().unwrap();
            assert!(ended.is_none(), "PostgreSQL ended at its start: {}", said());
            assert!(Instant::now() < deadline, "PostgreSQL does not answer: {}", said());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT is the fast shutdown: clients are disconnected and the server's children end with it.
        let _ = kill(Pid::from_raw(self.server.id().cast_signed()), Signal::SIGINT);
        let _ = self.server.wait();
    }
}

/// `program`, working in `folder`; as root it runs as an unprivileged user, since PostgreSQL refuses root.
fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    if Uid::effective().is_root() {
        let user = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).unwrap());
        let user = user.expect("a user to run PostgreSQL as");
        chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

fn binaries() -> Option<PathBuf> {
    let complete =
        |folder: &PathBuf| ["initdb", "postgres", "pg_isready"].iter().all(|name| folder.join(name).is_file());
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    env::split_paths(&path).chain(installed.map(|version| version.path().join("bin"))).find(complete)
}
