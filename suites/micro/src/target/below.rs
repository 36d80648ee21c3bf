//! Controls: what the frameworks are built upon, called directly.

use crate::{
    document::{self, Size},
    operation::{Operation, over, same},
    route,
    work::Work,
};

/// `matchit` looks paths up, `serde_json` turns documents into bytes and back.
pub(super) fn operation(target: &str, work: Work, scale: usize) -> Option<Box<dyn Operation>> {
    match (target, work) {
        ("matchit", Work::Lookup(routes, kind, place)) => {
            let mut table = matchit::Router::new();
            for (number, pattern) in route::patterns(routes).enumerate() {
                table.insert(pattern, number).expect("patterns do not conflict");
            }
            Some(over(
                route::lookups(routes, kind, place, scale),
                move |lookup| table.at(&lookup.path).ok().map(|found| *found.value),
                |lookup, found| same(found, &lookup.found),
            ))
        }
        ("serde_json", Work::Serialize(Size::Small)) => Some(serialize(document::notes(scale))),
        ("serde_json", Work::Serialize(size)) => Some(serialize(document::orders(size, scale))),
        ("serde_json", Work::Deserialize(Size::Small)) => Some(deserialize(document::notes(scale))),
        ("serde_json", Work::Deserialize(size)) => Some(deserialize(document::orders(size, scale))),
        _ => None,
    }
}

fn serialize<T: serde::Serialize + 'static>(documents: Vec<T>) -> Box<dyn Operation> {
    over(
        documents,
        |document| serde_json::to_vec(document).ok(),
        |document, bytes| same(bytes, &Some(document::json(document))),
    )
}

fn deserialize<T>(documents: Vec<T>) -> Box<dyn Operation>
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug + 'static,
{
    over(
        document::bodies(documents),
        |(_, body)| serde_json::from_slice::<T>(body).ok(),
        |(document, _), found| same(&found.as_ref(), &Some(document)),
    )
}
