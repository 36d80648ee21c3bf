//! The one error of the library's API: what went wrong in building or running a server, with its cause.
//!
//! Errors of single requests are not here: a peer's mistake is an [`Refusal`](crate::body::Refusal), an extractor's
//! is a rejection. Read next: `limits.rs`.

use std::{error, fmt, io};

/// Why a server could not be built or could not run.
///
/// ```
/// use armature_core::{ErrorKind, Router, get};
///
/// let twice = Router::<()>::new().route("/{id}", get(async || ())).route("/{name}", get(async || ()));
/// let error = twice.build().err().unwrap();
/// assert_eq!(error.kind(), ErrorKind::Route);
/// assert!(error.to_string().contains("/{name}"));
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    context: String,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

/// What kind of thing went wrong.
///
/// ```
/// use armature_core::{ErrorKind, Server};
///
/// let taken = Server::bind("127.0.0.1:0")?;
/// assert_eq!(Server::bind(taken.local_addr()).unwrap_err().kind(), ErrorKind::Bind);
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A route has bad syntax or conflicts with another.
    Route,
    /// A limit is out of its range.
    Limits,
    /// A field of the tuning is out of its range.
    Tuning,
    /// The address could not be bound, or a socket not be set as it was asked for.
    Bind,
    /// A worker's thread or runtime could not be started.
    Worker,
    /// What was given as a request is none.
    Request,
    /// A client for tests got no answer.
    Test,
    /// A certificate or its key cannot be used.
    Tls,
    /// A directory of files could not be opened.
    Directory,
    /// A signal handler could not be installed.
    Signal,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        Self { kind, context: context.into(), source: None }
    }

    pub(crate) fn io(kind: ErrorKind, context: impl Into<String>, source: io::Error) -> Self {
        Self::caused(kind, context, Box::new(source))
    }

    pub(crate) fn caused(
        kind: ErrorKind,
        context: impl Into<String>,
        source: Box<dyn error::Error + Send + Sync>,
    ) -> Self {
        Self { kind, context: context.into(), source: Some(source) }
    }

    /// What kind of thing went wrong.
    ///
    /// ```
    /// use armature_core::{ErrorKind, Files};
    ///
    /// assert_eq!(Files::new("/no/such/directory").unwrap_err().kind(), ErrorKind::Directory);
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
