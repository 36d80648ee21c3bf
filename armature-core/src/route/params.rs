//! The parameters of a matched path, as they were sent; extractors decode them.

// For the fuzz targets; a program has `RequestHead::params`.
/// The parameters of a matched path: names from the pattern, values as they were sent.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct PathParams<'a>(Params<'a>);

#[derive(Debug, Clone)]
enum Params<'a> {
    Matched(matchit::Params<'a, 'a>),
    Owned(Vec<(Box<str>, Box<str>)>),
}

impl Default for PathParams<'_> {
    fn default() -> Self {
        Self(Params::Owned(Vec::new()))
    }
}

/// Parameters that outlive the path that they were matched in.
impl<'p> FromIterator<(&'p str, &'p str)> for PathParams<'_> {
    fn from_iter<I: IntoIterator<Item = (&'p str, &'p str)>>(params: I) -> Self {
        Self(Params::Owned(params.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
    }
}

impl<'a> PathParams<'a> {
    pub(super) fn new(params: matchit::Params<'a, 'a>) -> Self {
        Self(Params::Matched(params))
    }

    /// Names and values, in the order of the path.
    #[must_use]
    pub fn iter(&'a self) -> PathParamsIter<'a> {
        match &self.0 {
            Params::Matched(params) => PathParamsIter { left: params.len(), pairs: Pairs::Matched(params.iter()) },
            Params::Owned(params) => PathParamsIter { left: params.len(), pairs: Pairs::Owned(params.iter()) },
        }
    }
}

/// See [`PathParams::iter`].
#[doc(hidden)]
#[derive(Default)]
pub struct PathParamsIter<'a> {
    left: usize,
    pairs: Pairs<'a>,
}

#[derive(Default)]
enum Pairs<'a> {
    #[default]
    None,
    Matched(matchit::ParamsIter<'a, 'a, 'a>),
    Owned(std::slice::Iter<'a, (Box<str>, Box<str>)>),
}

impl<'a> Iterator for PathParamsIter<'a> {
    type Item = (&'a str, &'a str);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let pair = match &mut self.pairs {
            Pairs::None => None,
            Pairs::Matched(pairs) => pairs.next(),
            Pairs::Owned(pairs) => pairs.next().map(|(name, value)| (&**name, &**value)),
        };
        self.left -= usize::from(pair.is_some());
        pair
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for PathParamsIter<'_> {}

impl std::fmt::Debug for PathParamsIter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PathParamsIter({} left)", self.left)
    }
}
