//! An HTTP/1.1 server core and the programming model on top of it. This page is the guide, from `guide.md`; it takes ten
//! minutes. At its end stands where things are.
#![doc = ""]
#![doc = include_str!("guide.md")]
//! - 4: [`server`](Server), [`test`](mod@test)
//! - 3: `io`, `conn`, `worker`, `transport`, [`file`](mod@file), [`middleware`], `interval`: sockets, time, threads and files
//! - 2: [`service`], [`handler`], [`extract`], [`respond`], [`stream`], [`tower`]: the programming model
//! - 1: [`body`], `buffer`, `collections`, `h1`, [`pool`], [`route`](mod@route), [`state`]: mechanisms without sockets, clocks or tasks
//! - 0: [`http`], [`Limits`], [`Tuning`], [`Error`]: the vocabulary

pub mod body;
// How large a read is, for the suite that tries it.
#[doc(hidden)]
pub mod buffer;
mod collections;
mod conn;
mod error;
pub mod extract;
pub mod file;
// Bytes in, decisions out, for the fuzz targets and the suites that call it without a server.
#[doc(hidden)]
pub mod h1;
pub mod handler;
pub mod http;
mod interval;
mod io;
mod limits;
pub mod middleware;
pub mod pool;
pub mod respond;
pub mod route;
mod server;
pub mod service;
pub mod state;
pub mod stream;
pub mod test;
pub mod tower;
mod transport;
mod tuning;
mod upgrade;
mod worker;

pub use body::{Body, RequestBody};
/// The crate of [`extract::Arena`].
pub use bumpalo;
pub use collections::{SmallPairs, SmallString};
/// The crate of [`extract::Cookies`].
pub use cookie;
pub use error::{Error, ErrorKind};
pub use extract::{Json, Path, Query, State};
pub use file::Files;
/// The crate of the types that [`extract::TypedHeader`] reads.
pub use headers;
pub use http::{Method, StatusCode};
pub use interval::every;
pub use limits::{HEAD_FIELDS_CEILING, Limits};
pub use respond::{Failure, Html, IntoResponse, MediaType, Redirect, Response};
pub use server::{Balance, Handle, IntoService, Server, WorkerContext};
pub use service::{MethodRouter, Router, Routes, Service, any, delete, get, head, options, patch, post, put};
#[cfg(feature = "tls")]
pub use transport::Tls;
pub use tuning::Tuning;
pub use upgrade::Upgraded;
pub use worker::{
    background::{Background, TooManyTasks},
    counters::Counters,
};

/// The examples of the README are compiled with those of this page.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
