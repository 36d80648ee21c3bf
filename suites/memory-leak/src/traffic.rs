//! What a cycle sends: one kind of traffic, the same in every cycle, over when the cycle is.
//!
//! Nothing here waits for time to pass. What a client leaves unfinished it leaves by closing the connection; whether the
//! server has noticed is for its quiet moment to tell (`trial.rs`).

use std::{
    io::{Error, Result},
    net::SocketAddr,
};

use harness::link::Link;
/// Bytes of a body that does not fit into the buffers between two sockets: a server has to wait for its client.
const LARGE_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of an upload.
const UPLOAD_BYTES: usize = 1024 * 1024;

/// Bytes of an upload of which only half is sent.
const CANCELLED_BYTES: usize = 64 * 1024;

/// Requests in a pipelined batch.
const DEEP: usize = 16;

/// A head without its end.
const UNFINISHED: &str = "GET /plaintext HTTP/1.1\r\nHost: lab\r\nAccept";

/// How long a server waits for the rest of a head, ms, where that is what is looked at: several ticks of any server's clock.
const HEAD_DEADLINE_MS: &str = "200";

pub(crate) const PLAINTEXT: &str = "GET /plaintext HTTP/1.1\r\nHost: lab\r\n\r\n";

/// A kind of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    KeepAlive,
    Churn,
    Pipelined,
    Uploads,
    CutDownloads,
    CancelledRequests,
    HalfClosed,
    SlowReaders,
    UnfinishedHeads,
    HeadTimeouts,
    Panics,
    Refusals,
}

impl Traffic {
    pub(crate) const ALL: &[Self] = &[
        Self::KeepAlive,
        Self::Churn,
        Self::Pipelined,
        Self::Uploads,
        Self::CutDownloads,
        Self::CancelledRequests,
        Self::HalfClosed,
        Self::SlowReaders,
        Self::UnfinishedHeads,
        Self::HeadTimeouts,
        Self::Panics,
        Self::Refusals,
    ];

    /// Its id, the family that a target serves or does not, and its title.
    pub(crate) fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::KeepAlive => ("keep-alive", "plaintext", "Requests on one connection"),
            Self::Churn => ("churn", "plaintext", "A new connection for every request"),
            Self::Pipelined => ("pipelined", "plaintext", "Batches of 16 requests"),
            Self::Uploads => ("uploads", "echo", "Uploads of 1 MiB that come back"),
            Self::CutDownloads => ("cut-downloads", "download", "Downloads of 16 MiB, left after the first piece"),
            Self::CancelledRequests => ("cancelled-requests", "echo", "Requests left in the middle of their body"),
            Self::HalfClosed => ("half-closed", "plaintext", "Clients that end sending before they are answered"),
            Self::SlowReaders => ("slow-readers", "download", "Downloads of 16 MiB that the server has to wait for"),
            Self::UnfinishedHeads => ("unfinished-heads", "plaintext", "Connections left in the middle of a head"),
            Self::HeadTimeouts => ("head-timeouts", "deadlines", "Heads that the server does not wait for any longer"),
            Self::Panics => ("panics", "panics", "Handlers that panic"),
            Self::Refusals => ("refusals", "refusals", "404, 405 and 400, one after the other"),
        }
    }

    /// What the server is told for it on its command line.
    pub(crate) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::HeadTimeouts => &["--head-deadline", HEAD_DEADLINE_MS],
            _ => &[],
        }
    }

    /// Whether it takes part where all kinds of traffic take turns: what needs no server of its own does.
    pub(crate) fn is_mixed(self) -> bool {
        self.arguments().is_empty()
    }

    /// How many requests, or beginnings of requests, a cycle sends: what growth is divided by.
    pub(crate) fn requests(self) -> usize {
        match self {
            Self::KeepAlive => 500,
            Self::Churn => 100,
            Self::Pipelined => 30 * DEEP,
            Self::Uploads => 4,
            Self::CutDownloads => 8,
            Self::CancelledRequests | Self::HalfClosed | Self::UnfinishedHeads | Self::Panics => 50,
            Self::HeadTimeouts => 20,
            Self::SlowReaders => 2,
            Self::Refusals => 90,
        }
    }
}

/// A client of one server that sends one kind of traffic.
pub(crate) struct Client {
    address: SocketAddr,
    traffic: Traffic,
    /// The connection that lasts from cycle to cycle.
    lasting: Option<Link>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, traffic: Traffic) -> Self {
        Self { address, traffic, lasting: None }
    }

    /// Sends a cycle. `pause` is called where the server is to be given time to do all that it can.
    ///
    /// # Errors
    /// When the server does not answer as it must, or `pause` fails.
    pub(crate) fn cycle(&mut self, pause: impl FnMut() -> Result<()>) -> Result<()> {
        let requests = self.traffic.requests();
        match self.traffic {
            Traffic::KeepAlive => self.lasting(|link| (0..requests).try_for_each(|_| exchange(link, PLAINTEXT, 200))),
            Traffic::Pipelined => {
                let batch = PLAINTEXT.repeat(DEEP);
                self.lasting(|link| {
                    (0..requests / DEEP).try_for_each(|_| {
                        link.send(batch.as_bytes())?;
                        (0..DEEP).try_for_each(|_| expect(link, 200))
                    })
                })
            }
            Traffic::Churn => self.each(requests, |link| exchange(link, PLAINTEXT, 200)),
            Traffic::Uploads => {
                let upload = post(UPLOAD_BYTES, UPLOAD_BYTES);
                self.each(requests, |link| exchange(link, &upload, 200))
            }
            Traffic::CutDownloads => self.each(requests, |link| {
                link.send(download().as_bytes())?;
                link.receive()
            }),
            Traffic::CancelledRequests => {
                let half = post(CANCELLED_BYTES, CANCELLED_BYTES / 2);
                self.each(requests, |link| link.send(half.as_bytes()))
            }
            Traffic::HalfClosed => self.ended(requests, |link| {
                link.send(PLAINTEXT.as_bytes())?;
                link.end_sending()
            }),
            Traffic::SlowReaders => self.slow_readers(requests, pause),
            Traffic::UnfinishedHeads => self.each(requests, |link| link.send(UNFINISHED.as_bytes())),
            Traffic::HeadTimeouts => self.timeouts(requests),
            Traffic::Panics => self.ended(requests, |link| link.send(b"GET /panic HTTP/1.1\r\nHost: lab\r\n\r\n")),
            Traffic::Refusals => self.ended(requests / 3, |link| {
                exchange(link, "GET /nowhere HTTP/1.1\r\nHost: lab\r\n\r\n", 404)?;
                refused(link, "DELETE /plaintext HTTP/1.1\r\nHost: lab\r\n\r\n")?;
                link.send(b"GET /plaintext HTTP/1.1\r\nHost: lab\r\nno field\r\n\r\n")
            }),
        }
    }

    /// Acts on the connection that lasts.
    fn lasting(&mut self, act: impl FnOnce(&mut Link) -> Result<()>) -> Result<()> {
        let link = match &mut self.lasting {
            Some(link) => link,
            none => none.insert(Link::connect(self.address)?),
        };
        act(link)
    }

    /// Acts on so many connections, one after the other, and closes each.
    fn each(&self, connections: usize, mut act: impl FnMut(&mut Link) -> Result<()>) -> Result<()> {
        (0..connections).try_for_each(|_| act(&mut Link::connect(self.address)?))
    }

    /// The same with connections that the server closes.
    fn ended(&self, connections: usize, mut act: impl FnMut(&mut Link) -> Result<()>) -> Result<()> {
        (0..connections).try_for_each(|_| {
            let mut link = Link::connect(self.address)?;
            act(&mut link)?;
            link.wait_for_end()
        })
    }

    /// Begins heads on so many connections, and waits until the server has ended them all.
    fn timeouts(&self, connections: usize) -> Result<()> {
        let mut links = Vec::new();
        for _ in 0..connections {
            let mut link = Link::connect(self.address)?;
            link.send(UNFINISHED.as_bytes())?;
            links.push(link);
        }
        links.into_iter().try_for_each(Link::wait_for_end)
    }

    /// Reads the first piece of each answer, and the rest when the server can do no more.
    fn slow_readers(&self, connections: usize, mut pause: impl FnMut() -> Result<()>) -> Result<()> {
        let mut links = Vec::new();
        for _ in 0..connections {
            let mut link = Link::connect(self.address)?;
            link.send(download().as_bytes())?;
            link.receive()?;
            links.push(link);
        }
        pause()?;
        links.iter_mut().try_for_each(|link| expect(link, 200))
    }
}

pub(crate) fn exchange(link: &mut Link, request: &str, status: u16) -> Result<()> {
    link.send(request.as_bytes())?;
    expect(link, status)
}

fn expect(link: &mut Link, status: u16) -> Result<()> {
    match link.answer()? {
        found if found == status => Ok(()),
        found => Err(Error::other(format!("an answer had status {found} instead of {status}"))),
    }
}

/// A method that the route has not: some frameworks answer with 405, some with 404.
fn refused(link: &mut Link, request: &str) -> Result<()> {
    link.send(request.as_bytes())?;
    match link.answer()? {
        404 | 405 => Ok(()),
        found => Err(Error::other(format!("an answer had status {found} instead of 405"))),
    }
}

fn download() -> String {
    format!("GET /download/{LARGE_BYTES} HTTP/1.1\r\nHost: lab\r\n\r\n")
}

/// A POST that declares so many bytes and sends so many of them.
fn post(declared: usize, sent: usize) -> String {
    let head = format!("POST /echo HTTP/1.1\r\nHost: lab\r\nContent-Length: {declared}\r\n\r\n");
    head + &"x".repeat(sent)
}
