//! The server as a process: signals, and running out of file descriptors.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::client::{Client, get, until};

/// The example `hello`, which cargo builds beside the tests.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(descriptors_max: u32) -> Self {
        let mut path = PathBuf::from(std::env::current_exe().unwrap().parent().unwrap().parent().unwrap());
        path.push("examples/hello");
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit -n {descriptors_max} && exec \"$0\" 127.0.0.1:0")])
            .arg(path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("the process has ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// CPU time so far, in clock ticks (proc_pid_stat(5), fields 14 and 15).
    fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = stat[stat.rfind(')').unwrap()..].split_whitespace().collect();
        fields[12].parse::<u64>().unwrap() + fields[13].parse::<u64>().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn sigterm_drains_and_ends_with_0() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut process = Process::start(100);
        let mut client = Client::connect(process.address);
        client.send(&get("/"));
        client.read_answer().unwrap();
        process.signal(signal);
        assert_eq!(client.read_to_end(), Ok(Vec::new()));
        assert!(process.wait().success(), "{signal}");
    }
}

#[test]
fn a_second_signal_does_not_wait() {
    let mut process = Process::start(100);
    let mut client = Client::connect(process.address);
    // Half a request keeps the drain waiting. It comes in one piece with a whole one, whose answer shows that it is there.
    client.send(&[get("/"), b"GET / HTTP/1.1\r\n".to_vec()].concat());
    client.read_answer().unwrap();
    process.signal(Signal::SIGTERM);
    until("the process has ended", || {
        process.signal(Signal::SIGTERM);
        process.child.try_wait().unwrap().is_some()
    });
    assert!(!process.wait().success());
}

#[test]
fn running_out_of_descriptors_neither_spins_nor_ends_it() {
    let process = Process::start(30);
    let mut clients: Vec<_> = (0..40).map(|_| Client::connect(process.address)).collect();
    for client in &mut clients {
        client.send(&get("/world"));
    }
    // The first ones have descriptors; once they are answered, the rest has run into the limit.
    let rest = clients.split_off(10);
    for client in &mut clients {
        assert_eq!(client.read_answer().unwrap().body, b"hello, world");
    }
    let before = process.cpu_ticks();
    thread::sleep(Duration::from_millis(500));
    let used = process.cpu_ticks() - before;
    assert!(used <= 10, "{used} ticks of CPU in half a second of waiting");
    drop(clients);
    for mut client in rest {
        assert_eq!(client.read_answer().unwrap().body, b"hello, world");
    }
}
