//! [`LocalPool`]: a stack of objects within one thread.

use std::{cell::RefCell, fmt};

use super::{Pool, Pooled};

/// Objects of one thread, at most so many of them; the one that came back last is lent first.
///
/// A worker has one each, made in its factory and shared by its handlers through `Rc`. When that pays, and when not, is said at
/// the [module](super).
///
/// ```
/// use std::{fmt::Write, rc::Rc};
/// use armature_core::{Path, Router, State, get, pool::LocalPool};
///
/// async fn table(State(pages): State<Rc<LocalPool<String>>>, Path(rows): Path<u32>) -> String {
///     let mut page = pages.take();
///     (0..rows).for_each(|row| { let _ = writeln!(page, "{row}"); });
///     page.lines().count().to_string()
/// }
///
/// let worker = |_| {
///     // Keeps 16 texts, of which none is larger than 1 MiB.
///     let pages = LocalPool::new(16, String::new, |page| { page.clear(); page.capacity() <= 1 << 20 });
///     Router::new().route("/table/{rows}", get(table)).with_state(Rc::new(pages))
/// };
/// # let mut client = armature_core::test::TestClient::over_socket(worker)?;
/// # assert_eq!(client.get("/table/7").send()?.text(), "7");
/// # Ok::<(), armature_core::Error>(())
/// ```
pub struct LocalPool<T> {
    kept: RefCell<Vec<T>>,
    kept_max: usize,
    make: fn() -> T,
    reset: fn(&mut T) -> bool,
}

impl<T> LocalPool<T> {
    /// An empty pool that keeps at most `kept_max` objects. `make` makes one where none is kept; `reset` makes one that comes
    /// back as good as new, in whatever state a panic has left it, and says whether it is to be kept.
    ///
    /// ```
    /// use armature_core::pool::LocalPool;
    ///
    /// let pool = LocalPool::new(1, || vec![0; 64], |bytes| { bytes.fill(0); bytes.len() == 64 });
    /// drop([pool.take(), pool.take()]);
    /// assert_eq!(pool.kept(), 1);
    /// pool.take().push(0); // Now it is another size.
    /// assert_eq!(pool.kept(), 0);
    /// ```
    pub const fn new(kept_max: usize, make: fn() -> T, reset: fn(&mut T) -> bool) -> Self {
        Self { kept: RefCell::new(Vec::new()), kept_max, make, reset }
    }

    /// An object, kept or new.
    ///
    /// ```
    /// use armature_core::pool::LocalPool;
    ///
    /// let pool = LocalPool::new(4, || 7, |_| true);
    /// assert_eq!(*pool.take(), 7);
    /// ```
    #[inline]
    pub fn take(&self) -> Pooled<'_, Self> {
        Pooled::new(self.obtain(), self)
    }

    /// How many objects wait to be taken.
    ///
    /// ```
    /// use armature_core::pool::LocalPool;
    ///
    /// let pool = LocalPool::new(4, String::new, |_| true);
    /// assert_eq!(pool.kept(), 0);
    /// drop(pool.take());
    /// assert_eq!(pool.kept(), 1);
    /// ```
    pub fn kept(&self) -> usize {
        self.kept.borrow().len()
    }

    /// An object that its holder gives back by itself.
    #[inline]
    pub(super) fn obtain(&self) -> T {
        let kept = self.kept.borrow_mut().pop();
        kept.unwrap_or_else(self.make)
    }
}

impl<T> Pool for LocalPool<T> {
    type Object = T;

    #[inline]
    fn give(&self, mut object: T) {
        // Neither reset nor a destructor runs while the list is borrowed, as either may come here.
        if (self.reset)(&mut object) && self.kept() < self.kept_max {
            self.kept.borrow_mut().push(object);
        }
    }
}

impl<T> fmt::Debug for LocalPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalPool({} of {})", self.kept(), self.kept_max)
    }
}
