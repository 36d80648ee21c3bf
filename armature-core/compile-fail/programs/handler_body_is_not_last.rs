//! An extractor of the body before another argument.

use armature_core::{Json, Path, Router, post};

async fn handler(Json(_): Json<u32>, Path(_): Path<u32>) -> &'static str {
    "answer"
}

fn main() {
    let _: Router = Router::new().route("/{id}", post(handler));
}
