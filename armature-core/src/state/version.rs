//! Versions: which of a state's values somebody has seen.

use std::{ops::Deref, sync::Arc};

/// Tells a state's values apart: two reads with the same version saw the same value.
///
/// What was derived from a value is good for as long as the state has the version that it was derived from. As part of a
/// key it retires what a [`ReadCache`](super::ReadCache) holds of older values. Versions of different states have
/// nothing to do with each other.
///
/// ```
/// use armature_core::state::{ReadCache, ReadState};
///
/// let names = ReadState::new(vec!["ada", "grace"]);
/// let lengths = ReadCache::new(1_000);
/// let length = |index: usize| {
///     names.read(|names| lengths.get_or_insert_with((names.version(), index), || names[index].len()))
/// };
/// assert_eq!(length(0), 3);
/// names.write(|names| names[0] = "barbara");
/// assert_eq!(length(0), 7);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(u64);

impl Version {
    /// At 10⁹ changes a second this lasts for 500 years.
    pub(super) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A value of a state with its version; it dereferences to the value.
///
/// ```
/// use armature_core::state::ReadState;
///
/// let names = ReadState::new(vec!["ada"]);
/// let before = names.version();
/// names.write(|names| names.push("grace"));
/// assert_eq!(names.read(|names| (names.len(), names.version() > before)), (2, true));
/// ```
#[derive(Debug, Clone)]
pub struct Versioned<T> {
    pub(super) version: Version,
    pub(super) value: T,
}

impl<T> Versioned<T> {
    pub(super) fn first(value: T) -> Self {
        Self { version: Version::default(), value }
    }

    /// The version that the state had with this value.
    ///
    /// ```
    /// use armature_core::state::ArcSwapState;
    ///
    /// let price = ArcSwapState::new(3);
    /// let first = price.snapshot().version();
    /// assert_eq!(price.store(4), price.snapshot().version());
    /// assert!(first < price.version());
    /// ```
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Gives the value out to be changed. It has its new version before the change begins, so that a change that
    /// panics half-way is one that readers see as well.
    pub(super) fn change(&mut self) -> &mut T {
        self.version = self.version.next();
        &mut self.value
    }
}

impl<T> Deref for Versioned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A value of a state, to be kept for as long as one likes; later changes do not reach it.
///
/// ```
/// use armature_core::state::ArcSwapState;
///
/// let price = ArcSwapState::new(3);
/// let before = price.snapshot();
/// price.store(4);
/// assert_eq!((**before, **price.snapshot()), (3, 4));
/// ```
#[derive(Debug)]
pub struct Snapshot<T>(pub(super) Arc<Versioned<T>>);

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Snapshot<T> {
    type Target = Versioned<T>;

    fn deref(&self) -> &Versioned<T> {
        &self.0
    }
}
