//! A result that is no response.

use armature_core::{Router, get};

async fn handler() -> u32 {
    7
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
