//! A directory as a site: `cargo run -p armature-core --example static_files -- 127.0.0.1:8080 public`.
//!
//! Without a directory it serves the sources of these examples. Try `curl -i -H 'Range: bytes=0-99' http://127.0.0.1:8080/hello.rs`.

use armature_core::{
    Error, Failure, Files, MediaType, Redirect, Response, Router, Server, State, StatusCode,
    file::File,
    get,
    http::{HeaderValue, header},
    respond::{BadTarget, Conditions},
};

/// A file of the handler's choice, to be saved under a name.
async fn download(State(directory): State<String>, conditions: Conditions) -> Result<Response, Failure> {
    let file = File::open(format!("{directory}/static_files.rs"))
        .await
        .map_err(|error| Failure::new(StatusCode::NOT_FOUND, "there is nothing to download").because(error))?;
    let name = HeaderValue::from_static("attachment; filename=\"server.rs\"");
    Ok(file.with_media_type(MediaType::BYTES).answer(&conditions).with_header(header::CONTENT_DISPOSITION, name))
}

async fn home() -> Result<Redirect, BadTarget> {
    Redirect::see_other("/static_files.rs")
}

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let directory = arguments.next().unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/examples").into());
    let server = Server::bind(address)?.workers(1).drain_on_signals()?;
    println!("{}", server.local_addr());
    server.serve(move |_| {
        Ok::<_, Error>(
            Router::new()
                .route("/", get(home))
                .route("/download", get(download))
                .with_state(directory.clone())
                .route_service("/{*path}", Files::new(&directory)?),
        )
    })
}
