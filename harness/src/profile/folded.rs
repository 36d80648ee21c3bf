//! A profile as text: stacks with what each weighs, a line each, under a head that says what was looked at and how.
//!
//! ```text
//! # event: "cpu-clock"
//! # requests: 40123
//! main;armature_core::worker::run;armature_core::h1::parse 129
//! ```
//!
//! The lines are those of every tool that folds stacks (flamegraph.pl, inferno), and the head is a comment to them. What is read may
//! come from anybody: names are cut and cleaned here, once. Read next: `compare.rs`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The name of a frame of which nothing is known.
pub const UNKNOWN: &str = "[unknown]";

/// What stands behind the name of a function of the kernel.
pub const KERNEL: &str = "_[k]";

/// A profile in which more of the frames than this have no name says nothing.
const UNKNOWN_MAX: f64 = 0.05;

/// Characters of a name that are kept; instances of generic functions have names of pages.
const NAME_MAX: usize = 400;

/// Frames of a stack that are kept, from its root.
const DEPTH_MAX: usize = 400;

/// What was looked at and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The target, or the file's name where another tool made it.
    pub target: String,
    /// The case's id; empty where another tool made it.
    #[serde(default)]
    pub case: String,
    /// What was sampled or counted.
    pub event: String,
    /// By what means, in a sentence.
    #[serde(default)]
    pub method: String,
    /// Samples asked for in a second of CPU time; none where all was counted.
    #[serde(default)]
    pub rate_hz: Option<u32>,
    /// Samples, or blocks or instructions that were counted.
    pub samples: u64,
    /// Requests that were served meanwhile; 0 where another tool made it.
    #[serde(default)]
    pub requests: u64,
    /// SHA-256 of the program, hexadecimal.
    #[serde(default)]
    pub binary: String,
    /// What figures are in.
    pub unit: String,
    /// How much of the unit one of a stack's count stands for.
    pub unit_per_count: f64,
    /// CPU time of a request before the sampler began, by the kernel's count, µs.
    #[serde(default)]
    pub cpu_us_per_request_before: Option<f64>,
    /// The same while it sampled, µs.
    #[serde(default)]
    pub cpu_us_per_request_sampled: Option<f64>,
}

impl Header {
    /// How much more CPU time a request took while it was sampled, as a share.
    #[must_use]
    pub fn overhead(&self) -> Option<f64> {
        Some(self.cpu_us_per_request_sampled? / self.cpu_us_per_request_before? - 1.0)
    }

    /// Whether it tells how many requests there were, as another tool's does not.
    #[must_use]
    pub fn has_requests(&self) -> bool {
        self.requests > 0
    }

    /// Whether it is a sample of what happened, and not all of it.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        !["bytes", "blocks", "instructions"].contains(&self.unit.as_str())
    }
}

/// A profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Folded {
    /// What was looked at and how.
    pub header: Header,
    /// What each stack weighs; its frames are separated by `;`, the root first.
    pub stacks: BTreeMap<String, u64>,
}

impl Folded {
    /// Adds what was seen of a stack, the root first.
    pub fn add<'a>(&mut self, frames: impl IntoIterator<Item = &'a str>, count: u64) {
        let names: Vec<String> = frames.into_iter().take(DEPTH_MAX).map(clean).collect();
        *self.stacks.entry(names.join(";")).or_default() += count;
    }

    /// All counts together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.stacks.values().sum()
    }

    /// What one request costs by this profile, in its unit; all of it, where requests are not known.
    #[must_use]
    pub fn per_request(&self, count: u64) -> f64 {
        count as f64 * self.header.unit_per_count / self.header.requests.max(1) as f64
    }

    /// Refuses a profile that shows nothing.
    ///
    /// # Errors
    /// When it is empty, or names too few of its frames; the message says what to do.
    pub fn judge(&self) -> Result<()> {
        let name = &self.header.target;
        if self.total() == 0 {
            let what = if self.header.is_sampled() { "was taken" } else { "is there: it does without" };
            bail!("the profile of {name} is empty: not one sample of {} {what}", self.header.event);
        }
        self.judge_names()
    }

    /// Refuses a profile that names too few of its frames.
    ///
    /// # Errors
    /// As [`Folded::judge`], but for one that is empty: a server may well allocate nothing.
    pub fn judge_names(&self) -> Result<()> {
        let name = &self.header.target;
        let (mut frames, mut unknown) = (0, 0);
        for (stack, count) in &self.stacks {
            for frame in stack.split(';') {
                frames += count;
                unknown += count * u64::from(frame == UNKNOWN || frame.is_empty());
            }
        }
        let share = unknown as f64 / frames.max(1) as f64;
        if share > UNKNOWN_MAX {
            bail!(
                "{:.0} % of the frames in the profile of {name} have no name, and no more than {:.0} % may: was the program \
                 stripped (strip(1), `strip` in its build profile)?",
                share * 100.0,
                UNKNOWN_MAX * 100.0
            );
        }
        Ok(())
    }

    /// Several profiles of one thing as one.
    ///
    /// # Errors
    /// When there is none, or they are of different things.
    pub fn merged(profiles: &[Self]) -> Result<Self> {
        let Some((first, rest)) = profiles.split_first() else { bail!("there is no profile") };
        let mut merged = first.clone();
        let weight = |profile: &Self| profile.total() as f64 * profile.header.unit_per_count;
        let mut units = weight(first);
        for profile in rest {
            let (one, other) = (&merged.header, &profile.header);
            if (&one.event, &one.unit) != (&other.event, &other.unit) {
                bail!(
                    "{} of {} and {} of {} are no profiles of one thing",
                    one.event,
                    one.target,
                    other.event,
                    other.target
                );
            }
            units += weight(profile);
            merged.header.samples += other.samples;
            merged.header.requests += other.requests;
            for (stack, count) in &profile.stacks {
                *merged.stacks.entry(stack.clone()).or_default() += count;
            }
        }
        let mean = |of: fn(&Header) -> Option<f64>| {
            let all: Vec<f64> = profiles.iter().filter_map(|profile| of(&profile.header)).collect();
            (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
        };
        merged.header.cpu_us_per_request_before = mean(|header| header.cpu_us_per_request_before);
        merged.header.cpu_us_per_request_sampled = mean(|header| header.cpu_us_per_request_sampled);
        merged.header.unit_per_count = units / merged.total().max(1) as f64;
        Ok(merged)
    }

    /// As text.
    ///
    /// # Errors
    /// When the head cannot be put into JSON.
    pub fn text(&self) -> Result<String> {
        let Value::Object(head) = serde_json::to_value(&self.header)? else {
            bail!("the head of a profile is no table")
        };
        let mut text: String = head.iter().map(|(key, value)| format!("# {key}: {value}\n")).collect();
        text.extend(self.stacks.iter().map(|(stack, count)| format!("{stack} {count}\n")));
        Ok(text)
    }

    /// From text; `name` is what a profile without a head is called. Anybody's folded stacks will do.
    ///
    /// # Errors
    /// For a line that is no stack, or a head that is damaged.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let mut head = Map::new();
        let mut folded = Self { header: foreign(name), stacks: BTreeMap::new() };
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if let Some(comment) = line.strip_prefix("# ") {
                if let Some((key, value)) = comment.split_once(": ")
                    && let Ok(value) = serde_json::from_str(value)
                {
                    head.insert(key.to_owned(), value);
                }
                continue;
            }
            if line.is_empty() {
                continue;
            }
            let parsed = line.rsplit_once(' ').and_then(|(stack, count)| Some((stack, count.parse().ok()?)));
            let Some((stack, count)) = parsed else {
                let start: String = line.chars().take(60).collect();
                bail!("line {} of {name} is no folded stack (`a;b;c 12`): {start:?}", number + 1)
            };
            folded.add(stack.split(';'), count);
        }
        if head.contains_key("unit_per_count") {
            folded.header = serde_json::from_value(Value::Object(head))
                .with_context(|| format!("the head of {name} is damaged"))?;
        } else {
            folded.header.samples = folded.total();
        }
        Ok(folded)
    }
}

/// The head of a profile that has none.
fn foreign(name: &str) -> Header {
    Header {
        target: name.to_owned(),
        case: String::new(),
        event: "samples".to_owned(),
        method: "Folded by another tool, which tells neither requests nor the program.".to_owned(),
        rate_hz: None,
        samples: 0,
        requests: 0,
        binary: String::new(),
        unit: "samples".to_owned(),
        unit_per_count: 1.0,
        cpu_us_per_request_before: None,
        cpu_us_per_request_sampled: None,
    }
}

/// A name without what separates names, what no document may hold, and the pages that some are long.
fn clean(name: &str) -> String {
    let harmless = |letter: char| {
        if letter == ';' || letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') { '?' } else { letter }
    };
    let mut short: String = name.chars().take(NAME_MAX).map(harmless).collect();
    if name.chars().nth(NAME_MAX).is_some() {
        // The kernel's mark is part of what a name says.
        short.push_str(if name.ends_with(KERNEL) { "…_[k]" } else { "…" });
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(lines: &str) -> Folded {
        Folded::parse(lines, "x").unwrap()
    }

    #[test]
    fn a_profile_comes_back_as_it_was_written() {
        let mut profile = folded("a;b 3\na 1\na;b 2\n");
        assert_eq!(profile.stacks, BTreeMap::from([("a".to_owned(), 1), ("a;b".to_owned(), 5)]));
        assert_eq!((profile.header.samples, profile.header.requests), (6, 0));
        profile.header =
            Header { requests: 7, unit: "µs".to_owned(), unit_per_count: 0.25, rate_hz: Some(9), ..profile.header };
        assert_eq!(Folded::parse(&profile.text().unwrap(), "y").unwrap(), profile);
    }

    #[test]
    fn what_is_no_profile_is_refused_and_says_why() {
        for (text, piece) in [
            ("a;b three\n", "line 1 of x is no folded stack"),
            ("a;b 1\n<svg>\n", "line 2 of x"),
            ("# unit_per_count: 1.0\na 1\n", "the head of x is damaged"),
        ] {
            let error = Folded::parse(text, "x").unwrap_err().to_string();
            assert!(error.contains(piece), "{text:?}: {error}");
        }
        for (text, piece) in [
            ("", Some("is empty")),
            ("a;b 0\n", Some("is empty")),
            ("a;[unknown] 1\na;b 8\n", Some("6 % of the frames")),
            ("a;[unknown] 1\na;b 9\n", None),
        ] {
            let judged = folded(text).judge().map_err(|error| error.to_string());
            assert!(judged.is_ok() == piece.is_none(), "{text:?}: {judged:?}");
            assert!(judged.err().unwrap_or_default().contains(piece.unwrap_or_default()), "{text:?}");
        }
    }

    #[test]
    fn names_of_anybody_s_are_cleaned_and_cut() {
        let long = "x".repeat(10_000);
        for (name, expected) in [
            ("a\u{1b}[31m\u{0}", "a?[31m?".to_owned()),
            ("<script>alert('\"')</script>", "<script>alert('\"')</script>".to_owned()),
            (long.as_str(), format!("{}…", "x".repeat(NAME_MAX))),
            ("\u{ffff}é", "?é".to_owned()),
        ] {
            assert_eq!(folded(&format!("{name} 1")).stacks.keys().next(), Some(&expected));
        }
    }

    #[test]
    fn merging_adds_counts_and_requests() {
        let mut one = folded("a 10\n");
        (one.header.requests, one.header.unit_per_count) = (5, 2.0);
        let mut other = folded("a 10\nb 10\n");
        (other.header.requests, other.header.unit_per_count) = (5, 4.0);
        let merged = Folded::merged(&[one.clone(), other]).unwrap();
        assert_eq!((merged.header.requests, merged.total()), (10, 30));
        // 20 units and 80, of 10 requests.
        assert!((merged.per_request(merged.total()) - 10.0).abs() < 1e-9);
        let different = Folded { header: Header { unit: "bytes".to_owned(), ..one.header.clone() }, ..one.clone() };
        assert!(Folded::merged(&[one, different]).is_err());
        assert!(Folded::merged(&[]).is_err());
    }
}
