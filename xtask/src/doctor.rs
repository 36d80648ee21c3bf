//! `cargo xtask doctor`: prints what `harness::doctor` finds. What is read and decided stands there.

use std::{
    env,
    fmt::Write as _,
    io::{IsTerminal, stdout},
    process::ExitCode,
    time::Duration,
};

use anyhow::Result;
use clap::Args;
use harness::{
    doctor::{Finding, Level, Readings, findings, fit_to_time},
    layout,
};

use crate::{compare::Pairing, output};

mod noise;

/// Long enough for a hundred clock ticks a CPU, so that shares are read to a per cent.
const WINDOW: Duration = Duration::from_secs(1);

/// Say whether this machine is fit to measure, and what to do about each finding.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 when times may be taken here, 1 when not (counts still work).\n\n\
                  Examples:\n  cargo xtask doctor\n  cargo xtask doctor --noise --pairs 20    which effects can be told here, and how many pairs each needs\n  cargo xtask doctor --json | jq '.findings[] | select(.level != \"ok\")'")]
pub(crate) struct Doctor {
    /// Print findings and readings as one JSON object
    #[arg(long)]
    json: bool,
    /// Measure what a comparison could see here: one binary on both sides, for some minutes.
    #[arg(long)]
    noise: bool,
    /// With --noise: this test or case (repeatable) [json and plaintext-16-deep].
    #[arg(long = "case", value_name = "NAME", requires = "noise")]
    cases: Vec<String>,
    #[command(flatten, next_help_heading = "With --noise")]
    pairing: Pairing,
}

impl Doctor {
    pub(crate) fn run(self) -> Result<ExitCode> {
        if self.noise {
            return noise::run(self.cases, self.pairing, self.json);
        }
        if self.pairing != Pairing::default() {
            eprintln!("error: how times are taken is asked together with --noise only");
            return Ok(ExitCode::from(2));
        }
        let readings = Readings::take(&layout::target_folder()?, WINDOW);
        let findings = findings(&readings);
        let fit = fit_to_time(&findings);
        if self.json {
            let whole = serde_json::json!({ "fit_to_time": fit, "findings": findings, "readings": readings });
            output::print(&format!("{}\n", serde_json::to_string_pretty(&whole)?))?;
        } else {
            let colour = stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            output::print(&table(&findings, colour))?;
        }
        Ok(ExitCode::from(u8::from(!fit)))
    }
}

/// One line a finding; below those that are not all right, what they mean and what to do.
fn table(findings: &[Finding], colour: bool) -> String {
    let width = |of: fn(&Finding) -> &str| findings.iter().map(|it| of(it).chars().count()).max().unwrap_or(0);
    let subject_width = width(|finding| finding.subject);
    let mut text = String::new();
    for finding in findings {
        let (word, code) = match finding.level {
            Level::Ok => ("ok", "32"),
            Level::Advice => ("advice", "33"),
            Level::Problem => ("problem", "31"),
        };
        let word = paint(&format!("{word:<8}"), code, colour);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{word} {:<subject_width$}  {}", finding.subject, finding.reading);
        if finding.level > Level::Ok {
            let _ = writeln!(text, "         {:<subject_width$}  means: {}", "", finding.meaning);
        }
        if let Some(cure) = &finding.cure {
            let _ = writeln!(text, "         {:<subject_width$}  do:    {cure}", "");
        }
    }
    let _ = writeln!(text, "\n{}", verdict(findings));
    text
}

fn verdict(findings: &[Finding]) -> String {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (problems, advice) = (count(Level::Problem), count(Level::Advice));
    if fit_to_time(findings) {
        format!("Fit to measure, with {advice} piece(s) of advice.")
    } else {
        format!("Not fit to take times: {problems} problem(s), {advice} piece(s) of advice. Counts still work.")
    }
}

fn paint(text: &str, code: &str, colour: bool) -> String {
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(level: Level, cure: Option<&str>) -> Finding {
        Finding {
            subject: "CPUs",
            level,
            reading: "1 allowed: 0".to_owned(),
            meaning: "they take turns".to_owned(),
            cure: cure.map(str::to_owned),
        }
    }

    #[test]
    fn a_finding_says_what_it_means_and_what_to_do_only_when_something_is_amiss() {
        let amiss = table(&[finding(Level::Problem, Some("add one"))], false);
        for piece in ["problem  CPUs  1 allowed: 0", "means: they take turns", "do:    add one", "Not fit"] {
            assert!(amiss.contains(piece), "{piece}: {amiss}");
        }
        let fine = table(&[finding(Level::Ok, None)], false);
        assert!(!fine.contains("means") && !fine.contains("do:") && fine.contains("Fit to measure"), "{fine}");
    }

    #[test]
    fn colours_come_only_when_asked_for() {
        let findings = [finding(Level::Advice, Some("x"))];
        assert!(table(&findings, true).contains('\u{1b}'));
        assert!(!table(&findings, false).contains('\u{1b}'));
    }
}
