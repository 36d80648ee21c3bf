//! Looks at the destructors of one case on one target: `drop-time TARGET ID WARMUP_S WINDOW_S SERVER_CPUS CLIENT_CPUS`.
//!
//! CPUs are numbers separated by commas, none if there is no choice. It prints what it has seen as a line of JSON
//! (`../seen.rs`); reading it is the suite's business.

use std::{env, process::ExitCode, time::Duration};

use probe::{launch::on, leash};
use suite_drop_timing::{
    drain, exchange, seen::Seen, structure, tally::Tally, target, timing, timing::Window, work::Work,
};

fn main() -> ExitCode {
    leash::hold();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [target, id, warmup_s, window_s, server, client] => look(target, id, [warmup_s, window_s], [server, client]),
        _ => Err("usage: drop-time TARGET ID WARMUP_S WINDOW_S SERVER_CPUS CLIENT_CPUS".to_owned()),
    };
    let told = outcome.and_then(|seen| serde_json::to_string(&seen).map_err(|error| error.to_string()));
    match told {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn look(target: &str, id: &str, times: [&str; 2], cpus: [&str; 2]) -> Result<Seen, String> {
    let work = Work::named(id).ok_or_else(|| format!("there is no {id}"))?;
    let [warmup, timed] = times.map(seconds);
    let window = Window { warmup: warmup?, timed: timed? };
    let [server, client] = cpus.map(numbers);
    let (server, client) = (server?, client?);
    match work {
        Work::Std(structure) => on(&server, || {
            let tally = Tally::leak();
            timing::drops(window, tally, |number| structure::make(structure, tally, number))
        }),
        Work::Own(own) => on(&server, || target::own(target, own, window)),
        Work::Exchange(place) => on(&client, || exchange::measure(target, place, window, &server)),
        Work::Drain(connections) => on(&client, || drain::measure(target, connections, &server)),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("{text} is no number of seconds"))
}

fn numbers(text: &str) -> Result<Vec<usize>, String> {
    let words = text.split(',').filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_err(|_| format!("{word} is no number of a CPU"))).collect()
}
