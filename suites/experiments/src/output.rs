//! Experiments on the buffers that answers are written into: those of the framework's pool, and buffers whose size is
//! remembered for each type, which the framework does not have.

use std::{any, cell::RefCell};

use armature_core::{IntoResponse, Json, Response, respond::MediaType};
use bytes::Bytes;
use serde::Serialize;

use crate::{
    experiment::{Experiment, Side, input},
    json::{notes, orders},
    operation::{Operation, over},
};

const LIST: &str = "the project's inherited list of optimisations";

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "pooled-output",
        group: "JSON",
        claim: "A thread's pool of buffers saves the allocations of growing a new one for every body.",
        source: LIST,
        baseline: "`serde_json::to_vec`, which begins with 128 bytes and grows, as the `Bytes` of an `armature_core::Response`",
        candidate: "`armature_core::Json` as a response: a buffer of the thread's pool, which goes back when the response has gone",
        inputs: &[
            input("small", 0, "an object of two members, about 40 bytes"),
            input("1-line", 1, "an order of 1 line, about 200 bytes"),
            input("10-lines", 10, "an order of 10 lines, about 1.4 KiB"),
            input("100-lines", 100, "an order of 100 lines, about 14 KiB"),
        ],
        threads: 1,
        make: |side, input, scale| match input.size {
            0 => pooled(side, notes(scale)),
            lines => pooled(side, orders(lines, scale)),
        },
    },
    Experiment {
        name: "typed-output",
        group: "JSON",
        claim: "Remembering how large the bodies of a type were saves growing their buffers.",
        source: LIST,
        baseline: "a buffer of a pool that keeps what has at most 64 KiB, and begins with 512 bytes where none is kept",
        candidate: "the same, with room made first for what the type's last body had; sizes of at most 256 types, found in constant time",
        inputs: &[
            input("small", 0, "an object of two members, about 40 bytes: its buffer is always large enough"),
            input("100-lines", 100, "an order of 100 lines, about 14 KiB: its buffer is one that has grown before"),
            input("800-lines", 800, "an order of 800 lines, about 110 KiB: its buffer is too large to be kept"),
            input("uneven", 800, "the same, and orders of 1 line in turn, which are of one type"),
        ],
        threads: 1,
        make: |side, input, scale| match (input.size, input.id) {
            (0, _) => typed(side, notes(scale)),
            (lines, "uneven") => {
                let (few, many) = (orders(1, scale), orders(lines, scale));
                typed(
                    side,
                    many.into_iter()
                        .zip(few)
                        .enumerate()
                        .map(|(at, (many, few))| if at % 2 == 0 { many } else { few })
                        .collect(),
                )
            }
            (lines, _) => typed(side, orders(lines, scale)),
        },
    },
];

fn text(response: &Response) -> String {
    String::from_utf8_lossy(response.body().as_slice()).into_owned()
}

fn pooled<T: Serialize + 'static>(side: Side, documents: Vec<T>) -> Box<dyn Operation> {
    match side {
        Side::Baseline => over(
            documents,
            |document| {
                let body = serde_json::to_vec(document).map(Bytes::from).unwrap_or_default();
                Response::new(MediaType::JSON, body)
            },
            text,
        ),
        Side::Candidate => over(documents, |document| Json(document).into_response(), text),
    }
}

const KEPT_MAX: usize = 64;
const KEPT_BYTES_MAX: usize = 65_536;
const BYTES_MIN: usize = 512;
const TYPES_MAX: usize = 256;

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static SIZES: RefCell<Sizes> = RefCell::new(Sizes { places: vec![(0, 0); TYPES_MAX] });
}

/// What the bodies of types had, each in the place of its name's address; another type that has the same place takes it.
struct Sizes {
    places: Vec<(usize, usize)>,
}

impl Sizes {
    fn place<T>(&mut self) -> &mut (usize, usize) {
        let key = any::type_name::<T>().as_ptr().addr();
        let place = &mut self.places[key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (usize::BITS - TYPES_MAX.ilog2())];
        if place.0 != key {
            *place = (key, 0);
        }
        place
    }
}

/// A buffer that goes back to its thread's pool.
struct Pooled(Vec<u8>);

impl Pooled {
    fn take() -> Self {
        Self(POOL.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(BYTES_MIN)))
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        if buffer.capacity() <= KEPT_BYTES_MAX {
            buffer.clear();
            POOL.with_borrow_mut(|pool| {
                if pool.len() < KEPT_MAX {
                    pool.push(buffer);
                }
            });
        }
    }
}

fn typed<T: Serialize + 'static>(side: Side, documents: Vec<T>) -> Box<dyn Operation> {
    let written =
        |mut buffer: Pooled, document: &T| serde_json::to_writer(&mut buffer.0, document).map(|()| buffer).ok();
    let tell = |body: &Option<Pooled>| {
        body.as_ref().map(|body| String::from_utf8_lossy(&body.0).into_owned()).unwrap_or_default()
    };
    match side {
        Side::Baseline => over(documents, move |document| written(Pooled::take(), document), tell),
        Side::Candidate => over(
            documents,
            move |document| {
                let mut buffer = Pooled::take();
                buffer.0.reserve(SIZES.with_borrow_mut(|sizes| sizes.place::<T>().1));
                let body = written(buffer, document)?;
                SIZES.with_borrow_mut(|sizes| sizes.place::<T>().1 = body.0.len());
                Some(body)
            },
            tell,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Note;

    #[test]
    fn a_type_that_has_no_place_has_no_size() {
        let mut sizes = Sizes { places: vec![(0, 0); TYPES_MAX] };
        sizes.place::<Note>().1 = 40;
        assert_eq!(sizes.place::<Note>().1, 40);
        sizes.places.iter_mut().for_each(|place| *place = (1, 7));
        assert_eq!(sizes.place::<Note>().1, 0);
    }
}
