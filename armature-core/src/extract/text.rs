//! Text as a source of values: what a parameter of a path and a field of a query or form have in common.

use std::{borrow::Cow, error, fmt, io};

use serde::{
    Deserializer,
    de::{self, IntoDeserializer, Visitor},
    forward_to_deserialize_any,
};

use crate::{extract::Rejection, http::StatusCode};

/// Why text does not make the type that is asked for.
#[derive(Debug)]
pub(super) struct Unfit {
    message: String,
    /// Whether it is the program that is wrong: no request could fit.
    is_ours: bool,
}

impl Unfit {
    /// The client has sent what does not fit.
    pub(super) fn sent(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), is_ours: false }
    }

    /// The program asks for what no request has.
    pub(super) fn asked(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), is_ours: true }
    }

    /// The same error, of the parameter or field of this name.
    pub(super) fn of(self, name: &str) -> Self {
        Self { message: format!("`{name}`: {}", self.message), ..self }
    }

    /// The answer, if `what` does not fit.
    #[cold]
    pub(super) fn reject(self, what: &str) -> Rejection {
        if self.is_ours {
            let source = io::Error::other(format!("{what} cannot fit: {self}"));
            return Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "the server has failed").because(source);
        }
        Rejection::quoting(StatusCode::BAD_REQUEST, format_args!("{what} does not fit: {self}"))
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for Unfit {}

impl de::Error for Unfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::sent(message)
    }
}

/// Decoded text.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de> IntoDeserializer<'de, Unfit> for Text<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parse {
    ($($method:ident $visit:ident $type:ty $(, but not $refused:literal)?;)*) => {
        $(
            #[inline]
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
                match self.0.parse::<$type>() {
                    Ok(value) $(if !self.0.starts_with($refused))? => visitor.$visit(value),
                    _ => Err(de::Error::invalid_value(de::Unexpected::Str(&self.0), &stringify!($type))),
                }
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = Unfit;

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
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.0 {
            Cow::Borrowed(text) => visitor.visit_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The methods of a `Deserializer` that are for one value, for a type whose method `only` has its one text read.
macro_rules! forward_to_the_only_one {
    () => {
        $crate::extract::text::forward_to_the_only_one! {
            deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
            deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32
            deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
            deserialize_byte_buf deserialize_identifier
        }

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            name: &'static str,
            variants: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Unfit> {
            self.only(|text| text.deserialize_enum(name, variants, visitor))
        }
    };
    ($($method:ident)+) => {
        $(
            #[inline]
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
                self.only(|text| text.$method(visitor))
            }
        )+
    };
}

pub(super) use forward_to_the_only_one;
