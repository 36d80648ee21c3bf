//! Where a worker's connections come from: its own listener, or an acceptor that hands them out.
//!
//! With a listener each (SO_REUSEPORT, socket(7)) the kernel spreads connections by a hash of their addresses, which is
//! even over many and uneven over few. The acceptor gives each to the worker that has fewest, at the price of one thread
//! and one wake-up per connection.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpListener, sync::mpsc};

use super::{stop::Stop, tasks::main_task};
use crate::io::{Listener, Reactor, accept_now};

/// How long accepting pauses when the process or the system is out of file descriptors: long enough not to spin, short
/// enough that a freed descriptor is used soon.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections on their way from the acceptor to one worker. A worker takes them as fast as its loop turns; this is one
/// listener queue's worth.
const HANDED_MAX: usize = 1_024;

/// A connection and its peer.
type Arrival = (StdStream, SocketAddr);

/// Where a worker's connections come from.
pub(crate) enum Arrivals {
    /// Its own listener.
    Listener(StdListener),
    /// An acceptor.
    HandOff(mpsc::Receiver<Arrival>),
}

/// [`Arrivals`] once the worker's reactor has them.
pub(super) enum Source {
    Listener(Listener),
    HandOff(mpsc::Receiver<Arrival>),
}

impl Source {
    pub(super) fn new(arrivals: Arrivals, reactor: &Rc<Reactor>) -> io::Result<Self> {
        Ok(match arrivals {
            Arrivals::Listener(listener) => Self::Listener(Listener::new(listener, reactor, main_task())?),
            Arrivals::HandOff(receiver) => Self::HandOff(receiver),
        })
    }

    /// The next connection; `None` when there will be no more.
    ///
    /// # Errors
    /// Those of accept(2) that concern more than one connection.
    pub(super) async fn next(&mut self) -> io::Result<Option<Arrival>> {
        match self {
            Self::Listener(listener) => loop {
                match listener.accept().await {
                    Err(error) if is_of_one_connection(&error) => {}
                    accepted => return accepted.map(Some),
                }
            },
            Self::HandOff(receiver) => Ok(receiver.recv().await),
        }
    }

    /// Watches for connections, or does not while nobody asks for the next.
    pub(super) fn set_watched(&self, watched: bool) -> io::Result<()> {
        match self {
            Self::Listener(listener) => listener.set_watched(watched),
            Self::HandOff(_) => Ok(()),
        }
    }

    /// Opens every connection that had arrived when the server was stopped.
    pub(super) async fn rest(self, mut open: impl FnMut(Arrival)) {
        match self {
            Self::Listener(listener) => queued(&listener.into_std()).for_each(open),
            // The acceptor empties its own queue and then lets go.
            Self::HandOff(mut receiver) => {
                while let Some(arrival) = receiver.recv().await {
                    open(arrival);
                }
            }
        }
    }
}

/// The connections in a listener's queue. The kernel is asked itself: what tokio has heard of may be less.
fn queued(listener: &StdListener) -> impl Iterator<Item = Arrival> + '_ {
    std::iter::from_fn(|| {
        loop {
            match accept_now(listener) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted || is_of_one_connection(&error) => {}
                accepted => return accepted.ok(),
            }
        }
    })
}

/// As [`Source::next`], on the acceptor's thread.
async fn accept(listener: &TcpListener) -> io::Result<Arrival> {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Ok((stream.into_std()?, peer)),
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Errors of accept(2) that belong to the connection that was waiting, not to the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// The acceptor's view of one worker.
#[derive(Debug)]
pub(crate) struct Seat {
    sender: mpsc::Sender<Arrival>,
    open: Arc<AtomicUsize>,
}

/// A seat for the acceptor, and for the worker what it is handed and where it says how many connections it has.
pub(crate) fn seat() -> (Seat, Arrivals, Arc<AtomicUsize>) {
    let (sender, receiver) = mpsc::channel(HANDED_MAX);
    let open = Arc::new(AtomicUsize::new(0));
    (Seat { sender, open: open.clone() }, Arrivals::HandOff(receiver), open)
}

/// Accepts until the server stops, and hands each connection to the worker that has fewest.
pub(crate) async fn hand_out(listener: StdListener, seats: Vec<Seat>, stop: Arc<Stop>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let accept_all = async {
        while let Ok(arrival) = accept(&listener).await
            && hand_to_fewest(arrival, &seats).await
        {}
    };
    tokio::select! {
        () = stop.asked() => {}
        () = accept_all => {}
    }
    // Connections in the queue were accepted as far as their clients can tell.
    for arrival in queued(&listener.into_std()?) {
        if !hand_to_fewest(arrival, &seats).await {
            break;
        }
    }
    Ok(())
}

/// Hands a connection to the worker that has fewest; `false` if that worker has gone.
async fn hand_to_fewest(arrival: Arrival, seats: &[Seat]) -> bool {
    let loads: Vec<_> = seats.iter().map(|seat| seat.open.load(Ordering::Acquire)).collect();
    let Some(seat) = fewest(&loads).and_then(|index| seats.get(index)) else { return false };
    // Counted here and not by the worker, so that those on their way are counted too.
    seat.open.fetch_add(1, Ordering::AcqRel);
    seat.sender.send(arrival).await.is_ok()
}

/// The first of those with the smallest load.
fn fewest(loads: &[usize]) -> Option<usize> {
    loads.iter().enumerate().min_by_key(|(_, load)| **load).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::fewest;

    #[test]
    fn the_first_of_the_least_loaded_is_chosen() {
        for (loads, expected) in [(&[][..], None), (&[0], Some(0)), (&[2, 1, 1], Some(1)), (&[0, 0, 3], Some(0))] {
            assert_eq!(fewest(loads), expected, "{loads:?}");
        }
    }
}
