//! Two parameters of one name.

fn main() {
    armature_core::route!(concat!("/users/{id}", "/posts/{id}"));
}
