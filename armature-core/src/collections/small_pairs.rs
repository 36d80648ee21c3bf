//! [`SmallPairs`]: names and values of which a few are kept in place, as queries and forms have them.

use std::{fmt, str};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, SeqAccess, Visitor},
};
use smallvec::SmallVec;

/// Bytes of all names and values together that are kept in place.
const INLINE_BYTES: usize = 128;

/// Pairs that are kept in place.
const INLINE_PAIRS: usize = 8;

/// Names and values in the order in which they came, repeated names kept: 8 pairs with 128 bytes of text in place, what is more
/// on the heap.
///
/// A handler gets the pairs of a query or form in it, decoded, where their names are not known beforehand. A pair costs no
/// allocation of its own (ledger: small-pairs).
///
/// ```
/// use armature_core::{Query, Router, SmallPairs, get};
///
/// async fn search(Query(pairs): Query<SmallPairs>) -> String {
///     let tags: Vec<&str> = pairs.all("tag").collect();
///     format!("{} with {}", pairs.get("text").unwrap_or("nothing"), tags.join(" and "))
/// }
///
/// let app: Router = Router::new().route("/search", get(search));
/// # let mut client = armature_core::test::TestClient::in_process(app)?;
/// let answer = client.get("/search?text=two+words&tag=a&tag=%C3%A9").send()?.text().to_owned();
/// assert_eq!(answer, "two words with a and é");
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SmallPairs {
    /// Names and values, one behind the other.
    text: SmallVec<[u8; INLINE_BYTES]>,
    /// Where the name and the value of each pair end in the text.
    ends: SmallVec<[(usize, usize); INLINE_PAIRS]>,
}

impl SmallPairs {
    /// The first value of this name.
    ///
    /// ```
    /// use armature_core::SmallPairs;
    ///
    /// let pairs = SmallPairs::from_iter([("page", "2"), ("page", "3")]);
    /// assert_eq!((pairs.get("page"), pairs.get("Page")), (Some("2"), None));
    /// ```
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of this name, in order.
    ///
    /// ```
    /// use armature_core::SmallPairs;
    ///
    /// let pairs = SmallPairs::from_iter([("tag", "a"), ("page", "2"), ("tag", "b")]);
    /// assert_eq!(pairs.all("tag").collect::<Vec<_>>(), ["a", "b"]);
    /// ```
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter().filter(move |(this, _)| *this == name).map(|(_, value)| value)
    }

    /// All pairs, in order.
    ///
    /// ```
    /// use armature_core::SmallPairs;
    ///
    /// let pairs = SmallPairs::from_iter([("page", "2"), ("tag", "a")]);
    /// assert_eq!(pairs.iter().last(), Some(("tag", "a")));
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        (0..self.ends.len()).map(|at| {
            let begin = if at == 0 { 0 } else { self.ends[at - 1].1 };
            let (name_end, end) = self.ends[at];
            (self.piece(begin, name_end), self.piece(name_end, end))
        })
    }

    /// How many pairs there are.
    ///
    /// ```
    /// use armature_core::SmallPairs;
    ///
    /// assert_eq!(SmallPairs::from_iter([("page", "2")]).len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    ///
    /// ```
    /// use armature_core::SmallPairs;
    ///
    /// assert!(SmallPairs::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether something of it is on the heap.
    ///
    /// ```
    /// use armature_core::SmallPairs;
    ///
    /// let pairs = |count| SmallPairs::from_iter((0..count).map(|_| ("page", "2")));
    /// assert_eq!((pairs(8).is_heap(), pairs(9).is_heap()), (false, true));
    /// ```
    #[must_use]
    pub fn is_heap(&self) -> bool {
        self.text.spilled() || self.ends.spilled()
    }

    fn piece(&self, begin: usize, end: usize) -> &str {
        // The bytes were copied from a str each, so the check cannot fail; it is what safe code costs.
        str::from_utf8(&self.text[begin..end]).unwrap_or_default()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for SmallPairs {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut all = Self::default();
        for (name, value) in pairs {
            all.text.extend_from_slice(name.as_ref().as_bytes());
            let name_end = all.text.len();
            all.text.extend_from_slice(value.as_ref().as_bytes());
            all.ends.push((name_end, all.text.len()));
        }
        all
    }
}

impl fmt::Debug for SmallPairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A sequence of pairs of strings.
impl<'de> Deserialize<'de> for SmallPairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = SmallPairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence of pairs")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<SmallPairs, A::Error> {
                let mut all = SmallPairs::default();
                while let Some(end) = pairs.next_element_seed(Pair(&mut all))? {
                    all.ends.push((end, all.text.len()));
                }
                Ok(all)
            }
        }

        deserializer.deserialize_seq(All)
    }
}

/// Appends a name and a value to the text; gives where the name ends.
struct Pair<'a>(&'a mut SmallPairs);

impl<'de> DeserializeSeed<'de> for Pair<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_tuple(2, self)
    }
}

impl<'de> Visitor<'de> for Pair<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pair of strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<usize, A::Error> {
        let Self(all) = self;
        pair.next_element_seed(Piece(all))?.ok_or_else(|| de::Error::invalid_length(0, &"a pair"))?;
        let name_end = all.text.len();
        pair.next_element_seed(Piece(all))?.ok_or_else(|| de::Error::invalid_length(1, &"a pair"))?;
        Ok(name_end)
    }
}

/// Appends a string to the text.
struct Piece<'a>(&'a mut SmallPairs);

impl<'de> DeserializeSeed<'de> for Piece<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Piece<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.0.text.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_any_number_of_pairs_of_any_length() {
        for (count, length) in [(0, 0), (1, 0), (8, 8), (9, 1), (3, 100), (1, 1_000), (1_000, 3)] {
            let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
            let pairs: Vec<(String, String)> = (0..count).map(|at| (at.to_string(), text.clone())).collect();
            let small: SmallPairs = pairs.iter().map(|(name, value)| (name, value)).collect();
            let back: Vec<(String, String)> =
                small.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(back, pairs);
            let json = serde_json::to_string(&pairs).unwrap();
            assert_eq!(serde_json::from_str::<SmallPairs>(&json).unwrap(), small);
        }
        for text in ["7", "[7]", "[[]]", "[[\"a\"]]", "[[\"a\", \"b\", \"c\"]]", "[[\"a\", 7]]"] {
            assert!(serde_json::from_str::<SmallPairs>(text).is_err(), "{text}");
        }
    }
}
