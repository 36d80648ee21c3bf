//! Bodies of any length in little memory: `cargo run -p armature-core --example streaming -- 127.0.0.1:8080`, then
//! `curl -T some-file localhost:8080/sum` and `curl localhost:8080/numbers/1000000`.

use std::thread;

use armature_core::{
    Error, MediaType, Path, RequestBody, Response, Router, Server,
    body::BodyError,
    get, put,
    stream::{self, Closed, Overflow, Sender, Watermarks},
};

/// An upload: the client sends no faster than the handler asks for pieces.
async fn sum(mut body: RequestBody) -> Result<String, BodyError> {
    let (mut bytes, mut sum) = (0, 0_u64);
    while let Some(piece) = body.piece().await? {
        bytes += piece.len();
        sum = piece.iter().fold(sum, |sum, byte| sum.wrapping_add((*byte).into()));
    }
    Ok(format!("{bytes} bytes, sum {sum}\n"))
}

/// A download, made on a thread of its own no faster than the client reads it.
async fn numbers(Path(count): Path<u64>) -> Response {
    let (sender, receiver) = stream::channel(Watermarks::default(), Overflow::Wait);
    let runtime = tokio::runtime::Handle::current();
    thread::spawn(move || {
        if let Err(Closed) = runtime.block_on(count_to(count, sender)) {
            eprintln!("the client has gone");
        }
    });
    Response::new(MediaType::TEXT, receiver)
}

async fn count_to(count: u64, mut sender: Sender) -> Result<(), Closed> {
    for number in 1..=count {
        sender.send(format!("{number}\n")).await?;
    }
    sender.finish();
    Ok(())
}

fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::bind(address)?.workers(1).drain_on_signals()?;
    println!("{}", server.local_addr());
    server.serve(|_| {
        Router::new().route("/sum", put(sum).body_bytes_max(1 << 40)).route("/numbers/{count}", get(numbers))
    })
}
