//! Files as responses: whole, in part, or not at all because the client has them already.
//!
//! Opening, asking and reading happen on tokio's threads for what blocks; the kernel sends what is large. Leaves which file
//! is meant to `open.rs`, reading to `source.rs`, whole directories to `directory.rs`, conditions and ranges to
//! `../respond/`.

mod directory;
mod media_type;
mod open;
mod source;

use std::{
    fs, io,
    os::unix::fs::{FileExt, MetadataExt},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    body::{Body, FilePart},
    http::{HeaderValue, StatusCode, header},
    respond::{Conditions, EntityTag, MediaType, RangeOf, Response, Validators, content_range},
};

pub use directory::Files;

/// A part up to this size is read where the file is opened, and written with its head; a larger one is sent by the kernel.
///
/// Between 16 KiB, at which reading took less CPU time per request, and 64 KiB, at which sending did.
const READ_BYTES_MAX: u64 = 32_768;

/// How old a change must be for its time to tell it from the next one: file systems count in steps of up to 2 s.
const SETTLED: Duration = Duration::from_secs(2);

/// A regular file, open, with what a client can know it by.
///
/// Its tag is made of the time of its last change, its size and its inode, so it is another for a copy on another machine. It
/// is a weak one in the first two seconds after a change, in which another change might not be told from it.
///
/// ```
/// use armature_core::{Failure, MediaType, Response, StatusCode, file::File, respond::Conditions};
///
/// async fn report(conditions: Conditions) -> Result<Response, Failure> {
///     let file = File::open("reports/latest.csv")
///         .await
///         .map_err(|error| Failure::new(StatusCode::NOT_FOUND, "there is no report yet").because(error))?;
///     Ok(file.with_media_type(MediaType::from_static("text/csv; charset=utf-8")).answer(&conditions))
/// }
/// ```
#[derive(Debug)]
pub struct File {
    file: Arc<fs::File>,
    length: u64,
    validators: Validators,
    media_type: MediaType,
    /// The part that the client asks for, where it has been read.
    read: Option<Vec<u8>>,
}

impl File {
    /// Opens a file. Its type follows from the extension.
    ///
    /// # Errors
    /// When it cannot be opened, or is no regular file ([`io::ErrorKind::InvalidInput`]).
    ///
    /// # Panics
    /// Outside of a tokio runtime, as where a handler is called without a server.
    ///
    /// ```
    /// use armature_core::{Failure, MediaType, file::File};
    /// # use armature_core::{Router, get, test::TestClient};
    ///
    /// async fn length() -> Result<String, Failure> {
    ///     let file = File::open("Cargo.toml").await?;
    ///     Ok(if file.length() > 0 { "something" } else { "nothing" }.to_owned())
    /// }
    /// # let mut client = TestClient::in_process(Router::new().route("/", get(length)))?;
    /// # assert_eq!(client.get("/").send()?.text(), "something");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub async fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let opened = tokio::task::spawn_blocking(move || {
            let file = open::anywhere(&path)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
            }
            Self::of(file, &metadata, media_type::of(&path))
        });
        opened.await.map_err(io::Error::other)?
    }

    fn of(file: fs::File, metadata: &fs::Metadata, media_type: MediaType) -> io::Result<Self> {
        let validators = validators(metadata, SystemTime::now())?;
        Ok(Self { file: Arc::new(file), length: metadata.len(), validators, media_type, read: None })
    }

    /// The same file as one of another type.
    ///
    /// ```
    /// use armature_core::{Failure, MediaType, Response, Router, file::File, get, respond::Conditions, test::TestClient};
    ///
    /// async fn manifest(conditions: Conditions) -> Result<Response, Failure> {
    ///     Ok(File::open("Cargo.toml").await?.with_media_type(MediaType::TEXT).answer(&conditions))
    /// }
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(manifest)))?;
    /// assert_eq!(client.get("/").send()?.header("content-type"), Some("text/plain; charset=utf-8"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_media_type(mut self, media_type: MediaType) -> Self {
        self.media_type = media_type;
        self
    }

    /// The number of bytes when it was opened. So many are sent: what is appended later is left out, and a file that shrinks
    /// while it is sent cuts the connection.
    ///
    /// ```
    /// use armature_core::file::File;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), std::io::Error> {
    /// let bytes = File::open("Cargo.toml").await?.length();
    /// assert_eq!(bytes, std::fs::metadata("Cargo.toml")?.len());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// By what a client can tell whether it has it already.
    ///
    /// ```
    /// use armature_core::file::File;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), std::io::Error> {
    /// let file = File::open("Cargo.toml").await?;
    /// assert!(file.validators().tag.is_some() && file.validators().modified.is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn validators(&self) -> &Validators {
        &self.validators
    }

    /// Reads what will be answered, where that is worth it. Blocks.
    fn read(&mut self, conditions: &Conditions) {
        if !conditions.wants_body() || conditions.check(&self.validators).is_err() {
            return;
        }
        let part = match conditions.range(self.length, &self.validators) {
            RangeOf::Whole => 0..self.length,
            RangeOf::Part(part) => part,
            RangeOf::Nothing => return,
        };
        if part.end - part.start <= READ_BYTES_MAX {
            let mut bytes = vec![0; (part.end - part.start) as usize];
            // What cannot be read here will not be later, and is found out there.
            self.read = self.file.read_exact_at(&mut bytes, part.start).ok().map(|()| bytes);
        }
    }

    /// Answers a request that depends on `conditions`: 200 with all of it, 206 with the part that is asked for, 304, 412, or
    /// 416 when it has no such part.
    ///
    /// ```
    /// use armature_core::{Failure, Response, Router, file::File, get, respond::Conditions, test::TestClient};
    ///
    /// async fn manifest(conditions: Conditions) -> Result<Response, Failure> {
    ///     Ok(File::open("Cargo.toml").await?.answer(&conditions))
    /// }
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(manifest)))?;
    /// let answer = client.get("/").header("range", "bytes=0-8").send()?;
    /// assert_eq!((answer.status().as_u16(), answer.text()), (206, "[package]"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn answer(mut self, conditions: &Conditions) -> Response {
        if let Err(response) = conditions.check(&self.validators) {
            return response;
        }
        let (status, part) = match conditions.range(self.length, &self.validators) {
            RangeOf::Whole => (StatusCode::OK, 0..self.length),
            RangeOf::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
            RangeOf::Nothing => {
                let mut response = Response::status(StatusCode::RANGE_NOT_SATISFIABLE);
                content_range(&mut response, None, self.length);
                return response;
            }
        };
        let is_part = status == StatusCode::PARTIAL_CONTENT;
        let body = match self.read.take() {
            Some(bytes) => Body::from(bytes),
            None if part.is_empty() => Body::Empty,
            None => Body::stream(source::Reader::new(FilePart { file: self.file, bytes: part.clone() })),
        };
        let mut response = Response::new(self.media_type, body).with_status(status);
        response.insert_header(&header::ACCEPT_RANGES, &HeaderValue::from_static("bytes"));
        self.validators.add_to(&mut response);
        if is_part {
            content_range(&mut response, Some(&part), self.length);
        }
        response
    }
}

fn validators(metadata: &fs::Metadata, now: SystemTime) -> io::Result<Validators> {
    let modified = metadata.modified()?;
    let tag = EntityTag::strong(format!(
        "{:x}.{:x}-{:x}-{:x}",
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.len(),
        metadata.ino()
    ));
    // A time still to come is not settled either.
    let is_settled = now.duration_since(modified).is_ok_and(|age| age >= SETTLED);
    let tag = if is_settled { tag } else { tag.map(EntityTag::weak) };
    // Last-Modified is never later than Date (RFC 9110 §8.8.2.1).
    Ok(Validators { tag, modified: Some(modified.min(now)) })
}
