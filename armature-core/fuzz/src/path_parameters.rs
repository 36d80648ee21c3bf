//! Path parameters: what handlers get, against splitting and percent-decoding by hand.
//!
//! Input: parameters as they stand in a path; bytes that no path may hold are left out.

use std::{collections::HashMap, fmt::Debug, rc::Rc, str::FromStr};

use armature_core::{
    Method, Path, SmallString,
    extract::{FromHead, Param, Rejection},
    h1::head::{self, HeadIndex},
    route::{Lookup, RouteTable},
    service::RequestHead,
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::request_head::{BOUNDS, limits};

/// Parameters by name.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Named {
    b: String,
    a: Option<String>,
}

/// Routes that take one, two, or all segments.
const ROUTES: [&str; 3] = ["/one/{a}", "/two/{a}/{b}", "/rest/{*a}"];

/// Extracts the parameters in several shapes and compares.
pub fn run(bytes: &[u8]) {
    let is_allowed = |byte: &u8| byte.is_ascii_graphic() && !b"?#".contains(byte);
    let bytes = bytes.iter().copied().filter(is_allowed).take(BOUNDS.target_bytes - 10).collect();
    let sent = String::from_utf8(bytes).unwrap();
    let table = RouteTable::build(ROUTES.map(|pattern| (Method::Get, pattern, ()))).unwrap();
    for prefix in ["/one/", "/two/", "/rest/"] {
        let path = format!("{prefix}{sent}");
        let text = format!("GET {path} HTTP/1.0\r\n\r\n");
        let mut index = HeadIndex::default();
        assert_eq!(head::parse(text.as_bytes(), &limits(), &mut index), Ok(true));
        let connection = Rc::default();
        let head = RequestHead::new(text.as_bytes(), &index, &connection);
        let expected = parameters(prefix, &sent);
        match table.find(Method::Get, head.path()) {
            Lookup::Found { params, .. } => check(&head.with_params(&params), &expected.expect("no match")),
            _ => assert_eq!(expected, None, "{path}"),
        }
    }
}

/// The parameters that a path of this route has.
fn parameters<'a>(prefix: &str, sent: &'a str) -> Option<Vec<&'a str>> {
    let is_segment = |text: &&str| !text.is_empty() && !text.contains('/');
    match prefix {
        "/one/" => Some(sent).filter(is_segment).map(|only| vec![only]),
        "/two/" => sent.split_once('/').filter(|(a, b)| is_segment(a) && is_segment(b)).map(|(a, b)| vec![a, b]),
        _ => Some(sent).filter(|rest| !rest.is_empty()).map(|rest| vec![rest]),
    }
}

fn check(head: &RequestHead<'_>, sent: &[&str]) {
    let values: Vec<_> = head.params().map(|(_, value)| value).collect();
    assert_eq!((values, head.params().len()), (sent.to_vec(), sent.len()));
    let decoded: Option<Vec<String>> = sent.iter().map(|value| decode(value)).collect();
    let names = ["a", "b"].map(str::to_owned);
    let by_name = decoded.clone().map(|values| names.into_iter().zip(values).collect());
    assert_eq!(extract::<HashMap<String, String>>(head, None), by_name);
    assert_eq!(extract::<Vec<String>>(head, None), decoded);
    let of_two = decoded.clone().and_then(|values| <[String; 2]>::try_from(values).ok());
    assert_eq!(extract::<(String, String)>(head, Some(2)), of_two.clone().map(Into::into));
    assert_eq!(extract::<Named>(head, None), of_two.map(|[a, b]| Named { b, a: Some(a) }));
    let only = decoded.and_then(|values| <[String; 1]>::try_from(values).ok()).map(|[only]| only);
    assert_eq!(extract::<String>(head, Some(1)), only);
    assert_eq!(extract::<Option<String>>(head, Some(1)), only.clone().map(Some));
    assert_eq!(extract::<SmallString>(head, Some(1)).as_deref(), only.as_deref());
    check_position(head, sent);
    parsed::<bool>(head, only.as_deref());
    parsed::<char>(head, only.as_deref());
    // The standard library takes a plus sign in front of a number; a path does not.
    let digits = only.as_deref().filter(|only| !only.starts_with('+'));
    parsed::<u8>(head, digits);
    parsed::<i64>(head, digits);
    parsed::<u128>(head, digits);
    let number = extract::<f64>(head, Some(1)).map(f64::to_bits);
    assert_eq!(number, digits.and_then(|digits| digits.parse::<f64>().ok()).map(f64::to_bits));
}

/// One parameter by its position, and one that is not there.
fn check_position(head: &RequestHead<'_>, sent: &[&str]) {
    let status = |rejection: Rejection| rejection.status().as_u16();
    let first = <Param<0, String> as FromHead<()>>::from_head(head, &()).map(|Param(first)| first);
    assert_eq!(first.map_err(status), decode(sent[0]).ok_or(400));
    let third = <Param<2, String> as FromHead<()>>::from_head(head, &());
    assert_eq!(third.map_err(status), Err(500));
}

fn parsed<T: DeserializeOwned + FromStr + PartialEq + Debug>(head: &RequestHead<'_>, only: Option<&str>) {
    assert_eq!(extract::<T>(head, Some(1)), only.and_then(|only| only.parse().ok()));
}

fn extract<T: DeserializeOwned>(head: &RequestHead<'_>, asked: Option<usize>) -> Option<T> {
    match <Path<T> as FromHead<()>>::from_head(head, &()) {
        Ok(Path(value)) => Some(value),
        Err(rejection) => {
            // A handler that asks for another number of parameters than the route has is the program's mistake.
            let status = if asked.is_none_or(|asked| asked == head.params().len()) { 400 } else { 500 };
            assert_eq!(rejection.status().as_u16(), status);
            None
        }
    }
}

/// Percent-decodes (RFC 3986 §2.1). `None` for a `%` without two digits behind it, and for what is not UTF-8.
fn decode(sent: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut left = sent.as_bytes();
    while let [first, rest @ ..] = left {
        left = rest;
        if *first == b'%' {
            let digits = rest.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            left = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}
