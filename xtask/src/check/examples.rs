//! Whether all that armature-core offers is shown in use, and says when it fails.
//!
//! Reads lines, not syntax: rustfmt, a check of its own, leaves docs, attributes and the first line of an item on lines
//! of their own, and closes a block where it began. That what is `pub` is reached from outside is the lint
//! `unreachable_pub`'s to say; what is `#[doc(hidden)]` is offered to nobody.

use super::{Fault, tree::Tree};

/// Where the crate's source stands.
const SOURCE: &str = "armature-core/src/";

/// A function, type, trait or macro that users see.
#[derive(Debug, Default)]
struct Item<'a> {
    line: usize,
    /// Up to its body.
    signature: String,
    docs: Vec<&'a str>,
    /// A method that a trait leaves to its implementors, who are shown one with the trait.
    is_required: bool,
}

/// Public items without an example, or that return a `Result` and do not say when it is an error.
pub(super) fn faults(tree: &Tree) -> Vec<Fault> {
    let hidden: Vec<String> = sources(tree).flat_map(|(path, text)| hidden_modules(path, text)).collect();
    sources(tree)
        .filter(|(path, _)| hidden.iter().all(|module| !path.starts_with(module)))
        .flat_map(|(path, text)| items(text).into_iter().flat_map(|item| item_faults(path, &item)))
        .collect()
}

fn sources(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.texts(".rs").filter(|(path, _)| path.starts_with(SOURCE))
}

fn item_faults(path: &str, item: &Item<'_>) -> Vec<Fault> {
    let documents = |mark: &str| item.docs.iter().any(|line| line.contains(mark));
    let mut faults = Vec::new();
    if !item.is_required && !documents("```") {
        let message = format!("no example: {}; show it in use, or make it private", item.signature);
        faults.push(Fault::at(path, item.line, message));
    }
    if returns_result(&item.signature) && !documents("# Errors") {
        let message = format!("no section # Errors: {}; say when it fails", item.signature);
        faults.push(Fault::at(path, item.line, message));
    }
    faults
}

/// How the paths of hidden modules begin.
fn hidden_modules<'a>(path: &'a str, text: &'a str) -> impl Iterator<Item = String> + use<'a> {
    let folder = path.strip_suffix("lib.rs").or(path.strip_suffix("mod.rs")).map(str::to_owned);
    let folder = folder.unwrap_or_else(|| path.replace(".rs", "/"));
    let lines = text.lines().zip(text.lines().skip(1));
    let hidden = lines.filter(|(before, _)| before.trim() == HIDDEN).filter_map(|(_, line)| {
        let name = line.strip_prefix("pub mod ")?.strip_suffix(';')?;
        Some(name)
    });
    hidden
        .flat_map(move |name| [format!("{folder}{name}/"), format!("{folder}{name}.rs")])
        .collect::<Vec<_>>()
        .into_iter()
}

const HIDDEN: &str = "#[doc(hidden)]";

/// The items that users see.
fn items(text: &str) -> Vec<Item<'_>> {
    let lines: Vec<&str> = text.lines().take_while(|line| *line != "mod tests {").collect();
    let (mut found, mut docs, mut attributes) = (Vec::new(), Vec::new(), Vec::new());
    // Types that are hidden; and the line at which the block of a public trait, or of a hidden type, ends.
    let (mut hidden, mut trait_end, mut hidden_end) = (Vec::new(), String::new(), String::new());
    let mut at = 0;
    while at < lines.len() {
        let (begin, code) = (at, lines[at].trim_start());
        at += 1;
        if code.starts_with("#[") {
            while !lines[at - 1].ends_with(']') && at < lines.len() {
                at += 1;
            }
            let attribute = &lines[begin..at];
            if code.starts_with("#[doc") {
                docs.extend(attribute);
            } else {
                attributes.push(code);
            }
            continue;
        }
        if code.starts_with("//") {
            docs.push(code);
            continue;
        }
        let (docs, attributes) = (std::mem::take(&mut docs), std::mem::take(&mut attributes));
        let indent = &lines[begin][..lines[begin].len() - code.len()];
        let is_hidden = docs.iter().any(|line| line.trim() == HIDDEN);
        for end in [&mut trait_end, &mut hidden_end] {
            if lines[begin] == *end {
                end.clear();
            }
        }
        let opens_block = !code.ends_with('}') && !code.ends_with(';');
        if code.starts_with("impl") && opens_block && hidden.contains(&implementor(code)) {
            hidden_end = format!("{indent}}}");
        }
        let is_method_of_trait = !trait_end.is_empty() && trait_end.len() + 3 == indent.len() && is_function(code);
        let Some(name) = public_name(code, &attributes).or(is_method_of_trait.then_some("")) else { continue };
        if is_hidden {
            hidden.push(name);
        }
        if !hidden_end.is_empty() || is_hidden {
            continue;
        }
        if code.starts_with("pub trait ") && opens_block {
            trait_end = format!("{indent}}}");
        }
        let signature = signature(&lines[begin..]);
        let is_required = is_method_of_trait && signature.ends_with(';');
        found.push(Item { line: begin + 1, signature, docs, is_required });
    }
    found
}

fn is_function(code: &str) -> bool {
    let code = ["const ", "async ", "unsafe "].iter().fold(code, |code, word| code.strip_prefix(word).unwrap_or(code));
    code.starts_with("fn ")
}

/// The name of the public item that begins with this line.
fn public_name<'a>(code: &'a str, attributes: &[&str]) -> Option<&'a str> {
    let is_exported = attributes.contains(&"#[macro_export]");
    let rest = match code.strip_prefix("macro_rules! ") {
        Some(rest) => rest.strip_suffix('{').filter(|_| is_exported)?,
        None => {
            let item = code.strip_prefix("pub ")?;
            let kinds = ["struct ", "enum ", "trait ", "union "];
            match kinds.iter().find_map(|kind| item.strip_prefix(kind)) {
                None if is_function(item) => item.split_once("fn ")?.1,
                typed => typed?,
            }
        }
    };
    rest.split(|byte: char| !byte.is_alphanumeric() && byte != '_').next()
}

/// The type that an `impl` is for.
fn implementor(code: &str) -> &str {
    let of = code.rsplit_once(" for ").map_or_else(|| code.trim_start_matches("impl"), |(_, of)| of);
    // Behind the parameters of the `impl` itself.
    let of = if of.starts_with('<') { of.split_once("> ").map_or(of, |(_, of)| of) } else { of };
    of.trim_start().split(|byte: char| !byte.is_alphanumeric() && byte != '_').next().unwrap_or_default()
}

/// What stands before the body.
fn signature(lines: &[&str]) -> String {
    let last = lines.iter().position(|line| line.ends_with(['{', ';', '}'])).unwrap_or(0);
    let whole: Vec<&str> = lines[..=last].iter().map(|line| line.trim()).collect();
    let whole = whole.join(" ");
    whole.split_once(" where ").map_or_else(|| whole.trim_end_matches(" {").to_owned(), |(head, _)| head.to_owned())
}

fn returns_result(signature: &str) -> bool {
    let Some((_, returned)) = signature.rsplit_once("-> ") else { return false };
    // The result of a closure among the arguments is followed by the parenthesis that closes those.
    let is_argument = returned.matches(')').count() > returned.matches('(').count();
    !is_argument && returned.contains("Result<")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let paths: Vec<String> = files.iter().map(|(path, _)| format!("{SOURCE}{path}")).collect();
        let files: Vec<_> = paths.iter().zip(files).map(|(path, (_, text))| (path.as_str(), *text)).collect();
        let told: Vec<String> = faults(&Tree::of(&files)).into_iter().map(|fault| fault.message).collect();
        assert_eq!(told.len(), expected.len(), "{files:?}: {told:?}");
        assert!(told.iter().zip(expected).all(|(told, piece)| told.contains(piece)), "{told:?} lacks {expected:?}");
    }

    #[test]
    fn what_is_shown_or_not_offered_passes() {
        for text in [
            "/// A.\n/// ```\n/// ```\npub struct A(u8);\nimpl A {\n    fn f() {}\n    pub(crate) fn g() {}\n}",
            "/// # Errors\n/// ```\n#[must_use = \"a\"]\npub fn f(\n    a: u8,\n) -> Result<(), ()> {\n}",
            "#[doc = concat!(\n    \"```\",\n)]\npub fn f() {}",
            "/// ```\npub fn f(a: impl Fn() -> Result<(), ()>) {}",
            "/// ```\npub trait T {\n    /// A.\n    fn f(&self);\n}\nimpl T for u8 {\n    fn f(&self) {\n    }\n}",
            "/// A.\n#[doc(hidden)]\npub struct A<T>(T);\nimpl<T> A<T> {\n    pub fn f(&self) {}\n}",
            "macro_rules! a {}\nmod tests {\n    pub fn f() {}\n}",
        ] {
            check(&[("a.rs", text)], &[]);
        }
        check(&[("lib.rs", "#[doc(hidden)]\npub mod h;"), ("h/a.rs", "pub fn f() {}"), ("h.rs", "pub fn f() {}")], &[]);
    }

    #[test]
    fn what_is_offered_and_not_shown_is_a_fault() {
        for (text, expected) in [
            ("/// A.\npub struct A;", &["no example: pub struct A"] as &[&str]),
            ("/// ```\npub struct A;\nimpl A {\n    pub const fn f() {}\n}", &["no example: pub const fn f()"]),
            ("/// ```\npub fn f() -> io::Result<()> {}", &["no section # Errors: pub fn f()"]),
            ("/// ```\npub trait T {\n    /// A.\n    fn f(&self) {\n    }\n}", &["no example: fn f(&self)"]),
            ("/// ```\npub trait T {\n    fn f() -> Result<(), ()>;\n}", &["# Errors: fn f()"]),
            ("/// A.\n#[macro_export]\nmacro_rules! a {\n}", &["no example: macro_rules! a"]),
            ("#[doc(hidden)]\npub struct A;\npub struct B;\nimpl B {\n    pub fn f() {}\n}", &["struct B", "fn f()"]),
        ] {
            check(&[("a.rs", text)], expected);
        }
        check(&[("lib.rs", "#[doc(hidden)]\npub mod h;"), ("hidden.rs", "pub fn f() {}")], &["fn f()"]);
    }
}
