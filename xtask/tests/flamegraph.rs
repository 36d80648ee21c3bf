//! `cargo xtask flamegraph` on good days and bad ones: through its command line, with a real server and with folded stacks of anybody's.
//!
//! The server is target-armature in a build whose stacks can be walked and that puts a named function on the way of each request when
//! it is told to (`--fault=work:ROUNDS`), so that a profile's answer is known beforehand.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use harness::{
    build::Request,
    profile::{self, Folded},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Two at once would be each other's noise.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The function that the fault puts on the way of each request.
const EXTRA: &str = "target_armature::fault::work";

/// Its rounds in a request: in an unoptimised build several times what a request takes, for the timer of the probe's sampler may tick no
/// more than a hundred times in a second.
const FAULT: &str = "--fault=work:4000";

/// A folder of a test's own, with the command and what it left.
struct Lab {
    folder: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Lab {
    fn new() -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        Self { folder: tempfile::tempdir().unwrap(), _alone: alone }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    /// A program that starts the server with an argument more.
    fn program(&self, name: &str, server: &Path, argument: &str) -> String {
        let path = self.file(name, &format!("#!/bin/sh\nexec '{}' {argument} \"$@\"\n", server.display()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(["flamegraph", "--profile", "light", "--out"]).arg(self.path("out")).args(arguments);
        // The lock is the machine's, by its temporary files; another lab may hold it.
        command.env("TMPDIR", self.folder.path()).env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    fn drawn(&self, name: &str) -> String {
        fs::read_to_string(self.path("out").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Whether anything was drawn.
    fn has_picture(&self) -> bool {
        fs::read_dir(self.path("out")).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.path().extension().is_some_and(|end| end == "svg"))
        })
    }
}

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    #[track_caller]
    fn expect(&self, code: i32, stderr_pieces: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        for piece in stderr_pieces {
            assert!(self.stderr.contains(piece), "no {piece:?} in:\n{}", self.stderr);
        }
        self
    }

    /// The cells of the table's rows.
    fn rows(&self) -> Vec<Vec<String>> {
        let lines = self.stdout.lines().filter(|line| line.starts_with("| "));
        lines
            .skip(1)
            .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
            .collect()
    }

    /// Functions and what has become of them, as far as something has.
    fn changed(&self) -> Vec<(String, String)> {
        let rows = self.rows().into_iter().filter(|row| !row[1].is_empty());
        rows.map(|row| (row[0].clone(), row[1].clone())).collect()
    }
}

/// The server whose stacks can be walked, built once.
fn server() -> &'static Path {
    static SERVER: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let build = || {
        let request = Request { features: &["faults"], stacks: true, ..Request::new("target-armature", "light") };
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("server");
        fs::copy(request.build().unwrap(), &copy).unwrap();
        (folder, copy)
    };
    &SERVER.get_or_init(build).1
}

fn has_perf() -> bool {
    profile::event().is_ok()
}

#[test]
fn folded_stacks_of_any_tool_are_drawn_and_no_name_becomes_markup() {
    let lab = Lab::new();
    let hostile = format!("main;<script src='x\"';{} 30\nmain;a|b 12\n", "x".repeat(10_000));
    let file = lab.file("theirs.folded", &hostile);
    lab.run(&[&file]).expect(0, &["cpu.svg"]);
    let svg = lab.drawn("cpu.svg");
    assert!(svg.contains("&lt;script src=") && !svg.contains("<script src="), "{svg}");
    assert!(lab.drawn("cpu.md").contains("a\\|b"), "{}", lab.drawn("cpu.md"));
    assert!(fs::read(lab.path("out/cpu.png")).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(profile::read_file(&lab.path("out/cpu.folded")).unwrap().total(), 42);
}

#[test]
fn what_shows_nothing_is_an_error_and_never_a_picture() {
    for (text, piece) in [
        ("", "is empty"),
        ("main;[unknown] 10\n", "have no name"),
        ("<html>\n", "is no folded stack"),
        ("main;f 0\n", "is empty"),
    ] {
        let lab = Lab::new();
        let file = lab.file("x.folded", text);
        lab.run(&[&file]).expect(3, &[piece]);
        assert!(!lab.has_picture(), "{text:?}");
    }
    let lab = Lab::new();
    lab.run(&["no-such-thing"]).expect(3, &["`no-such-thing` is no commit of this repository"]);
    lab.run(&["--case", "jsno"]).expect(2, &["jsno", "json"]);
}

#[test]
fn two_files_differ_by_what_their_figures_say() {
    let lab = Lab::new();
    let base = lab.file("base.folded", "main;a 4000\nmain;old 900\n");
    let head = lab.file("head.folded", "main;a 4000\nmain;a;new 1500\n");
    let ran = lab.run(&[&head, "--diff", &base]);
    ran.expect(0, &["cpu-diff.svg"]);
    let expected = [("new", "new"), ("old", "gone")].map(|(name, verdict)| (name.to_owned(), verdict.to_owned()));
    assert_eq!(ran.changed(), expected, "{}", ran.stdout);
    for panel in ["only in base (gone): base.folded", "only in head (new): head.folded"] {
        assert!(lab.drawn("cpu-diff.svg").contains(panel), "no panel {panel}");
    }
    assert_eq!(lab.run(&[&base, "--diff", &base]).expect(0, &[]).changed(), []);
}

#[test]
fn a_user_s_rules_are_applied_when_it_is_drawn() {
    let lab = Lab::new();
    let file = lab.file("x.folded", "main;noise;work::one 3\nmain;work::two 4\n");
    let rules = lab.file("own.toml", "hide = ['noise']\n[[rule]]\nfrom = '^work::.*'\nto = 'all the work'\n");
    let ran = lab.run(&[&file, "--rules", &rules]);
    assert_eq!(ran.expect(0, &[]).rows()[0][0], "all the work");
    let wrong = lab.file("wrong.toml", "hide = ['(']\n");
    lab.run(&[&file, "--rules", &wrong]).expect(3, &["wrong.toml", "no regular expression"]);
}

/// The extra function is seen where it is, is gone where it was, and totals are what a request costs; by each sampler there is.
#[test]
fn an_extra_function_leads_in_red_and_the_reverse_is_in_the_panel_of_what_is_gone() {
    let samplers: &[&str] = if has_perf() { &["perf", "probe"] } else { &["probe"] };
    for sampler in samplers {
        let lab = Lab::new();
        let base = server().display().to_string();
        let head = lab.program("head", server(), FAULT);
        let options = ["--sampler", sampler, "--profiles", "4", "--duration", "0.6"];
        let ran = lab.run(&[&[head.as_str(), "--diff", &base], &options[..]].concat());
        let first = ran.expect(0, &[]).changed().first().cloned();
        assert_eq!(first, Some((EXTRA.to_owned(), "new".to_owned())), "{sampler}: {}", ran.stdout);
        // In the picture it is red, and so far from grey that no shade makes up for it.
        let svg = lab.drawn("cpu-diff.svg");
        let red = svg.split("<g>").find(|group| group.contains(&format!("<title>{EXTRA} ("))).unwrap().to_owned();
        let fill: Vec<u8> = red
            .split("rgb(")
            .nth(1)
            .unwrap()
            .split(')')
            .next()
            .unwrap()
            .split(',')
            .map(|part| part.trim().parse().unwrap())
            .collect();
        assert!(fill[0] > 200 && fill[1] < 110 && fill[2] < 110, "{fill:?}");
        totals_are_what_a_request_costs(&lab, sampler);

        let [base, head] =
            ["cpu-base.folded", "cpu-head.folded"].map(|name| lab.path("out").join(name).display().to_string());
        let reversed = lab.run(&[&base, "--diff", &head]);
        assert!(
            reversed.expect(0, &[]).changed().contains(&(EXTRA.to_owned(), "gone".to_owned())),
            "{}",
            reversed.stdout
        );
        let stacks = lab.drawn("cpu-diff.svg");
        assert!(stacks.contains("only in base (gone)"), "the panel is there");
    }
}

/// By every profile that was taken. Its own total is what the kernel has counted in the same window, and both are near to what a request
/// cost before it was sampled: as far away as it says.
fn totals_are_what_a_request_costs(lab: &Lab, sampler: &str) {
    let profiles: Vec<Folded> = profile::read(&lab.path("out/profiles"), "ns").unwrap();
    assert_eq!(profiles.len(), 8, "{sampler}");
    for profile in &profiles {
        let header = &profile.header;
        let total_us = profile.per_request(profile.total()) / 1e3;
        let (sampled, before) = (header.cpu_us_per_request_sampled.unwrap(), header.cpu_us_per_request_before.unwrap());
        assert!(
            (total_us / sampled - 1.0).abs() < 0.15,
            "{sampler}: {total_us} µs by samples, {sampled} by the kernel"
        );
        let stated = header.overhead().unwrap();
        assert!(
            (total_us / before - 1.0 - stated).abs() < 0.2,
            "{sampler}: {total_us} µs, {before} before, {stated} stated"
        );
        assert!(header.requests > 0 && header.samples > 0 && header.binary.len() == 64, "{header:?}");
    }
}

#[test]
fn one_program_on_both_sides_is_grey() {
    let lab = Lab::new();
    let server = server().display().to_string();
    let ran = lab.run(&[&server, "--diff", &server, "--profiles", "4", "--duration", "0.5"]);
    assert_eq!(ran.expect(0, &[]).changed(), [], "{}", ran.stdout);
}

#[test]
fn where_perf_is_forbidden_or_missing_the_probe_samples_and_that_is_said() {
    let lab = Lab::new();
    let server = server().display().to_string();
    let path = std::env::var_os("PATH").unwrap();
    let forbidden = lab.path("forbidden");
    fs::create_dir(&forbidden).unwrap();
    let perf = lab.program(
        "forbidden/perf",
        Path::new("/bin/sh"),
        "-c 'echo No permission to enable cpu-clock event. >&2; exit 255'",
    );
    assert!(Path::new(&perf).is_file());
    let first = std::env::join_paths([forbidden].into_iter().chain(std::env::split_paths(&path))).unwrap();
    // All programs there are, but for perf.
    let without = lab.path("without");
    fs::create_dir(&without).unwrap();
    for program in std::env::split_paths(&path).filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
        if program.file_name() != "perf" {
            // The first of a name is the one that is found.
            let _ = std::os::unix::fs::symlink(program.path(), without.join(program.file_name()));
        }
    }
    for (path, piece) in
        [(first, "perf may not run here (No permission"), (without.into_os_string(), "there is no perf")]
    {
        let output = lab.command(&[&server, "--duration", "0.3"]).env("PATH", &path).output().unwrap();
        let ran = Ran::of(output);
        ran.expect(0, &[piece, "The probe samples from within the process"]);
        assert!(ran.stdout.contains("samples of ITIMER_PROF"), "{}", ran.stdout);
        let asked = lab.command(&[&server, "--sampler", "perf"]).env("PATH", &path).output().unwrap();
        Ran::of(asked).expect(3, &["perf was asked for"]);
    }
}

#[test]
fn a_server_that_shows_no_names_no_frames_or_dies_has_no_picture() {
    let lab = Lab::new();
    let stripped = lab.path("stripped");
    assert!(Command::new("strip").arg("-o").args([&stripped, server()]).status().unwrap().success());
    // Of another build than the one above: without frame pointers.
    let unwalkable = lab.path("unwalkable");
    let plain = Request { features: &["faults"], ..Request::new("target-armature", "light") };
    fs::copy(plain.build().unwrap(), &unwalkable).unwrap();
    let dying = PathBuf::from(lab.program("dying", server(), "--fault=abort:500"));
    for (program, piece) in [
        (&stripped, "stripped"),
        (&unwalkable, "was the program built without frame pointers"),
        (&dying, "was killed by SIGABRT while it was measured"),
    ] {
        let program = program.display().to_string();
        lab.run(&[&program, "--sampler", "probe", "--duration", "0.3"]).expect(3, &[piece]);
        assert!(!lab.has_picture(), "{program}");
    }
}

#[test]
fn who_allocates_is_told_in_bytes_and_blocks() {
    let lab = Lab::new();
    let request = Request {
        features: &["faults", "count-allocations"],
        stacks: true,
        ..Request::new("target-armature", "light")
    };
    let copy = lab.path("server");
    fs::copy(request.build().unwrap(), &copy).unwrap();
    let base = copy.display().to_string();
    let head = lab.program("head", &copy, "--fault=allocation");
    let ran = lab.run(&[&head, "--diff", &base, "--kind", "alloc"]);
    ran.expect(0, &["alloc-bytes-diff.svg", "alloc-blocks-diff.svg"]);
    // One block of 32 bytes more in each request.
    let changes: Vec<String> =
        ran.rows().iter().filter(|row| row[0].contains("fault::happen")).map(|row| row[4].clone()).collect();
    assert_eq!(changes, ["+32.0", "+1.00"], "{}", ran.stdout);
}

#[test]
fn instructions_are_counted_by_the_calls_that_lead_to_them() {
    let has_valgrind = harness::build::find_program("valgrind").is_some();
    assert!(has_valgrind || std::env::var_os("CI").is_none(), "CI has valgrind");
    if !has_valgrind {
        return;
    }
    let lab = Lab::new();
    let head = lab.program("head", server(), FAULT);
    let ran = lab.run(&[&head, "--kind", "instructions"]);
    let rows = ran.expect(0, &["instructions.svg"]).rows();
    let extra: Vec<f64> = rows.iter().filter(|row| row[0] == EXTRA).map(|row| row[2].parse().unwrap()).collect();
    // Several instructions a round, in 4,000 rounds.
    assert!(extra.first().is_some_and(|count| *count > 8_000.0), "{}", ran.stdout);
    assert!(lab.drawn("instructions.folded").contains(&format!("::happen;{EXTRA}")));
}

#[test]
fn a_full_disk_is_told_and_leaves_no_part_of_a_picture() {
    let lab = Lab::new();
    let text: String = (0..2_000).map(|number| format!("main;a_function_of_its_own_{number} 9\n")).collect();
    let file = lab.file("x.folded", &text);
    let plain = lab.command(&[&file]);
    // A limit on the size of files makes write(2) fail as a full disk does.
    let mut limited = Command::new("bash");
    limited
        .args(["-c", "ulimit -f 12; trap '' XFSZ; exec \"$@\"", "bash"])
        .arg(plain.get_program())
        .args(plain.get_args());
    let output = limited.env("TMPDIR", lab.folder.path()).output().unwrap();
    Ran::of(output).expect(3, &["cannot be written; is the disk full"]);
    assert_eq!(fs::read_dir(lab.path("out")).unwrap().count(), 0, "nothing is left");
}

#[test]
fn ctrl_c_ends_it_at_once_without_a_picture() {
    let lab = Lab::new();
    let server = server().display().to_string();
    let mut command = lab.command(&[&server, "--duration", "600"]);
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(300);
    while !lab.path("out/run.json").is_file() {
        assert!(Instant::now() < deadline, "it does not begin");
        thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    Ran::of(child.wait_with_output().unwrap()).expect(130, &["Interrupted. What was profiled is in"]);
    assert!(!lab.has_picture());
}

#[test]
fn a_base_that_does_not_build_is_named() {
    let lab = Lab::new();
    let root = lab.path("workspace");
    let package = |folder: &str, name: &str, main: &str| {
        let folder = root.join(folder);
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::write(
            folder.join("Cargo.toml"),
            format!("[package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
        )
        .unwrap();
        fs::write(folder.join("src/main.rs"), main).unwrap();
    };
    let case = r#"{"id":"json","test":"json","title":"","connections":64,"depth":"quick"}"#;
    package("suites/engine", "suite-engine", &format!("fn main() {{ println!(\"{{}}\", {case:?}); }}"));
    package("comparisons/armature", "target-armature", "fn main() { nonsense }");
    let members = "members = [\"suites/engine\", \"comparisons/armature\"]";
    fs::write(
        root.join("Cargo.toml"),
        format!("[workspace]\nresolver = \"3\"\n{members}\n[profile.light]\ninherits = \"dev\"\n"),
    )
    .unwrap();
    fs::write(
        root.join("lab.toml"),
        "[[target]]\nname = \"armature\"\nrole = \"framework\"\npackage = \"target-armature\"\n",
    )
    .unwrap();
    fs::write(root.join(".gitignore"), "/target\n").unwrap();
    fs::create_dir(root.join("flamegraphs")).unwrap();
    for name in ["rules.toml", "roles.toml"] {
        fs::copy(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../flamegraphs").join(name),
            root.join("flamegraphs").join(name),
        )
        .unwrap();
    }
    let within = |command: &mut Command| {
        let command =
            command.current_dir(&root).env_remove("CARGO_MANIFEST_DIR").env("CARGO_TARGET_DIR", root.join("target"));
        Ran::of(command.output().unwrap())
    };
    within(Command::new("cargo").args(["generate-lockfile", "--offline"])).expect(0, &[]);
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "--all"],
        &["-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "--quiet", "-m", "broken"],
    ] {
        within(Command::new("git").args(arguments)).expect(0, &[]);
    }
    fs::write(root.join("comparisons/armature/src/main.rs"), "fn main() {}").unwrap();
    let ran = within(&mut lab.command(&["--diff", "HEAD"]));
    ran.expect(3, &["the base (HEAD (", "does not build"]);
    assert!(!lab.has_picture());
}
