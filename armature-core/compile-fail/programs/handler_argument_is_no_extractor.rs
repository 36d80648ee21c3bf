//! An argument that is no extractor.

use armature_core::{Router, get};

struct User;

async fn handler(_: User, _: String) -> &'static str {
    "answer"
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
