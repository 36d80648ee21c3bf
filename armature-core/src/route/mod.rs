//! The route table: from a method and a path to a value, with the parameters in between.
//!
//! One matchit tree per method, and in front of it a map of the paths without parameters. The table does not change once
//! it is built, and a bad or conflicting pattern is an error when it is built. Leaves what the values are, and what is
//! answered on a miss, to `service/router.rs`.

mod params;

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

pub use params::{OwnedParams, PathParams, PathParamsIter};

use crate::{
    error::{Error, ErrorKind},
    http::Method,
};

/// From a method and a path to a value.
#[derive(Debug)]
pub struct RouteTable<T> {
    methods: [MethodTable; Method::ROUTABLE],
    values: Vec<T>,
    routed: MethodSet,
}

#[derive(Debug, Clone, Default)]
struct MethodTable {
    exact: HashMap<Box<[u8]>, usize, BuildHasherDefault<PathHasher>>,
    tree: matchit::Router<usize>,
}

/// What the table knows about a method and a path.
#[derive(Debug)]
pub enum Lookup<'a, T> {
    /// There is a route.
    Found {
        /// What was inserted for it.
        value: &'a T,
        /// The parameters of the path, as they were sent.
        params: PathParams<'a>,
    },
    /// The path has routes for other methods only.
    OtherMethods(MethodSet),
    /// There is no route for this path.
    NotFound,
}

/// A set of methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MethodSet(u16);

impl MethodSet {
    /// Adds a method; [`Method::Other`] is in no set.
    pub fn insert(&mut self, method: Method) {
        if method != Method::Other {
            self.0 |= 1 << method as u16;
        }
    }

    /// Whether the method is in the set.
    #[must_use]
    pub fn contains(self, method: Method) -> bool {
        method != Method::Other && self.0 & (1 << method as u16) != 0
    }

    /// The set with what is answered without a route of its own: HEAD where GET is, and OPTIONS.
    fn with_implied(mut self) -> Self {
        if self.contains(Method::Get) {
            self.insert(Method::Head);
        }
        self.insert(Method::Options);
        self
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The value of an Allow field (RFC 9110 §10.2.1).
    #[must_use]
    pub fn allow(self) -> String {
        let names: Vec<_> =
            Method::ALL.into_iter().filter(|method| self.contains(*method)).map(Method::as_str).collect();
        names.join(", ")
    }
}

impl<T> Default for RouteTable<T> {
    fn default() -> Self {
        Self { methods: Default::default(), values: Vec::new(), routed: MethodSet::default() }
    }
}

impl<T> RouteTable<T> {
    /// Adds a route. `{name}` stands for one segment or the rest of one, `{*name}` for the rest of the path; `{{` and
    /// `}}` are braces.
    ///
    /// # Errors
    /// [`ErrorKind::Route`] when the pattern is malformed, conflicts with another of the same method, or the method
    /// cannot be routed.
    pub fn insert(&mut self, method: Method, pattern: &str, value: T) -> Result<(), Error> {
        let problem = |what: String| Error::new(ErrorKind::Route, format!("route {method} {pattern}: {what}"));
        if !pattern.starts_with('/') {
            return Err(problem("a pattern begins with /".into()));
        }
        let table = self
            .methods
            .get_mut(method as usize)
            .ok_or_else(|| problem("only standard methods can be routed".into()))?;
        let at = self.values.len();
        table.tree.insert(pattern, at).map_err(|error| problem(error.to_string()))?;
        if !pattern.contains(['{', '}']) {
            table.exact.insert(pattern.as_bytes().into(), at);
        }
        self.values.push(value);
        self.routed.insert(method);
        Ok(())
    }

    /// Looks a path without parameters up.
    #[inline]
    pub fn find_exact(&self, method: Method, path: &[u8]) -> Option<&T> {
        let at = self.methods.get(method as usize)?.exact.get(path)?;
        self.values.get(*at)
    }

    /// Looks any path up. Allocates nothing on a hit of up to three parameters.
    #[inline]
    pub fn find<'a>(&'a self, method: Method, path: &'a str) -> Lookup<'a, T> {
        if let Some(found) = self.find_in_tree(method, path) {
            return found;
        }
        // HEAD is GET without a body (RFC 9110 §9.3.2), so GET's route answers it.
        if method == Method::Head
            && let Some(found) = self.find_in_tree(Method::Get, path)
        {
            return found;
        }
        self.others(path)
    }

    #[inline]
    fn find_in_tree<'a>(&'a self, method: Method, path: &'a str) -> Option<Lookup<'a, T>> {
        let found = self.methods.get(method as usize)?.tree.at(path).ok()?;
        Some(Lookup::Found { value: self.values.get(*found.value)?, params: PathParams::new(found.params) })
    }

    #[cold]
    fn others(&self, path: &str) -> Lookup<'_, T> {
        let mut methods = MethodSet::default();
        for method in Method::ALL {
            if self.methods[method as usize].tree.at(path).is_ok() {
                methods.insert(method);
            }
        }
        if methods.is_empty() {
            return Lookup::NotFound;
        }
        Lookup::OtherMethods(methods.with_implied())
    }

    /// All methods that are answered somewhere.
    #[must_use]
    pub fn methods(&self) -> MethodSet {
        self.routed.with_implied()
    }
}

/// Hashes a path eight bytes at a time. The keys are the program's own, so nobody can make them collide on purpose, and
/// a looked-up path is compared with the one key that it hashes to.
#[derive(Debug, Default)]
struct PathHasher(u64);

impl PathHasher {
    #[inline]
    fn add(&mut self, word: u64) {
        // The multiplier is 2^64 divided by the golden ratio, made odd (Knuth, TAOCP 3, 6.4).
        self.0 = (self.0.rotate_left(26) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for PathHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk::<8>() {
            let (words, _) = bytes.as_chunks::<8>();
            for word in words {
                self.add(u64::from_le_bytes(*word));
            }
            // The last word may overlap the one before it; what counts is that every byte is in one.
            self.add(u64::from_le_bytes(*last));
        } else {
            let mut word = bytes.len() as u64;
            for byte in bytes {
                word = word << 8 | u64::from(*byte);
            }
            self.add(word);
        }
    }

    fn write_usize(&mut self, _: usize) {
        // The length that slices write before their bytes; `write` has it in already.
    }

    fn finish(&self) -> u64 {
        // The table takes its index from the low bits and its tag from the high ones.
        self.0 ^ self.0 >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(routes: &[(Method, &'static str)]) -> RouteTable<&'static str> {
        let mut table = RouteTable::default();
        for (method, pattern) in routes {
            table.insert(*method, pattern, *pattern).unwrap();
        }
        table
    }

    /// Method, path, the pattern that it matches, and the parameters.
    type Match = (Method, &'static str, Option<&'static str>, &'static [(&'static str, &'static str)]);

    #[test]
    fn static_before_parameter_before_wildcard() {
        let table = table(&[
            (Method::Get, "/users/me"),
            (Method::Get, "/users/{id}"),
            (Method::Get, "/users/{id}/posts/{post}"),
            (Method::Get, "/{*rest}"),
            (Method::Post, "/users/{id}"),
        ]);
        let cases: [Match; 6] = [
            (Method::Get, "/users/me", Some("/users/me"), &[]),
            (Method::Get, "/users/7", Some("/users/{id}"), &[("id", "7")]),
            (Method::Head, "/users/7", Some("/users/{id}"), &[("id", "7")]),
            (Method::Get, "/users/7/posts/9", Some("/users/{id}/posts/{post}"), &[("id", "7"), ("post", "9")]),
            (Method::Get, "/x/y", Some("/{*rest}"), &[("rest", "x/y")]),
            (Method::Post, "/users/me", Some("/users/{id}"), &[("id", "me")]),
        ];
        for (method, path, expected, expected_params) in cases {
            match table.find(method, path) {
                Lookup::Found { value, params } => {
                    let exact = table.find_exact(method, path.as_bytes());
                    assert!(exact.is_none_or(|exact| exact == value), "{method} {path}");
                    assert_eq!(Some(*value), expected, "{method} {path}");
                    assert_eq!(params.iter().collect::<Vec<_>>(), expected_params, "{method} {path}");
                }
                other => assert!(expected.is_none(), "{method} {path}: {other:?}"),
            }
        }
        match table.find(Method::Put, "/users/me") {
            Lookup::OtherMethods(methods) => assert_eq!(methods.allow(), "GET, HEAD, POST, OPTIONS"),
            other => panic!("{other:?}"),
        }
    }

    /// What a pattern's segments say about a path's, without any cleverness: a rank per segment (literal before parameter
    /// before the rest), smaller is better, or `None` if they do not match.
    fn naive_rank(pattern: &str, path: &str) -> Option<Vec<u8>> {
        let (mut pattern, mut path) = (pattern.split('/').skip(1), path.split('/').skip(1));
        let mut rank = Vec::new();
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return Some(rank),
                (Some(rest), Some(first)) if rest.starts_with("{*") => {
                    let is_empty = first.is_empty() && path.next().is_none();
                    rank.push(2);
                    return (!is_empty).then_some(rank);
                }
                (Some(parameter), Some(segment)) if parameter.starts_with('{') && !segment.is_empty() => rank.push(1),
                (Some(literal), Some(segment)) if literal == segment => rank.push(0),
                _ => return None,
            }
        }
    }

    /// A table of many routes answers like a comparison with each of them.
    #[test]
    fn agrees_with_a_naive_matcher() {
        // Numerical Recipes' generator; the test needs variety, not chance.
        let mut seed = 1_u32;
        let mut below = |bound: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) as usize % bound
        };
        for _ in 0..300 {
            let (mut table, mut patterns) = (RouteTable::default(), Vec::new());
            for _ in 0..12 {
                let mut pattern = String::new();
                for _ in 0..=below(3) {
                    pattern.push('/');
                    pattern.push_str(["a", "b", "ab", "{p}", "{q}", "{*r}"][below(6)]);
                    if pattern.ends_with("*r}") {
                        break;
                    }
                }
                if table.insert(Method::Get, &pattern, pattern.clone()).is_ok() {
                    patterns.push(pattern);
                }
            }
            for _ in 0..40 {
                let path: String = (0..=below(4)).map(|_| ["/a", "/b", "/ab", "/abc", "/"][below(5)]).collect();
                let matching = patterns.iter().filter_map(|pattern| Some((naive_rank(pattern, &path)?, pattern)));
                let expected = matching.min().map(|(_, pattern)| pattern.as_str());
                let got = match table.find(Method::Get, &path) {
                    Lookup::Found { value, .. } => Some(value.as_str()),
                    _ => None,
                };
                assert_eq!(got, expected, "{path} in {patterns:?}");
            }
        }
    }

    #[test]
    fn mistakes_surface_at_build() {
        for (first, second) in [("/a", "/a"), ("/{a}", "/{b}"), ("/x", "x"), ("/x", "/{a"), ("/x", "/{*a}/b")] {
            let mut table = RouteTable::default();
            table.insert(Method::Get, first, ()).unwrap();
            let error = table.insert(Method::Get, second, ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Route);
            assert!(error.to_string().contains(second), "{error}");
        }
    }
}
