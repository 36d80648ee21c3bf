//! The floors inside armature-core: a module may import from its own floor and from those below it.
//!
//! Read from the paths in the source, `crate::x` and `super::…`, wherever they stand: in a `use`, an expression or a test.

use super::{
    Fault,
    source::{Kind, Token, tokens},
    tree::Tree,
};

/// Where the crate's source stands.
const SOURCE: &str = "armature-core/src/";

/// The top-level modules by floor, from the lowest: F0 vocabulary, F1 pure mechanisms, F2 the programming model,
/// F3 sockets, time and threads, F4 the server.
const FLOORS: &[&[&str]] = &[
    &["error", "limits", "tuning", "http"],
    &["body", "buffer", "h1", "route", "state", "pool", "collections"],
    &["service", "extract", "respond", "handler", "stream", "tower", "upgrade"],
    &["io", "conn", "worker", "transport", "middleware", "interval", "file"],
    &["server", "test"],
];

/// The one floor whose modules may name the crates in [`SYSTEM_CRATES`].
const SYSTEM_FLOOR: usize = 3;

/// Crates that open sockets, start threads or call the kernel.
const SYSTEM_CRATES: &[&str] = &["io_uring", "libc", "mio", "nix", "socket2", "tokio"];

/// The highest floor whose modules read no clock and open no socket.
const PURE_FLOOR: usize = 1;

/// Types that are a socket or a clock.
const IMPURE_TYPES: &[&str] = &["SystemTime", "TcpListener", "TcpStream", "UdpSocket", "UnixStream"];

/// Imports that go up, modules without a floor, and crates named above or below their floor.
pub(super) fn faults(tree: &Tree) -> Vec<Fault> {
    tree.texts(".rs")
        .filter_map(|(path, text)| Some((path, path.strip_prefix(SOURCE)?, text)))
        .filter(|(_, inner, _)| *inner != "lib.rs")
        .flat_map(|(path, inner, text)| file_faults(path, inner, text))
        .collect()
}

fn file_faults(path: &str, inner: &str, text: &str) -> Vec<Fault> {
    let module: Vec<&str> = inner.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").collect();
    let Some(own) = floor(module[0]) else {
        return vec![Fault::new(
            path,
            format!(
                "module {} is on no floor; place it in xtask/src/check/floors.rs and in ARCHITECTURE.md",
                module[0]
            ),
        )];
    };
    let code = tokens(text);
    let mut faults = Vec::new();
    for (line, name) in imports(&code, module.len()) {
        match floor(name) {
            Some(other) if other <= own => {}
            Some(other) => faults.push(Fault::at(
                path,
                line,
                format!(
                    "{} is on floor F{own} and may not import {name} from F{other}; imports only go down",
                    module[0]
                ),
            )),
            None => faults.push(Fault::at(
                path,
                line,
                format!("crate::{name} is no module of the floors; name the module that defines it"),
            )),
        }
    }
    faults.extend(outside(&code, own).into_iter().map(|(line, message)| Fault::at(path, line, message)));
    faults
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// The top-level modules named in a file `depth` modules below the root, each with its line.
fn imports<'a>(code: &[Token<'a>], depth: usize) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    // Inline modules are levels too: the brace depth at which each was opened.
    let (mut braces, mut inline) = (0_usize, Vec::new());
    let mut at = 0;
    while at < code.len() {
        match code[at].text {
            "{" => {
                braces += 1;
                let is_module = at >= 2 && code[at - 2].text == "mod" && code[at - 1].kind == Kind::Word;
                if is_module {
                    inline.push(braces);
                }
            }
            "}" => {
                if inline.last() == Some(&braces) {
                    inline.pop();
                }
                braces = braces.saturating_sub(1);
            }
            "crate" if is_path(code, at + 1) => found.extend(first_names(code, at + 3)),
            "super" => {
                let mut levels = 1;
                while is_path(code, at + 1) && code.get(at + 3).is_some_and(|token| token.text == "super") {
                    (levels, at) = (levels + 1, at + 3);
                }
                if levels == depth + inline.len() && is_path(code, at + 1) {
                    found.extend(first_names(code, at + 3));
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Whether `::` stands at `at`.
fn is_path(code: &[Token<'_>], at: usize) -> bool {
    matches!(code.get(at..at + 2), Some([one, two]) if one.text == ":" && two.text == ":")
}

/// The names directly below the root in what follows `crate::`: one name, or the first names of a group. Macros live
/// at the root whatever module defines them, so they are left out.
fn first_names<'a>(code: &[Token<'a>], at: usize) -> Vec<(usize, &'a str)> {
    match code.get(at) {
        Some(token) if token.kind == Kind::Word => {
            let is_macro = code.get(at + 1).is_some_and(|next| next.text == "!");
            if is_macro { Vec::new() } else { vec![(token.line, token.text)] }
        }
        Some(token) if token.text == "{" => {
            let (mut found, mut depth, mut expects) = (Vec::new(), 0_usize, true);
            for token in &code[at..] {
                match token.text {
                    "{" => depth += 1,
                    "}" if depth == 1 => break,
                    "}" => depth -= 1,
                    "," if depth == 1 => expects = true,
                    name if expects && depth == 1 && token.kind == Kind::Word => {
                        found.push((token.line, name));
                        expects = false;
                    }
                    _ => {}
                }
            }
            found
        }
        _ => Vec::new(),
    }
}

/// Sockets, clocks and system crates named on a floor that may not.
fn outside(code: &[Token<'_>], own: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, token) in code.iter().enumerate().filter(|(_, token)| token.kind == Kind::Word) {
        // `tokio::` at the head of a path, not a module of that name inside another.
        let heads_path = is_path(code, at + 1) && !(at >= 2 && is_path(code, at - 2));
        if own != SYSTEM_FLOOR && heads_path && SYSTEM_CRATES.contains(&token.text) {
            found.push((
                token.line,
                format!("{} may be named on floor F{SYSTEM_FLOOR} only: io, conn, worker, interval, file", token.text),
            ));
        }
        let reads_clock = token.text == "Instant"
            && is_path(code, at + 1)
            && code.get(at + 3).is_some_and(|called| called.text == "now");
        if own <= PURE_FLOOR && (reads_clock || IMPURE_TYPES.contains(&token.text)) {
            found.push((
                token.line,
                format!("{} has no place on floor F{own}: no sockets and no clock reads there", token.text),
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(inner: &str, text: &str, expected: &[&str]) {
        let path = format!("{SOURCE}{inner}");
        let faults = faults(&Tree::of(&[(&path, text)]));
        assert_eq!(faults.len(), expected.len(), "{inner}: {text}: {faults:?}");
        for (fault, piece) in faults.iter().zip(expected) {
            assert!(fault.message.contains(piece), "{fault:?} lacks {piece:?}");
        }
    }

    #[test]
    fn imports_go_down() {
        for (inner, text) in [
            ("server.rs", "use crate::{conn::Connection, h1, io::{self, Stream}};"),
            ("h1/head.rs", "use crate::{error::Error, limits::Limits}; use super::chunked::Decoder;"),
            ("h1/mod.rs", "mod tests { use super::*; use super::super::error; }"),
            ("h1/mod.rs", "pub(crate) fn f() {} // crate::server in a comment\nconst X: &str = \"crate::server\";"),
            ("conn/mod.rs", "use tokio::time; use crate::io::Stream; use crate::assert_it!;"),
            ("lib.rs", "pub use crate::server::Server; use tokio::x;"),
            ("route.rs", "use std::time::Instant; fn f(now: Instant) {} use x::tokio::y;"),
        ] {
            check(inner, text, &[]);
        }
    }

    #[test]
    fn what_goes_up_or_out_is_a_fault() {
        for (inner, text, expected) in [
            ("h1/head.rs", "use crate::conn::Connection;", "F1 and may not import conn from F3"),
            ("h1/head.rs", "use crate::{limits, server::{A, B}};", "server"),
            ("h1/head.rs", "use super::super::io::Stream;", "io"),
            ("h1.rs", "use super::io::Stream;", "io"),
            ("h1.rs", "mod tests { mod inner { use super::super::super::worker::X; } }", "worker"),
            ("service.rs", "fn f() { crate::worker::start() }", "worker"),
            ("service.rs", "use tokio::time;", "tokio may be named"),
            ("server.rs", "fn f() { libc::close(1); }", "libc may be named"),
            ("h1.rs", "fn f() { let now = Instant::now(); }", "no clock reads"),
            ("body.rs", "use std::net::TcpStream;", "no sockets"),
            ("novelty/mod.rs", "", "is on no floor"),
            ("h1.rs", "use crate::Error;", "name the module"),
        ] {
            check(inner, text, &[expected]);
        }
    }
}
