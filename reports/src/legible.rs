//! Makes a record's strings fit to be shown: clipped to a length, and with nothing invisible left in them.
//!
//! Names, reasons and error output come from other programs. Control characters could drive a terminal, marks of
//! writing direction could turn a line around, and a name of ten megabytes would be repeated in every row. Escaping for
//! HTML, Markdown or CSV is left to those who write them. Read next: `view.rs`.

use std::collections::BTreeMap;

use harness::record::{Goal, Record, Status};

/// Longest name shown, characters: four times the longest that the lab's own targets and cases have.
const NAME_CHARS_MAX: usize = 80;

/// Longest sentence or line of output shown, characters.
const TEXT_CHARS_MAX: usize = 2_000;

/// Longest list of notes, failures, checks or lines shown.
const LIST_MAX: usize = 200;

/// The record with every string fit to be shown. Equal names stay equal, different names stay different.
pub(crate) fn legible(record: &Record) -> Record {
    let mut record = record.clone();
    for string in [
        &mut record.id,
        &mut record.suite,
        &mut record.started,
        &mut record.profile,
        &mut record.host.cpu_model,
        &mut record.host.cpu_stepping,
        &mut record.host.microcode,
        &mut record.host.kernel,
        &mut record.host.libc,
        &mut record.host.rustc,
        &mut record.host.governor,
    ] {
        *string = name(string);
    }
    record.finished = record.finished.as_deref().map(name);
    record.repeat = text(&record.repeat);
    if let Some(commit) = &mut record.commit {
        commit.hash = name(&commit.hash);
    }
    if let Status::Partial { reason } = &mut record.status {
        *reason = text(reason);
    }
    plan(&mut record);
    events(&mut record);
    record
}

fn plan(record: &mut Record) {
    for target in &mut record.plan.targets {
        target.name = name(&target.name);
        texts(&mut target.command);
        names(&mut target.serves);
    }
    for case in &mut record.cases {
        case.id = name(&case.id);
        case.test = name(&case.test);
        case.title = text(&case.title);
        for reference in &mut case.references {
            reference.metric = name(&reference.metric);
            if let Goal::AtMostTarget { target } = &mut reference.goal {
                *target = name(target);
            }
        }
    }
    for artifact in &mut record.artifacts {
        for string in [
            &mut artifact.target,
            &mut artifact.package,
            &mut artifact.profile,
            &mut artifact.rustc,
            &mut artifact.sha256,
            &mut artifact.lock_sha256,
        ] {
            *string = name(string);
        }
        artifact.flags = text(&artifact.flags);
    }
    record.servers = std::mem::take(&mut record.servers)
        .into_iter()
        .map(|(target, mut ready)| {
            ready.versions = rekeyed(ready.versions, |version| name(&version));
            (name(&target), ready)
        })
        .collect();
}

fn events(record: &mut Record) {
    for verification in &mut record.verifications {
        verification.target = name(&verification.target);
        verification.test = name(&verification.test);
        texts(&mut verification.checks);
        texts(&mut verification.problems);
    }
    for sample in &mut record.samples {
        sample.target = name(&sample.target);
        sample.case = name(&sample.case);
        sample.metrics = rekeyed(std::mem::take(&mut sample.metrics), |value| value);
        sample.void = rekeyed(std::mem::take(&mut sample.void), |reason| text(&reason));
    }
    for failure in &mut record.failures {
        failure.target = name(&failure.target);
        failure.case = failure.case.as_deref().map(name);
        failure.reason = text(&failure.reason);
        texts(&mut failure.stderr_tail);
    }
    record.failures.truncate(LIST_MAX);
    texts(&mut record.notes);
}

fn rekeyed<T>(map: BTreeMap<String, T>, value: impl Fn(T) -> T) -> BTreeMap<String, T> {
    map.into_iter().map(|(key, item)| (name(&key), value(item))).collect()
}

fn names(list: &mut Vec<String>) {
    list.iter_mut().for_each(|item| *item = name(item));
    shorten(list);
}

fn texts(list: &mut Vec<String>) {
    list.iter_mut().for_each(|item| *item = text(item));
    shorten(list);
}

fn shorten(list: &mut Vec<String>) {
    if list.len() > LIST_MAX {
        let more = list.len() - LIST_MAX;
        list.truncate(LIST_MAX);
        list.push(format!("… and {more} more, which stand in run.json"));
    }
}

pub(crate) fn name(raw: &str) -> String {
    visible(raw, NAME_CHARS_MAX).replace('\n', "\\n")
}

pub(crate) fn text(raw: &str) -> String {
    visible(raw, TEXT_CHARS_MAX)
}

/// The first `chars_max` characters, what cannot be seen among them spelled out. What was cut off is told apart by its
/// length and FNV-1a hash, so that two long names do not become one.
fn visible(raw: &str, chars_max: usize) -> String {
    let mut shown = String::with_capacity(raw.len().min(chars_max));
    for character in raw.chars().take(chars_max) {
        if character == '\t' {
            shown.push(' ');
        } else if invisible(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    if raw.chars().nth(chars_max).is_some() {
        let hash = raw
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        shown.push_str(&format!("… [cut: {} bytes, {hash:016x}]", raw.len()));
    }
    shown
}

/// Control characters except the line feed, marks that set the direction of writing, and marks without width
/// (Unicode Standard Annex 9, and the zero-width block at U+200B).
fn invisible(character: char) -> bool {
    (character.is_control() && character != '\n')
        || matches!(character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_spelled_out() {
        for (raw, shown) in [
            ("axum", "axum"),
            ("größer 中文 \u{1F600}", "größer 中文 \u{1F600}"),
            ("<script>", "<script>"),
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\r\nb", "a\\u{d}\\nb"),
            ("a\tb", "a b"),
        ] {
            assert_eq!(name(raw), shown, "{raw:?}");
        }
        assert_eq!(text("two\nlines"), "two\nlines");
    }

    #[test]
    fn long_names_are_short_and_still_different() {
        let (one, other) = ("x".repeat(10_000_000), "x".repeat(9_999_999) + "y");
        assert!(name(&one).chars().count() < 2 * NAME_CHARS_MAX);
        assert_ne!(name(&one), name(&other));
        assert_eq!(name(&one), name(&one.clone()));
    }
}
