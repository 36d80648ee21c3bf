//! What a request may cost: `suites/budgets.toml`, by target, case and metric; and how a run stands to it.
//!
//! A change of a budget is a line in a diff that somebody reviews. `cargo xtask bless` writes the file, and nothing else does.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{
    file,
    judge::{self, Row, Rule},
    layout, name,
    record::{Case, Record},
    stats,
};

/// What stands at the top of the file.
const HEAD: &str = "# What one request may cost, by target and case: counts, which hardly move.\n\
    # `cargo xtask gate` holds the tree to it. Written by `cargo xtask bless` and by nothing else; a change is reviewed.\n";

/// Figures by metric, by case, by target.
type Figures = BTreeMap<String, BTreeMap<String, BTreeMap<String, f64>>>;

/// The budgets.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    /// The compiler that instructions were counted with; another one makes others.
    #[serde(default)]
    pub rustc: String,
    /// What a request may cost.
    #[serde(default)]
    pub budget: Figures,
}

/// A figure that a blessing changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Target, case and metric.
    pub place: (String, String, String),
    /// What it was; `None` for one that is new.
    pub before: Option<f64>,
    /// What it becomes.
    pub after: f64,
}

/// Where the file stands.
///
/// # Errors
/// As [`layout::workspace_root`].
pub fn path() -> Result<PathBuf> {
    Ok(layout::workspace_root()?.join("suites").join("budgets.toml"))
}

impl Budgets {
    /// Reads the file; one that is not there holds no budgets.
    ///
    /// # Errors
    /// When it is wrong: not TOML, a metric that is no count, a figure that can be none. The message names the place.
    pub fn read(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        Self::parse(&text).with_context(|| format!("{} is not right", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let budgets: Self = toml::from_str(text)?;
        for (target, cases) in &budgets.budget {
            for (case, metrics) in cases {
                for (metric, figure) in metrics {
                    let place = format!("[budget.{target}.{case}] {metric}");
                    if !matches!(judge::rule(metric), Some(Rule::Count { .. })) {
                        bail!("{place}: that is no count, and times have no budgets");
                    }
                    if !figure.is_finite() || *figure < 0.0 {
                        bail!("{place} = {figure}: a budget is a number from 0");
                    }
                }
            }
        }
        Ok(budgets)
    }

    /// Refuses a case or target that there is none of.
    ///
    /// # Errors
    /// Names it, and the nearest that there is.
    pub fn check_names(&self, cases: &[Case], targets: &BTreeSet<String>) -> Result<()> {
        for (target, budgets) in &self.budget {
            if !targets.contains(target) {
                let unknown = name::Unknown::new("target", target, targets.iter().map(String::as_str));
                bail!("a budget is given to what is not there: {unknown}");
            }
            for case in budgets.keys() {
                if !cases.iter().any(|known| known.id == *case) {
                    let unknown = name::Unknown::new("case", case, cases.iter().map(|case| case.id.as_str()));
                    bail!("a budget of {target} is given to what is not there: {unknown}");
                }
            }
        }
        Ok(())
    }

    /// How the targets of a record whose names end in `suffix` stand to their budgets: a row for each budget of a case that was run.
    /// The second list says what was not judged, and why.
    #[must_use]
    pub fn judge(&self, record: &Record, suffix: &str) -> (Vec<Row>, Vec<String>) {
        let (mut rows, mut notes) = (Vec::new(), Vec::new());
        let other_compiler = self.rustc != record.host.rustc;
        for target in &record.plan.targets {
            let Some(name) = target.name.strip_suffix(suffix) else { continue };
            for case in record.cases.iter().filter(|case| target.takes_part(case)) {
                let Some(budgets) = self.budget.get(name).and_then(|cases| cases.get(&case.id)) else { continue };
                for (metric, budget) in budgets {
                    if other_compiler && metric.starts_with("instructions") {
                        notes.push(format!(
                            "Budgets of instructions were blessed with {:?} and this is {:?}, so they were not judged.",
                            self.rustc, record.host.rustc
                        ));
                        continue;
                    }
                    rows.push(judge::budgeted(record, case, &target.name, name, metric, *budget));
                }
            }
        }
        notes.dedup();
        (rows, notes)
    }

    /// Takes the figures of a record in place of the budgets that they depart from, and says what changed.
    pub fn bless(&mut self, record: &Record, suffix: &str) -> Vec<Change> {
        let mut changes = Vec::new();
        for target in &record.plan.targets {
            let Some(name) = target.name.strip_suffix(suffix) else { continue };
            for case in &record.cases {
                for (metric, figure) in figures(record, case, &target.name) {
                    let slot = self.budget.entry(name.to_owned()).or_default().entry(case.id.clone()).or_default();
                    let before = slot.get(&metric).copied();
                    if before.is_some_and(|before| judge::alike(&metric, before, figure)) {
                        continue;
                    }
                    slot.insert(metric.clone(), figure);
                    let place = (name.to_owned(), case.id.clone(), metric);
                    changes.push(Change { place, before, after: figure });
                }
            }
        }
        self.rustc.clone_from(&record.host.rustc);
        changes
    }

    /// Writes the file, whole.
    ///
    /// # Errors
    /// When it cannot be written; the old one is untouched then.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = HEAD.to_owned();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\nrustc = {:?}", self.rustc);
        for (target, cases) in &self.budget {
            for (case, metrics) in cases {
                let _ = writeln!(text, "\n[budget.{target}.{case}]");
                for (metric, figure) in metrics {
                    let _ = writeln!(text, "{metric} = {figure}");
                }
            }
        }
        file::write_whole(path, text.as_bytes())
    }
}

/// The counts of a target in a case that are stable, rounded to what is worth a line in a diff.
fn figures(record: &Record, case: &Case, target: &str) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::<String, Vec<f64>>::new();
    let mut unstable = BTreeSet::new();
    for sample in record.samples.iter().filter(|sample| sample.case == case.id && sample.target == target) {
        for (metric, figure) in &sample.metrics {
            if let Some(Rule::Count { .. }) = judge::rule(metric)
                && figure.is_finite()
            {
                found.entry(metric.clone()).or_default().push(*figure);
            }
        }
        unstable.extend(sample.void.keys().cloned());
    }
    found.retain(|metric, _| !unstable.contains(metric));
    found
        .into_iter()
        .filter_map(|(metric, figures)| {
            let figure = stats::median(&figures)?;
            Some((metric, (figure.max(0.0) * 1000.0).round() / 1000.0))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, expected) in [
            (
                "[budget.armature.json]\ncpu_us_per_request = 3",
                "[budget.armature.json] cpu_us_per_request: that is no count",
            ),
            ("[budget.armature.json]\nallocations_per_request = -1", "a budget is a number from 0"),
            ("[budget.armature.json]\nallocations_per_request = nan", "a budget is a number from 0"),
            ("[budget.armature.json]\nallocations_per_request = \"many\"", "invalid type"),
            ("[budgets.armature.json]", "unknown field"),
            ("[budget", "TOML parse error"),
        ] {
            let told = format!("{:#}", Budgets::parse(text).unwrap_err());
            assert!(told.contains(expected), "{text}: {told}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Budgets::read(&folder.path().join("none.toml")).unwrap(), Budgets::default());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = "rustc = \"rustc 1.95\"\n[budget.armature.json]\nallocations_per_request = 0\ninstructions_per_request = 2590.5\n";
        let budgets = Budgets::parse(text).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("budgets.toml");
        budgets.write(&path).unwrap();
        assert_eq!(Budgets::read(&path).unwrap(), budgets);
        assert!(fs::read_to_string(&path).unwrap().starts_with("# What one request may cost"));
    }

    #[test]
    fn a_budget_of_what_is_not_there_is_refused_with_the_nearest() {
        let budgets = Budgets::parse("[budget.armature.jsn]\nallocations_per_request = 0").unwrap();
        let case = |id: &str| Case {
            id: id.to_owned(),
            test: id.to_owned(),
            title: String::new(),
            connections: None,
            depth: crate::record::Depth::Quick,
            counted: true,
            references: Vec::new(),
            claim: None,
        };
        let targets = BTreeSet::from(["armature".to_owned()]);
        let told = budgets.check_names(&[case("json"), case("plaintext")], &targets).unwrap_err().to_string();
        assert!(told.contains("did you mean `json`?"), "{told}");
        let told = budgets.check_names(&[case("jsn")], &BTreeSet::from(["axum".to_owned()])).unwrap_err().to_string();
        assert!(told.contains("there is no target `armature`"), "{told}");
        budgets.check_names(&[case("jsn")], &targets).unwrap();
    }
}
