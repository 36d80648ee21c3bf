//! The smallest server: `cargo run -p armature-core --example hello -- 127.0.0.1:8080`. Ctrl-C or SIGTERM drains it.

use armature_core::{Error, Path, Router, Server, SmallString, get};

async fn hello(Path(name): Path<SmallString>) -> String {
    format!("hello, {name}")
}

fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::bind(address)?.workers(1).drain_on_signals()?;
    println!("{}", server.local_addr());
    server.serve(|_| Router::new().route("/", get(async || "hello")).route("/{name}", get(hello)))
}
