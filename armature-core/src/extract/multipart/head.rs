//! Reads the head of a part: the rest of the boundary's line, Content-Disposition and Content-Type. Other fields are to be
//! ignored (RFC 7578 §4.8).

use super::bad;
use crate::extract::{
    Rejection,
    media::{self, Parameters},
};

/// What the head of a part says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PartHead {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) content_type: Option<String>,
}

/// Reads what stands between a boundary and the empty line, the last line without its end.
pub(super) fn parse(head: &[u8]) -> Result<PartHead, Rejection> {
    let head = std::str::from_utf8(head).map_err(|_| bad("the head of a part is not UTF-8"))?;
    let mut lines = head.split("\r\n");
    // Padding that a transport has added (RFC 2046 §5.1.1).
    if lines.next().is_some_and(|rest| rest.contains(|letter| !matches!(letter, ' ' | '\t'))) {
        return Err(bad("a boundary of the form is not followed by the end of its line"));
    }
    let mut disposition = None;
    let mut content_type = None;
    for line in lines {
        let (name, value) = field(line).ok_or_else(|| bad("a field in the head of a part is malformed"))?;
        let place = match () {
            () if name.eq_ignore_ascii_case("content-disposition") => &mut disposition,
            () if name.eq_ignore_ascii_case("content-type") => &mut content_type,
            () => continue,
        };
        if place.replace(value).is_some() {
            return Err(bad("a field in the head of a part is repeated"));
        }
    }
    let disposition = disposition.ok_or_else(|| bad("a part of the form has no Content-Disposition"))?;
    let (name, file_name) = names(disposition)?;
    Ok(PartHead { name, file_name, content_type: content_type.map(str::to_owned) })
}

/// The name and value of a field, which hold no control characters.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_text = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    let is_field = !name.is_empty() && name.bytes().all(is_token) && value.bytes().all(is_text);
    is_field.then_some((name, value.trim_matches([' ', '\t'])))
}

/// The name of the field and of the file. `filename*` is not to be used in forms (RFC 7578 §4.2).
fn names(disposition: &str) -> Result<(String, Option<String>), Rejection> {
    let malformed = || bad("the Content-Disposition of a part is malformed");
    let (kind, parameters) = media::split(disposition);
    if !kind.eq_ignore_ascii_case("form-data") {
        return Err(malformed());
    }
    let (mut field, mut file) = (None, None);
    for parameter in Parameters(parameters) {
        let (name, value) = parameter.ok_or_else(malformed)?;
        let place = match () {
            () if name.eq_ignore_ascii_case("name") => &mut field,
            () if name.eq_ignore_ascii_case("filename") => &mut file,
            () => continue,
        };
        if place.replace(value.into_owned()).is_some() {
            return Err(malformed());
        }
    }
    Ok((field.ok_or_else(|| bad("a part of the form has no name"))?, file))
}
