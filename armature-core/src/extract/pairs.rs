//! Reads `application/x-www-form-urlencoded` text (WHATWG URL §5) into a type: a struct or map by names, of which each value
//! may be a sequence of what a repeated name has brought, or a sequence of pairs as they were sent.
//!
//! Used by [`Query`](super::Query) and [`Form`](super::Form). Fields are sorted by their names once, so the work grows
//! hardly more than the length of the text, whatever the names are.

use std::{borrow::Cow, iter::Peekable};

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, MapAccess, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use smallvec::SmallVec;

use super::{
    percent::{self, Coding},
    text::{Text, Unfit, forward_to_the_only_one},
};

/// Makes a value of the text, of which so many fields are listed without an allocation (ledger: inline-query, inline-form).
pub(super) fn read<T: DeserializeOwned, const INLINE: usize>(encoded: &str) -> Result<T, Unfit> {
    let mut pairs = SmallVec::<[Pair<'_>; INLINE]>::new();
    for (at, field) in encoded.split('&').filter(|field| !field.is_empty()).enumerate() {
        pairs.push(pair(at, field)?);
    }
    T::deserialize(Pairs(pairs))
}

/// A name and a value, decoded.
type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

fn pair(at: usize, field: &str) -> Result<Pair<'_>, Unfit> {
    let (name, value) = field.split_once('=').unwrap_or((field, ""));
    let name = percent::decode(name, Coding::Form)
        .map_err(|malformed| Unfit::sent(format_args!("the name of field {}: {malformed}", at + 1)))?;
    match percent::decode(value, Coding::Form) {
        Ok(value) => Ok((name, value)),
        Err(malformed) => Err(Unfit::sent(malformed).of(&name)),
    }
}

struct Pairs<'a, const INLINE: usize>(SmallVec<[Pair<'a>; INLINE]>);

impl<'de, const INLINE: usize> Deserializer<'de> for Pairs<'_, INLINE> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let mut pairs = self.0;
        // Stable: the values of one name stay in their order.
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        visitor.visit_map(Groups { pairs: pairs.into_iter().peekable(), current: None })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_seq(MapDeserializer::new(self.0.into_iter().map(|(name, value)| (Text(name), Text(value)))))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit_struct tuple tuple_struct
        map struct enum identifier ignored_any
    }
}

/// Pairs sorted by name, those of one name together.
struct Groups<'a, const INLINE: usize> {
    pairs: Peekable<smallvec::IntoIter<[Pair<'a>; INLINE]>>,
    /// The name that has been read, and its values, which have not.
    current: Option<(Cow<'a, str>, Values<'a>)>,
}

impl<'de, const INLINE: usize> MapAccess<'de> for Groups<'_, INLINE> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unfit> {
        let Some((name, first)) = self.pairs.next() else { return Ok(None) };
        let mut more = Vec::new();
        while let Some((_, value)) = self.pairs.next_if(|(next, _)| *next == name) {
            more.push(value);
        }
        let key = seed.deserialize(Text(Cow::Borrowed(&name))).map_err(|error| error.of(&name))?;
        self.current = Some((name, Values { first, more }));
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        let (name, values) = self.current.take().ok_or_else(|| Unfit::asked("a value is read before its name"))?;
        seed.deserialize(values).map_err(|error| error.of(&name))
    }
}

/// What was sent under one name: one value mostly.
struct Values<'a> {
    first: Cow<'a, str>,
    more: Vec<Cow<'a, str>>,
}

impl<'a> Values<'a> {
    /// Has the value read where there is one.
    fn only<T>(self, read: impl FnOnce(Text<'a>) -> Result<T, Unfit>) -> Result<T, Unfit> {
        match self.more.len() {
            0 => read(Text(self.first)),
            more => Err(Unfit::sent(format_args!("it is there {} times, one value is asked for", more + 1))),
        }
    }
}

impl<'de> Deserializer<'de> for Values<'_> {
    type Error = Unfit;

    forward_to_the_only_one! {}

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        if self.more.is_empty() { Text(self.first).deserialize_any(visitor) } else { self.deserialize_seq(visitor) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_seq(SeqDeserializer::new(std::iter::once(self.first).chain(self.more).map(Text)))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! { unit unit_struct tuple_struct map struct ignored_any }
}
