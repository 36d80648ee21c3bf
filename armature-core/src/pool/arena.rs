//! [`Arena`]: memory of one request, of which nothing is freed until all is.

use std::{mem, ops::Deref};

use bumpalo::Bump;

use super::{LocalPool, Pool};

/// Arenas that a thread keeps. Requests under way hold theirs; kept are as many as one turn of the event loop leaves idle.
const KEPT_MAX: usize = 16;

/// An arena that has grown over this is not kept, so that one large request does not stay in memory: 16 of 64 KiB are 1 MiB
/// for each worker at most.
const KEPT_BYTES_MAX: usize = 65_536;

thread_local! {
    static POOL: LocalPool<Bump> = const {
        LocalPool::new(KEPT_MAX, Bump::new, |arena| {
            // Of several chunks the largest stays, and what was in it is forgotten.
            arena.reset();
            arena.allocated_bytes() <= KEPT_BYTES_MAX
        })
    };
}

/// Memory for what a request needs until it is answered, as an extractor: a [`bumpalo::Bump`] that the thread lends.
///
/// What is allocated in it costs no call to the allocator in steady state and is freed together when the arena is dropped: with
/// the handler, when the response has been made, however the handler ends, or with a streamed body that it was moved into.
/// What is in it can be kept across `.await` as long as the arena is. Destructors of what is in it do not run. For many small
/// values it pays (ledger: arena-list, arena-texts); a request that does not ask for one has none.
///
/// ```
/// use armature_core::{Path, Router, bumpalo::collections::Vec, extract::Arena, get};
///
/// async fn squares(arena: Arena, Path(count): Path<u64>) -> String {
///     let mut squares = Vec::new_in(&arena);
///     squares.extend((1..=count).map(|number| number * number));
///     tokio::task::yield_now().await;
///     let last = arena.alloc_str("last: ");
///     format!("{last}{:?}", squares.last())
/// }
///
/// let app: Router = Router::new().route("/squares/{count}", get(squares));
/// # let mut client = armature_core::test::TestClient::in_process(app)?;
/// # assert_eq!(client.get("/squares/7").send()?.text(), "last: Some(49)");
/// # Ok::<(), armature_core::Error>(())
/// ```
///
/// It cannot fail to be extracted.
#[derive(Debug)]
pub struct Arena(Bump);

impl Arena {
    /// An empty arena of this thread's, for code that is no handler.
    ///
    /// ```
    /// use armature_core::extract::Arena;
    ///
    /// let arena = Arena::new();
    /// let numbers = arena.alloc_slice_fill_with(3, |at| at * at);
    /// assert_eq!(numbers, [0, 1, 4]);
    /// ```
    #[must_use]
    #[inline]
    pub fn new() -> Self {
        Self(POOL.with(LocalPool::obtain))
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Arena {
    type Target = Bump;

    #[inline]
    fn deref(&self) -> &Bump {
        &self.0
    }
}

impl Drop for Arena {
    #[inline]
    fn drop(&mut self) {
        let arena = mem::take(&mut self.0);
        // A thread that ends has no pool any more, and an arena without memory is not worth keeping.
        if arena.allocated_bytes() > 0 {
            let _ = POOL.try_with(|pool| pool.give(arena));
        }
    }
}
