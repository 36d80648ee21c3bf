//! The tables beside a flamegraph, as Markdown whose columns line up, so that it can be read as it stands too.

use std::collections::{BTreeMap, BTreeSet};

use harness::profile::{Change, Differential, Folded, RoleCost, Roles, Row};

/// Functions in a table, besides those that have changed.
const TOP: usize = 30;

/// The functions that cost most themselves.
#[must_use]
pub fn top(folded: &Folded, known: &Roles) -> String {
    let mut costs: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for (stack, count) in &folded.stacks {
        let frames: Vec<&str> = stack.split(';').collect();
        for frame in frames.iter().copied().collect::<BTreeSet<&str>>() {
            let [own, total] = costs.entry(frame).or_default();
            *total += count;
            *own += if frames.last() == Some(&frame) { *count } else { 0 };
        }
    }
    let mut order: Vec<(&str, [u64; 2])> = costs.into_iter().collect();
    order.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
    let all = folded.total().max(1) as f64;
    let figure = |count: u64| number(folded.per_request(count));
    let share = |count: u64| format!("{:.1} %", count as f64 / all * 100.0);
    let rows = order.iter().take(TOP).map(|(name, [own, total])| {
        vec![(*name).to_owned(), known.of(name).to_owned(), figure(*own), share(*own), figure(*total), share(*total)]
    });
    let unit = per_request(folded);
    render(
        &["function", "role", &format!("self, {unit}"), "share", &format!("in all, {unit}"), "share"],
        2,
        rows.collect(),
    )
}

/// What has changed, first and whole; then the largest differences that cannot be told from chance.
#[must_use]
pub fn changes(compared: &Differential) -> String {
    let unit = per_request(&compared.sides[1]);
    let changed = compared.rows.iter().filter(|row| row.verdict != Change::Same).count();
    let line = |row: &Row| {
        let verdict = match row.verdict {
            Change::Same => "",
            Change::Grown => "grown",
            Change::Shrunk => "shrunk",
            Change::New => "new",
            Change::Gone => "gone",
        };
        let [low, high] = row.interval;
        let mut cells = vec![row.frame.clone(), verdict.to_owned()];
        cells.extend([row.own[0], row.own[1]].map(number));
        cells.extend([signed(row.change), format!("{} … {}", signed(low), signed(high))]);
        cells.extend([row.total[0], row.total[1]].map(number));
        cells.push(if row.q < 0.0001 { "< 0.0001".to_owned() } else { format!("{:.4}", row.q) });
        cells
    };
    let rows = compared.rows.iter().take(changed + TOP).map(line).collect();
    let own = |side: &str| format!("{side} self, {unit}");
    let all = |side: &str| format!("{side} in all");
    render(
        &[
            "function",
            "",
            &own("base"),
            &own("head"),
            "change",
            "95 % interval",
            &all("base"),
            &all("head"),
            "chance, corrected",
        ],
        2,
        rows,
    )
}

/// What each role costs on both sides.
#[must_use]
pub fn roles(costs: &[RoleCost], sides: [&str; 2], unit: &str) -> String {
    let mut rows: Vec<Vec<String>> = costs
        .iter()
        .map(|cost| {
            let [one, other] = cost.cost;
            let [low, high] = cost.interval;
            let interval = format!("{} … {}", signed(low), signed(high));
            vec![cost.role.clone(), number(one), number(other), signed(other - one), interval]
        })
        .collect();
    let sum = |side: usize| costs.iter().map(|cost| cost.cost[side]).sum::<f64>();
    rows.push(vec!["all".to_owned(), number(sum(0)), number(sum(1)), signed(sum(1) - sum(0)), String::new()]);
    let [one, other] = sides.map(|side| format!("{side}, {unit}/request"));
    render(&["role", &one, &other, "difference", "95 % interval"], 1, rows)
}

fn per_request(folded: &Folded) -> String {
    let header = &folded.header;
    if header.requests > 0 { format!("{}/request", header.unit) } else { header.unit.clone() }
}

fn number(value: f64) -> String {
    match value {
        value if value.abs() >= 100.0 => format!("{value:.0}"),
        value if value.abs() >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", number(value)) } else { number(value) }
}

/// The first `texts` columns are words, the others figures.
fn render(head: &[&str], texts: usize, rows: Vec<Vec<String>>) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|text| cell(text)).collect()).collect();
    let width = |column: usize| {
        let widest = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        widest.max(head[column].chars().count()).max(3)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column < texts {
            true => format!(" {cell:<width$} |"),
            false => format!(" {cell:>width$} |"),
        });
        format!("|{}\n", padded.collect::<String>())
    };
    let rule = widths.iter().enumerate().map(|(column, width)| match column < texts {
        true => format!("{}|", "-".repeat(width + 2)),
        false => format!("{}:|", "-".repeat(width + 1)),
    });
    let mut out = line(head.to_vec());
    out.push_str(&format!("|{}\n", rule.collect::<String>()));
    out.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_names_stay_in_their_cell() {
        let rows = vec![vec!["a|b<c>".to_owned(), "1.00".to_owned()], vec!["d".to_owned(), "12345".to_owned()]];
        assert_eq!(
            render(&["function", "ns"], 1, rows),
            "| function   |    ns |\n|------------|------:|\n| a\\|b&lt;c> |  1.00 |\n| d          | 12345 |\n"
        );
    }

    #[test]
    fn the_function_that_costs_most_itself_comes_first() {
        let folded = Folded::parse("main;a 10\nmain;a;b 30\nmain 2\n", "x").unwrap();
        let table = top(&folded, &Roles::read(&[]).unwrap());
        let names: Vec<&str> = table.lines().skip(2).filter_map(|line| line.split('|').nth(1)).map(str::trim).collect();
        assert_eq!(names, ["b", "a", "main"]);
        assert!(table.contains("40.0 |  95.2 %"), "{table}");
    }
}
