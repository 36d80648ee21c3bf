//! A state that the router is not given.

use armature_core::{Router, State, get};

async fn handler(State(number): State<u32>) -> String {
    number.to_string()
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
