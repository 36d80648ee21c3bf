//! [`ReadConfig`]: configuration whose readers learn of changes.

use event_listener::Event;

use super::{
    statistics::Statistics,
    swap::ArcSwapState,
    version::{Snapshot, Version, Versioned},
};

/// A value that is replaced as a whole, and whose readers can ask or wait for a change.
///
/// Use this when something is derived from the value, per worker or per task, and is to be derived anew when the value
/// changes: configuration. Who only needs the present value uses [`ArcSwapState`], which this is one of.
///
/// ```
/// use std::{cell::Cell, sync::Arc};
/// use armature_core::state::ReadConfig;
///
/// struct Config {
///     greeting: &'static str,
/// }
///
/// let config = Arc::new(ReadConfig::new(Config { greeting: "hello" }));
/// // What a worker keeps: derived once, and again when the configuration has changed.
/// let derived = |config: &Config| config.greeting.to_uppercase();
/// let mut seen = config.version();
/// let mut greeting = config.read(|config| derived(config));
///
/// config.store(Config { greeting: "good day" });
/// if config.version() != seen {
///     config.read(|config| (seen, greeting) = (config.version(), derived(config)));
/// }
/// assert_eq!(greeting, "GOOD DAY");
/// ```
#[derive(Debug)]
pub struct ReadConfig<T> {
    state: ArcSwapState<T>,
    /// Notified after each change.
    changed: Event,
}

impl<T> ReadConfig<T> {
    /// A configuration with this value.
    ///
    /// ```
    /// use armature_core::state::ReadConfig;
    ///
    /// assert_eq!(ReadConfig::new("info").read(|level| **level), "info");
    /// ```
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { state: ArcSwapState::new(value), changed: Event::new() }
    }

    /// The same configuration, which counts what is done with it from now on.
    ///
    /// ```
    /// use armature_core::state::ReadConfig;
    ///
    /// let level = ReadConfig::new("info").with_statistics();
    /// level.store("debug");
    /// assert_eq!(level.statistics().unwrap().writes, 1);
    /// ```
    #[must_use]
    pub fn with_statistics(mut self) -> Self {
        self.state = self.state.with_statistics();
        self
    }

    /// As [`ArcSwapState::read`].
    ///
    /// ```
    /// use armature_core::state::ReadConfig;
    ///
    /// assert_eq!(ReadConfig::new("info").read(|level| level.len()), 4);
    /// ```
    pub fn read<R>(&self, look: impl FnOnce(&Versioned<T>) -> R) -> R {
        self.state.read(look)
    }

    /// As [`ArcSwapState::snapshot`].
    ///
    /// ```
    /// use armature_core::state::ReadConfig;
    ///
    /// let level = ReadConfig::new("info");
    /// let before = level.snapshot();
    /// level.store("debug");
    /// assert_eq!(**before, "info");
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<T> {
        self.state.snapshot()
    }

    /// As [`ArcSwapState::store`], and wakes all who wait for a change.
    ///
    /// ```
    /// use armature_core::state::ReadConfig;
    ///
    /// let level = ReadConfig::new("info");
    /// assert_eq!(level.store("debug"), level.version());
    /// ```
    pub fn store(&self, value: T) -> Version {
        self.update(|_| value)
    }

    /// As [`ArcSwapState::update`], and wakes all who wait for a change.
    ///
    /// ```
    /// use armature_core::state::ReadConfig;
    ///
    /// let limit = ReadConfig::new(10);
    /// limit.update(|limit| limit * 2);
    /// assert_eq!(**limit.snapshot(), 20);
    /// ```
    pub fn update(&self, make: impl FnOnce(&T) -> T) -> Version {
        let version = self.state.update(make);
        self.changed.notify(usize::MAX);
        version
    }

    /// The present version; never waits. Two that differ tell of a change.
    ///
    /// ```
    /// use armature_core::state::ReadConfig;
    ///
    /// let level = ReadConfig::new("info");
    /// let seen = level.version();
    /// level.store("debug");
    /// assert_ne!(level.version(), seen);
    /// ```
    #[must_use]
    pub fn version(&self) -> Version {
        self.state.version()
    }

    /// Waits until there is a version that is not `seen`, and gives the newest. Versions in between are left out. A
    /// configuration that nobody changes is waited for without end.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use armature_core::state::ReadConfig;
    /// async fn follow(level: Arc<ReadConfig<u8>>) {
    ///     let mut seen = level.version();
    ///     loop {
    ///         let level = level.changed(seen).await;
    ///         seen = level.version();
    ///         println!("the level is {} now", **level);
    ///     }
    /// }
    /// # let _ = follow;
    /// ```
    pub async fn changed(&self, seen: Version) -> Snapshot<T> {
        while self.version() == seen {
            let change = self.changed.listen();
            // It may have come before the listener was there.
            if self.version() == seen {
                change.await;
            }
        }
        self.snapshot()
    }

    /// What was done so far; `None` if it is not counted.
    ///
    /// ```
    /// use armature_core::state::ReadConfig;
    ///
    /// let level = ReadConfig::new("info").with_statistics();
    /// level.read(|_| ());
    /// assert_eq!(level.statistics().unwrap().reads, 1);
    /// ```
    #[must_use]
    pub fn statistics(&self) -> Option<Statistics> {
        self.state.statistics()
    }
}
