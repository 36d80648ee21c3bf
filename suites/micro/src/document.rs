//! The documents that are turned into JSON and back: small, medium and large, each different from the others.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::operation::INPUTS;

/// How long a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Size {
    /// One object of two members, some 40 bytes of JSON.
    Small,
    /// 10 order lines, some 1.4 KiB.
    Medium,
    /// 100 order lines, some 14 KiB.
    Large,
}

impl Size {
    fn lines(self) -> usize {
        match self {
            Self::Small => 0,
            Self::Medium => 10,
            Self::Large => 100,
        }
    }
}

/// The small document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// A number.
    pub id: u32,
    /// A short text.
    pub text: String,
}

/// The medium and the large document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// A number.
    pub id: u64,
    /// Who ordered.
    pub customer: String,
    /// What was ordered.
    pub lines: Vec<Line>,
}

/// A part of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What it is.
    pub article: String,
    /// How many.
    pub quantity: u32,
    /// In units of the currency.
    pub price: f64,
    /// Free text; one in four needs escaping.
    pub remark: Option<String>,
    /// Keywords.
    pub tags: Vec<String>,
}

/// Small documents, at scale 1 [`INPUTS`].
#[must_use]
pub fn notes(scale: usize) -> Vec<Note> {
    (0..INPUTS * scale).map(|at| Note { id: 4_711 + at as u32, text: format!("Hello, World {at:02}!") }).collect()
}

/// Medium or large documents, at scale 1 [`INPUTS`].
#[must_use]
pub fn orders(size: Size, scale: usize) -> Vec<Order> {
    (0..INPUTS * scale)
        .map(|at| Order {
            id: 7_000_000_000 + at as u64,
            customer: format!("customer-{:05}", at * 7919 % 99_991),
            lines: (0..size.lines()).map(|line| order_line(at, line)).collect(),
        })
        .collect()
}

fn order_line(order: usize, line: usize) -> Line {
    let number = order * 1_009 + line * 31;
    Line {
        article: format!("article-{:06}", number % 999_983),
        quantity: 1 + (number % 40) as u32,
        price: (number % 90_000) as f64 / 4.0 + 0.25,
        remark: line.is_multiple_of(2).then(|| {
            if line.is_multiple_of(4) { format!("\"fragile\"\tno. {line}") } else { format!("leave at door {line}") }
        }),
        tags: ["red", "large", "express"][..line % 4 % 3 + 1].iter().map(|tag| (*tag).to_owned()).collect(),
    }
}

/// A document as JSON.
///
/// # Panics
/// Never: the suite's documents have nothing that JSON lacks.
#[must_use]
pub fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("the suite's documents are JSON")
}

/// Documents, each with its JSON.
#[must_use]
pub fn bodies<T: Serialize>(documents: Vec<T>) -> Vec<(T, Bytes)> {
    documents
        .into_iter()
        .map(|document| {
            let body = json(&document).into();
            (document, body)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_differ_and_have_the_size_that_they_say() {
        let bytes = |texts: Vec<String>, range: std::ops::Range<usize>| {
            assert!(texts.iter().all(|text| range.contains(&text.len())), "{} bytes", texts[0].len());
            assert!(texts.windows(2).all(|pair| pair[0] != pair[1]));
        };
        let order = |size| orders(size, 1).iter().map(|order| serde_json::to_string(order).unwrap()).collect();
        bytes(notes(1).iter().map(|note| serde_json::to_string(note).unwrap()).collect(), 30..50);
        bytes(order(Size::Medium), 1_000..1_600);
        bytes(order(Size::Large), 10_000..15_000);
    }
}
