//! The example of TLS as a program: it serves both versions, and reads its certificate again when it is told to.

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    certificate::{Files, make, trust},
    client::{ask1, ask2, connect, http2_over, run},
};

/// A program that is killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_example_speaks_both_versions_and_exchanges_its_certificate() {
    let (old, new) = (make(), make());
    let files = Files::new(&old.certificate, &old.key);
    // Cargo builds the examples before it runs tests, and puts them beside the tests' own folder.
    let program = env::current_exe().unwrap().parent().and_then(Path::parent).unwrap().join("examples/tls");
    let child = Command::new(program)
        .args(["127.0.0.1:0".as_ref(), files.certificate().as_os_str(), files.key().as_os_str()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(child.id() as i32);
    let mut example = Running(child);
    let mut line = String::new();
    BufReader::new(example.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().parse().unwrap();
    let mut told = BufReader::new(example.0.stderr.take().unwrap());
    run(async {
        let mut sender = http2_over(connect(address, trust(&old, &["h2"])).await.unwrap()).await;
        assert_eq!(ask2(&mut sender, "GET", "/", b"").await.text(), "Http2, encrypted: true");
        files.write(&new.certificate, &new.key);
        kill(pid, Signal::SIGHUP).unwrap();
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        assert_eq!(line, "the certificate was exchanged\n");
        let stream = connect(address, trust(&new, &[])).await.unwrap();
        assert_eq!(ask1(stream, "GET", "/", b"").await.text(), "Http11, encrypted: true");
    });
    kill(pid, Signal::SIGTERM).unwrap();
    assert!(example.0.wait().unwrap().success());
}
