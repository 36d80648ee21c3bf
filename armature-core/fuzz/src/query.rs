//! Query strings: the extractor against the `form_urlencoded` crate, which decodes what the extractor refuses: a `%` without
//! two digits, and bytes that are not UTF-8.
//!
//! Input: a query string; bytes that no target may hold are left out.

use std::{collections::HashMap, rc::Rc};

use armature_core::{
    Query,
    extract::{FromHead, Rejection},
    h1::head::{self, HeadIndex},
    service::RequestHead,
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::request_head::{BOUNDS, limits};

/// Fields of several types, some of them optional.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Fields {
    name: Option<String>,
    page: Option<u32>,
    #[serde(default)]
    all: bool,
}

/// Extracts the query in several shapes and compares.
pub fn run(bytes: &[u8]) {
    let is_allowed = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
    let query: Vec<u8> = bytes.iter().copied().filter(is_allowed).take(BOUNDS.target_bytes - 2).collect();
    let text = [b"GET /?", &query[..], b" HTTP/1.0\r\n\r\n"].concat();
    let mut index = HeadIndex::default();
    assert_eq!(head::parse(&text, &limits(), &mut index), Ok(true));
    let connection = Rc::default();
    let head = RequestHead::new(&text, &index, &connection);
    assert_eq!(head.query().map(str::as_bytes), Some(&query[..]));
    let pairs: Vec<(String, String)> = form_urlencoded::parse(&query).into_owned().collect();
    let pairs = Some(pairs).filter(|_| is_well_encoded(&query));
    assert_eq!(extract::<Vec<(String, String)>>(&head).ok(), pairs);
    let map = pairs.as_ref().map(|pairs| pairs.iter().cloned().collect::<HashMap<_, _>>());
    let has_one_of_each = map.as_ref().map(HashMap::len) == pairs.as_ref().map(Vec::len);
    assert_eq!(extract::<HashMap<String, String>>(&head).ok(), map.filter(|_| has_one_of_each));
    assert_eq!(extract::<HashMap<String, Vec<String>>>(&head).ok(), pairs.as_deref().map(groups));
    assert_eq!(extract::<Fields>(&head).ok(), pairs.as_deref().and_then(fields));
}

/// Whether every escape is whole, and every name and value UTF-8.
fn is_well_encoded(query: &[u8]) -> bool {
    query.split(|byte| b"&=".contains(byte)).all(|text| {
        let mut bytes = Vec::new();
        let mut left = text;
        while let [first, rest @ ..] = left {
            left = rest;
            let digits = std::str::from_utf8(rest.get(..2).unwrap_or_default()).unwrap_or_default();
            match first {
                b'%' if digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
                    bytes.push(u8::from_str_radix(digits, 16).unwrap());
                    left = &rest[2..];
                }
                b'%' => return false,
                other => bytes.push(*other),
            }
        }
        String::from_utf8(bytes).is_ok()
    })
}

fn groups(pairs: &[(String, String)]) -> HashMap<String, Vec<String>> {
    let mut groups: HashMap<_, Vec<_>> = HashMap::new();
    for (name, value) in pairs {
        groups.entry(name.clone()).or_default().push(value.clone());
    }
    groups
}

fn extract<T: DeserializeOwned>(head: &RequestHead<'_>) -> Result<T, Rejection> {
    let extracted = <Query<T> as FromHead<()>>::from_head(head, &());
    if let Err(rejection) = &extracted {
        assert_eq!(rejection.status().as_u16(), 400);
    }
    extracted.map(|Query(value)| value)
}

/// What the pairs mean as [`Fields`]: no field twice, and each of its type.
fn fields(pairs: &[(String, String)]) -> Option<Fields> {
    let one = |name: &str| {
        let mut values = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() { Err(()) } else { Ok(first) }
    };
    Some(Fields {
        name: one("name").ok()?.map(str::to_owned),
        // The standard library takes a plus sign in front of a number; a query does not.
        page: match one("page").ok()? {
            Some(page) if page.starts_with('+') => return None,
            page => page.map(str::parse).transpose().ok()?,
        },
        all: one("all").ok()?.map(str::parse).transpose().ok()?.unwrap_or_default(),
    })
}
