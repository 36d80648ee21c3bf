//! `workload-seed --database URL` makes and fills the tables of the contract; the lab runs it before it measures, and
//! again to read the World table, or what the database has seen, behind a server's back.
//!
//! Leaves the work to `workload::database`.

use std::process::ExitCode;

use tokio::runtime::Builder;
use workload::database::{self, Database};

const HELP: &str = "Makes and fills the tables that the servers under test read.\n\n\
     Usage: workload-seed [--dump | --count-statements | --seen] --database URL\n\n  \
     --database URL      sqlite:FILE (created if need be) or postgres://…\n  \
     --dump              change nothing; print id and random number of each row of World\n  \
     --count-statements  make the extension pg_stat_statements, which PostgreSQL must have loaded at its start\n  \
     --seen              change nothing; print how many connections PostgreSQL has and statements it has run\n\n\
     Example:\n  workload-seed --database sqlite:target/world.db";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (what, url) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--help" | "-h"] => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        ["--database", url] => ("", url),
        [what @ ("--dump" | "--count-statements" | "--seen"), "--database", url]
        | ["--database", url, what @ ("--dump" | "--count-statements" | "--seen")] => (what, url),
        _ => {
            eprintln!("workload-seed: expected --database URL; try workload-seed --help");
            return ExitCode::from(2);
        }
    };
    let outcome = Builder::new_current_thread().enable_all().build().map_err(database::Error::Io).and_then(|runtime| {
        runtime.block_on(async {
            match what {
                "--dump" => print_worlds(url).await,
                "--count-statements" => database::count_statements(url).await,
                "--seen" => print_seen(url).await,
                _ => database::seed(url).await,
            }
        })
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("workload-seed: {url}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn print_seen(url: &str) -> Result<(), database::Error> {
    let seen = database::seen(url).await?;
    println!("connections {}", seen.connections);
    match seen.statements {
        Ok(statements) => println!("statements {statements}"),
        Err(reason) => println!("statements unknown: {}", reason.replace('\n', " ")),
    }
    Ok(())
}

async fn print_worlds(url: &str) -> Result<(), database::Error> {
    let database = Database::connect(url, 1).await?;
    for world in database.cached_table() {
        println!("{} {}", world.id, world.random_number);
    }
    database.close().await;
    Ok(())
}
