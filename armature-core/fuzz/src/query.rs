//! Query strings: the extractor against the `form_urlencoded` crate.
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
    assert_eq!(extract::<Vec<(String, String)>>(&head).unwrap(), pairs);
    assert_eq!(extract::<HashMap<String, String>>(&head).unwrap(), pairs.iter().cloned().collect());
    assert_eq!(extract::<Fields>(&head).ok(), fields(&pairs));
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
        page: one("page").ok()?.map(str::parse).transpose().ok()?,
        all: one("all").ok()?.map(str::parse).transpose().ok()?.unwrap_or_default(),
    })
}
