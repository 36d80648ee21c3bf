//! Cuts Rust source into words, marks and comments, so that a rule never mistakes a string or a comment for code.
//!
//! A small lexer, not a parser: literals are left out, and everything else keeps its line.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier or keyword; raw identifiers without their `r#`.
    Word,
    /// One character of punctuation.
    Mark,
}

/// A piece of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) line: usize,
}

/// The code of a file, without comments and literals.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let (end, kind) = next(source, at);
        if let Some(kind) = kind {
            let text = source[at..end].trim_start_matches("r#");
            found.push(Token { kind, text, line });
        }
        line += bytes[at..end].iter().filter(|byte| **byte == b'\n').count();
        at = end;
    }
    found
}

/// Where the piece that begins at `at` ends, and what it is if it is kept.
fn next(source: &str, at: usize) -> (usize, Option<Kind>) {
    let rest = &source[at..];
    let bytes = rest.as_bytes();
    let second = bytes.get(1).copied();
    match bytes[0] {
        b'/' if second == Some(b'/') => (at + rest.find('\n').unwrap_or(rest.len()), None),
        b'/' if second == Some(b'*') => (at + block_comment(bytes), None),
        b'"' => (at + quoted(bytes, 0), None),
        b'\'' => (at + character_or_lifetime(rest), None),
        byte if byte.is_ascii_digit() => (at + word_length(bytes), None),
        byte if is_word(byte) => {
            let length = word_length(bytes);
            match literal_after_prefix(&rest[..length], bytes) {
                Some(end) => (at + end, None),
                None if &rest[..length] == "r" && bytes.get(1) == Some(&b'#') => {
                    (at + 2 + word_length(&bytes[2..]), Some(Kind::Word))
                }
                None => (at + length, Some(Kind::Word)),
            }
        }
        byte if byte.is_ascii_whitespace() => (at + 1, None),
        _ => (at + 1, Some(Kind::Mark)),
    }
}

/// Bytes above ASCII only occur in identifiers, literals and comments.
fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

fn word_length(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_word(**byte)).count()
}

/// The end of a literal with a prefix: `b"…"`, `c"…"`, `b'…'`, `r"…"`, `br#"…"#`.
fn literal_after_prefix(prefix: &str, bytes: &[u8]) -> Option<usize> {
    let begin = prefix.len();
    match (prefix, bytes.get(begin)?) {
        ("b" | "c", b'"') => Some(quoted(bytes, begin)),
        ("b", b'\'') => Some(begin + escaped_until(&bytes[begin..], b'\'')),
        ("r" | "br" | "cr", b'"' | b'#') => {
            let hashes = bytes[begin..].iter().take_while(|byte| **byte == b'#').count();
            if bytes.get(begin + hashes) != Some(&b'"') {
                return None;
            }
            let mut closing = vec![b'"'];
            closing.resize(hashes + 1, b'#');
            let body = begin + hashes + 1;
            let length = bytes[body..]
                .windows(closing.len())
                .position(|window| window == closing)
                .map_or(bytes.len() - body, |found| found + closing.len());
            Some(body + length)
        }
        _ => None,
    }
}

fn quoted(bytes: &[u8], begin: usize) -> usize {
    begin + escaped_until(&bytes[begin..], b'"')
}

/// The length of a literal that opens with one byte and ends with an unescaped `closing`.
fn escaped_until(bytes: &[u8], closing: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == closing => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `'x'` and `'\n'` are literals; `'a` without a closing quote behind one character is a lifetime.
fn character_or_lifetime(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => escaped_until(rest.as_bytes(), b'\''),
        Some(_) => match characters.next() {
            Some((at, '\'')) => at + 1,
            _ => 1 + word_length(&rest.as_bytes()[1..]),
        },
        None => 1,
    }
}

fn block_comment(bytes: &[u8]) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    while at < bytes.len() {
        match bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_told_from_comments_and_literals() {
        for (source, expected) in [
            ("use a::b; // unsafe", "use a : : b ;"),
            ("/* x /* unsafe */ y */ z", "z"),
            (r#"f("unsafe \" x", 'u', '\'', b'"', b"x")"#, "f ( , , , , )"),
            (r###"r#"un"safe"# br"x" r#type"###, "type"),
            ("fn f<'a>(x: &'a str) {}", "fn f < > ( x : & str ) { }"),
            ("1_000u32 + x0", "+ x0"),
            ("'ä' ä", "ä"),
            ("\"open", ""),
        ] {
            let words: Vec<&str> = tokens(source).iter().map(|token| token.text).collect();
            assert_eq!(words.join(" "), expected, "{source}");
        }
    }

    #[test]
    fn tokens_keep_their_lines() {
        let lines: Vec<usize> = tokens("a\n\"x\ny\"\nb").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 4]);
    }

    #[test]
    fn any_cut_of_a_source_is_read_to_its_end() {
        let source = include_str!("source.rs");
        for end in (0..source.len()).filter(|end| source.is_char_boundary(*end)).step_by(7) {
            assert!(tokens(&source[..end]).len() <= end);
        }
    }
}
