//! Where a worker's connections come from: its own listener, or an acceptor that hands them out.
//!
//! With a listener each (SO_REUSEPORT, socket(7)) the kernel spreads connections by a hash of their addresses, which is
//! even over many and uneven over few. The acceptor gives each to the worker that has fewest, at the price of one thread
//! and one wake-up per connection.

use std::{
    io,
    net::{TcpListener as StdListener, TcpStream as StdStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::stop::Stop;

/// How long accepting pauses when the process or the system is out of file descriptors: long enough not to spin, short
/// enough that a freed descriptor is used soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections on their way from the acceptor to one worker. A worker takes them as fast as its loop turns; this is one
/// listener queue's worth.
const HANDED_MAX: usize = 1_024;

/// Where a worker's connections come from.
pub(crate) enum Arrivals {
    /// Its own listener.
    Listener(StdListener),
    /// An acceptor.
    HandOff(mpsc::Receiver<StdStream>),
}

/// [`Arrivals`] once the worker's runtime has them.
pub(super) enum Source {
    Listener(TcpListener),
    HandOff(mpsc::Receiver<StdStream>),
}

impl Source {
    pub(super) fn new(arrivals: Arrivals) -> io::Result<Self> {
        Ok(match arrivals {
            Arrivals::Listener(listener) => Self::Listener(TcpListener::from_std(listener)?),
            Arrivals::HandOff(receiver) => Self::HandOff(receiver),
        })
    }

    /// The next connection; `None` when there will be no more.
    pub(super) async fn next(&mut self) -> Option<TcpStream> {
        match self {
            Self::Listener(listener) => Some(accept(listener).await),
            Self::HandOff(receiver) => {
                while let Some(stream) = receiver.recv().await {
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        return Some(stream);
                    }
                }
                None
            }
        }
    }
}

impl Source {
    /// Opens every connection that had arrived when the server was stopped.
    pub(super) async fn rest(mut self, mut open: impl FnMut(TcpStream)) -> io::Result<()> {
        match self {
            Self::Listener(listener) => {
                for stream in queued(&listener.into_std()?) {
                    open(TcpStream::from_std(stream)?);
                }
            }
            // The acceptor empties its own queue and then lets go.
            Self::HandOff(_) => {
                while let Some(stream) = self.next().await {
                    open(stream);
                }
            }
        }
        Ok(())
    }
}

/// The connections in a listener's queue. The kernel is asked itself: what tokio has heard of may be less.
fn queued(listener: &StdListener) -> impl Iterator<Item = StdStream> + '_ {
    std::iter::from_fn(|| {
        loop {
            match listener.accept() {
                Ok((stream, _)) => return stream.set_nonblocking(true).is_ok().then_some(stream),
                Err(error) if error.kind() == io::ErrorKind::Interrupted || is_of_one_connection(&error) => {}
                Err(_) => return None,
            }
        }
    })
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_one_connection(&error) => {}
            // Out of descriptors or memory (accept(2)): what is open goes on, the rest waits in the backlog.
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
    sender: mpsc::Sender<StdStream>,
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
        while let Ok(stream) = accept(&listener).await.into_std()
            && hand_to_fewest(stream, &seats).await
        {}
    };
    tokio::select! {
        () = stop.asked() => {}
        () = accept_all => {}
    }
    // Connections in the queue were accepted as far as their clients can tell.
    for stream in queued(&listener.into_std()?) {
        if !hand_to_fewest(stream, &seats).await {
            break;
        }
    }
    Ok(())
}

/// Hands a connection to the worker that has fewest; `false` if that worker has gone.
async fn hand_to_fewest(stream: StdStream, seats: &[Seat]) -> bool {
    let loads: Vec<_> = seats.iter().map(|seat| seat.open.load(Ordering::Acquire)).collect();
    let Some(seat) = fewest(&loads).and_then(|index| seats.get(index)) else { return false };
    // Counted here and not by the worker, so that those on their way are counted too.
    seat.open.fetch_add(1, Ordering::AcqRel);
    seat.sender.send(stream).await.is_ok()
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
