//! Two extractors of the body.

use armature_core::{Router, extract::{Form, Multipart}, post};

async fn handler(_: Form<u32>, _: Multipart) -> &'static str {
    "answer"
}

fn main() {
    let _: Router = Router::new().route("/", post(handler));
}
