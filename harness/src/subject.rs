//! A server whose answers a suite checks before anything is timed, and whose queries it may have counted meanwhile.
//!
//! What must come back is the suite's; starting and ending the server is `rounds.rs`'s. Read next: `witness.rs`.

use std::{net::SocketAddr, path::Path};

use anyhow::Result;
use probe::{
    program::say,
    suite::{Event, Target, Verification},
};

use crate::{
    target::Server,
    witness::{Seen, Witness},
};

/// A server whose answers are to be checked before anything is timed.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The target's name.
    pub target: &'a str,
    /// Where it listens.
    pub address: SocketAddr,
    /// The program that dumps the World table, and the database's URL.
    pub database: Option<(&'a Path, &'a str)>,
    server: &'a mut Server,
}

/// Checks a server in one family of cases.
pub type Verify = fn(&mut Subject<'_>, &str) -> Verification;

impl<'a> Subject<'a> {
    /// The running `server` of the target.
    pub(crate) fn new(target: &'a str, server: &'a mut Server, database: Option<(&'a Path, &'a str)>) -> Self {
        Self { target, address: server.address(), database, server }
    }

    /// What the database has seen of the server until now, read when the server has nothing to do.
    ///
    /// # Errors
    /// Why that is not known.
    pub fn seen(&mut self) -> Result<Seen, String> {
        let (seeder, url) = self.database.ok_or("there is no database")?;
        let counters = self.server.quiesce().map_err(|trouble| trouble.reason)?;
        Witness::new(seeder, url).look(self.server, &counters).map_err(|error| format!("{error:#}"))
    }
}

/// Says who a server is, or how it is known without its word.
pub(crate) fn introduce(target: &Target, server: &Server) -> Result<()> {
    let event = match server.ready() {
        Some(ready) => Event::Ready { target: target.name.clone(), ready: ready.clone() },
        None => Event::Note {
            text: format!(
                "Target {} has no control channel: its CPU time is read from /proc in clock ticks of 10 ms.",
                target.name
            ),
        },
    };
    Ok(say(&event)?)
}

/// Ends a server that has been checked; what it does then is worth a note, since its figures come from other launches.
pub(crate) fn end(server: Server) -> Result<()> {
    if let Err(trouble) = server.stop() {
        say(&Event::Note { text: trouble.reason })?;
    }
    Ok(())
}
