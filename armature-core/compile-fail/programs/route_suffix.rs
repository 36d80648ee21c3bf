//! Text behind a parameter, in a function that nothing calls.

fn unused<T>() -> &'static str {
    armature_core::route!("/images/{name}.png")
}

fn main() {}
