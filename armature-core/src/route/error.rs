//! What is wrong with a route, and all that is wrong with a table.

use std::fmt;

use super::pattern::PatternError;
use crate::{
    error::{Error, ErrorKind},
    http::Method,
};

/// A route that cannot stand in a table.
// For the fuzz targets; a program is told in an `Error`.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteError {
    /// The method of the route.
    pub method: Method,
    /// The pattern of the route, as it was given.
    pub pattern: String,
    /// What is wrong with it.
    pub kind: RouteErrorKind,
}

/// What is wrong with a route.
// As the error itself.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteErrorKind {
    /// The pattern breaks a rule of the grammar.
    Pattern(PatternError),
    /// The method is [`Method::Other`], which is never routed.
    Method,
    /// An earlier route of the same method matches the same paths, or has the rest of the path where this one has a
    /// parameter.
    Conflict {
        /// The pattern of the earlier route.
        with: String,
    },
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, pattern, kind } = self;
        match kind {
            RouteErrorKind::Pattern(error) => write!(f, "route {method} {pattern}: {error}"),
            RouteErrorKind::Method => write!(f, "route {pattern}: only standard methods can be routed"),
            RouteErrorKind::Conflict { with } => {
                write!(f, "route {method} {pattern}: conflicts with {method} {with}")
            }
        }
    }
}

impl std::error::Error for RouteError {}

impl RouteError {
    /// All of them in one error, one a line.
    pub(crate) fn join(errors: &[Self]) -> Error {
        let lines: Vec<String> = errors.iter().map(Self::to_string).collect();
        Error::new(ErrorKind::Route, lines.join("\n"))
    }
}
