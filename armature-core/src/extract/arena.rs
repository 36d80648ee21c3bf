//! The extractor of a request's own memory. What it is stands in `../pool/arena.rs`.

use std::convert::Infallible;

use crate::{extract::FromHead, pool::Arena, service::RequestHead};

impl<S> FromHead<S> for Arena {
    type Rejection = Infallible;

    #[inline]
    fn from_head(_: &RequestHead<'_>, _: &S) -> Result<Self, Infallible> {
        Ok(Self::new())
    }
}
