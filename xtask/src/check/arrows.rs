//! Which package may depend on which: the table behind the arrows in ARCHITECTURE.md.
//!
//! Only packages of this workspace and web frameworks are judged; what else a package uses is its own affair.

use super::{
    Fault,
    packages::{Package, Packages},
};

/// A package and where its arrows may lead.
struct Room {
    package: &'static str,
    /// Packages of the workspace and frameworks that it may depend on.
    may: &'static [&'static str],
    /// The same for its tests alone.
    tests_may: &'static [&'static str],
}

const fn room(package: &'static str, may: &'static [&'static str]) -> Room {
    Room { package, may, tests_may: &[] }
}

/// Every package of the workspace has a row.
const ROOMS: &[Room] = &[
    // HTTP/2 is hyper's, behind a feature that no target has; and tests ask another client whether the answers are right.
    room("armature-core", &["hyper", "hyper-util"]),
    Room { package: "compile-fail-tests", may: &[], tests_may: &["armature-core"] },
    room("workload", &["probe"]),
    room("armature-fuzz", &["armature-core"]),
    room("target-armature", &["armature-core", "workload", "probe"]),
    room("target-axum", &["axum", "hyper", "hyper-util", "workload", "probe"]),
    room("target-actix", &["actix-web", "workload", "probe"]),
    room("target-hyper", &["hyper", "hyper-util", "workload", "probe"]),
    room("target-floor", &["workload", "probe"]),
    Room { package: "contract-tests", may: &[], tests_may: &["probe"] },
    Room { package: "rest-service", may: &["probe"], tests_may: &["harness"] },
    room("rest-axum", &["axum", "probe", "rest-service"]),
    room("rest-actix", &["actix-web", "probe", "rest-service"]),
    room("rest-armature", &["armature-core", "probe", "rest-service"]),
    room("probe", &[]),
    room("loadgen", &["probe"]),
    room("harness", &["probe"]),
    room("suite-techempower", &["harness", "probe"]),
    room("suite-engine", &["harness", "probe"]),
    room("suite-database", &["harness", "probe"]),
    room("suite-memory-leak", &["harness", "probe"]),
    // The requests that it counts are theirs.
    room("suite-allocation", &["harness", "probe", "suite-engine", "suite-techempower"]),
    // What its servers are asked for is checked by theirs.
    room("suite-knobs", &["harness", "probe", "suite-engine", "suite-techempower"]),
    room("allocation-pattern", &["probe"]),
    room("suite-micro", IN_PROCESS),
    room("suite-drop-timing", IN_PROCESS),
    room("suite-experiments", IN_PROCESS),
    room("reports", &["harness"]),
    room("flamegraphs", &["harness"]),
    room("pgo", &["harness"]),
    room("xtask", &["harness", "flamegraphs", "pgo", "reports", "probe"]),
];

/// Suites that call the frameworks in their own process; they never see the harness, which judges them.
const IN_PROCESS: &[&str] = &["armature-core", "axum", "actix-http", "actix-web", "probe"];

/// Crates that make a package depend on a framework, ours aside.
const FRAMEWORKS: &[&str] =
    &["actix-http", "actix-web", "axum", "axum-core", "hyper", "hyper-util", "ntex", "poem", "rocket", "salvo", "warp"];

/// Arrows that the table does not allow, and packages that it does not know.
pub(super) fn faults(packages: &Packages) -> Vec<Fault> {
    let judged = |name: &str| FRAMEWORKS.contains(&name) || packages.list.iter().any(|package| package.name == name);
    let mut faults = Vec::new();
    for package in &packages.list {
        let Some(room) = ROOMS.iter().find(|room| room.package == package.name) else {
            faults.push(Fault::new(
                &package.name,
                "has no row in the table of arrows; add one in xtask/src/check/arrows.rs and to ARCHITECTURE.md",
            ));
            continue;
        };
        faults.extend(forbidden(package, room, judged).map(|name| {
            Fault::new(
                &package.name,
                format!(
                    "may not depend on {name}; it may on {}",
                    if room.may.is_empty() {
                        "no package of ours and no framework".to_owned()
                    } else {
                        room.may.join(", ")
                    }
                ),
            )
        }));
    }
    faults
}

fn forbidden<'a>(
    package: &'a Package,
    room: &'a Room,
    judged: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = &'a str> {
    package
        .dependencies
        .iter()
        .filter(move |dependency| {
            let name = dependency.name.as_str();
            let allowed = room.may.contains(&name) || (dependency.for_tests && room.tests_may.contains(&name));
            judged(name) && !allowed && name != package.name
        })
        .map(|dependency| dependency.name.as_str())
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::super::packages::Dependency;
    use super::*;

    fn workspace(arrows: &[(&str, &[&str])]) -> Packages {
        Packages {
            list: arrows
                .iter()
                .map(|(name, dependencies)| Package {
                    name: (*name).to_owned(),
                    dependencies: dependencies
                        .iter()
                        .map(|name| Dependency { name: (*name).to_owned(), for_tests: false })
                        .collect(),
                    ..Package::default()
                })
                .collect(),
        }
    }

    #[test]
    fn arrows_of_the_map_pass_and_others_do_not() {
        let all = ["armature-core", "harness", "probe", "workload", "loadgen", "suite-micro", "xtask"];
        for (package, dependency, allowed) in [
            ("xtask", "harness", true),
            ("xtask", "armature-core", false),
            ("harness", "probe", true),
            ("harness", "axum", false),
            ("harness", "armature-core", false),
            ("loadgen", "harness", false),
            ("workload", "serde", true),
            ("workload", "hyper", false),
            ("armature-core", "tokio", true),
            ("armature-core", "probe", false),
            ("armature-core", "axum", false),
            ("suite-micro", "armature-core", true),
            ("suite-micro", "harness", false),
        ] {
            let arrows: Vec<(&str, &[&str])> = all
                .iter()
                .map(|name| {
                    let leads: &[&str] = if *name == package { slice::from_ref(&dependency) } else { &[] };
                    (*name, leads)
                })
                .collect();
            let faults = faults(&workspace(&arrows));
            assert_eq!(faults.is_empty(), allowed, "{package} on {dependency}: {faults:?}");
        }
    }

    #[test]
    fn a_package_without_a_row_is_a_fault() {
        let faults = faults(&workspace(&[("newcomer", &[])]));
        assert!(faults[0].place == "newcomer" && faults[0].message.contains("arrows.rs"), "{faults:?}");
    }

    #[test]
    fn tests_may_lean_on_more_than_the_package_itself() {
        let mut packages = workspace(&[("loadgen", &["harness"]), ("harness", &[])]);
        let room = Room { package: "loadgen", may: &[], tests_may: &["harness"] };
        assert_eq!(forbidden(&packages.list[0], &room, |_| true).count(), 1);
        packages.list[0].dependencies[0].for_tests = true;
        assert_eq!(forbidden(&packages.list[0], &room, |_| true).count(), 0);
    }
}
