//! A workspace of small packages in a git repository of its own, and the lab's commands run in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

/// The environment variable by which a command's descendants are found.
const MARK: &str = "ARMATURE_TEST_MARK";

/// What a request of the server costs, by its own word.
#[derive(Clone, Copy)]
pub(crate) struct Costs {
    pub(crate) instructions: u32,
    pub(crate) allocations: u32,
    pub(crate) cpu_ns: u32,
    pub(crate) leaked: u32,
}

pub(crate) struct Workspace {
    folder: tempfile::TempDir,
}

/// Packages, each with its program's text.
const PACKAGES: &[(&str, &str, &str)] = &[
    ("comparisons/hyper", "target-hyper", "fn main() { println!(\"0 0 9000 0\"); }"),
    ("harness/loadgen", "loadgen", "fn main() {}"),
    ("suites/allocation", "suite-allocation", SUITE),
    ("suites/engine", "suite-engine", SUITE),
    ("suites/memory-leak", "suite-memory-leak", SUITE),
];

/// A suite that asks each target what it costs and reports that. While there is a file `hang` in the workspace, it says so in `hangs` and
/// waits for its standard input to close.
const SUITE: &str = r##"
use std::{fs, io::Read, path::Path, process::Command};

fn main() {
    let name = env!("CARGO_PKG_NAME");
    let leak = name == "suite-memory-leak";
    let cases: &[&str] = if leak { &["keep-alive"] } else { &["json", "plaintext-16-deep"] };
    let listed: Vec<String> = cases.iter().map(|case| format!(
        r#"{{"id":"{case}","test":"{case}","title":"","connections":64,"depth":"quick","counted":true}}"#)).collect();
    if std::env::args().nth(1).as_deref() == Some("list") {
        for case in &listed { println!("{case}"); }
        return;
    }
    let mut plan = String::new();
    std::io::stdin().read_line(&mut plan).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if root.join("hang").exists() {
        fs::write(root.join("hangs"), "").unwrap();
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let counts = plan.contains(r#""only":"counts""#);
    let rounds: u32 = plan.split(r#""rounds":"#).nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    println!(r#"{{"event":"planned","cases":[{}],"steps":1,"expected_s":1.0}}"#, listed.join(","));
    for target in plan.split(r#"{"name":""#).skip(1) {
        let (name, rest) = target.split_once('"').unwrap();
        let program = rest.split(r#""command":[""#).nth(1).unwrap().split('"').next().unwrap();
        let output = Command::new(program).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let words: Vec<&str> = told.split_whitespace().collect();
        let cost: Vec<f64> = words[..4].iter().map(|word| word.parse().unwrap()).collect();
        for case in cases {
            let lacks = words.get(4) == Some(case);
            let problem = if lacks { r#""status 404""# } else { "" };
            println!(r#"{{"event":"verified","target":"{name}","test":"{case}","checks":[],"problems":[{problem}]}}"#);
            if lacks { continue; }
            for round in 0..if counts { 2 } else { rounds } {
                let second = (round % 2 == 0) == name.ends_with("@head");
                let cpu = cost[2] / 1000.0;
                let metrics = if leak {
                    format!(r#""leaked_bytes_per_request_low":{}"#, cost[3])
                } else if counts {
                    format!(r#""instructions_per_request":{},"allocations_per_request":{}"#, cost[0], cost[1])
                } else {
                    format!(r#""cpu_us_per_request":{cpu},"requests_per_s":{}"#, 1e6 / cpu)
                };
                println!(r#"{{"event":"sample","target":"{name}","case":"{case}","round":{round},"slot":{},"metrics":{{{metrics}}},"histograms":{{}},"void":{{}}}}"#, u32::from(second));
            }
        }
    }
    println!(r#"{{"event":"finished"}}"#);
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
"##;

const LAB: &str = r#"
[[target]]
name = "armature"
role = "framework"
package = "target-armature"

[[target]]
name = "hyper"
role = "control"
package = "target-hyper"
"#;

/// A build that tells the program when it is, as C compilers do; and that waits while there is a file `build-hang`, and says so in
/// `build-hangs`.
const BUILD: &str = r#"
fn main() {
    let now = || format!("{:?}", std::time::SystemTime::now());
    println!("cargo:rustc-env=BUILT={}", std::env::var("SOURCE_DATE_EPOCH").unwrap_or_else(|_| now()));
    let root = std::path::PathBuf::from(std::env::var("WORKSPACE").unwrap());
    println!("cargo:rerun-if-changed={}", root.join("build-hang").display());
    if root.join("build-hang").exists() {
        std::fs::write(root.join("build-hangs"), "").unwrap();
        std::thread::sleep(std::time::Duration::from_secs(600));
    }
}
"#;

impl Workspace {
    pub(crate) fn new(costs: &Costs) -> Self {
        let workspace = Self { folder: tempfile::tempdir().unwrap() };
        let members: Vec<String> = PACKAGES.iter().map(|(folder, ..)| format!("{folder:?}")).collect();
        workspace.write(
            "Cargo.toml",
            &format!(
                "[workspace]\nresolver = \"3\"\nmembers = [\"comparisons/armature\", {}]\n\
                 [profile.light]\ninherits = \"dev\"\n[profile.lto-fat]\ninherits = \"release\"\n",
                members.join(", ")
            ),
        );
        workspace.write("lab.toml", LAB);
        workspace.write(".gitignore", "/target\n/hang*\n/build-hang*\n/tmp\n");
        workspace.package("comparisons/armature", "target-armature", "");
        workspace.write("comparisons/armature/build.rs", BUILD);
        for (folder, name, program) in PACKAGES {
            workspace.package(folder, name, program);
        }
        workspace.server(costs);
        let lock =
            Command::new("cargo").args(["generate-lockfile", "--offline"]).current_dir(workspace.path()).output();
        assert!(lock.unwrap().status.success());
        workspace.git(&["init", "--quiet", "--initial-branch", "main"]);
        workspace.commit("first");
        fs::create_dir(workspace.path().join("tmp")).unwrap();
        workspace
    }

    fn package(&self, folder: &str, name: &str, program: &str) {
        let manifest = format!(
            "[package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\ncount-allocations = []\n"
        );
        self.write(&format!("{folder}/Cargo.toml"), &manifest);
        self.write(&format!("{folder}/src/main.rs"), program);
    }

    /// Makes the server one that costs so much.
    pub(crate) fn server(&self, costs: &Costs) {
        self.server_without("", costs);
    }

    /// Makes the server one that does not serve a case.
    pub(crate) fn server_without(&self, case: &str, costs: &Costs) {
        let Costs { instructions, allocations, cpu_ns, leaked } = costs;
        let told = format!("{instructions} {allocations} {cpu_ns} {leaked} {case}");
        self.write(
            "comparisons/armature/src/main.rs",
            &format!("#[used]\nstatic BUILT: &str = env!(\"BUILT\");\nfn main() {{ println!({told:?}); }}\n"),
        );
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).unwrap();
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
        let output = Command::new("git").current_dir(self.path()).args(identity).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("CARGO_MANIFEST_DIR").env("CARGO_TARGET_DIR", self.path().join("target"));
        // A lock of its own: other tests compare at the same time, and nothing here is timed.
        command.env("TMPDIR", self.path().join("tmp")).env("NO_COLOR", "1").env("WORKSPACE", self.path());
        command.env(MARK, self.path());
        command
    }

    pub(crate) fn xtask(&self, arguments: &[&str]) -> Ran {
        Ran::new(self.command(arguments).output().unwrap())
    }

    /// Starts a command as a shell does: it and what it starts are a group that Ctrl-C reaches as a whole.
    pub(crate) fn start(&self, arguments: &[&str]) -> Started {
        use std::os::unix::process::CommandExt;
        let mut command = self.command(arguments);
        let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Started(child)
    }

    /// Waits until a file is there.
    pub(crate) fn wait_for(&self, name: &str, patience: Duration) {
        let deadline = Instant::now() + patience;
        while !self.path().join(name).exists() {
            assert!(Instant::now() < deadline, "{name} did not come");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Processes that descend from a command of this workspace.
    pub(crate) fn processes(&self) -> Vec<String> {
        let mark = format!("{MARK}={}", self.path().display());
        let running = || -> Vec<String> {
            let entries = fs::read_dir("/proc").unwrap().flatten();
            entries
                .filter(|entry| {
                    fs::read(entry.path().join("environ")).is_ok_and(|environment| {
                        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
                    })
                })
                .filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok())
                .filter(|command| !command.is_empty())
                .collect()
        };
        // The kernel takes a moment to end what was told to.
        let deadline = Instant::now() + Duration::from_secs(5);
        while !running().is_empty() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        running()
    }
}

/// A command under way.
pub(crate) struct Started(Child);

impl Started {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ctrl-C, and what came of it.
    pub(crate) fn interrupt(self) -> Ran {
        killpg(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGINT).unwrap();
        Ran::new(self.0.wait_with_output().unwrap())
    }
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn new(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The comparison's folder, which the last line names.
    pub(crate) fn folder(&self) -> PathBuf {
        let last = self.stderr.lines().last().unwrap();
        Path::new(last).parent().unwrap().to_path_buf()
    }
}
