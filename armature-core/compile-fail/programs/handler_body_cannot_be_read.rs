//! A body of a type that serde cannot read.

use armature_core::{Json, Router, post};

struct Draft;

async fn handler(Json(_): Json<Draft>) -> &'static str {
    "answer"
}

fn main() {
    let _: Router = Router::new().route("/", post(handler));
}
