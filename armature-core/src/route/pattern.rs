//! The grammar of route patterns, as one function that runs at compile time and at run time.
//!
//! A parameter takes a whole segment. matchit 0.9 knows text around one as well, but does not come back from
//! `/{x}.png` to `/{x}`, and whether `/a{x}` conflicts with `/{y}/b` depends on which is added first; so neither is a
//! pattern here. Leaves conflicts between patterns to `mod.rs`.

use std::fmt;

/// The most parameters that a pattern may have: matchit names them a to y and panics at one more.
const PARAMETERS_MAX: usize = 25;

/// Where a pattern breaks which rule.
// For what `route!` expands to.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatternError {
    kind: PatternErrorKind,
    at: usize,
}

/// The rules of the grammar that a pattern can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PatternErrorKind {
    /// It does not begin with `/`.
    Start,
    /// A byte that no path holds: white space, a control character, `?`, `#`, or one outside ASCII.
    Byte,
    /// A parameter without a closing brace.
    Open,
    /// A closing brace without a parameter.
    Close,
    /// A parameter without a name.
    Unnamed,
    /// A name that is no identifier.
    Name,
    /// A name that stands in the pattern twice.
    Duplicate,
    /// Text before or behind a parameter in its segment.
    PartOfSegment,
    /// Something behind `{*rest}`.
    RestNotLast,
    /// More than 25 parameters.
    TooMany,
}

impl PatternError {
    /// The rule in a sentence.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self.kind {
            PatternErrorKind::Start => "a pattern begins with /",
            PatternErrorKind::Byte => "a path has no white space, no control character, no ?, no # and only ASCII",
            PatternErrorKind::Open => "a parameter has no closing brace; {{ is a literal brace",
            PatternErrorKind::Close => "a closing brace has no parameter; }} is a literal brace",
            PatternErrorKind::Unnamed => "a parameter has no name",
            PatternErrorKind::Name => "a parameter's name is letters, digits and _, with no digit first",
            PatternErrorKind::Duplicate => "two parameters have the same name",
            PatternErrorKind::PartOfSegment => "a parameter is a whole segment, with nothing else between the slashes",
            PatternErrorKind::RestNotLast => "the rest of a path comes last",
            PatternErrorKind::TooMany => "a pattern has at most 25 parameters",
        }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.at, self.message())
    }
}

impl std::error::Error for PatternError {}

/// Checks a pattern's grammar, which is described at [`route`](mod@crate::route).
///
/// # Errors
/// The first rule that it breaks.
// As the error itself.
#[doc(hidden)]
pub const fn check_pattern(pattern: &str) -> Result<(), PatternError> {
    let bytes = pattern.as_bytes();
    if !matches!(bytes, [b'/', ..]) {
        return wrong(PatternErrorKind::Start, 0);
    }
    let (mut at, mut parameters) = (1, 0);
    while at < bytes.len() {
        let is_doubled = at + 1 < bytes.len() && bytes[at] == bytes[at + 1];
        match bytes[at] {
            b'{' | b'}' if is_doubled => at += 2,
            b'{' => {
                if parameters == PARAMETERS_MAX {
                    return wrong(PatternErrorKind::TooMany, at);
                }
                parameters += 1;
                at = match check_parameter(bytes, at) {
                    Ok(end) => end,
                    Err(error) => return Err(error),
                };
            }
            b'}' => return wrong(PatternErrorKind::Close, at),
            b'?' | b'#' => return wrong(PatternErrorKind::Byte, at),
            byte if !byte.is_ascii_graphic() => return wrong(PatternErrorKind::Byte, at),
            _ => at += 1,
        }
    }
    Ok(())
}

/// A route pattern, checked when the program is compiled: the literal itself, or a compile error that says what is wrong.
///
/// ```
/// use armature_core::{Path, Router, get, route};
///
/// let router: Router = Router::new().route(route!("/users/{id}"), get(async |Path(id): Path<String>| id));
/// ```
///
/// ```compile_fail
/// armature_core::route!("/users/{id");
/// ```
///
/// Conflicts between patterns are found when the router is built.
#[macro_export]
macro_rules! route {
    ($pattern:expr $(,)?) => {{
        // An item: unlike the value of an expression, it is computed whether or not the code around it is reached.
        const PATTERN: &str = $pattern;
        const _: () = if let Err(error) = $crate::route::check_pattern(PATTERN) {
            ::core::panic!("{}", error.message())
        };
        PATTERN
    }};
}

const fn wrong<T>(kind: PatternErrorKind, at: usize) -> Result<T, PatternError> {
    Err(PatternError { kind, at })
}

/// Checks the parameter whose opening brace stands at `open`, in a pattern that is right up to there; gives the offset
/// behind its closing brace.
const fn check_parameter(pattern: &[u8], open: usize) -> Result<usize, PatternError> {
    if pattern[open - 1] != b'/' {
        return wrong(PatternErrorKind::PartOfSegment, open);
    }
    let (begin, end) = name_at(pattern, open);
    if end == pattern.len() {
        return wrong(PatternErrorKind::Open, open);
    }
    if pattern[end] != b'}' {
        return wrong(PatternErrorKind::Name, end);
    }
    if begin == end {
        return wrong(PatternErrorKind::Unnamed, open);
    }
    if pattern[begin].is_ascii_digit() {
        return wrong(PatternErrorKind::Name, begin);
    }
    if has_parameter(pattern, open, begin, end) {
        return wrong(PatternErrorKind::Duplicate, begin);
    }
    let close = end + 1;
    if close < pattern.len() && pattern[close] != b'/' {
        return wrong(PatternErrorKind::PartOfSegment, close);
    }
    if close < pattern.len() && begin == open + 2 {
        return wrong(PatternErrorKind::RestNotLast, close);
    }
    Ok(close)
}

/// Where the name behind an opening brace begins and ends; `{*` opens the rest of a path.
const fn name_at(pattern: &[u8], open: usize) -> (usize, usize) {
    let is_rest = open + 1 < pattern.len() && pattern[open + 1] == b'*';
    let begin = if is_rest { open + 2 } else { open + 1 };
    let mut end = begin;
    while end < pattern.len() && (pattern[end].is_ascii_alphanumeric() || pattern[end] == b'_') {
        end += 1;
    }
    (begin, end)
}

/// Whether a parameter before `open` has the name from `begin` to `end`.
const fn has_parameter(pattern: &[u8], open: usize, begin: usize, end: usize) -> bool {
    let mut at = 1;
    while at < open {
        // Behind a slash a single brace opens a parameter, since a doubled one would be a literal.
        if pattern[at] == b'{' && pattern[at - 1] == b'/' && pattern[at + 1] != b'{' {
            let (other_begin, other_end) = name_at(pattern, at);
            if are_equal(pattern, (other_begin, other_end), (begin, end)) {
                return true;
            }
        }
        at += 1;
    }
    false
}

const fn are_equal(bytes: &[u8], one: (usize, usize), other: (usize, usize)) -> bool {
    let length = one.1 - one.0;
    if length != other.1 - other.0 {
        return false;
    }
    let mut at = 0;
    while at < length {
        if bytes[one.0 + at] != bytes[other.0 + at] {
            return false;
        }
        at += 1;
    }
    true
}

/// What a segment of a right pattern matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment<'a> {
    /// This text, with its braces doubled.
    Literal(&'a str),
    /// Any segment that is not empty.
    Parameter,
    /// All that is left, if it is not empty.
    Rest,
}

/// The segments of a right pattern; a slash stands in none of them, as names have no slashes.
fn segments(pattern: &str) -> impl Iterator<Item = Segment<'_>> {
    pattern.split('/').map(|text| match text.as_bytes() {
        [b'{', b'{', ..] => Segment::Literal(text),
        [b'{', b'*', ..] => Segment::Rest,
        [b'{', ..] => Segment::Parameter,
        _ => Segment::Literal(text),
    })
}

/// The one path that a right pattern without parameters matches.
pub(super) fn literal_path(pattern: &str) -> Option<String> {
    let is_literal = |segment| matches!(segment, Segment::Literal(_));
    segments(pattern).all(is_literal).then(|| pattern.replace("{{", "{").replace("}}", "}"))
}

/// Whether two right patterns cannot stand in one table: they match the same paths, or one has the rest where the other
/// has a parameter or the rest, behind segments that match the same.
pub(super) fn conflict(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (segments(one), segments(other));
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(Segment::Rest), Some(Segment::Rest | Segment::Parameter))
            | (Some(Segment::Parameter), Some(Segment::Rest)) => return true,
            (one, other) if one == other => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PatternErrorKind as Kind, *};

    #[test]
    fn a_pattern_is_right_or_wrong_at_a_byte() {
        let many = |count: usize| (0..count).map(|number| format!("/{{p{number}}}")).collect::<String>();
        let cases: &[(&str, Option<(Kind, usize)>)] = &[
            ("/", None),
            ("//", None),
            ("/a/b.c/~d%20:e*", None),
            ("/{id}", None),
            ("/{_id}/{ID2}/", None),
            ("/{*rest}", None),
            ("/a/{a}/{*rest}", None),
            ("/{{a}}", None),
            ("/{{{{/}}}}", None),
            ("/a{{b/{c}", None),
            (&many(25), None),
            ("", Some((Kind::Start, 0))),
            ("a", Some((Kind::Start, 0))),
            ("{a}", Some((Kind::Start, 0))),
            ("/a b", Some((Kind::Byte, 2))),
            ("/a\t", Some((Kind::Byte, 2))),
            ("/\u{7f}", Some((Kind::Byte, 1))),
            ("/é", Some((Kind::Byte, 1))),
            ("/a?b", Some((Kind::Byte, 2))),
            ("/a#b", Some((Kind::Byte, 2))),
            ("/{a", Some((Kind::Open, 1))),
            ("/{", Some((Kind::Open, 1))),
            ("/{*", Some((Kind::Open, 1))),
            ("/{a/b}", Some((Kind::Name, 3))),
            ("/a}", Some((Kind::Close, 2))),
            ("/}", Some((Kind::Close, 1))),
            ("/{{a}", Some((Kind::Close, 4))),
            ("/{}", Some((Kind::Unnamed, 1))),
            ("/{*}", Some((Kind::Unnamed, 1))),
            ("/{a-b}", Some((Kind::Name, 3))),
            ("/{1}", Some((Kind::Name, 2))),
            ("/{é}", Some((Kind::Name, 2))),
            ("/{**a}", Some((Kind::Name, 3))),
            ("/{a{{}", Some((Kind::Name, 3))),
            ("/{a}/{a}", Some((Kind::Duplicate, 6))),
            ("/{a}/{ab}/{*a}", Some((Kind::Duplicate, 12))),
            ("/x{a}", Some((Kind::PartOfSegment, 2))),
            ("/{{{a}", Some((Kind::PartOfSegment, 3))),
            ("/{a}.png", Some((Kind::PartOfSegment, 4))),
            ("/{a}}}", Some((Kind::PartOfSegment, 4))),
            ("/{a}{b}", Some((Kind::PartOfSegment, 4))),
            ("/{*a}b", Some((Kind::PartOfSegment, 5))),
            ("/{*a}/", Some((Kind::RestNotLast, 5))),
            (&many(26), Some((Kind::TooMany, 141))),
        ];
        for (pattern, expected) in cases {
            let error = check_pattern(pattern).err();
            assert_eq!(error.map(|error| (error.kind, error.at)), *expected, "{pattern}");
            assert!(error.is_none_or(|error| error.to_string().contains(error.message())), "{pattern}");
        }
    }

    #[test]
    fn a_literal_pattern_is_one_path() {
        for (pattern, path) in [
            ("/", Some("/")),
            ("/{{a}}/}}}}", Some("/{a}/}}")),
            ("/{{{{", Some("/{{")),
            ("/{a}", None),
            ("/a/{*b}", None),
        ] {
            assert_eq!(literal_path(pattern).as_deref(), path, "{pattern}");
        }
    }

    #[test]
    fn patterns_conflict_in_either_order() {
        for (one, other, expected) in [
            ("/a", "/a", true),
            ("/a", "/a/", false),
            ("/{a}/b", "/{c}/b", true),
            ("/{a}/b", "/{a}/c", false),
            ("/{a}", "/b", false),
            ("/{a}", "/{{a}}", false),
            ("/{a}/b", "/{*c}", true),
            ("/{*a}", "/{*b}", true),
            ("/x/{a}", "/{*b}", false),
            ("/{x}/{a}", "/{y}/{*b}", true),
        ] {
            assert_eq!((conflict(one, other), conflict(other, one)), (expected, expected), "{one} {other}");
        }
    }
}
