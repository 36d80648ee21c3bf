//! From addresses in a process to the names of functions, those that were inlined included.
//!
//! Reads the program's symbols and DWARF as they lie on disk; the process has only to be there when [`Symbols::of`] looks at its
//! mappings.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use addr2line::Loader;
use anyhow::{Context, Result};

use super::folded::UNKNOWN;

/// What the first bytes of an ELF file that is mapped where it says have at [`TYPE_AT`] (elf(5), ET_EXEC).
const FIXED: u8 = 2;
const TYPE_AT: usize = 16;

/// A stretch of a process's memory, and the file behind it.
#[derive(Debug)]
struct Mapping {
    from: u64,
    to: u64,
    /// A file's path, or the kernel's name in brackets; empty for nothing.
    name: String,
    /// Where the stretch begins in the file.
    offset: u64,
    /// What to take away from an address to have the file's own.
    base: u64,
    /// Whether it is code.
    is_code: bool,
}

/// The names of a process's functions.
pub(super) struct Symbols {
    mappings: Vec<Mapping>,
    program: PathBuf,
    loaders: HashMap<String, Option<Loader>>,
    known: HashMap<u64, Vec<String>>,
}

impl Symbols {
    /// Those of a process that runs.
    ///
    /// # Errors
    /// When its mappings cannot be read.
    pub(super) fn of(pid: u32) -> Result<Self> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let maps = folder.join("maps");
        let text = fs::read_to_string(&maps).with_context(|| format!("{} cannot be read", maps.display()))?;
        let program = fs::read_link(folder.join("exe")).unwrap_or_default();
        Ok(Self { mappings: mappings(&text), program, loaders: HashMap::new(), known: HashMap::new() })
    }

    /// Where the program lies.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// The functions at an address, the outermost first; more than one where some were inlined. An address to return to is one
    /// behind the call.
    pub(super) fn names(&mut self, address: u64, is_return: bool) -> &[String] {
        let at = address - u64::from(is_return && address > 0);
        if !self.known.contains_key(&at) {
            let names = self.find(at);
            self.known.insert(at, names);
        }
        &self.known[&at]
    }

    /// The functions at a place in a file that is mapped, as perf(1) tells it.
    pub(super) fn names_in(&mut self, file: &str, offset: u64, is_return: bool) -> &[String] {
        let of_file = |mapping: &&Mapping| {
            mapping.is_code
                && mapping.name == file
                && (mapping.offset..mapping.offset + mapping.to - mapping.from).contains(&offset)
        };
        let address =
            self.mappings.iter().find(of_file).map_or(offset, |mapping| mapping.from + offset - mapping.offset);
        self.names(address, is_return)
    }

    fn find(&mut self, at: u64) -> Vec<String> {
        let Some(mapping) =
            self.mappings.iter().find(|mapping| mapping.is_code && (mapping.from..mapping.to).contains(&at))
        else {
            return vec![UNKNOWN.to_owned()];
        };
        let loader = self.loaders.entry(mapping.name.clone()).or_insert_with(|| Loader::new(&mapping.name).ok());
        let names = loader.as_ref().map(|loader| named(loader, at - mapping.base)).unwrap_or_default();
        if !names.is_empty() {
            return names;
        }
        // Of a library without symbols its own name is known, which is what most want to know of it.
        let file = Path::new(&mapping.name);
        match file.file_name() {
            Some(name) if file != self.program => {
                vec![format!("[{}]", name.to_string_lossy().trim_matches(['[', ']']))]
            }
            _ => vec![UNKNOWN.to_owned()],
        }
    }
}

/// The functions at a file's own address, the outermost first.
fn named(loader: &Loader, at: u64) -> Vec<String> {
    let mut names = Vec::new();
    if let Ok(mut frames) = loader.find_frames(at) {
        while let Ok(Some(frame)) = frames.next() {
            let name =
                frame.function.as_ref().and_then(|function| function.demangle().ok().map(std::borrow::Cow::into_owned));
            names.extend(name);
        }
    }
    // The symbol's name has the whole path; what is inlined there has no symbol.
    if let Some(name) = loader.find_symbol(at) {
        names.pop();
        names.push(addr2line::demangle_auto(name.into(), None).into_owned());
    }
    names.reverse();
    names
}

/// What /proc/PID/maps says (proc_pid_maps(5)).
fn mappings(text: &str) -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = text.lines().filter_map(mapping).collect();
    let mut fixed: HashMap<String, bool> = HashMap::new();
    for mapping in &mut mappings {
        let is_fixed = fixed
            .entry(mapping.name.clone())
            .or_insert_with_key(|name| fs::read(name).is_ok_and(|content| content.get(TYPE_AT) == Some(&FIXED)));
        if *is_fixed {
            mapping.base = 0;
        }
    }
    // The parts of a file are moved together; the first one says how far.
    let mut bases: HashMap<String, u64> = HashMap::new();
    for mapping in &mut mappings {
        mapping.base = *bases.entry(mapping.name.clone()).or_insert(mapping.base);
    }
    mappings
}

fn mapping(line: &str) -> Option<Mapping> {
    let mut words = line.split_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let is_code = words.next()?.contains('x');
    let offset = words.next()?;
    let name = words.skip(2).collect::<Vec<_>>().join(" ");
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let (from, to, offset) = (hex(from)?, hex(to)?, hex(offset)?);
    Some(Mapping { from, to, name, offset, base: from.checked_sub(offset)?, is_code })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn a_function_with_a_name() -> u64 {
        std::hint::black_box(7)
    }

    #[test]
    fn a_function_of_this_process_is_named_and_nothing_else_is() {
        let mut symbols = Symbols::of(std::process::id()).unwrap();
        let at = (a_function_with_a_name as fn() -> u64) as usize as u64;
        // What is inlined at its first instruction stands behind it.
        let found = symbols.names(at, false);
        assert!(found[0].ends_with("::a_function_with_a_name"), "{found:?}");
        let named = symbols.names(at, false).to_vec();
        assert_eq!(symbols.names(at + 1, true), named);
        assert_eq!(symbols.names(1, false), [UNKNOWN]);
        assert_eq!(a_function_with_a_name(), 7);
    }

    #[test]
    fn mappings_are_read_with_how_far_their_file_was_moved() {
        let text = "7f0000001000-7f0000002000 r--p 00000000 08:01 7 /no/such file.so\n\
                    7f0000002000-7f0000004000 r-xp 00001000 08:01 7 /no/such file.so\n\
                    7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0 [vdso]\nnonsense\n";
        let found: Vec<(u64, u64, String)> =
            mappings(text).into_iter().map(|mapping| (mapping.from, mapping.base, mapping.name)).collect();
        let file = "/no/such file.so".to_owned();
        assert_eq!(
            found,
            [
                (0x7f00_0000_1000, 0x7f00_0000_1000, file.clone()),
                (0x7f00_0000_2000, 0x7f00_0000_1000, file),
                (0x7ffd_0000_0000, 0x7ffd_0000_0000, "[vdso]".to_owned()),
            ]
        );
    }
}
