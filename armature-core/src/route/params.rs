//! The parameters of a matched path, as they were sent; extractors decode them.

/// The parameters of a matched path: names from the pattern, values as they were sent.
#[derive(Debug, Clone, Default)]
pub struct PathParams<'a>(Option<matchit::Params<'a, 'a>>);

impl<'a> PathParams<'a> {
    pub(super) fn new(params: matchit::Params<'a, 'a>) -> Self {
        Self(Some(params))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, matchit::Params::len)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names and values, in the order of the path.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.0.iter().flat_map(matchit::Params::iter)
    }
}
