//! The project's command line, `cargo xtask …`: one file a command, each thin over the library that does the work.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod bless;
mod check;
mod compare;
mod completions;
mod doctor;
mod flamegraph;
mod fuzz;
mod gate;
mod history;
mod ledger;
mod output;
mod prove_gate;
mod report;
mod test;

/// Measure Armature, axum and actix on equal terms, and keep the project in order.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "Examples:\n  cargo xtask bench --quick        a first result, about a minute after the build\n  cargo xtask test --fast          the quick tests\n  cargo xtask doctor               is this machine fit to measure?"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(bench::Bench),
    Bless(bless::Bless),
    Check(check::Check),
    Compare(compare::Compare),
    Completions(completions::Completions),
    Doctor(doctor::Doctor),
    Flamegraph(flamegraph::Flamegraph),
    Fuzz(fuzz::Fuzz),
    Gate(gate::Gate),
    History(history::History),
    Ledger(ledger::Ledger),
    ProveGate(prove_gate::ProveGate),
    Report(report::Report),
    Test(test::Test),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Bench(command) => command.run(),
        Command::Bless(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Compare(command) => command.run(),
        Command::Completions(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Flamegraph(command) => command.run(),
        Command::Fuzz(command) => command.run(),
        Command::Gate(command) => command.run(),
        Command::History(command) => command.run(),
        Command::Ledger(command) => command.run(),
        Command::ProveGate(command) => command.run(),
        Command::Report(command) => command.run(),
        Command::Test(command) => command.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            // As clap does for what it does not know.
            ExitCode::from(if error.is::<harness::name::Unknown>() { 2 } else { 3 })
        }
    }
}

/// The command that this process was given, to be repeated.
fn command_line() -> String {
    format!("cargo xtask {}", std::env::args().skip(1).collect::<Vec<_>>().join(" "))
}
