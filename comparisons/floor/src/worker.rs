//! One worker: waits for events, accepts, and gives each connection its turn. Leaves the bytes to `connection.rs`.

use std::{
    io::{self, ErrorKind},
    net::TcpListener,
    os::{
        fd::{AsRawFd, RawFd},
        unix::net::UnixStream,
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use workload::listen;

use crate::{
    connection::{Connection, Next, Shared},
    epoll_unsafe::{Epoll, Events, Interest},
    reply::Replies,
};

#[derive(Debug)]
pub(crate) struct Worker {
    epoll: Epoll,
    listener: TcpListener,
    /// Becomes readable when `main` wants the end.
    stop: UnixStream,
    /// By descriptor, the token under which epoll reports each.
    connections: Vec<Option<Connection>>,
    shared: Shared,
}

impl Worker {
    pub(crate) fn new(listener: TcpListener, stop: UnixStream) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(&listener, Interest::Read)?;
        epoll.add(&stop, Interest::Read)?;
        Ok(Self { epoll, listener, stop, connections: Vec::new(), shared: Shared::new(Replies::at(SystemTime::now())) })
    }

    /// Serves until the end is asked for.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::new();
        loop {
            match self.epoll.wait(&mut events) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                waited => waited?,
            }
            self.shared.replies.refresh(SystemTime::now());
            for token in events.tokens() {
                if token == self.stop.as_raw_fd() {
                    self.drain();
                    return Ok(());
                } else if token == self.listener.as_raw_fd() {
                    self.accept();
                } else {
                    self.turn(token);
                }
            }
        }
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                // A connection that cannot be set up is dropped, and with it the client's end.
                Ok((stream, _)) => _ = Connection::new(stream).and_then(|connection| self.admit(connection)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Out of descriptors, most likely; the listener stays readable, so wait for some to come free.
                Err(_) => return thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    fn admit(&mut self, connection: Connection) -> io::Result<()> {
        self.epoll.add(&connection.stream, connection.interest)?;
        let at = index(connection.stream.as_raw_fd());
        if self.connections.len() <= at {
            self.connections.resize_with(at + 1, || None);
        }
        self.connections[at] = Some(connection);
        Ok(())
    }

    fn turn(&mut self, token: RawFd) {
        let slot = &mut self.connections[index(token)];
        let Some(connection) = slot else { return };
        let wanted = match connection.turn(&mut self.shared) {
            Next::Read => Interest::Read,
            Next::Write => Interest::Write,
            Next::Close => {
                *slot = None;
                return;
            }
        };
        if connection.interest != wanted {
            connection.interest = wanted;
            if self.epoll.change(&connection.stream, wanted).is_err() {
                *slot = None;
            }
        }
    }

    /// Sends what is left over. Every request that was read has been answered in its turn, so nothing else is owed.
    fn drain(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(listen::DRAIN_SECONDS);
        for mut connection in self.connections.drain(..).flatten() {
            connection.finish(deadline);
        }
    }
}

fn index(token: RawFd) -> usize {
    usize::try_from(token).expect("an open descriptor is not negative")
}
