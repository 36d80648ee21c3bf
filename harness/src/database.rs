//! Provides the database that a plan asks for: an SQLite file, a private PostgreSQL cluster, or a server that is there.
//!
//! The tables are made by `workload-seed`, the same code that the servers use; the driver that the lab links is for `history`.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::Signal,
    unistd::{Gid, Uid, User},
};
use probe::suite::Database;

use crate::process::{Child, Start, describe};

/// How a PostgreSQL server is had on the systems that people use most.
pub const POSTGRES_CURE: &str = "install it (`apt-get install postgresql`, `dnf install postgresql-server`, `brew install postgresql`), name the folder of its \
     binaries in ARMATURE_POSTGRES_BIN, or use `--database postgres://…` or the default, SQLite";

/// What counts statements in PostgreSQL.
const STATEMENTS_EXTENSION: &str = "pg_stat_statements";

/// Connections that a private cluster allows in any case: the pools of 60 workers, and a few for the lab.
const CONNECTIONS_MIN: u32 = 512;

/// How long a private cluster may take until it answers.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// What a run needs of its database besides the tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct Demand {
    /// Whether the statements that it runs are to be counted.
    pub counted: bool,
    /// Connections that the servers will open at once.
    pub connections: u32,
}

/// A database with the World and Fortune tables; a private one is stopped when this is dropped.
#[derive(Debug)]
pub struct Provided {
    /// What the servers are told.
    pub url: String,
    /// What the report says about it.
    pub description: String,
    cluster: Option<Cluster>,
}

/// Provides `database` below `folder`, with its tables filled by the program `seeder`.
///
/// # Errors
/// When PostgreSQL is not installed, does not start, or the tables cannot be made.
pub fn provide(database: &Database, folder: &Path, cpus: &[usize], seeder: &Path, demand: Demand) -> Result<Provided> {
    let provided = match database {
        Database::Sqlite => Provided {
            url: format!("sqlite:{}", folder.join("techempower.sqlite").display()),
            description: "SQLite, WAL, a file in the run's scratch folder".to_owned(),
            cluster: None,
        },
        Database::PostgresUrl { url } => Provided {
            url: url.clone(),
            description: "a PostgreSQL server that was there already".to_owned(),
            cluster: None,
        },
        Database::PrivatePostgres => {
            let cluster = Cluster::start(&folder.join("postgres"), cpus, demand)?;
            if cluster.counts {
                run_seeder(seeder, &["--count-statements", "--database", &cluster.url()])
                    .context("PostgreSQL has loaded pg_stat_statements and does not show it")?;
            }
            let version = &cluster.version;
            let counts = if cluster.counts { ", and pg_stat_statements loaded" } else { "" };
            Provided {
                url: cluster.url(),
                description: format!("{version}, a private cluster with synchronous_commit and fsync off{counts}"),
                cluster: Some(cluster),
            }
        }
    };
    run_seeder(seeder, &["--database", &provided.url]).context("the database's tables cannot be made")?;
    Ok(provided)
}

impl Provided {
    /// Stops a private cluster and waits for its end.
    pub fn stop(mut self) {
        if let Some(cluster) = self.cluster.take() {
            cluster.stop();
        }
    }
}

/// Reads the World table as it stands: random number by id. A second process looks, not the server that is checked.
///
/// # Errors
/// When the table cannot be read.
pub fn dump_world(seeder: &Path, url: &str) -> Result<BTreeMap<u32, u32>> {
    let text = run_seeder(seeder, &["--dump", "--database", url])?;
    text.lines()
        .map(|line| {
            let (id, number) = line.split_once(' ').with_context(|| format!("not a row of World: {line:?}"))?;
            Ok((id.parse()?, number.parse()?))
        })
        .collect()
}

pub(crate) fn run_seeder(seeder: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(seeder)
        .args(arguments)
        .output()
        .with_context(|| format!("{} cannot be started", seeder.display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    bail!("{} ({})", String::from_utf8_lossy(&output.stderr).trim(), describe(output.status))
}

/// A PostgreSQL server of our own; it ends when this is dropped.
#[derive(Debug)]
pub struct Cluster {
    server: Child,
    port: u16,
    version: String,
    /// Whether it counts the statements that it runs.
    counts: bool,
}

impl Cluster {
    /// Makes a cluster in `folder` and starts it on a port that the system chooses.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, or does not start.
    pub fn start(folder: &Path, cpus: &[usize], demand: Demand) -> Result<Self> {
        let binaries = postgres_binaries().with_context(|| {
            format!("no PostgreSQL server binaries in PATH or /usr/lib/postgresql; {POSTGRES_CURE}")
        })?;
        let user = unprivileged()?;
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        if let Some((uid, gid)) = user {
            chown(folder, Some(uid.as_raw()), Some(gid.as_raw()))
                .with_context(|| format!("{} cannot be handed over", folder.display()))?;
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        let data = folder.join("data");
        initialise(&binaries, &data, user)?;
        let begin = |counts: bool| {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            let arguments = server_arguments(&data, folder, port, Demand { counted: counts, ..demand });
            let mut start = Start::new("postgres", &binaries.join("postgres")).arguments(arguments);
            // SIGQUIT: the server takes its backends with it, should the lab vanish.
            (start.cpus, start.user, start.orphan_signal) = (cpus, user, Signal::SIGQUIT);
            let mut cluster = Self { server: start.spawn()?, port, version: version(&binaries), counts };
            cluster.wait_until_ready(&binaries).map(|()| cluster)
        };
        match begin(demand.counted) {
            // Some systems keep the extension in a package of its own, and a server that lacks it does not start.
            Err(error) if demand.counted && error.to_string().contains(STATEMENTS_EXTENSION) => begin(false),
            started => started,
        }
    }

    fn wait_until_ready(&mut self, binaries: &Path) -> Result<()> {
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            let answer = Command::new(binaries.join("pg_isready"))
                .args(["--quiet", "--host", "127.0.0.1", "--port", &self.port.to_string()])
                .status()
                .context("pg_isready cannot be started")?;
            if answer.success() {
                return Ok(());
            }
            if let Some(status) = self.server.wait(Duration::from_millis(20)) {
                bail!("PostgreSQL {} at its start: {}", describe(status), self.server.stderr_tail().join(" / "));
            }
            if Instant::now() > deadline {
                bail!(
                    "PostgreSQL does not answer after {} s: {}",
                    START_PATIENCE.as_secs(),
                    self.server.stderr_tail().join(" / ")
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What a client is told.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://armature@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    fn stop(mut self) {
        // SIGINT is PostgreSQL's fast shutdown: clients are disconnected, the data is left whole.
        self.server.signal(Signal::SIGINT);
        if self.server.wait(Duration::from_secs(5)).is_none() {
            self.server.signal(Signal::SIGQUIT);
            self.server.wait(Duration::from_secs(2));
        }
    }
}

fn initialise(binaries: &Path, data: &Path, user: Option<(Uid, Gid)>) -> Result<()> {
    let mut arguments: Vec<OsString> =
        ["--auth=trust", "--username=armature", "--no-sync", "--encoding=UTF8"].map(OsString::from).to_vec();
    arguments.extend(["--locale=C".into(), "--pgdata".into(), data.as_os_str().to_owned()]);
    let mut start = Start::new("initdb", &binaries.join("initdb")).arguments(arguments);
    start.user = user;
    let mut child = start.spawn()?;
    match child.wait(START_PATIENCE) {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("initdb {}: {}", describe(status), child.stderr_tail().join(" / ")),
        None => bail!("initdb did not end in {} s", START_PATIENCE.as_secs()),
    }
}

/// The server's command line. The settings are those of a machine whose disk is not what is measured.
fn server_arguments(data: &Path, sockets: &Path, port: u16, demand: Demand) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["-D".into(), data.as_os_str().to_owned()];
    for setting in [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("unix_socket_directories={}", sockets.display()),
        format!("max_connections={}", demand.connections.max(CONNECTIONS_MIN)),
        format!("shared_preload_libraries={}", if demand.counted { STATEMENTS_EXTENSION } else { "" }),
        "shared_buffers=128MB".to_owned(),
        "fsync=off".to_owned(),
        "synchronous_commit=off".to_owned(),
        "full_page_writes=off".to_owned(),
    ] {
        arguments.extend(["-c".into(), setting.into()]);
    }
    arguments
}

/// The environment variable that names the folder of the PostgreSQL server binaries to use.
pub const POSTGRES_FOLDER: &str = "ARMATURE_POSTGRES_BIN";

/// The folder with `postgres` and `initdb`: the one that [`POSTGRES_FOLDER`] names, otherwise from PATH, otherwise the
/// newest below /usr/lib/postgresql.
#[must_use]
pub fn postgres_binaries() -> Option<PathBuf> {
    let complete =
        |folder: &PathBuf| ["postgres", "initdb", "pg_isready"].iter().all(|program| folder.join(program).is_file());
    if let Some(folder) = env::var_os(POSTGRES_FOLDER) {
        return Some(PathBuf::from(folder)).filter(complete);
    }
    let from_path = env::var_os("PATH").and_then(|path| env::split_paths(&path).find(complete));
    from_path.or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
        let mut found: Vec<(u32, PathBuf)> = versions
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .filter(|(_, folder)| complete(folder))
            .collect();
        found.sort();
        found.pop().map(|(_, folder)| folder)
    })
}

/// PostgreSQL refuses to run as root: the user to run it as then, `None` where that is not needed.
fn unprivileged() -> Result<Option<(Uid, Gid)>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name).ok().flatten() {
            return Ok(Some((user.uid, user.gid)));
        }
    }
    bail!("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`; {POSTGRES_CURE}")
}

fn version(binaries: &Path) -> String {
    Command::new(binaries.join("postgres"))
        .arg("--version")
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}
