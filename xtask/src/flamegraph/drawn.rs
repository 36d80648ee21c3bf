//! Pictures and tables of profiles, written into a folder and told on standard output.

use std::path::{Path, PathBuf};

use anyhow::Result;
use harness::{
    file,
    profile::{self, Folded, Header, Names, Roles},
};
use reports::flamegraph::{self, Picture};

use crate::output;

/// Where and how it is drawn.
pub(super) struct Drawn<'a> {
    pub(super) folder: &'a Path,
    pub(super) names: &'a Names,
    pub(super) roles: &'a Roles,
    pub(super) kernel: bool,
    pub(super) width_min: Option<f64>,
}

impl Drawn<'_> {
    /// One side.
    pub(super) fn alone(&self, stem: &str, profiles: &[Folded]) -> Result<()> {
        let merged = Folded::merged(&self.legible(profiles))?;
        merged.judge()?;
        let table = format!("{}\n{}", about(&merged.header), flamegraph::top(&merged, self.roles));
        self.leave(stem, &flamegraph::profile(&merged, self.roles), &merged, &table)?;
        output::print(&table)
    }

    /// What has changed from a base to a head.
    pub(super) fn changed(&self, stem: &str, base: &[Folded], head: &[Folded], labels: [&str; 2]) -> Result<()> {
        let (base, head) = (self.legible(base), self.legible(head));
        let compared = profile::compare(&base, &head)?;
        let [before, after] = &compared.sides;
        let table = format!(
            "base {}: {}head {}: {}\n{}",
            labels[0],
            about(&before.header),
            labels[1],
            about(&after.header),
            flamegraph::changes(&compared)
        );
        for (side, name) in [(before, "base"), (after, "head")] {
            // A side that allocates nothing has no picture of its own.
            if side.total() > 0 {
                let table = flamegraph::top(side, self.roles);
                self.leave(&format!("{stem}-{name}"), &flamegraph::profile(side, self.roles), side, &table)?;
            }
        }
        let picture = flamegraph::differential(&compared, labels[0], labels[1]);
        self.picture(&format!("{stem}-diff"), &picture, &table)?;
        output::print(&table)
    }

    /// Two targets in one case, by what their functions are there for.
    pub(super) fn by_role(&self, stem: &str, sides: [&[Folded]; 2], labels: [&str; 2], unit: &str) -> Result<()> {
        let sides = sides.map(|side| self.legible(side));
        let mut told = String::new();
        for (side, label) in sides.iter().zip(labels) {
            let merged = Folded::merged(side)?;
            let table = flamegraph::top(&merged, self.roles);
            self.leave(&format!("{stem}-{label}"), &flamegraph::profile(&merged, self.roles), &merged, &table)?;
            told.push_str(&format!("{label}: {}", about(&merged.header)));
        }
        let costs = profile::roles(&sides[0], &sides[1], self.roles);
        let table = format!("{told}\n{}", flamegraph::roles(&costs, labels, unit));
        file::write_whole(&self.path(&format!("{stem}-roles"), "md"), table.as_bytes())?;
        eprintln!("{}", self.path(&format!("{stem}-roles"), "md").display());
        output::print(&table)
    }

    fn legible(&self, profiles: &[Folded]) -> Vec<Folded> {
        profiles.iter().map(|profile| self.names.applied(profile, self.kernel)).collect()
    }

    fn leave(&self, stem: &str, picture: &Picture, folded: &Folded, table: &str) -> Result<()> {
        self.picture(stem, picture, table)?;
        file::write_whole(&self.path(stem, "folded"), folded.text()?.as_bytes())
    }

    fn picture(&self, stem: &str, picture: &Picture, table: &str) -> Result<()> {
        let svg = flamegraph::svg(picture, self.width_min)?;
        file::write_whole(&self.path(stem, "svg"), svg.as_bytes())?;
        file::write_whole(&self.path(stem, "png"), &flamegraph::png(&svg)?)?;
        file::write_whole(&self.path(stem, "md"), table.as_bytes())?;
        eprintln!("{}", self.path(stem, "svg").display());
        Ok(())
    }

    fn path(&self, stem: &str, end: &str) -> PathBuf {
        self.folder.join(format!("{stem}.{end}"))
    }
}

/// What was seen, and how, in a line or two.
fn about(header: &Header) -> String {
    let mut about = format!("{} {}: {} samples of {}", header.target, header.case, header.samples, header.event);
    if let Some(rate) = header.rate_hz {
        about.push_str(&format!(" at {rate}/s of CPU time"));
    }
    about.push_str(&format!(", {} requests", header.requests));
    if let Some(hash) = header.binary.get(..12) {
        about.push_str(&format!(", binary {hash}"));
    }
    if let (Some(before), Some(overhead)) = (header.cpu_us_per_request_before, header.overhead()) {
        about.push_str(&format!(
            ". A request took {before:.3} µs of CPU time before it was sampled and {:+.1} % while it was",
            overhead * 100.0
        ));
    }
    format!("{about}. {}\n", header.method)
}
