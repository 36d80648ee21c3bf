//! Has SQLite count the statements that it runs, by its own hook (<https://sqlite.org/c3ref/trace_v2.html>).
//!
//! SQLite is a part of the process that uses it, so nobody outside can ask it. Every connection of every target is opened by
//! this library and gets the hook, in timed builds as well: it is called once a statement and adds one to a number that only
//! its connection writes. Read next: `probe::statements`.

#![allow(unsafe_code, reason = "SQLite calls back through a pointer, and takes the hook from C alone")]

use std::{
    ffi::{c_int, c_uint, c_void},
    ptr,
};

use libsqlite3_sys::{SQLITE_OK, SQLITE_TRACE_STMT, sqlite3_trace_v2};
use probe::statements::Counter;
use sqlx::SqliteConnection;

use super::Error;

/// Counts all statements that begin to run on `connection` from now on; those of triggers would count as well, and the
/// contract's tables have none.
pub(super) async fn count(connection: &mut SqliteConnection) -> Result<(), Error> {
    let mut handle = connection.lock_handle().await?;
    let counter = ptr::from_ref(Counter::register()).cast_mut().cast();
    // SAFETY: sqlx says that the handle is valid, and that nobody else uses it while it is locked. The hook has the type that
    // SQLite calls, and its context is never freed.
    let code = unsafe { sqlite3_trace_v2(handle.as_raw_handle().as_ptr(), SQLITE_TRACE_STMT, Some(begins), counter) };
    if code == SQLITE_OK {
        return Ok(());
    }
    Err(Error::Configuration(format!("SQLite counts no statements: sqlite3_trace_v2 answered {code}").into()))
}

/// Called by SQLite when a statement begins to run, on the connection's thread.
unsafe extern "C" fn begins(_: c_uint, counter: *mut c_void, _: *mut c_void, _: *mut c_void) -> c_int {
    // SAFETY: the pointer is the one that `count` handed over, a shared reference to a counter that is never freed.
    let counter = unsafe { &*counter.cast_const().cast::<Counter>() };
    counter.add_one();
    0
}
