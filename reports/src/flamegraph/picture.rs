//! What a picture shows: its stacks with their weights and colours, and what stands above it.

use std::collections::{BTreeMap, HashMap};

use harness::profile::{Change, Differential, Folded, Header, Roles};

use super::{Colours, shaded};

/// Weights are whole numbers: so many to one of what is shown.
const FINENESS: f64 = 1_000.0;

/// What has not changed, has grown, and has shrunk.
const GREY: [u8; 3] = [205, 205, 205];
const RED: [u8; 3] = [222, 60, 52];
const BLUE: [u8; 3] = [58, 104, 214];

/// One colour for each role, in their order; what belongs to none is the last.
const OF_ROLES: &[[u8; 3]] = &[
    [186, 164, 148],
    [214, 124, 166],
    [120, 186, 120],
    [226, 124, 62],
    [204, 168, 60],
    [120, 170, 205],
    [226, 196, 84],
    [96, 168, 176],
    [112, 150, 208],
    [172, 160, 214],
];
const OF_OTHERS: [u8; 3] = [214, 188, 150];

/// A flamegraph to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub(super) title: String,
    pub(super) subtitle: String,
    /// The head of the profile, whole.
    pub(super) notes: String,
    /// What figures are in.
    pub(super) unit: String,
    /// What a weight is to be multiplied by for it.
    pub(super) factor: f64,
    /// In order.
    pub(super) stacks: BTreeMap<String, u64>,
    pub(super) colours: Colours,
}

/// A profile, coloured by the roles of its functions.
#[must_use]
pub fn profile(folded: &Folded, roles: &Roles) -> Picture {
    let known = roles.names();
    let colour = |name: &str| {
        let role = known.iter().position(|role| *role == roles.of(name));
        let key =
            role.filter(|role| known[*role] != Roles::OTHER).map_or(OF_OTHERS, |role| OF_ROLES[role % OF_ROLES.len()]);
        shaded(name, key)
    };
    let header = &folded.header;
    let mut stacks = BTreeMap::new();
    put(&mut stacks, folded, "");
    Picture {
        title: [header.target.as_str(), &header.case, &header.event]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" · "),
        subtitle: summary(header),
        notes: head(header),
        unit: unit(header).to_owned(),
        factor: 1.0 / FINENESS,
        colours: colours(&stacks, colour),
        stacks,
    }
}

/// What two sides differ in: the head as it is, and in panels of their own, at the same scale, what only one of them has.
#[must_use]
pub fn differential(compared: &Differential, base: &str, head: &str) -> Picture {
    let verdicts: HashMap<&str, Change> = compared.rows.iter().map(|row| (row.frame.as_str(), row.verdict)).collect();
    let mut stacks = BTreeMap::new();
    let panels = [
        (&compared.sides[0], Change::Gone, format!("only in base (gone): {base}")),
        (&compared.sides[1], Change::New, format!("only in head (new): {head}")),
    ];
    put(&mut stacks, &compared.sides[1], &format!("head: {head};"));
    for (side, verdict, panel) in panels {
        let mut lonely = Folded { header: side.header.clone(), stacks: BTreeMap::new() };
        for (stack, count) in &side.stacks {
            let frames: Vec<&str> = stack.split(';').collect();
            let Some(first) = frames.iter().position(|frame| verdicts.get(frame) == Some(&verdict)) else { continue };
            lonely.add(frames[first..].iter().copied(), *count);
        }
        put(&mut stacks, &lonely, &format!("{};", panel.replace(';', "?")));
    }
    let colour = |name: &str| match verdicts.get(name) {
        Some(Change::Grown | Change::New) => shaded(name, RED),
        Some(Change::Shrunk | Change::Gone) => shaded(name, BLUE),
        _ => GREY,
    };
    let header = &compared.sides[1].header;
    let changed = compared.rows.iter().filter(|row| row.verdict != Change::Same).count();
    let [one, other] = compared.per_request;
    Picture {
        title: format!("{} · {} · {}: {base} against {head}", header.target, header.case, header.event),
        subtitle: format!(
            "{one:.0} to {other:.0} {}; {changed} functions have changed: red has grown, blue has shrunk, grey cannot be told from chance",
            unit(header)
        ),
        notes: format!("base: {} head: {}", head_of(&compared.sides[0]), head_of(&compared.sides[1])),
        unit: unit(header).to_owned(),
        factor: 1.0 / FINENESS,
        colours: colours(&stacks, colour),
        stacks,
    }
}

fn head_of(folded: &Folded) -> String {
    head(&folded.header)
}

/// Adds a profile's stacks, each below `root`, by what a request costs.
fn put(stacks: &mut BTreeMap<String, u64>, folded: &Folded, root: &str) {
    let scale = FINENESS * if folded.header.unit == "blocks" { BLOCKS_OF } else { 1.0 };
    for (stack, count) in &folded.stacks {
        let weight = (folded.per_request(*count) * scale).round() as u64;
        *stacks.entry(format!("{root}{stack}")).or_default() += weight;
    }
}

/// A request allocates a few blocks, and figures in a picture are whole: they are of so many requests.
const BLOCKS_OF: f64 = 1_000.0;

/// What figures in a picture are in.
fn unit(header: &Header) -> &'static str {
    match (header.unit.as_str(), header.requests) {
        ("ns", 1..) => "ns/request",
        ("bytes", 1..) => "bytes/request",
        ("blocks", 1..) => "blocks in 1,000 requests",
        ("instructions", 1..) => "instructions/request",
        _ => "samples",
    }
}

fn colours(stacks: &BTreeMap<String, u64>, colour: impl Fn(&str) -> [u8; 3]) -> Colours {
    let mut colours = Colours::new();
    for name in stacks.keys().flat_map(|stack| stack.split(';')) {
        if !colours.contains_key(name) {
            colours.insert(name.to_owned(), colour(name));
        }
    }
    // The name that inferno looks up for the whole.
    colours.insert(String::new(), GREY);
    colours
}

/// What was seen, on one line.
fn summary(header: &Header) -> String {
    let mut parts = vec![match header.rate_hz {
        Some(rate) => format!("{} at {rate}/s of CPU time, {} samples", header.event, header.samples),
        None => format!("{} in all", header.samples),
    }];
    if header.requests > 0 {
        parts.push(format!("{} requests", header.requests));
    }
    if let (Some(before), Some(overhead)) = (header.cpu_us_per_request_before, header.overhead()) {
        parts.push(format!("{before:.2} µs of CPU a request before, {:+.1} % while it was sampled", overhead * 100.0));
    }
    if let Some(short) = header.binary.get(..12) {
        parts.push(format!("binary {short}"));
    }
    parts.join("; ")
}

/// The whole head, as the folded file has it.
fn head(header: &Header) -> String {
    let Ok(serde_json::Value::Object(head)) = serde_json::to_value(header) else { return String::new() };
    head.iter().map(|(key, value)| format!("{key}: {value}; ")).collect()
}
