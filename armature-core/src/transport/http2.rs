//! HTTP/2 (RFC 9113): hyper speaks it, the same services answer.
//!
//! A request becomes the head that it would be in HTTP/1.1, so that one set of rules judges both. Leaves finding out who
//! speaks it to `mod.rs`.

use std::{
    cell::Cell,
    convert::Infallible,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::spawn_local,
    time::{Instant, sleep_until},
};

use crate::{
    body::Body,
    http::{HeaderValue, StatusCode, Version, header},
    interval::PERIOD_MAX,
    respond::Response,
    service::{ConnectionInfo, OwnedRequest, Service, Slot},
    tower::{refused, request_from, without_body},
    worker::{Opened, Worker},
};

/// Requests that one client may have under way on one connection: what browsers and proxies need, and few enough that a
/// thousand connections are no reason to fail (RFC 9113 §6.5.2 recommends at least 100).
const STREAMS_MAX: u32 = 128;

/// Runs what hyper has to run beside a connection on the worker's own thread.
#[derive(Clone)]
struct OwnThread;

impl<F: Future + 'static> hyper::rt::Executor<F> for OwnThread {
    fn execute(&self, future: F) {
        spawn_local(async move {
            future.await;
        });
    }
}

/// What a connection has under way.
struct Activity {
    streams: Cell<usize>,
    last: Cell<Instant>,
}

impl Activity {
    /// Waits until nothing has been under way for so long.
    async fn idle(&self, limit: Duration) {
        loop {
            let due = self.last.get() + limit;
            if self.streams.get() == 0 && Instant::now() >= due {
                return;
            }
            sleep_until(due.max(Instant::now() + limit / 4)).await;
        }
    }
}

/// Serves a connection until it ends, has been idle for too long, or the worker stops.
pub(super) async fn serve<IO, S>(stream: IO, info: ConnectionInfo, worker: Opened<S>)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service,
{
    let info = Rc::new(info);
    let activity = Rc::new(Activity { streams: Cell::new(0), last: Cell::new(Instant::now()) });
    let limits = &worker.limits;
    // Hyper adds them to the time of day, and so does `Activity`.
    let [idle, body, write] =
        [limits.idle_deadline, limits.body_deadline, limits.write_deadline].map(|limit| limit.min(PERIOD_MAX));
    let service = service_fn({
        let (activity, worker, info) = (activity.clone(), Rc::clone(&worker), info.clone());
        move |request| exchange(request, activity.clone(), info.clone(), worker.clone())
    });
    let mut builder = http2::Builder::new(OwnThread);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
        // A peer that is gone does not answer a ping.
        .keep_alive_interval(body)
        .keep_alive_timeout(write);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return info.set_gone(),
        () = activity.idle(idle) => {}
        () = worker.stopping() => {}
    }
    // Tells the client which of its requests will be answered, answers them, and closes (RFC 9113 §6.8).
    connection.as_mut().graceful_shutdown();
    // What goes wrong with a connection is the client's to see.
    let _ = connection.await;
    info.set_gone();
}

/// Answers one request.
async fn exchange<S: Service>(
    request: http::Request<Incoming>,
    activity: Rc<Activity>,
    info: Rc<ConnectionInfo>,
    worker: Rc<Worker<S>>,
) -> Result<http::Response<Body>, Infallible> {
    let _under_way = UnderWay::new(activity);
    worker.counters.requests.add(1);
    let response = match request_from(request, &worker.limits) {
        Ok(mut request) => {
            let method = request.head().method();
            request.set_version(Version::Http2);
            request.set_connection(info);
            let mut response = call(&worker, request).await;
            settle_interim(&mut response);
            without_body(&mut response, method);
            response
        }
        Err(refusal) => {
            worker.counters.refused.add(1);
            refused(refusal)
        }
    };
    let mut response = http::Response::<Body>::from(response);
    // They are about a connection of HTTP/1 (RFC 9113 §8.2.2).
    response.headers_mut().remove(header::CONNECTION);
    response.headers_mut().remove(header::UPGRADE);
    let name = worker.stamp.name();
    if !name.is_empty()
        && let Ok(name) = HeaderValue::from_str(name)
    {
        response.headers_mut().insert(header::SERVER, name);
    }
    Ok(response)
}

/// There is no 101 (RFC 9113 §8.6), and another interim status is no answer either.
fn settle_interim(response: &mut Response) {
    if response.status.is_informational() {
        let upgrades = response.rare.as_ref().is_some_and(|rare| rare.upgrade.is_some());
        response.set_status(if upgrades { StatusCode::UPGRADE_REQUIRED } else { StatusCode::INTERNAL_SERVER_ERROR });
    }
}

async fn call<S: Service>(worker: &Worker<S>, mut request: OwnedRequest) -> Response {
    let mut slot = Slot::default();
    let mut called = false;
    poll_fn(|cx| {
        // A slot forgets its future before it drops it, so a panic leaves it usable.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            if std::mem::replace(&mut called, true) {
                slot.poll(cx)
            } else {
                request.lend(|request| worker.service.call(request, &mut slot, cx))
            }
        }));
        polled.unwrap_or_else(|_| {
            worker.counters.panics.add(1);
            Poll::Ready(Response::status(StatusCode::INTERNAL_SERVER_ERROR))
        })
    })
    .await
}

/// Counts a request for as long as it is under way.
struct UnderWay(Rc<Activity>);

impl UnderWay {
    fn new(activity: Rc<Activity>) -> Self {
        activity.streams.set(activity.streams.get() + 1);
        Self(activity)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
        self.0.last.set(Instant::now());
    }
}
