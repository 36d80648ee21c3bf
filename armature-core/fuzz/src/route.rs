//! Routing: any set of patterns and any path, against trying the patterns one after the other.
//!
//! Input: lines; `+GET /a/{b}` adds a route, `GET /a/c` looks a path up among those added before it.

use armature_core::{
    Method,
    route::{Lookup, RouteTable},
};

/// Routes that one input may add, which bounds the time that trying all of them takes.
const ROUTES_MAX: usize = 24;

/// A route that was added: its method and pattern.
type Route<'a> = (Method, &'a str);

/// Adds routes, looks paths up, and compares.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut table = RouteTable::default();
    let mut routes: Vec<Route<'_>> = Vec::new();
    for line in text.lines() {
        let (adds, line) = line.strip_prefix('+').map_or((false, line), |rest| (true, rest));
        let Some((method, path)) = line.split_once(' ') else { continue };
        let method = Method::from_token(method);
        if !adds {
            look_up(&table, &routes, method, path);
        } else if routes.len() < ROUTES_MAX {
            match table.insert(method, path, routes.len()) {
                Ok(()) => {
                    assert!(method != Method::Other && path.starts_with('/'), "{method:?} {path}");
                    assert!(!routes.contains(&(method, path)), "{method} {path} was added twice");
                    routes.push((method, path));
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}

fn look_up(table: &RouteTable<usize>, routes: &[Route<'_>], method: Method, path: &str) {
    if let Some(at) = table.find_exact(method, path.as_bytes()) {
        assert_eq!(routes[*at], (method, path));
    }
    match table.find(method, path) {
        Lookup::Found { value, params } => {
            let (routed, pattern) = routes[*value];
            assert!(routed == method || (method, routed) == (Method::Head, Method::Get));
            assert!(params.iter().all(|(_, value)| !value.is_empty()));
            let values: Vec<_> = params.iter().map(|(_, value)| value).collect();
            assert_eq!(fill(pattern, &values), path, "{pattern}");
            if let Some(at) = table.find_exact(method, path.as_bytes()) {
                assert_eq!(at, value, "the two ways to look up differ");
            }
            if let Some(best) = best(routes, routed, path) {
                assert_eq!(pattern, best, "{path}");
            }
        }
        Lookup::OtherMethods(methods) => {
            assert_eq!(best(routes, method, path), None);
            assert!(!methods.contains(method) || method == Method::Options, "{methods:?}");
            let other = routes.iter().any(|(routed, pattern)| methods.contains(*routed) && may_match(pattern, path));
            assert!(other, "{methods:?}");
        }
        Lookup::NotFound => {
            // matchit does not come back from a suffix to the parameter without it, as the test below shows.
            if routes.iter().any(|(_, pattern)| has_suffix(pattern)) {
                return;
            }
            let missed = routes.iter().find(|(_, pattern)| is_plain(pattern) && rank(pattern, path).is_some());
            assert_eq!(missed, None, "{path}");
        }
    }
}

/// The path that a pattern makes with these parameters.
fn fill(pattern: &str, values: &[&str]) -> String {
    let mut path = String::new();
    let mut values = values.iter();
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '{' | '}' if letters.next_if_eq(&letter).is_some() => path.push(letter),
            '{' => {
                // A brace in a parameter's name is doubled as well.
                while letters.next().is_some_and(|letter| letter != '}' || letters.next_if_eq(&'}').is_some()) {}
                path.push_str(values.next().expect("a parameter without a value"));
            }
            _ => path.push(letter),
        }
    }
    assert_eq!(values.next(), None, "more values than parameters");
    path
}

/// Whether each parameter is a whole segment and no brace is escaped; the order of others is matchit's affair.
fn is_plain(pattern: &str) -> bool {
    !pattern.contains("{{")
        && !pattern.contains("}}")
        && pattern.split('/').all(|part| !part.contains(['{', '}']) || part.starts_with('{') && part.ends_with('}'))
}

/// Whether text follows a parameter in the same segment, as in `/{name}.png`.
fn has_suffix(pattern: &str) -> bool {
    // A doubled brace may be such a text as well.
    pattern.contains("}}") || pattern.split('/').any(|part| part.contains('{') && !part.ends_with('}'))
}

/// Whether the pattern may match, as far as that can be told in a simple way.
fn may_match(pattern: &str, path: &str) -> bool {
    !is_plain(pattern) || rank(pattern, path).is_some()
}

/// The pattern of this method that goes before the others: at the first segment in which two differ, text goes before a
/// parameter and a parameter before the rest of the path. `None` also where a pattern is not plain.
fn best<'a>(routes: &[Route<'a>], method: Method, path: &str) -> Option<&'a str> {
    let of_method = || routes.iter().filter(|(routed, _)| *routed == method).map(|(_, pattern)| *pattern);
    if !of_method().all(is_plain) {
        return None;
    }
    of_method().filter_map(|pattern| Some((rank(pattern, path)?, pattern))).min().map(|(_, pattern)| pattern)
}

/// How a plain pattern matches: for each segment 0 for text, 1 for a parameter, 2 for the rest; `None` if it does not.
fn rank(pattern: &str, path: &str) -> Option<Vec<u8>> {
    let (mut parts, mut segments) = (pattern.split('/'), path.split('/'));
    let mut rank = Vec::new();
    loop {
        match (parts.next(), segments.next()) {
            (None, None) => return Some(rank),
            (Some(part), Some(segment)) if part.starts_with("{*") => {
                let is_rest = !segment.is_empty() || segments.next().is_some();
                rank.push(2);
                return is_rest.then_some(rank);
            }
            (Some(part), Some(segment)) if part.starts_with('{') && !segment.is_empty() => rank.push(1),
            (Some(part), Some(segment)) if part == segment && !part.starts_with('{') => rank.push(0),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is looked past above. When this fails, matchit has learnt it, and the exception can go.
    #[test]
    fn a_suffix_hides_the_parameter_without_it() {
        let mut table = RouteTable::default();
        table.insert(Method::Get, "/{x}.a/b", 0).unwrap();
        table.insert(Method::Get, "/{x}/c", 1).unwrap();
        assert!(matches!(table.find(Method::Get, "/v/c"), Lookup::Found { value: 1, .. }));
        assert!(matches!(table.find(Method::Get, "/v.a/c"), Lookup::NotFound));
    }
}
