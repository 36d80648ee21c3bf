//! The frameworks: values of their own to be dropped, and a server of each.
//!
//! They differ in nothing but the framework: same fields, same bodies, same answers, same allocator, one build.

use std::net::SocketAddr;

use bytes::Bytes;
use probe::launch::on;

use crate::{
    application::{Application, Server, spawn},
    seen::Seen,
    tally::{Counted, Tally},
    timing::{Window, drops},
    work::Own,
};

mod actix;
mod armature;
mod axum;

/// Where servers listen: the system chooses the port.
const ADDRESS: &str = "127.0.0.1:0";

/// Fields of a response; a request has the first three.
const FIELDS: [(&str, &str); 10] = [
    ("accept", "*/*"),
    ("user-agent", "curl/8.14.1"),
    ("content-type", "text/plain"),
    ("cache-control", "no-store"),
    ("content-language", "en"),
    ("etag", "\"33a64df551425fcc\""),
    ("location", "/items/33"),
    ("referrer-policy", "no-referrer"),
    ("vary", "accept-encoding"),
    ("x-request-id", "5f1d7a84db00d2fce00b31a7fc73224f"),
];

/// How many of [`FIELDS`] a request has.
const REQUEST_FIELDS: usize = 3;

/// Times the drops of values of the framework's own.
///
/// # Errors
/// When the target has none, or what it saw cannot be told.
pub fn own(target: &str, own: Own, window: Window) -> Result<Seen, String> {
    let tally = Tally::leak();
    // The values have types of their own, which a boxed `dyn` would hide behind one more destructor.
    macro_rules! of {
        ($framework:ident) => {
            match own {
                Own::Request => drops(window, tally, |number| $framework::request(body(tally, number))),
                Own::Response => drops(window, tally, |number| $framework::response(body(tally, number))),
                Own::Body => drops(window, tally, |_| $framework::body(tally.counted())),
                Own::Router(routes) => drops(window, tally, |_| $framework::router(paths(routes), tally.counted())),
            }
        };
    }
    match target {
        "armature" => of!(armature),
        "axum" => of!(axum),
        "actix" => of!(actix),
        _ => Err(format!("{target} has no values of its own")),
    }
}

/// Starts the server of a framework, on these CPUs.
///
/// # Errors
/// When it does not start, or the target has none.
pub fn serve(target: &str, application: Application, cpus: &[usize]) -> Result<Server, String> {
    let start = match target {
        "armature" => armature::serve,
        "axum" => axum::serve,
        "actix" => actix::serve,
        _ => return Err(format!("{target} has no server")),
    };
    let (ready, readiness) = std::sync::mpsc::channel();
    let cpus = cpus.to_vec();
    let thread = spawn(move || on(&cpus, || start(application, Box::new(move |running| _ = ready.send(running)))))?;
    match readiness.recv() {
        Ok(Running { address, stop }) => Ok(Server::new(address, stop, thread)),
        Err(_) => Err(crate::application::join(thread).err().unwrap_or_else(|| "the server ended at once".to_owned())),
    }
}

/// What a server says when it listens.
struct Running {
    address: SocketAddr,
    stop: Box<dyn FnOnce() + Send>,
}

/// Takes what a server says when it listens.
type Ready = Box<dyn FnOnce(Running) + Send>;

/// 1 KiB that is counted, unlike the one before it.
fn body(tally: &'static Tally, number: usize) -> Bytes {
    struct Owner {
        bytes: Vec<u8>,
        _counted: Counted,
    }
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }
    Bytes::from_owner(Owner { bytes: vec![number as u8; 1_024], _counted: tally.counted() })
}

/// Paths of so many routes, all different.
fn paths(routes: usize) -> impl Iterator<Item = String> {
    (0..routes).map(|route| format!("/section-{}/item-{route}/{{id}}", route % 37))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        drain, exchange,
        work::{Place, Work, all},
    };

    const SHORT: Window = Window { warmup: Duration::ZERO, timed: Duration::from_millis(5) };
    const FRAMEWORKS: [&str; 3] = ["armature", "axum", "actix"];

    #[test]
    fn frameworks_drop_each_of_their_own_values_once() {
        for target in FRAMEWORKS {
            for work in all() {
                let Work::Own(value) = work else { continue };
                let seen = own(target, value, SHORT).unwrap();
                assert_eq!(seen.finding(), None, "{target}, {}: {seen:?}", work.id());
            }
        }
    }

    #[test]
    fn what_has_a_part_in_an_answer_is_dropped() {
        for target in FRAMEWORKS {
            for place in [Place::Handler, Place::Extension, Place::Body, Place::Connection] {
                let seen = exchange::measure(target, place, SHORT, &[]).unwrap();
                assert_eq!(seen.finding(), None, "{target}, {place:?}: {seen:?}");
                let share = seen.metrics["dropped_before_last_byte_share"];
                assert!((0.0..=1.0).contains(&share), "{target}, {place:?}: {seen:?}");
            }
        }
    }

    #[test]
    fn a_server_that_has_stopped_has_dropped_everything() {
        for target in FRAMEWORKS {
            let seen = drain::measure(target, 20, &[]).unwrap();
            assert_eq!((seen.finding(), seen.created), (None, 21), "{target}: {seen:?}");
        }
    }
}
