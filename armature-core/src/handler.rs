//! How a plain async function of extractors becomes an endpoint of a router.
//!
//! Extractors of the head run at once, while the head is borrowed; the last argument may take the body, which can mean
//! waiting. The future of all that is constructed in the connection's [`Slot`], so no request boxes one.

use std::{
    future::Future,
    marker::PhantomData,
    rc::Rc,
    task::{Context, Poll},
};

use crate::{
    extract::{FromHead, FromRequest},
    respond::{IntoResponse, Response},
    service::{Request, Slot},
};

/// A handler with everything it needs.
pub trait Endpoint {
    /// Answers a request, as [`Service::call`](crate::service::Service::call) does.
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response>;
}

/// A handler that still needs its state.
pub trait Unbound<S> {
    /// The handler with a clone of this state.
    fn bind(self: Box<Self>, state: &S) -> Rc<dyn Endpoint>;
}

/// An async function of up to 12 extractors, of which the last may take the body.
///
/// `M` only tells implementations apart; `S` is the state that extractors may ask for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    note = "a handler is an async function whose arguments are extractors and whose result is a response"
)]
pub trait Handler<M, S>: Clone + 'static {
    /// Extracts the arguments and calls the function.
    fn run(&self, request: Request<'_>, state: &S, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response>;

    /// This handler, to be given its state later.
    fn into_unbound(self) -> Box<dyn Unbound<S>>
    where
        M: 'static,
        S: Clone + 'static,
    {
        Box::new(UnboundHandler { handler: self, marker: PhantomData })
    }
}

/// An endpoint whose requests may have bodies of another size than the server's limit says.
pub(crate) struct WithBodyLimit {
    pub(crate) endpoint: Rc<dyn Endpoint>,
    pub(crate) body_bytes_max: u64,
}

impl Endpoint for WithBodyLimit {
    fn call(&self, mut request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        request.body.set_limit(self.body_bytes_max);
        self.endpoint.call(request, slot, cx)
    }
}

struct UnboundHandler<H, M> {
    handler: H,
    marker: PhantomData<M>,
}

impl<H, M, S> Unbound<S> for UnboundHandler<H, M>
where
    H: Handler<M, S>,
    M: 'static,
    S: Clone + 'static,
{
    fn bind(self: Box<Self>, state: &S) -> Rc<dyn Endpoint> {
        Rc::new(BoundHandler { handler: self.handler, state: state.clone(), marker: PhantomData })
    }
}

struct BoundHandler<H, M, S> {
    handler: H,
    state: S,
    marker: PhantomData<M>,
}

impl<H: Handler<M, S>, M, S> Endpoint for BoundHandler<H, M, S> {
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        self.handler.run(request, &self.state, slot, cx)
    }
}

impl<F, Fut, R, S> Handler<((),), S> for F
where
    F: Fn() -> Fut + Clone + 'static,
    Fut: Future<Output = R> + 'static,
    R: IntoResponse,
{
    #[inline]
    fn run(&self, _: Request<'_>, _: &S, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        let response = self();
        slot.run(async move { response.await.into_response() }, cx)
    }
}

macro_rules! handler {
    ($($head:ident),*; $last:ident) => {
        impl<F, Fut, R, S, M, $($head,)* $last> Handler<(M, $($head,)* $last,), S> for F
        where
            F: Fn($($head,)* $last) -> Fut + Clone + 'static,
            Fut: Future<Output = R> + 'static,
            R: IntoResponse,
            $($head: FromHead<S> + 'static,)*
            $last: FromRequest<S, M> + 'static,
            M: 'static,
        {
            #[allow(non_snake_case, reason = "the macro names each argument like its type")]
            #[inline]
            fn run(&self, request: Request<'_>, state: &S, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
                $(
                    let $head = match $head::from_head(&request.head, state) {
                        Ok(value) => value,
                        Err(rejection) => return Poll::Ready(rejection.into_response()),
                    };
                )*
                let last = $last::from_request(request, state);
                let handler = self.clone();
                slot.run(
                    async move {
                        match last.await {
                            Ok(last) => handler($($head,)* last).await.into_response(),
                            Err(rejection) => rejection.into_response(),
                        }
                    },
                    cx,
                )
            }
        }
    };
}

handler!(; T1);
handler!(T1; T2);
handler!(T1, T2; T3);
handler!(T1, T2, T3; T4);
handler!(T1, T2, T3, T4; T5);
handler!(T1, T2, T3, T4, T5; T6);
handler!(T1, T2, T3, T4, T5, T6; T7);
handler!(T1, T2, T3, T4, T5, T6, T7; T8);
handler!(T1, T2, T3, T4, T5, T6, T7, T8; T9);
handler!(T1, T2, T3, T4, T5, T6, T7, T8, T9; T10);
handler!(T1, T2, T3, T4, T5, T6, T7, T8, T9, T10; T11);
handler!(T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11; T12);
