//! Structures of the standard library, of elements that own memory and are counted.

use std::collections::{BTreeMap, HashMap};

use crate::{
    tally::{Counted, Tally},
    work::{NODES, Structure},
};

/// An element: a text in memory of its own, and a count of it, which is a part of its destructor.
#[derive(Debug)]
pub struct Element {
    _text: String,
    _counted: Counted,
}

/// A node of a tree.
#[derive(Debug)]
pub struct Node {
    _element: Element,
    _children: Vec<Self>,
}

/// A structure that has been made.
#[derive(Debug)]
pub enum Made {
    /// See [`Structure::Vector`].
    Vector(Vec<Element>),
    /// See [`Structure::Nested`].
    Nested(Node),
    /// See [`Structure::HashMap`].
    HashMap(HashMap<u64, Element>),
    /// See [`Structure::TreeMap`].
    TreeMap(BTreeMap<u64, Element>),
}

/// How many elements a structure has.
#[must_use]
pub fn elements(structure: Structure) -> usize {
    match structure {
        Structure::Vector(length) | Structure::HashMap(length) | Structure::TreeMap(length) => length,
        Structure::Nested => NODES,
    }
}

/// Makes the structure of that number; the elements differ from one number to the next.
#[must_use]
pub fn make(structure: Structure, tally: &'static Tally, number: usize) -> Made {
    let element =
        |at: usize| Element { _text: format!("element {at} of structure {number}"), _counted: tally.counted() };
    // Multiplied by an odd number, so that no map is filled in the order of its keys.
    let pair = |at: usize| ((at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15), element(at));
    match structure {
        Structure::Vector(length) => Made::Vector((0..length).map(element).collect()),
        Structure::Nested => Made::Nested(node(&element, 3)),
        Structure::HashMap(length) => Made::HashMap((0..length).map(pair).collect()),
        Structure::TreeMap(length) => Made::TreeMap((0..length).map(pair).collect()),
    }
}

fn node(element: &impl Fn(usize) -> Element, generations: usize) -> Node {
    let children = if generations == 0 { 0 } else { 10 };
    let children = (0..children).map(|_| node(element, generations - 1)).collect();
    Node { _element: element(generations), _children: children }
}
