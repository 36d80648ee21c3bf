//! How a plain async function of extractors becomes a service.
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
    body::BodyError,
    extract::{FromHead, FromRequest},
    respond::{IntoResponse, Response},
    service::{Request, Service, Slot},
};

/// An async function of up to 12 extractors, of which the last may take the body.
///
/// `M` only tells implementations apart; `S` is the state that extractors may ask for. There is one implementation, by way of
/// [`Function`] and [`Arguments`], so that the compiler names the argument or result that does not fit.
///
/// ```
/// use armature_core::{Json, Path, Router, State, post};
///
/// async fn add(State(by): State<i64>, Path(to): Path<i64>, Json(more): Json<Vec<i64>>) -> Json<i64> {
///     Json(by + to + more.iter().sum::<i64>())
/// }
///
/// let router: Router = Router::new().route("/add/{to}", post(add)).with_state(10);
/// # router.build().unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "not an async function of up to 12 arguments",
    note = "a handler is an `async fn`, or another function that returns a future"
)]
pub trait Handler<M, S>: Clone + 'static {
    /// Extracts the arguments and calls the function.
    fn run(&self, request: Request<'_>, state: &S, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response>;
}

/// A handler as a service, with its state.
pub(crate) fn bind<M: 'static, S: 'static>(handler: impl Handler<M, S>, state: S) -> Rc<dyn Service> {
    Rc::new(Bound { handler, state, marker: PhantomData })
}

struct Bound<H, M, S> {
    handler: H,
    state: S,
    marker: PhantomData<M>,
}

impl<H: Handler<M, S>, M: 'static, S: 'static> Service for Bound<H, M, S> {
    #[inline]
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        // Every middleware has had its say about the limit by now.
        if request.body.is_announced_too_large() {
            return Poll::Ready(BodyError::TooLarge.into_response());
        }
        self.handler.run(request, &self.state, slot, cx)
    }
}

impl<F, A, M, S> Handler<(A, M), S> for F
where
    F: Function<A> + Clone + 'static,
    A: Arguments<F, M, S>,
{
    #[inline]
    fn run(&self, request: Request<'_>, state: &S, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        A::call(self, request, state, slot, cx)
    }
}

/// An async function of these arguments, a tuple.
// Only messages of the compiler name it.
#[doc(hidden)]
pub trait Function<A> {}

/// What a handler is called with, a tuple of extractors; `F` is the handler.
// As above.
#[doc(hidden)]
pub trait Arguments<F, M, S> {
    /// Extracts them, and calls the function.
    fn call(handler: &F, request: Request<'_>, state: &S, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response>;
}

impl<F: Fn() -> Fut, Fut: Future> Function<()> for F {}

impl<F, Fut, R, S> Arguments<F, (), S> for ()
where
    F: Fn() -> Fut,
    Fut: Future<Output = R> + 'static,
    R: IntoResponse,
{
    #[inline]
    fn call(handler: &F, _: Request<'_>, _: &S, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        let response = handler();
        slot.run(async move { response.await.into_response() }, cx)
    }
}

macro_rules! handler {
    ($($head:ident),*; $last:ident) => {
        impl<F: Fn($($head,)* $last) -> Fut, Fut: Future, $($head,)* $last> Function<($($head,)* $last,)> for F {}

        impl<F, Fut, R, S, M, $($head,)* $last> Arguments<F, M, S> for ($($head,)* $last,)
        where
            F: Fn($($head,)* $last) -> Fut + Clone + 'static,
            Fut: Future<Output = R> + 'static,
            R: IntoResponse,
            $($head: FromHead<S> + 'static,)*
            $last: FromRequest<S, M> + 'static,
        {
            #[allow(non_snake_case, reason = "the macro names each argument like its type")]
            #[inline]
            fn call(
                handler: &F,
                request: Request<'_>,
                state: &S,
                slot: &mut Slot,
                cx: &mut Context<'_>,
            ) -> Poll<Response> {
                $(
                    let $head = match $head::from_head(&request.head, state) {
                        Ok(value) => value,
                        Err(rejection) => return Poll::Ready(rejection.into_response()),
                    };
                )*
                let last = $last::from_request(request, state);
                let handler = handler.clone();
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
