//! The extractors of a path's parameters: all of them, as one value, a tuple in the order of the path or a struct by name;
//! or one of them by its position.

use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use super::{
    percent::{self, Coding},
    text::{Text, Unfit, forward_to_the_only_one},
};
use crate::{
    extract::{FromHead, Rejection},
    service::RequestHead,
};

/// The parameters of the path, percent-decoded: one value, a tuple in the order of the path, a sequence, or a struct or map
/// by the names in the route's pattern.
///
/// [`SmallString`](crate::SmallString) takes text without an allocation.
///
/// ```
/// use armature_core::{Path, Router, SmallString, get};
///
/// #[derive(serde::Deserialize)]
/// struct Entry {
///     year: u16,
///     slug: SmallString,
/// }
///
/// let app: Router = Router::new()
///     .route("/users/{id}", get(async |Path(id): Path<u64>| id.to_string()))
///     .route("/sum/{a}/{b}", get(async |Path((a, b)): Path<(i64, i64)>| (a + b).to_string()))
///     .route("/blog/{year}/{slug}", get(async |Path(entry): Path<Entry>| format!("{} {}", entry.slug, entry.year)));
/// ```
///
/// # Rejections
/// - 400: a parameter does not fit its type, its percent-encoding is malformed (`%zz`), or it is not UTF-8; the parameter is
///   named.
/// - 500: the route has another number of parameters than the handler asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(pub T);

impl<S, T: DeserializeOwned> FromHead<S> for Path<T> {
    type Rejection = Rejection;

    #[inline]
    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Rejection> {
        T::deserialize(Parameters(head)).map(Self).map_err(|error| error.reject("the path"))
    }
}

/// One parameter of the path, by its position from 0, percent-decoded.
///
/// ```
/// use armature_core::{Router, SmallString, extract::Param, get};
///
/// async fn file(Param(owner): Param<0, SmallString>, Param(number): Param<1, u32>) -> String {
///     format!("file {number} of {owner}")
/// }
///
/// let app: Router = Router::new().route("/users/{id}/files/{number}", get(file));
/// ```
///
/// # Rejections
/// - 400: as for [`Path`].
/// - 500: the route has no such parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<const INDEX: usize, T>(pub T);

impl<const INDEX: usize, S, T: DeserializeOwned> FromHead<S> for Param<INDEX, T> {
    type Rejection = Rejection;

    #[inline]
    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Rejection> {
        let parameter = head
            .params()
            .nth(INDEX)
            .ok_or_else(|| Unfit::asked(format_args!("parameter {INDEX} of a route with {}", head.params().len())));
        parameter.and_then(make).map(Self).map_err(|error| error.reject("the path"))
    }
}

/// Makes a value of one parameter.
fn make<T: DeserializeOwned>((name, sent): (&str, &str)) -> Result<T, Unfit> {
    text(name, sent).and_then(|text| T::deserialize(text).map_err(|error| error.of(name)))
}

fn text<'a>(name: &str, sent: &'a str) -> Result<Text<'a>, Unfit> {
    percent::decode(sent, Coding::Path).map(Text).map_err(|malformed| Unfit::sent(malformed).of(name))
}

struct Parameters<'a, 'h>(&'h RequestHead<'a>);

impl<'a> Parameters<'a, '_> {
    /// Has the value read where there is one.
    #[inline]
    fn only<T>(self, read: impl FnOnce(Text<'a>) -> Result<T, Unfit>) -> Result<T, Unfit> {
        let mut params = self.0.params();
        match (params.next(), params.next()) {
            (Some((name, sent)), None) => read(text(name, sent)?).map_err(|error| error.of(name)),
            _ => Err(self.miscounted(1)),
        }
    }

    #[cold]
    fn miscounted(&self, asked: usize) -> Unfit {
        Unfit::asked(format_args!("the route has {} parameter(s), the handler asks for {asked}", self.0.params().len()))
    }
}

impl<'de> Deserializer<'de> for Parameters<'_, '_> {
    type Error = Unfit;

    forward_to_the_only_one! {}
    forward_to_the_only_one! { deserialize_any deserialize_option }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_seq(Walk { params: self.0.params(), current: None })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Unfit> {
        if self.0.params().len() != len {
            return Err(self.miscounted(len));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_map(Walk { params: self.0.params(), current: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.deserialize_map(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }
}

/// The parameters one by one, with their names or without.
struct Walk<'a, I> {
    params: I,
    /// The parameter whose name has been read and whose value has not.
    current: Option<(&'a str, &'a str)>,
}

impl<'a, I: ExactSizeIterator<Item = (&'a str, &'a str)>> Walk<'a, I> {
    fn value<'de, T: DeserializeSeed<'de>>(seed: T, (name, sent): (&str, &str)) -> Result<T::Value, Unfit> {
        seed.deserialize(text(name, sent)?).map_err(|error| error.of(name))
    }
}

impl<'de, 'a, I: ExactSizeIterator<Item = (&'a str, &'a str)>> SeqAccess<'de> for Walk<'a, I> {
    type Error = Unfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unfit> {
        self.params.next().map(|param| Self::value(seed, param)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.params.len())
    }
}

impl<'de, 'a, I: ExactSizeIterator<Item = (&'a str, &'a str)>> MapAccess<'de> for Walk<'a, I> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unfit> {
        self.current = self.params.next();
        self.current.map(|(name, _)| seed.deserialize(Text(name.into()))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        let param = self.current.take().ok_or_else(|| Unfit::asked("a value is read before its name"))?;
        Self::value(seed, param)
    }
}
