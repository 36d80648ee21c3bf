//! A pattern that is malformed.

fn main() {
    armature_core::route!("/users/{id");
}
