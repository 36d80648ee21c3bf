//! A string that needs no allocation while it is short: identifiers, numbers, UUIDs, most path segments.

use std::{borrow::Borrow, fmt, ops::Deref};

use crate::{body::Body, buffer};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest text that is kept in place.
const INLINE_BYTES_MAX: usize = 38;

/// An immutable owned string of which up to 38 bytes are kept in place.
///
/// Long enough for a UUID (36 bytes), a 64-bit number, or most path segments; longer text is on the heap.
///
/// ```
/// use armature_core::SmallString;
///
/// let id = SmallString::from("67e55044-10b1-426f-9247-bb680e5fe0c8");
/// assert_eq!((id.as_str().len(), id.is_heap()), (36, false));
/// ```
#[derive(Clone)]
pub struct SmallString(Text);

#[derive(Clone)]
enum Text {
    Inline { len: u8, bytes: [u8; INLINE_BYTES_MAX] },
    Heap(Box<str>),
}

impl SmallString {
    /// The text.
    ///
    /// ```
    /// use armature_core::SmallString;
    ///
    /// assert_eq!(SmallString::from("ada").as_str(), "ada");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // The bytes were copied from a str, so the check cannot fail; it is what safe code costs.
            Text::Inline { len, bytes } => std::str::from_utf8(&bytes[..usize::from(*len)]).unwrap_or_default(),
            Text::Heap(text) => text,
        }
    }

    /// The bytes of the text.
    ///
    /// ```
    /// use armature_core::SmallString;
    ///
    /// assert_eq!(SmallString::from("ada").as_bytes(), b"ada");
    /// ```
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Text::Heap(text) => text.as_bytes(),
        }
    }

    /// Whether the text is on the heap.
    ///
    /// ```
    /// use armature_core::SmallString;
    ///
    /// assert!(!SmallString::from("a".repeat(38)).is_heap());
    /// assert!(SmallString::from("a".repeat(39)).is_heap());
    /// ```
    #[must_use]
    pub fn is_heap(&self) -> bool {
        matches!(self.0, Text::Heap(_))
    }
}

impl From<&str> for SmallString {
    fn from(text: &str) -> Self {
        let mut bytes = [0; INLINE_BYTES_MAX];
        match bytes.get_mut(..text.len()) {
            Some(room) => {
                room.copy_from_slice(text.as_bytes());
                Self(Text::Inline { len: text.len() as u8, bytes })
            }
            None => Self(Text::Heap(text.into())),
        }
    }
}

impl From<String> for SmallString {
    fn from(text: String) -> Self {
        if text.len() <= INLINE_BYTES_MAX { Self::from(text.as_str()) } else { Self(Text::Heap(text.into())) }
    }
}

impl Default for SmallString {
    fn default() -> Self {
        Self::from("")
    }
}

impl Deref for SmallString {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for SmallString {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for SmallString {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for SmallString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for SmallString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl PartialEq for SmallString {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for SmallString {}

impl PartialEq<str> for SmallString {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl std::hash::Hash for SmallString {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl From<SmallString> for Body {
    fn from(text: SmallString) -> Self {
        let mut bytes = buffer::take();
        bytes.extend_from_slice(text.as_bytes());
        Self::Owned(bytes)
    }
}

impl Serialize for SmallString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SmallString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = SmallString;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<SmallString, E> {
                Ok(SmallString::from(text))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<SmallString, E> {
                Ok(SmallString::from(text))
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_text_of_any_length() {
        for length in [0, 1, 37, 38, 39, 1000] {
            let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
            let small = SmallString::from(text.as_str());
            assert_eq!((small.as_str(), small.is_heap()), (text.as_str(), length > 38), "{length}");
            assert_eq!(SmallString::from(text.clone()), small);
        }
    }
}
