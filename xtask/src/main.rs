//! The project's command line, `cargo xtask …`: one file a command, each thin over the library that does the work.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;

/// Measure Armature, axum and actix on equal terms, and keep the project in order.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "Examples:\n  cargo xtask bench --quick        a first result, about a minute after the build"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Bench(command) => command.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(3)
        }
    }
}
