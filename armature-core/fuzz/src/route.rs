//! Routing: any set of patterns and any path, against trying the patterns one after the other.
//!
//! Input: lines; `+GET /a/{b}` is a route, `GET /a/c` a path that is looked up among all of them.

use armature_core::{
    Method,
    route::{Lookup, MethodSet, RouteErrorKind, RouteTable},
};

/// Routes of one input, which bounds the time that trying all of them takes.
const ROUTES_MAX: usize = 24;

/// A route: its method, its pattern, and how that is read here.
struct Route<'a> {
    method: Method,
    pattern: &'a str,
    parts: Vec<Part<'a>>,
}

/// What stands between two slashes of a pattern.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(String),
    Parameter(&'a str),
    Rest(&'a str),
}

/// Builds a table, looks paths up, and compares.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (mut routes, mut paths) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let (list, line) = line.strip_prefix('+').map_or((&mut paths, line), |route| (&mut routes, route));
        if let Some((method, path)) = line.split_once(' ') {
            list.push((Method::from_token(method), path));
        }
    }
    routes.truncate(ROUTES_MAX);
    let routes = accepted(&routes);
    let table = RouteTable::build(routes.iter().enumerate().map(|(at, route)| (route.method, route.pattern, at)));
    let table = table.expect("routes that are right are a table");
    for (method, path) in paths {
        look_up(&table, &routes, method, path);
    }
}

/// The routes that a table takes, after a look at whether it refuses the others, and why.
fn accepted<'a>(given: &[(Method, &'a str)]) -> Vec<Route<'a>> {
    let (mut routes, mut refused): (Vec<Route<'a>>, Vec<_>) = (Vec::new(), Vec::new());
    for &(method, pattern) in given {
        match parse(pattern) {
            Some(parts) if method != Method::Other => {
                let earlier = routes.iter().find(|other| other.method == method && conflict(&other.parts, &parts));
                match earlier {
                    Some(other) => refused.push((method, pattern.to_owned(), Some(other.pattern.to_owned()))),
                    None => routes.push(Route { method, pattern, parts }),
                }
            }
            _ => refused.push((method, pattern.to_owned(), None)),
        }
    }
    let errors = RouteTable::build(given.iter().map(|(method, pattern)| (*method, pattern, ()))).err();
    let told = errors.into_iter().flatten().map(|error| match error.kind {
        RouteErrorKind::Conflict { with } => (error.method, error.pattern, Some(with)),
        _ => (error.method, error.pattern, None),
    });
    assert_eq!(told.collect::<Vec<_>>(), refused);
    routes
}

fn look_up(table: &RouteTable<usize>, routes: &[Route<'_>], method: Method, path: &str) {
    let is_exact = |route: &Route<'_>| {
        let texts = route.parts.iter().map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None });
        route.method == method && texts.collect::<Option<Vec<_>>>().is_some_and(|texts| texts.join("/") == path)
    };
    assert_eq!(table.find_exact(method, path.as_bytes()).copied(), routes.iter().position(is_exact), "{path}");

    let best = best(routes, method, path);
    // HEAD is answered by GET's route (RFC 9110 §9.3.2).
    let best = if method == Method::Head { best.or_else(|| self::best(routes, Method::Get, path)) } else { best };
    let mut methods = MethodSet::default();
    for route in routes.iter().filter(|route| matches(&route.parts, path).is_some()) {
        methods.insert(route.method);
    }
    match table.find(method, path) {
        Lookup::Found { value, params } => {
            let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(Some((*value, params)), best, "{path}");
        }
        Lookup::OtherMethods(others) => {
            assert_eq!(best, None, "{path}");
            assert!(!methods.is_empty(), "{path}");
            if methods.contains(Method::Get) {
                methods.insert(Method::Head);
            }
            methods.insert(Method::Options);
            assert_eq!(others, methods, "{path}");
        }
        Lookup::NotFound => assert_eq!((best, methods), (None, MethodSet::default()), "{path}"),
    }
}

/// Names and values of parameters.
type Parameters = Vec<(String, String)>;

/// Which of the routes of this method goes before the others, with the parameters: at the first part in which two differ,
/// text goes before a parameter and a parameter before the rest.
fn best(routes: &[Route<'_>], method: Method, path: &str) -> Option<(usize, Parameters)> {
    let of_method = routes.iter().enumerate().filter(|(_, route)| route.method == method);
    let matching = of_method.filter_map(|(at, route)| Some((matches(&route.parts, path)?, at)));
    matching.min().map(|((_, parameters), at)| (at, parameters))
}

/// How these parts match a path: for each of them 0 for text, 1 for a parameter, 2 for the rest; and the parameters.
/// `None` if they do not.
fn matches(parts: &[Part<'_>], path: &str) -> Option<(Vec<u8>, Parameters)> {
    let (mut rank, mut parameters) = (Vec::new(), Vec::new());
    let mut left = Some(path);
    for part in parts {
        let all = left?;
        let (segment, behind) = all.split_once('/').map_or((all, None), |(segment, behind)| (segment, Some(behind)));
        left = behind;
        match part {
            Part::Text(text) if text == segment => rank.push(0),
            Part::Parameter(name) if !segment.is_empty() => {
                rank.push(1);
                parameters.push(((*name).to_owned(), segment.to_owned()));
            }
            Part::Rest(name) if !all.is_empty() => {
                rank.push(2);
                parameters.push(((*name).to_owned(), all.to_owned()));
                left = None;
            }
            _ => return None,
        }
    }
    left.is_none().then_some((rank, parameters))
}

/// The parts of a pattern, the first of which is the nothing before the first slash; `None` if it is malformed.
fn parse(pattern: &str) -> Option<Vec<Part<'_>>> {
    let is_in_paths = pattern.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
    if !pattern.starts_with('/') || !is_in_paths {
        return None;
    }
    let parts: Vec<_> = pattern.split('/').map(parse_part).collect::<Option<_>>()?;
    let is_rest = |part: &Part<'_>| matches!(part, Part::Rest(_));
    let names: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Parameter(name) | Part::Rest(name) => Some(name),
        })
        .collect();
    let has_twice = (1..names.len()).any(|at| names[..at].contains(&names[at]));
    let has_rest_inside = parts[..parts.len() - 1].iter().any(is_rest);
    (names.len() <= 25 && !has_twice && !has_rest_inside).then_some(parts)
}

fn parse_part(text: &str) -> Option<Part<'_>> {
    if text.starts_with('{') && !text.starts_with("{{") {
        let inner = text.strip_prefix('{')?.strip_suffix('}')?;
        let name = inner.strip_prefix('*').unwrap_or(inner);
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
        let part = if inner == name { Part::Parameter(name) } else { Part::Rest(name) };
        return is_name.then_some(part);
    }
    // A space is in no pattern, so that what is left of single braces cannot be taken for a pair.
    let has_single = text.replace("{{", " ").replace("}}", " ").contains(['{', '}']);
    (!has_single).then(|| Part::Text(text.replace("{{", "{").replace("}}", "}")))
}

/// Whether nothing tells which of two routes goes first, or they have a parameter and the rest in one place.
fn conflict(one: &[Part<'_>], other: &[Part<'_>]) -> bool {
    let is_same = |(one, other): &(&Part<'_>, &Part<'_>)| {
        one == other || matches!((one, other), (Part::Parameter(_), Part::Parameter(_)))
    };
    let same = one.iter().zip(other).take_while(is_same).count();
    matches!(
        (one.get(same), other.get(same)),
        (None, None)
            | (Some(Part::Rest(_)), Some(Part::Rest(_) | Part::Parameter(_)))
            | (Some(Part::Parameter(_)), Some(Part::Rest(_)))
    )
}
