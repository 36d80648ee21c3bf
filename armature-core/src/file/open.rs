//! Opens files, and only such as stand below a directory where that is asked for.
//!
//! Never blocks on what is no file: a pipe without a writer opens at once. Leaves what was opened, and whether it is a
//! regular file, to `mod.rs`. All of it makes system calls that may wait for a disk.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, open, openat, openat2},
    sys::stat::Mode,
};
use percent_encoding::percent_decode;

/// How files are opened.
const FLAGS: OFlag = OFlag::O_RDONLY.union(OFlag::O_CLOEXEC).union(OFlag::O_NOCTTY).union(OFlag::O_NONBLOCK);

/// How directories are opened, to open something in them.
const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_CLOEXEC).union(OFlag::O_DIRECTORY);

/// Opens a file that the program names.
pub(super) fn anywhere(path: &Path) -> io::Result<File> {
    Ok(openat(AT_FDCWD, path, FLAGS, Mode::empty())?.into())
}

/// Opens a directory that the program names.
pub(super) fn directory(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, DIRECTORY, Mode::empty())?)
}

/// Opens what stands below a directory. Symbolic links are followed as long as they stay below it.
pub(super) fn beneath(directory: &OwnedFd, path: &OsStr) -> nix::Result<File> {
    let how = OpenHow::new().flags(FLAGS).resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    match openat2(directory, path, how) {
        // Linux before 5.6, or a sandbox that does not know it.
        Err(Errno::ENOSYS | Errno::EPERM) => by_steps(directory, path),
        opened => Ok(opened?.into()),
    }
}

/// As [`beneath`], one name at a time, following no symbolic links.
fn by_steps(directory: &OwnedFd, path: &OsStr) -> nix::Result<File> {
    let mut inner: Option<OwnedFd> = None;
    let mut names = path.as_bytes().split(|byte| *byte == b'/').map(OsStr::from_bytes).peekable();
    while let Some(name) = names.next() {
        let parent = inner.as_ref().unwrap_or(directory).as_fd();
        let flags = if names.peek().is_some() { DIRECTORY } else { FLAGS };
        inner = Some(openat(parent, name, flags | OFlag::O_NOFOLLOW, Mode::empty())?);
    }
    inner.map(File::from).ok_or(Errno::ENOENT)
}

/// Whether an error says that there is nothing that could be served, for whatever reason, in place of that it failed.
pub(super) fn is_absence(error: Errno) -> bool {
    matches!(
        error,
        Errno::ENOENT
            | Errno::ENOTDIR
            | Errno::EACCES
            | Errno::EPERM
            | Errno::ELOOP
            | Errno::EXDEV
            | Errno::ENAMETOOLONG
            | Errno::ENXIO
            | Errno::ENODEV
    )
}

/// Whether each `%` has two hexadecimal digits behind it; elsewhere, too, others are refused.
fn is_well_formed(encoded: &[u8]) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    memchr::memchr_iter(b'%', encoded).all(|at| is_digit(encoded.get(at + 1)) && is_digit(encoded.get(at + 2)))
}

/// What a path in a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Below the root, without a slash at either end; empty for the root.
    pub(super) path: OsString,
    /// Whether it ends in a slash.
    pub(super) is_directory: bool,
}

impl Wanted {
    /// Decodes a path, once. `None` where nothing can be: empty names, `.` and `..`, names with a slash, a backslash or NUL in
    /// them, escapes that are none, and hidden ones, which begin with a dot; the directory `.well-known` (RFC 8615) at the root is none.
    pub(super) fn of(path: &str) -> Option<Self> {
        let is_directory = path.is_empty() || path.ends_with('/');
        let trimmed = path.strip_suffix('/').unwrap_or(path);
        let mut decoded = Vec::with_capacity(trimmed.len());
        for (at, encoded) in trimmed.split('/').enumerate().filter(|_| !path.is_empty()) {
            let name: Cow<'_, [u8]> = percent_decode(encoded.as_bytes()).into();
            let is_hidden = name.starts_with(b".") && !(at == 0 && *name == *b".well-known");
            if !is_well_formed(encoded.as_bytes())
                || name.is_empty()
                || is_hidden
                || name.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0))
            {
                return None;
            }
            if at > 0 {
                decoded.push(b'/');
            }
            decoded.extend_from_slice(&name);
        }
        Some(Self { path: OsString::from_vec(decoded), is_directory })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_what_is_below_or_nothing() {
        for (path, expected) in [
            ("", Some(("", true))),
            ("a", Some(("a", false))),
            ("a/b.c", Some(("a/b.c", false))),
            ("a/", Some(("a", true))),
            ("a%20b/%c3%a4", Some(("a b/\u{e4}", false))),
            ("a%252e%252e", Some(("a%2e%2e", false))),
            (".well-known/acme", Some((".well-known/acme", false))),
            ("a..b", Some(("a..b", false))),
            ("/", None),
            ("//", None),
            ("/etc/passwd", None),
            ("a//b", None),
            ("a//", None),
            (".", None),
            ("..", None),
            ("../a", None),
            ("a/../b", None),
            ("a/..", None),
            ("%2e%2e/a", None),
            ("%2E%2e/a", None),
            (".%2e/a", None),
            ("a%2fb", None),
            ("..%2f..%2fetc", None),
            ("a%5cb", None),
            ("..\\a", None),
            ("%zz", None),
            ("a%2", None),
            ("a%", None),
            ("a%00", None),
            ("a%00.html", None),
            (".git/config", None),
            ("a/.env", None),
            ("a/.well-known/b", None),
        ] {
            let wanted = Wanted::of(path);
            let expected = expected.map(|(path, is_directory)| Wanted { path: path.into(), is_directory });
            assert_eq!(wanted, expected, "{path}");
        }
    }

    #[test]
    fn both_ways_open_what_is_below_a_directory() {
        let root = directory(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))).unwrap();
        for (path, is_there) in [
            ("lib.rs", true),
            ("file/open.rs", true),
            ("file", true),
            ("file/none", false),
            ("none/open.rs", false),
            ("lib.rs/a", false),
            ("", false),
        ] {
            assert_eq!(beneath(&root, OsStr::new(path)).is_ok(), is_there, "{path}");
            assert_eq!(by_steps(&root, OsStr::new(path)).is_ok(), is_there, "{path} by steps");
        }
        for path in ["..", "../Cargo.toml", "file/../../Cargo.toml", "/etc/passwd"] {
            assert_eq!(beneath(&root, OsStr::new(path)).unwrap_err(), Errno::EXDEV, "{path}");
        }
    }

    #[test]
    fn by_steps_no_link_is_followed() {
        let root = directory(Path::new("/proc/self")).unwrap();
        for (path, error) in [("exe", Errno::ELOOP), ("cwd/Cargo.toml", Errno::ENOTDIR)] {
            assert_eq!(by_steps(&root, OsStr::new(path)).unwrap_err(), error, "{path}");
        }
    }
}
