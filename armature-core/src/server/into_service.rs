//! What becomes a service when a worker starts.

use std::{error, rc::Rc};

use crate::{
    error::{Error, ErrorKind},
    service::{Router, Routes, Service},
};

/// What becomes a service when a worker starts.
///
/// Routers are, and so is a `Result` of one, for a factory that may fail.
///
/// ```
/// use armature_core::{IntoService, Router, get};
///
/// fn app() -> Result<Router, std::io::Error> {
///     let greeting = std::env::var("GREETING").unwrap_or_else(|_| "hello".to_owned());
///     Ok(Router::new().route("/", get(move || std::future::ready(greeting.clone()))))
/// }
/// # assert!(app().into_service().is_ok());
/// ```
pub trait IntoService {
    /// The service.
    type Service: Service;

    /// Builds it.
    ///
    /// # Errors
    /// When it cannot be built, which keeps the server from starting.
    fn into_service(self) -> Result<Self::Service, Error>;
}

impl IntoService for Router {
    type Service = Routes;

    fn into_service(self) -> Result<Routes, Error> {
        self.build()
    }
}

impl<A: IntoService, E: Into<Box<dyn error::Error + Send + Sync>>> IntoService for Result<A, E> {
    type Service = A::Service;

    fn into_service(self) -> Result<A::Service, Error> {
        match self {
            Ok(app) => app.into_service(),
            Err(source) => Err(Error::caused(ErrorKind::Worker, "the application could not be built", source.into())),
        }
    }
}

impl IntoService for Routes {
    type Service = Self;

    fn into_service(self) -> Result<Self, Error> {
        Ok(self)
    }
}

impl<S: Service> IntoService for Rc<S> {
    type Service = Self;

    fn into_service(self) -> Result<Self, Error> {
        Ok(self)
    }
}
