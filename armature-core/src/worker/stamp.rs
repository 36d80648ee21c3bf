//! The Server and Date fields, written once a second at most and copied into each answer.

use std::{
    cell::{Cell, Ref, RefCell},
    fmt::Write,
    time::{Duration, SystemTime},
};

/// The fields that every answer of a worker carries.
#[derive(Debug)]
pub(crate) struct Stamp {
    name: String,
    second: Cell<u64>,
    text: RefCell<String>,
}

impl Stamp {
    /// `name` is the value of Server; empty for none.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), second: Cell::new(u64::MAX), text: RefCell::default() }
    }

    /// The value of Server; empty for none.
    #[cfg(feature = "http2")]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The fields as of this second, as they go on the wire.
    #[inline]
    pub(crate) fn at(&self, unix_s: u64) -> Ref<'_, String> {
        if self.second.get() != unix_s {
            self.write(unix_s);
        }
        self.text.borrow()
    }

    #[cold]
    fn write(&self, unix_s: u64) {
        self.second.set(unix_s);
        let mut text = self.text.borrow_mut();
        text.clear();
        if !self.name.is_empty() {
            text.push_str("Server: ");
            text.push_str(&self.name);
            text.push_str("\r\n");
        }
        let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(unix_s));
        // Writing to a String does not fail.
        let _ = write!(text, "Date: {date}\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_second_it_is_asked_for() {
        let stamp = Stamp::new("armature");
        assert_eq!(*stamp.at(0), "Server: armature\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
        assert_eq!(*stamp.at(784_111_777), "Server: armature\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
        assert_eq!(Stamp::new("").at(1).len(), 37);
    }
}
