//! Experiments on what stands around a handler: layers of middleware, and the memory of its future.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use armature_core::{Response, StatusCode, service::Slot};

use crate::{
    experiment::{Experiment, Input, Side, input},
    operation::{INPUTS, Operation, over},
};

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "static-middleware",
        group: "handlers",
        claim: "A stack of middleware whose types are known costs less than one of boxed services and futures.",
        source: "the project's inherited list of optimisations",
        baseline: "each layer is a boxed service whose call returns a boxed future",
        candidate: "each layer is generic over the next one, and its call is an async function",
        inputs: &[
            input("1", 1, "1 middleware around a handler"),
            input("2", 2, "2 middlewares"),
            input("4", 4, "4 middlewares"),
            input("8", 8, "8 middlewares"),
        ],
        threads: 1,
        make: middleware,
    },
    Experiment {
        name: "reused-slot",
        group: "handlers",
        claim: "A future in memory that is used again costs less than a boxed one.",
        source: "the project's inherited list of optimisations",
        baseline: "`Box::pin`",
        candidate: "`service::Slot`, as a connection has one",
        inputs: &[
            input("ready-64-b", 64, "a future of 64 bytes that is ready at once"),
            input("ready-512-b", 512, "a future of 512 bytes that is ready at once"),
            input("ready-4-kib", 4_096, "a future of 4 KiB that is ready at once"),
            input("waits-64-b", 64, "a future of 64 bytes that waits once"),
            input("waits-4-kib", 4_096, "a future of 4 KiB that waits once"),
        ],
        threads: 1,
        make: slot,
    },
];

/// What a request is to a middleware here.
#[derive(Clone, Copy)]
struct Request(u64);

/// What a middleware does: it looks at the request, and adds to what comes back.
fn before(request: Request) -> Request {
    Request(request.0.rotate_left(7) ^ 0x9e37)
}

fn after(response: u64) -> u64 {
    response.wrapping_mul(31).wrapping_add(1)
}

fn handled(request: Request) -> u64 {
    request.0 % 1_000
}

/// A service that is not known when the program is compiled.
trait Boxed {
    fn call(&self, request: Request) -> Pin<Box<dyn Future<Output = u64> + '_>>;
}

struct Handler;

impl Boxed for Handler {
    fn call(&self, request: Request) -> Pin<Box<dyn Future<Output = u64> + '_>> {
        Box::pin(async move { handled(request) })
    }
}

struct BoxedLayer(Box<dyn Boxed>);

impl Boxed for BoxedLayer {
    fn call(&self, request: Request) -> Pin<Box<dyn Future<Output = u64> + '_>> {
        Box::pin(async move { after(self.0.call(before(request)).await) })
    }
}

/// A service whose type is known.
trait Static {
    fn call(&self, request: Request) -> impl Future<Output = u64>;
}

impl Static for Handler {
    async fn call(&self, request: Request) -> u64 {
        handled(request)
    }
}

struct StaticLayer<S>(S);

impl<S: Static> Static for StaticLayer<S> {
    async fn call(&self, request: Request) -> u64 {
        after(self.0.call(before(request)).await)
    }
}

fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn middleware(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let requests = (0..(INPUTS * scale) as u64).map(|at| Request(at * 7_919)).collect();
    if side == Side::Baseline {
        let handler: Box<dyn Boxed> = Box::new(Handler);
        let stack = (0..input.size).fold(handler, |inner, _| Box::new(BoxedLayer(inner)));
        return over(requests, move |request| now(stack.call(*request)), |answer| format!("{answer:?}"));
    }
    fn run(stack: impl Static + 'static, requests: Vec<Request>) -> Box<dyn Operation> {
        over(requests, move |request| now(stack.call(*request)), |answer| format!("{answer:?}"))
    }
    let one = StaticLayer(Handler);
    match input.size {
        1 => run(one, requests),
        2 => run(StaticLayer(one), requests),
        4 => run(StaticLayer(StaticLayer(StaticLayer(one))), requests),
        _ => {
            let four = StaticLayer(StaticLayer(StaticLayer(one)));
            run(StaticLayer(StaticLayer(StaticLayer(StaticLayer(four)))), requests)
        }
    }
}

/// A handler's future that keeps so many bytes across a wait, if it waits.
struct Keeps<const N: usize> {
    kept: [u8; N],
    waits: bool,
}

impl<const N: usize> Future for Keeps<N> {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Response> {
        if std::mem::take(&mut self.waits) {
            return Poll::Pending;
        }
        let code = 200 + u16::from(self.kept[N - 1] % 4);
        Poll::Ready(Response::status(StatusCode::from_u16(code).unwrap_or(StatusCode::OK)))
    }
}

fn slot(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    match input.size {
        64 => slot_of::<64>(side, input, scale),
        512 => slot_of::<512>(side, input, scale),
        _ => slot_of::<4_096>(side, input, scale),
    }
}

fn slot_of<const N: usize>(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let (marks, waits): (Vec<u8>, bool) = ((0..(INPUTS * scale) as u8).collect(), input.id.starts_with("waits"));
    let tell = |response: &Option<Response>| {
        response.as_ref().map(|response| response.status_code().as_u16().to_string()).unwrap_or_default()
    };
    let future = move |mark: u8| Keeps::<N> { kept: [mark; N], waits };
    let mut cx = Context::from_waker(Waker::noop());
    match side {
        Side::Baseline => over(
            marks,
            move |mark| {
                // As a server keeps it: its type is not known where it waits.
                let mut boxed: Pin<Box<dyn Future<Output = Response>>> = Box::pin(future(*mark));
                match boxed.as_mut().poll(&mut cx) {
                    Poll::Ready(response) => Some(response),
                    Poll::Pending => match boxed.as_mut().poll(&mut cx) {
                        Poll::Ready(response) => Some(response),
                        Poll::Pending => None,
                    },
                }
            },
            tell,
        ),
        Side::Candidate => {
            let mut slot = Slot::default();
            over(
                marks,
                move |mark| match slot.run(future(*mark), &mut cx) {
                    Poll::Ready(response) => Some(response),
                    Poll::Pending => match Pin::new(&mut slot).poll(&mut cx) {
                        Poll::Ready(response) => Some(response),
                        Poll::Pending => None,
                    },
                },
                tell,
            )
        }
    }
}
