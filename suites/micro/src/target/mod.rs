//! The frameworks, and what stands below them, doing the work of `../work.rs`.
//!
//! Each target is a module that makes an [`Operation`] of a piece of work, or none where it has
//! nothing of the kind. They differ in nothing but the framework: same inputs, same answers, same allocator, one build.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use crate::{
    operation::{self, INPUTS, Operation},
    work::Work,
};

mod actix;
mod armature;
mod axum;
mod below;

/// What the target of that name does for a piece of work: `None` where it takes no part in it.
#[must_use]
pub fn operation(target: &str, work: Work, scale: usize) -> Option<Box<dyn Operation>> {
    match (target, work) {
        (_, Work::Nothing) => Some(operation::empty(scale)),
        ("armature", work) => Some(armature::operation(work, scale)),
        ("axum", work) => axum::operation(work, scale),
        ("actix", work) => actix::operation(work, scale),
        ("matchit" | "serde_json", work) => below::operation(target, work, scale),
        _ => None,
    }
}

/// What a future comes to that has all it needs.
///
/// # Panics
/// When it waits: nothing here has anything to wait for.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("an operation without a socket does not wait"),
    }
}

/// Patterns for handlers to answer with. They are never freed: a process measures one table and ends.
fn patterns(routes: usize) -> impl Iterator<Item = &'static str> {
    crate::route::patterns(routes).map(|pattern| &*pattern.leak())
}

/// Statuses that answers have, at scale 1 [`INPUTS`].
fn statuses<S: TryFrom<u16, Error: std::fmt::Debug>>(scale: usize) -> Vec<S> {
    const STATUSES: [u16; 8] = [200, 201, 202, 301, 400, 403, 404, 503];
    STATUSES.into_iter().cycle().take(INPUTS * scale).map(|code| S::try_from(code).expect("a status")).collect()
}

/// Ten header fields for each of the responses, at scale 1 [`INPUTS`]; the values differ.
fn fields<N, V>(scale: usize) -> Vec<[(N, V); 10]>
where
    N: TryFrom<&'static str, Error: std::fmt::Debug>,
    V: for<'a> TryFrom<&'a str, Error: std::fmt::Debug>,
{
    const NAMES: [&str; 10] = [
        "cache-control",
        "content-language",
        "etag",
        "last-modified",
        "location",
        "referrer-policy",
        "strict-transport-security",
        "vary",
        "x-content-type-options",
        "x-request-id",
    ];
    let field = |at: usize, name: &'static str| {
        let value = V::try_from(format!("{name} of response {at}").as_str()).expect("a value is printable");
        (N::try_from(name).expect("a name is a token"), value)
    };
    (0..INPUTS * scale).map(|at| NAMES.map(|name| field(at, name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        route::{Kind, Place},
        work::all,
    };

    /// The largest tables are checked before they are measured; here they would take the tests' time.
    fn is_large(work: Work) -> bool {
        matches!(work, Work::Lookup(10_000, ..) | Work::Dispatch(10_000, ..) | Work::Dispatch(1_000, ..))
    }

    #[test]
    fn every_target_does_its_work_rightly() {
        for target in ["armature", "axum", "actix", "matchit", "serde_json"] {
            for work in all().into_iter().filter(|work| !is_large(*work)) {
                if let Some(mut operation) = operation(target, work, 2) {
                    assert_eq!(operation.check(), Ok(()), "{target}, {}", work.id());
                }
            }
        }
    }

    #[test]
    fn who_takes_part_in_what() {
        let takes_part = |target, work| operation(target, work, 1).is_some();
        let lookup = Work::Lookup(10, Kind::Literal, Place::First);
        for (target, work, expected) in [
            ("armature", lookup, true),
            ("matchit", lookup, true),
            ("axum", lookup, false),
            ("axum", Work::Dispatch(10, Kind::Literal, Place::First), true),
            ("matchit", Work::Dispatch(10, Kind::Literal, Place::First), false),
            ("serde_json", Work::Serialize(crate::document::Size::Small), true),
            ("serde_json", lookup, false),
            ("axum", Work::Middleware(8), true),
            ("actix", Work::Middleware(8), true),
            ("nobody", lookup, false),
            ("nobody", Work::Nothing, true),
        ] {
            assert_eq!(takes_part(target, work), expected, "{target}, {}", work.id());
        }
    }
}
