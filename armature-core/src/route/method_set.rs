//! A set of methods, and what a path with these methods answers.

use crate::http::Method;

/// A set of methods.
///
/// ```
/// use armature_core::{Method, route::MethodSet};
///
/// let mut methods = MethodSet::default();
/// methods.insert(Method::Put);
/// methods.insert(Method::Get);
/// assert_eq!(methods.allow(), "GET, PUT");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MethodSet(u16);

impl MethodSet {
    /// Adds a method; [`Method::Other`] is in no set.
    ///
    /// ```
    /// use armature_core::{Method, route::MethodSet};
    ///
    /// let mut methods = MethodSet::default();
    /// methods.insert(Method::Get);
    /// methods.insert(Method::Other);
    /// assert_eq!(methods.allow(), "GET");
    /// ```
    pub fn insert(&mut self, method: Method) {
        if method != Method::Other {
            self.0 |= 1 << method as u16;
        }
    }

    /// Whether the method is in the set.
    ///
    /// ```
    /// use armature_core::{Method, route::MethodSet};
    ///
    /// assert!(!MethodSet::default().contains(Method::Get));
    /// ```
    #[must_use]
    pub fn contains(self, method: Method) -> bool {
        method != Method::Other && self.0 & (1 << method as u16) != 0
    }

    /// The set with what is answered without a route of its own: HEAD where GET is, and OPTIONS.
    pub(super) fn with_implied(mut self) -> Self {
        if self.contains(Method::Get) {
            self.insert(Method::Head);
        }
        self.insert(Method::Options);
        self
    }

    /// Whether the set is empty.
    ///
    /// ```
    /// use armature_core::route::MethodSet;
    ///
    /// assert!(MethodSet::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The value of an Allow field (RFC 9110 §10.2.1).
    ///
    /// ```
    /// use armature_core::{Method, route::MethodSet};
    ///
    /// let mut methods = MethodSet::default();
    /// [Method::Delete, Method::Get].map(|method| methods.insert(method));
    /// assert_eq!(methods.allow(), "GET, DELETE"); // Whatever the order in which they were added.
    /// ```
    #[must_use]
    pub fn allow(self) -> String {
        let names: Vec<_> =
            Method::ALL.into_iter().filter(|method| self.contains(*method)).map(Method::as_str).collect();
        names.join(", ")
    }
}
