//! A function that is not async.

use armature_core::{Router, get};

fn handler() -> &'static str {
    "answer"
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
