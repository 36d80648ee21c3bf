//! Standard output of the commands, which may be a pipe whose reader has seen enough: `… | head` is no error.

use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result};

/// Writes the text as it is.
///
/// # Errors
/// When it cannot be written for another reason than that nobody reads any more.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.context("standard output cannot be written to"),
    }
}

/// Without control characters, which a document from elsewhere could drive the terminal with.
pub(crate) fn plain(line: &str) -> String {
    line.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}
