//! What functions are called in a picture, and which part of serving a request each belongs to: by rules in files.
//!
//! Every instance of a generic function has a name of its own, an async function several, and between them stand the standard
//! library's calls of closures. Rules make of them what a reader of the source knows. A file of a user's comes before the project's.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use regex::Regex;
use serde::{Deserialize, de::DeserializeOwned};

use super::folded::{Folded, KERNEL};
use crate::layout;

/// Times that a rule is applied to one name; types nest.
const REPEATED_MAX: u32 = 64;

/// How names are made legible.
#[derive(Debug, Default)]
pub struct Names {
    rules: Vec<(Regex, String)>,
    hidden: Vec<Regex>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamesFile {
    #[serde(default)]
    rule: Vec<Rule>,
    #[serde(default)]
    hide: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    from: String,
    to: String,
}

impl Names {
    /// The rules of these files, and those of `flamegraphs/rules.toml` after them.
    ///
    /// # Errors
    /// When a file cannot be read, or holds something else than rules.
    pub fn read(own: &[PathBuf]) -> Result<Self> {
        let mut names = Self::default();
        for path in own.iter().cloned().chain([layout::workspace_root()?.join("flamegraphs/rules.toml")]) {
            let file: NamesFile = parsed(&path)?;
            for rule in file.rule {
                names.rules.push((pattern(&rule.from, &path)?, rule.to));
            }
            for hidden in file.hide {
                names.hidden.push(pattern(&hidden, &path)?);
            }
        }
        Ok(names)
    }

    /// A profile with legible names: calls that are hidden belong to who made them, and one that only goes on in another of the same
    /// name is that. Unless `kernel`, all that the kernel does is one frame.
    #[must_use]
    pub fn applied(&self, profile: &Folded, kernel: bool) -> Folded {
        let mut known: HashMap<&str, Option<String>> = HashMap::new();
        let mut legible = Folded { header: profile.header.clone(), stacks: BTreeMap::new() };
        for (stack, count) in &profile.stacks {
            let mut frames: Vec<String> = Vec::new();
            for name in stack.split(';') {
                let name = match known.entry(name).or_insert_with(|| self.legible(name)) {
                    Some(name) if !kernel && name.ends_with(KERNEL) => format!("[kernel]{KERNEL}"),
                    Some(name) => name.clone(),
                    None => continue,
                };
                if frames.last() != Some(&name) {
                    frames.push(name);
                }
            }
            if frames.is_empty() {
                // Of what is hidden altogether the outermost call is told.
                frames.extend(stack.split(';').next().map(str::to_owned));
            }
            legible.add(frames.iter().map(String::as_str), *count);
        }
        legible
    }

    /// What a function is called; `None` if it is hidden.
    fn legible(&self, name: &str) -> Option<String> {
        let mut legible = name.to_owned();
        for (from, to) in &self.rules {
            for _ in 0..REPEATED_MAX {
                let replaced = from.replace_all(&legible, to.as_str());
                if replaced == legible {
                    break;
                }
                legible = replaced.into_owned();
            }
        }
        let is_hidden = legible.is_empty() || self.hidden.iter().any(|hidden| hidden.is_match(&legible));
        (!is_hidden).then_some(legible)
    }
}

/// Which part of serving a request a function belongs to.
#[derive(Debug, Default)]
pub struct Roles {
    roles: Vec<(String, Vec<Regex>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RolesFile {
    role: Vec<RoleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleEntry {
    name: String,
    functions: Vec<String>,
}

impl Roles {
    /// What belongs to no role.
    pub const OTHER: &'static str = "other";

    /// The roles of these files, and those of `flamegraphs/roles.toml` after them.
    ///
    /// # Errors
    /// As [`Names::read`].
    pub fn read(own: &[PathBuf]) -> Result<Self> {
        let mut roles = Self::default();
        for path in own.iter().cloned().chain([layout::workspace_root()?.join("flamegraphs/roles.toml")]) {
            let file: RolesFile = parsed(&path)?;
            for entry in file.role {
                let functions = entry.functions.iter().map(|function| pattern(function, &path));
                roles.roles.push((entry.name, functions.collect::<Result<_>>()?));
            }
        }
        Ok(roles)
    }

    /// The role of a stack: that of the innermost function that has one, since a function without serves who called it.
    #[must_use]
    pub fn of(&self, stack: &str) -> &str {
        let role = |name: &str| {
            let has = |(_, functions): &&(String, Vec<Regex>)| functions.iter().any(|function| function.is_match(name));
            self.roles.iter().find(has).map(|(role, _)| role.as_str())
        };
        stack.rsplit(';').find_map(role).unwrap_or(Self::OTHER)
    }

    /// All roles, in order, without a name twice.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.roles.iter().map(|(name, _)| name.as_str()).chain([Self::OTHER]) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

fn parsed<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not right", path.display()))
}

fn pattern(text: &str, path: &Path) -> Result<Regex> {
    Regex::new(text).with_context(|| format!("{}: {text:?} is no regular expression", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_a_reader_of_the_source_knows() {
        let names = Names::read(&[]).unwrap();
        for (name, expected) in [
            ("armature_core::conn::Connection<S,T>::run", Some("armature_core::conn::Connection::run")),
            ("armature_core::conn::run::<a::B<C, D>>::{closure#0}", Some("armature_core::conn::run")),
            ("armature_core::conn::run::{{closure}}::{{closure}}", Some("armature_core::conn::run")),
            ("<a::B<C> as d::E<F>>::poll", Some("a::B::poll")),
            ("<&mut T as core::fmt::Write>::write_str", Some("T::write_str")),
            ("<alloc::vec::Vec<T,A> as core::ops::drop::Drop>::drop", Some("alloc::vec::Vec::drop")),
            ("run<fn(a::B) -> c::D<E>, F>", Some("run")),
            ("core::ops::function::FnOnce::call_once{{vtable.shim}}", None),
            ("std::panicking::catch_unwind::do_call", None),
            ("tcp_sendmsg_[k]", Some("tcp_sendmsg_[k]")),
            ("[unknown]", Some("[unknown]")),
            ("core::ptr::drop_in_place<a::B>", None),
        ] {
            assert_eq!(names.legible(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_user_s_rules_come_first_and_wrong_ones_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.toml");
        fs::write(&file, "hide = ['^noise$']\n[[rule]]\nfrom = '^a::(\\w+)$'\nto = 'mine::$1'\n").unwrap();
        let names = Names::read(std::slice::from_ref(&file)).unwrap();
        let profile = Folded::parse("main;noise;a::b;x_[k];y_[k] 3\nnoise 1\n", "x").unwrap();
        let stacks = |kernel| names.applied(&profile, kernel).stacks.into_keys().collect::<Vec<_>>();
        assert_eq!(stacks(true), ["main;mine::b;x_[k];y_[k]", "noise"]);
        assert_eq!(stacks(false), ["main;mine::b;[kernel]_[k]", "noise"]);
        for text in ["[[rule]]\nfrom = '('\nto = ''\n", "[[rules]]\n", "hide = 'x'\n"] {
            fs::write(&file, text).unwrap();
            let error = format!("{:#}", Names::read(std::slice::from_ref(&file)).unwrap_err());
            assert!(error.contains("own.toml"), "{error}");
        }
    }

    #[test]
    fn a_stack_has_the_role_of_the_innermost_function_that_has_one() {
        let roles = Roles::read(&[]).unwrap();
        for (stack, expected) in [
            ("main;armature_core::h1::head::parse;memchr::memchr", "parse"),
            ("main;hyper::proto::h1::role::Server::parse", "parse"),
            ("main;armature_core::io::tcp::write;__send;[kernel]_[k]", "kernel"),
            ("main;armature_core::h1::encode::head;mi_malloc", "allocator"),
            ("main;serde_json::ser::to_vec", "handler"),
            ("main;something::else", "other"),
        ] {
            assert_eq!(roles.of(stack), expected, "{stack}");
        }
        assert!(roles.names().ends_with(&[Roles::OTHER]));
    }
}
