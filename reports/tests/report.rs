//! A record goes in; what comes out is looked at as its readers do: a browser, a spreadsheet, a terminal, a program.

mod fixture;

use std::collections::{BTreeMap, BTreeSet};

use harness::{
    record::{Failure, Goal, Record, Reference, Role, Status},
    summary::Row,
};
use reports::{COLUMNS, Kind, Report, Style};

const PLAIN: Style = Style { color: false, width: None };

/// The elements of a page: name and attributes. Fails on what is not closed, not quoted or not escaped.
fn elements(html: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut elements = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let body = html.strip_prefix("<!DOCTYPE html>").expect("a page begins with its document type");
    for piece in body.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').unwrap_or_else(|| panic!("no end of the tag in {piece:.80}"));
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed by </{name}>");
            continue;
        }
        let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "an element called {name:.80}");
        let mut attributes = BTreeMap::new();
        while let Some((key, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"').expect("a value ends with a quote");
            attributes.insert(key.trim().to_owned(), value.to_owned());
            rest = after;
        }
        assert!(rest.trim().is_empty(), "an attribute without a value in <{tag:.200}>");
        if !closed && !["meta", "br"].contains(&name) {
            open.push(name.to_owned());
        }
        elements.push((name.to_owned(), attributes));
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    elements
}

fn figures(row: &Row) -> impl Iterator<Item = f64> {
    let ratios = row.ratios.values().flat_map(BTreeMap::values);
    row.metrics.values().chain(row.bounds.values()).chain(ratios).map(|estimate| estimate.median)
}

#[test]
fn every_figure_on_the_page_is_in_the_summary() {
    let report = Report::new(&fixture::cut(3, 2));
    let rows = || report.summary().cases.iter().flat_map(|case| &case.rows);
    let known: BTreeSet<u64> = rows().flat_map(figures).map(f64::to_bits).collect();
    let shown: BTreeSet<u64> = elements(&report.html().unwrap())
        .into_iter()
        .filter(|(name, _)| name == "data")
        .map(|(_, attributes)| attributes["value"].parse::<f64>().unwrap().to_bits())
        .collect();
    assert!(shown.is_subset(&known));
    for value in rows().flat_map(|row| row.metrics.values()).map(|estimate| estimate.median) {
        assert!(shown.contains(&value.to_bits()), "{value} is in the summary and not on the page");
    }
}

#[test]
fn the_page_asks_for_nothing_and_runs_nothing() {
    let html = Report::new(&fixture::cut(2, 2)).html().unwrap();
    for (name, attributes) in elements(&html) {
        assert!(!["script", "link", "img", "iframe", "object", "image", "use"].contains(&name.as_str()), "<{name}>");
        for (key, value) in attributes {
            assert!(!key.starts_with("on") && !["src", "style", "srcset"].contains(&key.as_str()), "{key}");
            assert!(key != "href" || value.starts_with('#'), "{value}");
        }
    }
    for asking in ["http://", "https://", "url(", "@import"] {
        assert!(!html.contains(asking), "{asking}");
    }
}

#[test]
fn every_anchor_is_there_and_every_region_has_a_name() {
    let elements = elements(&Report::new(&fixture::cut(2, 2)).html().unwrap());
    let ids: Vec<&String> = elements.iter().filter_map(|(_, attributes)| attributes.get("id")).collect();
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "an id twice");
    for (name, attributes) in &elements {
        if let Some(href) = attributes.get("href") {
            assert!(ids.iter().any(|id| **id == href[1..]), "{href} leads nowhere");
        }
        if let Some(label) = attributes.get("aria-labelledby") {
            assert!(ids.contains(&label), "{label} names nothing");
        }
        let named = attributes.contains_key("aria-label") || attributes.contains_key("aria-labelledby");
        assert!(named || (name != "svg" && !attributes.contains_key("role")) || attributes["role"] == "alert");
    }
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    let record = fixture::cut(4, 1);
    let reread = Record::parse(&serde_json::to_string(&record).unwrap()).unwrap();
    let (one, other) = (Report::new(&record), Report::new(&reread));
    assert_eq!(one.html().unwrap(), other.html().unwrap());
    assert_eq!(one.markdown().unwrap(), other.markdown().unwrap());
    assert_eq!(one.csv().unwrap(), other.csv().unwrap());
    assert_eq!(one.summary_json().unwrap(), other.summary_json().unwrap());
    assert_eq!(one.terminal_tables(PLAIN), other.terminal_tables(PLAIN));
}

#[test]
fn the_page_of_a_full_run_is_under_two_megabytes() {
    let mut record = fixture::record(2);
    for copy in 1..4 {
        for case in record.cases.clone().into_iter().filter(|case| !case.id.contains('@')) {
            let id = format!("{}@{copy}", case.id);
            let own = record.samples.iter().filter(|sample| sample.case == case.id);
            let samples: Vec<_> = own
                .cloned()
                .map(|mut sample| {
                    sample.case.clone_from(&id);
                    sample
                })
                .collect();
            record.samples.extend(samples);
            record.cases.push(harness::record::Case { id, ..case });
        }
    }
    assert_eq!(record.cases.len(), 28);
    let bytes = Report::new(&record).html().unwrap().len();
    assert!(bytes < 2_000_000, "{bytes}");
}

/// Every string of a record as an attacker, or an unlucky server, may write it.
fn hostile() -> Record {
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> | `x` [l](javascript:x) \u{202e}\u{1b}[31m";
    let mut record = fixture::cut(2, 1);
    let long = "n".repeat(10_000_000);
    for (from, to) in [("actix", evil), ("axum", long.as_str())] {
        let rename = |name: &mut String| {
            if name == from {
                *name = to.to_owned();
            }
        };
        record.plan.targets.iter_mut().for_each(|target| rename(&mut target.name));
        record.samples.iter_mut().for_each(|sample| rename(&mut sample.target));
        record.artifacts.iter_mut().for_each(|artifact| rename(&mut artifact.target));
        record.verifications.iter_mut().for_each(|verification| rename(&mut verification.target));
    }
    for case in &mut record.cases {
        case.title = evil.to_owned();
    }
    for text in [&mut record.id, &mut record.suite, &mut record.repeat, &mut record.host.cpu_model] {
        *text = evil.to_owned();
    }
    record.status = Status::Partial { reason: evil.to_owned() };
    record.notes = vec![evil.to_owned(), "=cmd|' /C calc'!A0".to_owned()];
    record.verifications[0].problems.push(evil.to_owned());
    record.failures.push(Failure {
        target: evil.to_owned(),
        case: None,
        round: Some(1),
        reason: format!("={evil}"),
        stderr_tail: vec![evil.to_owned(), "</pre></html>".to_owned()],
        disqualifies: false,
    });
    record.samples[0].void.insert("requests_per_s".to_owned(), evil.to_owned());
    record
}

#[test]
fn hostile_strings_are_shown_as_text() {
    let report = Report::new(&hostile());
    let html = report.html().unwrap();
    for (name, attributes) in elements(&html) {
        assert!(!["script", "img"].contains(&name.as_str()), "<{name}>");
        assert!(!attributes.keys().any(|key| key.starts_with("on")), "{attributes:?}");
    }
    assert!(html.contains("&lt;script&gt;alert(1)"), "it is not shown at all");
    let markdown = report.markdown().unwrap();
    for meaning in ["<script", "<img", "](javascript"] {
        assert!(!markdown.replace("\\<", "").replace("\\]", "").contains(meaning), "{meaning}");
    }
    assert!(markdown.contains("\\<script\\>"));
    let table_lines = markdown.lines().filter(|line| line.starts_with('|'));
    for line in table_lines {
        assert!(line.ends_with('|') || line.ends_with("| "), "a row is broken: {line:.200}");
    }
    let outputs =
        [html, markdown, report.csv().unwrap(), report.terminal_tables(PLAIN), report.summary_json().unwrap()];
    for output in outputs {
        assert!(output.len() < 2_000_000, "a long name is repeated: {} bytes", output.len());
        assert!(!output.contains(['\u{202e}', '\u{1b}']), "a mark that cannot be seen is left");
    }
}

#[test]
fn a_partial_run_says_so_first() {
    for (status, reason) in [(Status::Partial { reason: "Ctrl-C".to_owned() }, "Ctrl-C"), (Status::Running, "killed")] {
        let mut record = fixture::cut(2, 1);
        record.status = status;
        let report = Report::new(&record);
        let html = report.html().unwrap();
        let (before, after) = html.split_once("<p class=\"warning\"").expect("a warning");
        assert!(!before.contains("<h1") && after.contains(reason));
        assert!(before.contains("<title>PARTIAL"));
        for text in [report.markdown().unwrap(), report.terminal_tables(PLAIN)] {
            let first = text.lines().find(|line| !line.trim().is_empty()).unwrap();
            assert!(first.contains("PARTIAL") && first.contains(reason), "{first}");
        }
        let word = if reason == "killed" { "running" } else { "partial" };
        assert!(report.csv().unwrap().lines().nth(1).unwrap().contains(word));
        let json: serde_json::Value = serde_json::from_str(&report.summary_json().unwrap()).unwrap();
        assert_eq!(json["status"], word);
    }
    assert!(!Report::new(&fixture::cut(2, 1)).html().unwrap().contains("PARTIAL"));
}

#[test]
fn holes_in_a_record_are_named() {
    let whole = fixture::cut(3, 1);
    let without = |spoil: &dyn Fn(&mut Record)| {
        let mut record = whole.clone();
        spoil(&mut record);
        record
    };
    for (name, record, kind, words) in [
        (
            "a target without samples",
            without(&|r| r.samples.retain(|s| s.target != "axum")),
            Some(Kind::Leads),
            "axum has no figure",
        ),
        ("no rounds", without(&|r| r.samples.clear()), Some(Kind::Nothing), "No framework has a figure"),
        ("one framework", without(&|r| r.samples.retain(|s| s.target == "axum")), Some(Kind::Alone), "Only axum"),
        ("one round", without(&|r| r.samples.retain(|s| s.round == 0)), Some(Kind::Unknown), "one round"),
        ("no cases", without(&|r| r.cases.clear()), None, "Nothing was measured"),
        ("no targets", without(&|r| r.plan.targets.clear()), Some(Kind::Nothing), "No framework has a figure"),
        (
            "not a number",
            without(&|r| {
                for sample in r.samples.iter_mut().filter(|sample| sample.target == "axum") {
                    sample.metrics.values_mut().for_each(|value| *value = f64::NAN);
                    sample.histograms.clear();
                }
            }),
            Some(Kind::Leads),
            "axum has no figure",
        ),
    ] {
        let report = Report::new(&record);
        assert_eq!(report.verdicts().first().map(|verdict| verdict.kind), kind, "{name}");
        let html = report.html().unwrap();
        elements(&html);
        for text in [html, report.markdown().unwrap(), report.terminal_tables(PLAIN)] {
            assert!(text.contains(words), "{name}: {words:?} is not said");
            assert!(!text.contains("NaN") && !text.contains("inf "), "{name}");
        }
        report.csv().unwrap();
        report.summary_json().unwrap();
    }
}

#[test]
fn a_void_figure_is_a_lower_bound_with_its_reason() {
    let mut record = fixture::cut(3, 1);
    for sample in record.samples.iter_mut().filter(|sample| sample.target == "armature") {
        sample.void.insert("requests_per_s".to_owned(), "you measured the client: it was busy".to_owned());
    }
    let report = Report::new(&record);
    assert_eq!(report.verdicts()[0].kind, Kind::LeadsAtLeast);
    assert!(report.verdicts()[0].headline.contains("at least"), "{:?}", report.verdicts()[0]);
    for text in [report.html().unwrap(), report.markdown().unwrap(), report.terminal_tables(PLAIN)] {
        assert!(text.contains("≥ 4") && text.contains("you measured the client"));
    }
    assert!(report.csv().unwrap().contains(",at_least,requests_per_s,"));
}

#[test]
fn the_table_of_figures_reads_back() {
    let report = Report::new(&fixture::cut(3, 2));
    let text = report.csv().unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap(), COLUMNS);
    let mut values = 0;
    for line in reader.deserialize::<BTreeMap<String, String>>() {
        let line = line.unwrap();
        let case = report.summary().cases.iter().find(|case| case.id == line["case"]).unwrap();
        let row = case.rows.iter().find(|row| row.target == line["target"]).unwrap();
        let known = match line["kind"].as_str() {
            "value" => &row.metrics[&line["metric"]],
            "ratio" => &row.ratios[&line["baseline"]][&line["metric"]],
            other => panic!("{other}"),
        };
        for (column, value) in [("median", known.median), ("low", known.low), ("high", known.high)] {
            assert_eq!(line[column].parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
        assert_eq!(line["rounds"], "3");
        values += 1;
    }
    let all: usize = report.summary().cases.iter().flat_map(|case| &case.rows).map(|row| figures(row).count()).sum();
    assert_eq!(values, all);
}

#[test]
fn the_summary_for_programs_holds_figures_verdicts_and_units() {
    let report = Report::new(&fixture::cut(3, 1));
    let json: serde_json::Value = serde_json::from_str(&report.summary_json().unwrap()).unwrap();
    assert_eq!(json["units"]["cpu_us_per_request"], "µs");
    assert_eq!(json["verdicts"][0]["leader"], "armature");
    let row = &json["cases"][0]["rows"][0];
    assert_eq!(row["target"], "armature");
    assert!(row["metrics"]["requests_per_s"]["median"].as_f64().unwrap() > 400_000.0);
    assert!(row["ratios"]["axum"]["requests_per_s"]["low"].as_f64().unwrap() > 1.0);
}

#[test]
fn tables_fit_the_terminal_and_colour_is_asked_for() {
    let report = Report::new(&fixture::cut(3, 1));
    let narrow = report.terminal_tables(Style { color: false, width: Some(100) });
    for line in narrow.lines().filter(|line| line.contains('─') || line.contains("of 3")) {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(!narrow.contains('\u{1b}'));
    let coloured = report.terminal_tables(Style { color: true, width: Some(100) });
    assert!(coloured.contains("\u{1b}[1m"));
    for (name, role, _) in fixture::TARGETS {
        assert!(narrow.contains(name), "{name} {role:?}");
        if *role == Role::Control {
            assert!(narrow.matches(name).count() > 1, "there is no ratio to {name}");
        }
    }
}

#[test]
fn files_are_written_whole_or_the_folder_is_named() {
    let report = Report::new(&fixture::cut(1, 1));
    let folder = tempfile::tempdir().unwrap();
    let paths = report.write_all(folder.path()).unwrap();
    let names: Vec<_> = paths.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    assert_eq!(names, ["report.html", "report.md", "results.csv"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "a draft is left");
    let nowhere = folder.path().join("no-such-folder");
    let error = format!("{:#}", report.write_all(&nowhere).unwrap_err());
    assert!(error.contains("no-such-folder") && error.contains("cannot be written"), "{error}");
}

/// Frameworks and a control in process, in one case with a published figure and in one whose goal is the control's figure.
fn in_process() -> Record {
    let mut record = fixture::cut(7, 2);
    let kept = ["armature", "axum", "hyper"];
    record.plan.targets.retain(|target| kept.contains(&target.name.as_str()));
    record.samples.retain(|sample| kept.contains(&sample.target.as_str()));
    for (sample, drift) in record.samples.iter_mut().zip([1.0, 1.01, 0.99].into_iter().cycle()) {
        let ns = match sample.target.as_str() {
            "armature" => 40.0,
            "axum" => 100.0,
            _ => 35.0,
        };
        sample.histograms.clear();
        sample.metrics = [("ns_per_operation".to_owned(), ns * drift)].into();
    }
    let reference = |goal| Reference { metric: "ns_per_operation".to_owned(), study: 386.0, rerun: 14_400.0, goal };
    record.cases[0].references.push(reference(Goal::AtMost { figure: 55.0 }));
    record.cases[1].references.push(reference(Goal::AtMostTarget { target: "hyper".to_owned() }));
    record
}

#[test]
fn in_process_the_least_time_leads_and_published_figures_stand_beside() {
    let mut record = in_process();
    let report = Report::new(&record);
    let verdict = &report.verdicts()[0];
    assert_eq!(verdict.leader.as_deref(), Some("armature"));
    assert!(verdict.headline.starts_with("armature leads: axum takes 2.5"), "{}", verdict.headline);
    let markdown = report.markdown().unwrap();
    let row = |start: &str| {
        let table = markdown.split("Beside the figures of the study").nth(1).unwrap();
        table.lines().find(|line| line.starts_with(start)).unwrap().to_owned()
    };
    let first = row("| Plaintext");
    assert!(first.contains("| 386 ns | 14.4 µs | ≤ 55 ns |") && first.ends_with("| yes |"), "{first}");
    let second = row("| JSON");
    assert!(second.contains("≤ hyper (34.6 ns)") && second.ends_with("| no |"), "{second}");
    for rendering in [report.html().unwrap(), report.terminal_tables(PLAIN)] {
        assert!(rendering.contains("Beside the figures of the study"), "{rendering}");
    }
    // The control has no figure, so there is nothing to hold the second against.
    record.samples.retain(|sample| sample.target != "hyper");
    assert!(Report::new(&record).markdown().unwrap().contains("not known"));
    record.cases.iter_mut().for_each(|case| case.references.clear());
    assert!(!Report::new(&record).markdown().unwrap().contains("Beside the figures of the study"));
}
