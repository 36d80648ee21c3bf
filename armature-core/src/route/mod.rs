//! The route table: from a method and a path to a value, with the parameters in between.
//!
//! One matchit tree per method, and in front of it a map of the paths without parameters. The table does not change once
//! it is built, and everything that is wrong with its routes is told when it is built. Leaves what the values are, and
//! what is answered on a miss, to `service/router.rs`. Read next: `pattern.rs`.
//!
//! # Patterns
//!
//! | pattern | matches |
//! |---|---|
//! | `/users/me` | this path, byte for byte; nothing is decoded, and `/users/me/` is another path |
//! | `/users/{id}` | one segment that is not empty, as the parameter `id` |
//! | `/files/{*path}` | all that is left, slashes too, if it is not empty; only at the end |
//! | `/{{id}}` | the path `/{id}`: doubled braces are literal |
//!
//! A parameter is a whole segment. Its name is letters, digits and `_`, with no digit first, and comes once in a
//! pattern, which has at most 25 of them. White space, control characters, `?`, `#` and bytes outside ASCII, which the
//! path of a request never has, are no part of a pattern. [`route!`](crate::route!) checks all this when the program is
//! compiled.
//!
//! Where several patterns match, the first segment in which they differ decides: text goes before a parameter, and a
//! parameter before the rest. The order in which routes are added decides nothing: two patterns that match the same
//! paths conflict. So do a parameter and the rest in one place, `/a/{b}/c` and `/a/{*rest}`.

mod error;
mod hash;
mod method_set;
mod params;
mod pattern;

use std::{collections::HashMap, hash::BuildHasherDefault};

pub use error::{RouteError, RouteErrorKind};
pub use method_set::MethodSet;
pub use params::PathParams;
pub use pattern::{PatternError, check_pattern};

use crate::http::Method;
use hash::PathHasher;

/// From a method and a path to a value.
///
/// A program has one in its [`Router`](crate::Router); [`build`](Self::build) and [`find`](Self::find) are for those who want
/// the table alone.
// For the fuzz targets and suites; a program has a router.
#[doc(hidden)]
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
// As the table itself.
#[doc(hidden)]
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

impl<T> Default for RouteTable<T> {
    fn default() -> Self {
        Self { methods: Default::default(), values: Vec::new(), routed: MethodSet::default() }
    }
}

impl<T> RouteTable<T> {
    /// Builds the table of these routes.
    ///
    /// # Errors
    /// All routes that cannot stand in it, in the order in which they came: a pattern is malformed, the method cannot be
    /// routed, or the pattern conflicts with that of an earlier route of the same method.
    ///
    /// ```
    /// use armature_core::{Method, route::RouteTable};
    ///
    /// let routes = [(Method::Get, "/{a}", 1), (Method::Get, "/{b}", 2), (Method::Post, "/{b", 3)];
    /// let errors = RouteTable::build(routes).unwrap_err();
    /// assert_eq!(errors[0].to_string(), "route GET /{b}: conflicts with GET /{a}");
    /// assert_eq!(errors[1].pattern, "/{b");
    /// ```
    pub fn build<P: AsRef<str>>(routes: impl IntoIterator<Item = (Method, P, T)>) -> Result<Self, Vec<RouteError>> {
        let (mut table, mut added, mut errors) = (Self::default(), Vec::new(), Vec::new());
        for (method, pattern, value) in routes {
            match table.insert(method, pattern.as_ref(), value, &added) {
                Ok(()) => added.push((method, pattern)),
                Err(kind) => errors.push(RouteError { method, pattern: pattern.as_ref().to_owned(), kind }),
            }
        }
        if errors.is_empty() { Ok(table) } else { Err(errors) }
    }

    /// Adds a route to the `added` ones.
    fn insert<P: AsRef<str>>(
        &mut self,
        method: Method,
        pattern: &str,
        value: T,
        added: &[(Method, P)],
    ) -> Result<(), RouteErrorKind> {
        check_pattern(pattern).map_err(RouteErrorKind::Pattern)?;
        let table = self.methods.get_mut(method as usize).ok_or(RouteErrorKind::Method)?;
        let at = self.values.len();
        if table.tree.insert(pattern, at).is_err() {
            // matchit names a route that it puts together from its tree; what is asked for is the one that was given.
            let mut earlier = added.iter().filter(|(routed, _)| *routed == method).map(|(_, other)| other.as_ref());
            let with = earlier.find(|other| pattern::conflict(pattern, other)).unwrap_or_default().to_owned();
            return Err(RouteErrorKind::Conflict { with });
        }
        if let Some(path) = pattern::literal_path(pattern) {
            table.exact.insert(path.into_bytes().into(), at);
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

    /// Looks any path up, as it was sent.
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
            // Most routers have routes for a few methods only.
            if self.routed.contains(method) && self.methods[method as usize].tree.at(path).is_ok() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn table(routes: &[(Method, &'static str)]) -> RouteTable<&'static str> {
        RouteTable::build(routes.iter().map(|(method, pattern)| (*method, *pattern, *pattern))).unwrap()
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
            (Method::Get, "/{{id}}"),
            (Method::Post, "/users/{id}"),
        ]);
        let cases: [Match; 7] = [
            (Method::Get, "/users/me", Some("/users/me"), &[]),
            (Method::Get, "/users/7", Some("/users/{id}"), &[("id", "7")]),
            (Method::Head, "/users/7", Some("/users/{id}"), &[("id", "7")]),
            (Method::Get, "/users/7/posts/9", Some("/users/{id}/posts/{post}"), &[("id", "7"), ("post", "9")]),
            (Method::Get, "/x/y", Some("/{*rest}"), &[("rest", "x/y")]),
            (Method::Get, "/{id}", Some("/{{id}}"), &[]),
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
    /// before the rest), smaller is better, with the parameters, or `None` if they do not match.
    fn naive_match(pattern: &str, path: &str) -> Option<(Vec<u8>, Vec<String>)> {
        let (mut rank, mut params, mut left) = (Vec::new(), Vec::new(), Some(path));
        for part in pattern.split('/') {
            let (segment, behind) = left?.split_once('/').map_or((left?, None), |(one, rest)| (one, Some(rest)));
            match part {
                "{*r}" => {
                    rank.push(2);
                    params.push(left.take().filter(|rest| !rest.is_empty())?.to_owned());
                    continue;
                }
                "{p}" | "{q}" if !segment.is_empty() => {
                    rank.push(1);
                    params.push(segment.to_owned());
                }
                "{{a}}" if segment == "{a}" => rank.push(0),
                literal if segment == literal && !literal.contains('{') => rank.push(0),
                _ => return None,
            }
            left = behind;
        }
        left.is_none().then_some((rank, params))
    }

    /// Every path of up to four segments that may tell patterns of these parts apart.
    fn paths() -> Vec<String> {
        let mut paths: Vec<String> = vec![String::new()];
        let mut last = paths.clone();
        for _ in 0..4 {
            let longer = |path: &String| ["a", "ab", "abc", "{a}", ""].map(|segment| format!("{path}/{segment}"));
            last = last.iter().flat_map(longer).collect();
            paths.extend_from_slice(&last);
        }
        paths
    }

    /// A table of many routes answers like a comparison with each of them, whatever their order, and patterns conflict
    /// when nothing tells which goes first.
    #[test]
    fn agrees_with_a_naive_matcher() {
        // Numerical Recipes' generator; the test needs variety, not chance.
        let mut seed = 1_u32;
        let mut below = |bound: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) as usize % bound
        };
        let paths = paths();
        for _ in 0..200 {
            let mut patterns: Vec<String> = Vec::new();
            for _ in 0..12 {
                let mut pattern = String::new();
                for _ in 0..=below(3) {
                    pattern.push('/');
                    pattern.push_str(["a", "ab", "", "{{a}}", "{p}", "{q}", "{*r}"][below(7)]);
                    if pattern.ends_with("*r}") {
                        break;
                    }
                }
                if check_pattern(&pattern).is_ok() {
                    patterns.push(pattern);
                }
            }
            if let Err(errors) = RouteTable::build(patterns.iter().map(|pattern| (Method::Get, pattern, ()))) {
                for RouteError { pattern, kind, .. } in errors {
                    let RouteErrorKind::Conflict { with } = kind else { panic!("{pattern}: {kind:?}") };
                    let at = patterns.iter().rposition(|other| *other == pattern).unwrap();
                    assert!(patterns[..at].contains(&with), "{pattern} and {with} in {patterns:?}");
                    patterns.remove(at);
                }
            }
            let table = RouteTable::build(patterns.iter().map(|pattern| (Method::Get, pattern, pattern))).unwrap();
            for path in &paths {
                let matching = patterns.iter().filter_map(|pattern| Some((naive_match(pattern, path)?, pattern)));
                let expected = matching.min().map(|((_, params), pattern)| (pattern.as_str(), params));
                let got = match table.find(Method::Get, path) {
                    Lookup::Found { value, params } => {
                        Some((value.as_str(), params.iter().map(|(_, value)| value.to_owned()).collect()))
                    }
                    _ => None,
                };
                assert_eq!(got, expected, "{path} in {patterns:?}");
            }
        }
    }

    #[test]
    fn mistakes_surface_at_build() {
        let routes = [
            (Method::Get, "/{a}/x"),
            (Method::Get, "/{b}/x"),
            (Method::Post, "/{b}/x"),
            (Method::Get, "/{a"),
            (Method::Get, "/{a}/{*rest}"),
            (Method::Get, "/{a}/{b}"),
            (Method::Other, "/y"),
            (Method::Post, "/{b}/x"),
        ];
        let errors = RouteTable::build(routes.map(|(method, pattern)| (method, pattern, ()))).unwrap_err();
        let error = RouteError::join(&errors);
        assert_eq!(error.kind(), ErrorKind::Route);
        let expected = [
            "route GET /{b}/x: conflicts with GET /{a}/x",
            "route GET /{a: byte 1: a parameter has no closing brace; {{ is a literal brace",
            "route GET /{a}/{b}: conflicts with GET /{a}/{*rest}",
            "route /y: only standard methods can be routed",
            "route POST /{b}/x: conflicts with POST /{b}/x",
        ];
        assert_eq!(error.to_string().lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_thousand_conflicts_are_a_thousand_errors() {
        let first = (0..1_000).map(|number| (Method::Get, format!("/{number}/{{a}}"), ()));
        let second = (0..1_000).map(|number| (Method::Get, format!("/{number}/{{b}}"), ()));
        let errors = RouteTable::build(first.chain(second)).unwrap_err();
        assert_eq!(errors.len(), 1_000);
        for (number, error) in errors.iter().enumerate() {
            assert_eq!(error.to_string(), format!("route GET /{number}/{{b}}: conflicts with GET /{number}/{{a}}"));
        }
    }
}
