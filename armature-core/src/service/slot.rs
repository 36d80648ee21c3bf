//! Storage in which a handler's future lives while it runs, used again for the next request.
//!
//! Futures of different handlers have different types and sizes. Boxing each would be an allocation per request; a slot
//! has one block of memory and constructs every future in it, and the blocks of a thread are recycled. A middleware wraps
//! the future that is there in another. This is the only file of the crate that types memory at run time. It is small so
//! that it can be read whole, and its tests run under AddressSanitizer and Miri; the crate's README says how.

#![allow(unsafe_code, reason = "a future is constructed, polled and dropped in memory that is typed at run time")]

use std::{
    cell::RefCell,
    fmt,
    future::Future,
    marker::PhantomData,
    mem::{self, MaybeUninit},
    pin::Pin,
    ptr,
    task::{Context, Poll},
};

use crate::{http::StatusCode, respond::Response};

/// The largest alignment that a slot's memory has; futures that want more are boxed.
const ALIGNMENT: usize = align_of::<Line>();

/// Blocks up to this size are worth keeping for the next request; the futures of most handlers are some hundred bytes.
const KEPT_BYTES_MAX: usize = 16_384;

/// Blocks that a thread keeps. Each handler that waits has one, and one more for each middleware that waits with it; what
/// a burst needed beyond this is let go. At 16 KiB each they are 1 MiB at most.
const KEPT_MAX: usize = 64;

/// What the memory is counted in.
type Line = u128;

/// One block.
type Memory = Vec<MaybeUninit<Line>>;

thread_local! {
    static BLOCKS: RefCell<Vec<Memory>> = const { RefCell::new(Vec::new()) };
}

/// Memory for one running handler. It stays on its thread, as the futures in it do:
///
/// ```compile_fail,E0277
/// let slot = armature_core::service::Slot::default();
/// std::thread::spawn(move || drop(slot));
/// ```
///
/// It is also the future of what is in it:
///
/// ```
///
/// use armature_core::{Response, StatusCode, service::Slot};
/// use std::{future::ready, task::{Context, Waker}};
///
/// let (mut slot, mut cx) = (Slot::default(), Context::from_waker(Waker::noop()));
/// let answer = slot.run(ready(Response::status(StatusCode::OK)), &mut cx);
/// assert!(answer.is_ready());
/// ```
#[derive(Default)]
pub struct Slot {
    /// Uninitialised except for the future that `running` describes. Never grown while that is `Some`, so the future
    /// does not move.
    memory: Memory,
    running: Option<&'static Running>,
    /// The future need not be one that other threads may have, and is not to be seen in the types above.
    own_thread: PhantomData<*mut ()>,
}

/// How to treat the future in a slot's memory.
struct Running {
    poll: unsafe fn(*mut Line, &mut Context<'_>) -> Poll<Response>,
    drop: unsafe fn(*mut Line),
}

struct RunningOf<F>(PhantomData<F>);

impl<F: Future<Output = Response> + 'static> RunningOf<F> {
    const TABLE: &'static Running = &Running { poll: poll_in_place::<F>, drop: drop_in_place::<F> };
}

/// # Safety
/// `memory` must hold an `F` that is pinned there.
unsafe fn poll_in_place<F: Future<Output = Response>>(memory: *mut Line, cx: &mut Context<'_>) -> Poll<Response> {
    // SAFETY: the caller guarantees an F at this place, and that it stays there until it is dropped.
    let future = unsafe { Pin::new_unchecked(&mut *memory.cast::<F>()) };
    future.poll(cx)
}

/// # Safety
/// `memory` must hold an `F`, which is gone afterwards.
unsafe fn drop_in_place<F>(memory: *mut Line) {
    // SAFETY: the caller guarantees an F at this place and does not use it again.
    unsafe { ptr::drop_in_place(memory.cast::<F>()) };
}

impl Slot {
    /// Runs `future` until it is done or has to wait; in the latter case it stays here, and the slot is its future.
    ///
    /// A future that was here before is dropped.
    ///
    /// ```
    /// use armature_core::{Response, StatusCode, service::Slot};
    /// use std::{future::pending, task::{Context, Waker}};
    ///
    /// let (mut slot, mut cx) = (Slot::default(), Context::from_waker(Waker::noop()));
    /// assert!(slot.run(async { Response::status(StatusCode::OK) }, &mut cx).is_ready());
    /// assert!(slot.run(pending(), &mut cx).is_pending()); // It stays in the slot.
    /// ```
    #[inline]
    pub fn run<F>(&mut self, future: F, cx: &mut Context<'_>) -> Poll<Response>
    where
        F: Future<Output = Response> + 'static,
    {
        if align_of::<F>() > ALIGNMENT {
            self.run_in_place(Box::pin(future), cx)
        } else {
            self.run_in_place(future, cx)
        }
    }

    #[inline]
    fn run_in_place<F>(&mut self, future: F, cx: &mut Context<'_>) -> Poll<Response>
    where
        F: Future<Output = Response> + 'static,
    {
        let memory = self.write(future);
        // SAFETY: the F was just written. It is pinned: the memory is not moved or grown while `running` is set.
        let polled = unsafe { poll_in_place::<F>(memory, cx) };
        if polled.is_ready() {
            // Cleared first, so that a panic in the drop does not lead to a second one.
            self.running = None;
            // SAFETY: the F is still here, and nothing refers to it any more.
            unsafe { drop_in_place::<F>(memory) };
            self.poison();
        }
        polled
    }

    /// Constructs a future here; from now on a panic leaves it to `clear`, which drops it.
    #[inline]
    fn write<F>(&mut self, future: F) -> *mut Line
    where
        F: Future<Output = Response> + 'static,
    {
        self.clear();
        let lines = size_of::<F>().div_ceil(size_of::<Line>());
        if self.memory.len() < lines {
            self.grow(lines);
        }
        let memory = self.memory.as_mut_ptr().cast::<Line>();
        // SAFETY: the memory is at least as large and as aligned as F (those that want more are boxed by the callers), and
        // `clear` left nothing in it that would have to be dropped.
        unsafe { memory.cast::<F>().write(future) };
        self.running = Some(RunningOf::<F>::TABLE);
        memory
    }

    /// Finds memory of so many lines. Nothing is in the slot.
    #[cold]
    fn grow(&mut self, lines: usize) {
        if self.memory.is_empty() {
            self.memory = BLOCKS.with_borrow_mut(Vec::pop).unwrap_or_default();
        }
        if self.memory.len() < lines {
            self.memory.resize_with(lines, MaybeUninit::uninit);
        }
    }

    /// Puts another future in the place of the one that waits here, and gives it that one: a slot is the future of what is
    /// in it, and does not move it. The new one is not polled: who has just polled the old one knows that it waits.
    ///
    /// ```
    /// use armature_core::{Response, StatusCode, service::Slot};
    /// use std::{pin::pin, task::{Context, Poll, Waker}};
    ///
    /// let (mut slot, mut cx) = (Slot::default(), Context::from_waker(Waker::noop()));
    /// let waits = async {
    ///     tokio::task::yield_now().await;
    ///     Response::status(StatusCode::OK)
    /// };
    /// assert!(slot.run(waits, &mut cx).is_pending());
    /// slot.wrap(|inner| async move { inner.await.with_status(StatusCode::ACCEPTED) });
    /// let Poll::Ready(answer) = pin!(slot).poll(&mut cx) else { panic!("it waits once") };
    /// assert_eq!(answer.status_code(), StatusCode::ACCEPTED);
    /// ```
    pub fn wrap<F>(&mut self, wrapper: impl FnOnce(Self) -> F)
    where
        F: Future<Output = Response> + 'static,
    {
        let future = wrapper(mem::take(self));
        if align_of::<F>() > ALIGNMENT {
            self.write(Box::pin(future));
        } else {
            self.write(future);
        }
    }

    /// Polls the future that [`run`](Self::run) left here. An empty slot is ready with 500.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response> {
        let Some(running) = self.running else {
            return Poll::Ready(Response::status(StatusCode::INTERNAL_SERVER_ERROR));
        };
        let memory = self.memory.as_mut_ptr().cast::<Line>();
        // SAFETY: `running` is the table of the future that `run_in_place` wrote here and that has not been dropped.
        let polled = unsafe { (running.poll)(memory, cx) };
        if polled.is_ready() {
            self.clear();
        }
        polled
    }

    /// Drops the future that is here, if any.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if let Some(running) = self.running.take() {
            // SAFETY: as in `poll`; `take` makes sure that it happens once.
            unsafe { (running.drop)(self.memory.as_mut_ptr().cast::<Line>()) };
            self.poison();
        }
    }

    /// Overwrites the memory where debug assertions are on, so that nothing of one request can be read in the next.
    #[inline]
    fn poison(&mut self) {
        if cfg!(debug_assertions) {
            self.memory.fill_with(|| MaybeUninit::new(Line::from_ne_bytes([0xa5; size_of::<Line>()])));
        }
    }

    /// Whether a future waits here.
    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }
}

/// The future that waits in the slot.
impl Future for Slot {
    type Output = Response;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        self.get_mut().poll(cx)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.clear();
        if !self.memory.is_empty() && size_of_val(self.memory.as_slice()) <= KEPT_BYTES_MAX {
            let memory = mem::take(&mut self.memory);
            // A thread that ends has no place for it any more.
            let _ = BLOCKS.try_with(|blocks| {
                let mut blocks = blocks.borrow_mut();
                if blocks.len() < KEPT_MAX {
                    blocks.push(memory);
                }
            });
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({} bytes, running: {})", size_of_val(self.memory.as_slice()), self.is_running())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        panic::{AssertUnwindSafe, catch_unwind},
        rc::Rc,
        task::Waker,
    };

    use super::*;

    /// Counts its drops.
    struct Guard(Rc<Cell<u32>>);

    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    /// Pending once, with a self-reference across the wait.
    async fn wait_once(guard: Guard, status: u16) -> Response {
        let local = [status; 20];
        let kept = &local[7];
        let mut waited = false;
        std::future::poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending })
            .await;
        drop(guard);
        Response::status(StatusCode::from_u16(*kept).unwrap())
    }

    fn status(polled: &Poll<Response>) -> Option<u16> {
        match polled {
            Poll::Ready(response) => Some(response.status_code().as_u16()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn futures_of_many_sizes_share_a_slot() {
        let drops = Rc::new(Cell::new(0));
        let mut cx = Context::from_waker(Waker::noop());
        let mut slot = Slot::default();
        for round in 0..3 {
            let guard = Guard(drops.clone());
            let at_once = slot.run(
                async move {
                    let _kept = &guard;
                    Response::status(StatusCode::ACCEPTED)
                },
                &mut cx,
            );
            assert_eq!(status(&at_once), Some(202));
            let waits = slot.run(wait_once(Guard(drops.clone()), 201), &mut cx);
            assert_eq!((status(&waits), slot.is_running()), (None, true));
            assert_eq!(status(&slot.poll(&mut cx)), Some(201));
            assert!(!slot.is_running());
            let large = [round; 3000];
            let done =
                slot.run(async move { Response::status(StatusCode::from_u16(200 + large[2999]).unwrap()) }, &mut cx);
            assert_eq!(status(&done), Some(200 + round));
        }
        assert_eq!(drops.get(), 6);
    }

    #[test]
    fn an_unfinished_future_is_dropped_once() {
        let drops = Rc::new(Cell::new(0));
        let mut cx = Context::from_waker(Waker::noop());
        let mut slot = Slot::default();
        let _ = slot.run(wait_once(Guard(drops.clone()), 200), &mut cx);
        let _ = slot.run(wait_once(Guard(drops.clone()), 200), &mut cx);
        assert_eq!(drops.get(), 1);
        drop(slot);
        assert_eq!(drops.get(), 2);
    }

    #[test]
    fn a_panic_leaves_the_slot_usable() {
        let drops = Rc::new(Cell::new(0));
        let mut cx = Context::from_waker(Waker::noop());
        let mut slot = Slot::default();
        let guard = Guard(drops.clone());
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            slot.run(
                async move {
                    if guard.0.get() == 0 { panic!("in a handler") } else { Response::status(StatusCode::OK) }
                },
                &mut cx,
            )
        }));
        assert!(panicked.is_err());
        assert_eq!(status(&slot.run(async { Response::status(StatusCode::OK) }, &mut cx)), Some(200));
        assert_eq!(drops.get(), 1);
    }

    #[test]
    fn a_waiting_future_is_wrapped_in_another_where_it_is() {
        let drops = Rc::new(Cell::new(0));
        let mut cx = Context::from_waker(Waker::noop());
        let mut slot = Slot::default();
        for depth in 0..4 {
            let waits = slot.run(wait_once(Guard(drops.clone()), 200), &mut cx);
            assert_eq!(status(&waits), None);
            for _ in 0..depth {
                slot.wrap(|inner| async move {
                    let code = inner.await.status_code().as_u16() + 1;
                    Response::status(StatusCode::from_u16(code).unwrap())
                });
            }
            assert_eq!(status(&slot.poll(&mut cx)), Some(200 + depth));
            assert_eq!(drops.get(), u32::from(depth) + 1);
        }
        let _ = slot.run(wait_once(Guard(drops.clone()), 200), &mut cx);
        slot.wrap(|inner| inner);
        drop(slot);
        assert_eq!(drops.get(), 5);
    }

    #[test]
    fn large_alignments_are_boxed() {
        #[repr(align(256))]
        struct Wide(u16);
        let mut cx = Context::from_waker(Waker::noop());
        let wide = Wide(204);
        let polled = Slot::default().run(
            async move {
                let wide = &wide;
                assert_eq!(std::ptr::from_ref(wide).addr() % 256, 0);
                Response::status(StatusCode::from_u16(wide.0).unwrap())
            },
            &mut cx,
        );
        assert_eq!(status(&polled), Some(204));
    }
}
