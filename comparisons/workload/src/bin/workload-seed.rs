//! `workload-seed --database URL` makes and fills the tables of the contract; the lab runs it before it measures.
//!
//! Leaves the work to `workload::database::seed`.

use std::process::ExitCode;

const HELP: &str = "Makes and fills the tables that the servers under test read.\n\n\
     Usage: workload-seed --database URL\n\n  \
     --database URL  sqlite:FILE (created if need be) or postgres://…\n\n\
     Example:\n  workload-seed --database sqlite:target/world.db";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let url = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--help" | "-h"] => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        ["--database", url] => url,
        _ => {
            eprintln!("workload-seed: expected --database URL; try workload-seed --help");
            return ExitCode::from(2);
        }
    };
    let seeded = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(workload::database::Error::Io)
        .and_then(|runtime| runtime.block_on(workload::database::seed(url)));
    match seeded {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("workload-seed: cannot seed {url}: {error}");
            ExitCode::FAILURE
        }
    }
}
