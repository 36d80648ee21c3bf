//! The parameters of a matched path, as they were sent; extractors decode them.

/// The parameters of a matched path: names from the pattern, values as they were sent.
#[derive(Debug, Clone)]
pub struct PathParams<'a>(matchit::Params<'a, 'a>);

impl<'a> PathParams<'a> {
    pub(super) fn new(params: matchit::Params<'a, 'a>) -> Self {
        Self(params)
    }

    /// Names and values, in the order of the path.
    #[must_use]
    pub fn iter(&'a self) -> PathParamsIter<'a> {
        PathParamsIter { left: self.0.len(), pairs: Some(self.0.iter()) }
    }
}

/// See [`PathParams::iter`].
#[derive(Default)]
pub struct PathParamsIter<'a> {
    left: usize,
    pairs: Option<matchit::ParamsIter<'a, 'a, 'a>>,
}

impl<'a> Iterator for PathParamsIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let pair = self.pairs.as_mut()?.next();
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
