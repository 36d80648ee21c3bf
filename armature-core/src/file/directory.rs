//! A directory as a service: the files below it, by the rest of the path.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    task::{Context, Poll},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use tokio::task::spawn_blocking;

use super::{File, media_type, open, open::Wanted};
use crate::{
    error::{Error, ErrorKind},
    http::{HeaderValue, Method, StatusCode, header},
    respond::{Conditions, Failure, IntoResponse, Redirect, Response},
    service::{Request, Service, Slot},
};

/// What stands for a directory.
const INDEX: &str = "index.html";

/// What a name in a redirect is encoded by: all but the unreserved characters (RFC 3986 §2.3).
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A service of the files below a directory, for GET and HEAD.
///
/// Which file is meant is said by the last parameter of the route; a route without parameters means the directory itself.
///
/// ```no_run
/// use armature_core::{Error, Files, Router, Server};
///
/// fn main() -> Result<(), Error> {
///     Server::bind("127.0.0.1:8080")?.serve(|_| {
///         let files = Files::new("public")?;
///         Ok::<_, Error>(Router::new().route_service("/", files.clone()).route_service("/{*path}", files))
///     })
/// }
/// ```
///
/// - A path that ends in a slash means `index.html` in that directory; without the slash, a directory is answered with 301
///   to the path with it. There are no listings.
/// - What leads out of the directory is not found (404): `..` in any encoding, absolute paths, symbolic links that leave it,
///   absolute ones at all. Neither are names that begin with a dot, but for `/.well-known` (RFC 8615), nor what is no regular
///   file. Before Linux 5.6, which has no openat2(2), no symbolic link is followed.
/// - The type follows from the extension; ETag, Last-Modified, conditions and ranges are those of [`File`].
/// - The directory is opened once: another that takes its place under the same name is not seen.
#[derive(Debug, Clone)]
pub struct Files {
    root: Arc<OwnedFd>,
}

/// What a path has led to.
enum Found {
    File(File),
    /// A directory, by a path that has no slash at its end.
    Directory,
    Nothing,
}

impl Files {
    /// A service of the files below `directory`.
    ///
    /// # Errors
    /// [`ErrorKind::Directory`] when it cannot be opened.
    ///
    /// ```
    /// use armature_core::{ErrorKind, Files, Router, test::TestClient};
    ///
    /// let app = Router::new().route_service("/{*path}", Files::new("src")?);
    /// assert!(TestClient::in_process(app)?.get("/lib.rs").send()?.text().contains("pub mod extract;"));
    /// assert_eq!(Files::new("no such directory").unwrap_err().kind(), ErrorKind::Directory);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn new(directory: impl Into<PathBuf>) -> Result<Self, Error> {
        let directory = directory.into();
        let root = open::directory(&directory).map_err(|error| {
            Error::io(ErrorKind::Directory, format!("cannot open the directory {}", directory.display()), error)
        })?;
        Ok(Self { root: Arc::new(root) })
    }
}

impl Service for Files {
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        let head = request.head;
        if !matches!(head.method(), Method::Get | Method::Head) {
            let response = Response::status(StatusCode::METHOD_NOT_ALLOWED);
            return Poll::Ready(response.with_header(header::ALLOW, HeaderValue::from_static("GET, HEAD")));
        }
        let Some(wanted) = Wanted::of(head.params().last().map_or("", |(_, path)| path)) else {
            return Poll::Ready(Response::status(StatusCode::NOT_FOUND));
        };
        let (root, conditions, query) = (self.root.clone(), Conditions::of(&head), head.query().map(str::to_owned));
        let answer = async move {
            let finding = spawn_blocking(move || {
                let found = find(&root, &wanted, &conditions);
                (found, wanted, conditions)
            });
            match finding.await {
                Ok((Ok(Found::File(file)), _, conditions)) => file.answer(&conditions),
                Ok((Ok(Found::Directory), wanted, _)) => with_slash(Path::new(&wanted.path), query.as_deref()),
                Ok((Ok(Found::Nothing), ..)) => Response::status(StatusCode::NOT_FOUND),
                Ok((Err(error), ..)) => Failure::from(error).into_response(),
                Err(error) => Failure::from(error).into_response(),
            }
        };
        slot.run(answer, cx)
    }
}

/// Opens what is wanted, and reads it where it is small. Blocks.
fn find(root: &OwnedFd, wanted: &Wanted, conditions: &Conditions) -> io::Result<Found> {
    let mut path = PathBuf::from(&wanted.path);
    if wanted.is_directory {
        path.push(INDEX);
    }
    let file = match open::beneath(root, path.as_os_str()) {
        Ok(file) => file,
        Err(error) if open::is_absence(error) => return Ok(Found::Nothing),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    if metadata.is_dir() && !wanted.is_directory {
        return Ok(Found::Directory);
    }
    if !metadata.is_file() {
        return Ok(Found::Nothing);
    }
    let mut file = File::of(file, &metadata, media_type::of(&path))?;
    file.read(conditions);
    Ok(Found::File(file))
}

/// Sends a client to the path with a slash behind it, relative to where it is: no host can be read into that.
fn with_slash(path: &Path, query: Option<&str>) -> Response {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Redirect::moved_permanently(format!("./{}/{query}", percent_encode(name, NAME))).into_response()
}
