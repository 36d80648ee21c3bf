//! The extractor of a path's parameters: one value, a tuple in the order of the path, or a struct by name.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde::{
    Deserializer,
    de::{
        self, DeserializeOwned, IntoDeserializer, Visitor,
        value::{Error as ValueError, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};

use crate::{
    extract::{FromHead, Rejection},
    http::StatusCode,
    service::RequestHead,
};

/// The parameters of the path, percent-decoded. What does not fit gets 400.
///
/// [`SmallString`](crate::SmallString) takes text without an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(pub T);

impl<S, T: DeserializeOwned> FromHead<S> for Path<T> {
    type Rejection = Rejection;

    #[inline]
    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Rejection> {
        T::deserialize(Parameters(head)).map(Self).map_err(reject)
    }
}

#[cold]
fn reject(error: ValueError) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, format!("the path does not fit: {error}"))
}

/// Percent-decodes one parameter; `+` stays what it is, as paths are not forms.
fn decode(value: &str) -> Result<Cow<'_, str>, ValueError> {
    if memchr::memchr(b'%', value.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(value));
    }
    percent_decode_str(value).decode_utf8().map_err(|_| de::Error::custom("a parameter is not UTF-8"))
}

struct Parameters<'a, 'h>(&'h RequestHead<'a>);

impl<'a> Parameters<'a, '_> {
    fn only(&self) -> Result<Value<'a>, ValueError> {
        let mut values = self.0.params();
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Ok(Value(value)),
            _ => Err(de::Error::custom(format_args!(
                "the route has {} parameters where one value is asked for",
                self.0.params().len()
            ))),
        }
    }
}

macro_rules! forward_to_the_only_one {
    ($($method:ident)*) => {
        $(
            #[inline]
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
                self.only()?.$method(visitor)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Parameters<'_, '_> {
    type Error = ValueError;

    forward_to_the_only_one! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
        deserialize_identifier
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_seq(SeqDeserializer::new(self.0.params().map(|(_, value)| Value(value))))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, ValueError> {
        if self.0.params().len() != len {
            return Err(de::Error::custom(format_args!(
                "the route has {} parameters where {len} are asked for",
                self.0.params().len()
            )));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_map(MapDeserializer::new(self.0.params().map(|(name, value)| (name, Value(value)))))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.only()?.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_unit()
    }
}

/// One parameter as it was sent.
struct Value<'a>(&'a str);

impl<'de> IntoDeserializer<'de, ValueError> for Value<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parse {
    ($($method:ident $visit:ident $type:ty $(, but not $refused:literal)?;)*) => {
        $(
            #[inline]
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
                let text = decode(self.0)?;
                match text.parse::<$type>() {
                    Ok(value) $(if !text.starts_with($refused))? => visitor.$visit(value),
                    _ => Err(de::Error::invalid_value(de::Unexpected::Str(&text), &stringify!($type))),
                }
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = ValueError;

    // A number that is sent has no plus sign; the standard library would let one pass.
    parse! {
        deserialize_bool visit_bool bool;
        deserialize_i8 visit_i8 i8, but not '+';
        deserialize_i16 visit_i16 i16, but not '+';
        deserialize_i32 visit_i32 i32, but not '+';
        deserialize_i64 visit_i64 i64, but not '+';
        deserialize_i128 visit_i128 i128, but not '+';
        deserialize_u8 visit_u8 u8, but not '+';
        deserialize_u16 visit_u16 u16, but not '+';
        deserialize_u32 visit_u32 u32, but not '+';
        deserialize_u64 visit_u64 u64, but not '+';
        deserialize_u128 visit_u128 u128, but not '+';
        deserialize_f32 visit_f32 f32, but not '+';
        deserialize_f64 visit_f64 f64, but not '+';
        deserialize_char visit_char char;
    }

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match decode(self.0)? {
            Cow::Borrowed(text) => visitor.visit_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_enum(decode(self.0)?.into_deserializer())
    }

    forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
