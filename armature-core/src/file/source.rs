//! A file as a body that is read piece by piece, for connections that cannot have the kernel send it.

use std::{
    future::Future,
    io,
    os::unix::fs::FileExt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::body::{BodySource, FilePart, StreamError};

/// What is read at once.
const PIECE_BYTES: u64 = 65_536;

/// Reads part of a file on a thread for what blocks.
pub(super) struct Reader {
    whole: FilePart,
    /// Bytes that have been handed over.
    read: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Reader {
    pub(super) fn new(part: FilePart) -> Self {
        Self { whole: part, read: 0, reading: None }
    }

    fn read_next(&self, bytes: u64) -> JoinHandle<io::Result<Bytes>> {
        let (file, from) = (self.whole.file.clone(), self.whole.bytes.start + self.read);
        spawn_blocking(move || {
            let mut piece = vec![0; bytes.min(PIECE_BYTES) as usize];
            // A file that has shrunk ends early, which is an error.
            file.read_exact_at(&mut piece, from)?;
            Ok(piece.into())
        })
    }
}

impl BodySource for Reader {
    fn poll_piece(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        let left = self.whole.length() - self.read;
        if left == 0 {
            return Poll::Ready(None);
        }
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => self.read_next(left),
        };
        match Pin::new(&mut reading).poll(cx) {
            Poll::Pending => {
                self.reading = Some(reading);
                Poll::Pending
            }
            Poll::Ready(read) => {
                let piece = read.map_err(StreamError::from).and_then(|read| read.map_err(StreamError::from));
                self.read += piece.as_ref().map_or(0, |piece| piece.len() as u64);
                Poll::Ready(Some(piece))
            }
        }
    }

    fn length(&self) -> Option<u64> {
        Some(self.whole.length())
    }

    fn file(&self) -> Option<FilePart> {
        Some(self.whole.clone())
    }
}
