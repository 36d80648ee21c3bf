//! What a request costs on every route of the contract, and what patterns of allocation cost, as a suite (see `probe::suite`).
//! Everything is counted, nothing timed.
//!
//! `route.rs` says what is asked of servers; counting them is `harness::sweep`'s. `pattern.rs` launches the programs of
//! `pattern/`, which do the same work with memory got in different ways. It links no framework.

use std::process::ExitCode;

use anyhow::{Error, Result, bail};
use harness::sweep::Sweep;
use probe::{
    descriptors,
    program::{self, say},
    suite::{Event, Family, Plan},
};

mod pattern;
mod route;

fn main() -> ExitCode {
    let mut cases: Vec<_> = route::all().into_iter().map(|scenario| scenario.case).collect();
    cases.extend(pattern::cases());
    program::main("allocation", &cases, run)
}

fn run(plan: &Plan) -> Result<()> {
    plan.offered(Family::Counts).map_err(Error::msg)?;
    descriptors::raise();
    let routes = Sweep::new(plan, &route::all(), route::verify);
    let pairs = pattern::pairs(plan);
    let (steps, expected_s) = routes.expected();
    if steps + pairs.len() == 0 {
        bail!("the plan names no case or no target of this suite");
    }
    let mut cases = routes.cases();
    cases.extend(pairs.iter().map(|pair| pair.case.clone()));
    cases.dedup();
    say(&Event::Planned {
        cases,
        steps: u32::try_from(steps + pairs.len())?,
        expected_s: expected_s + pattern::EXPECTED_S * pairs.len() as f64,
    })?;
    routes.run()?;
    pattern::run(plan, &pairs)
}
