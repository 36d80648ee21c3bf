//! hyper's client as a second opinion: it shares no code with the server and is what many programs read with.

use std::convert::Infallible;

use armature_core::Limits;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    Request,
    body::{Bytes, Frame},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::app::Running;

type RequestBody = BoxBody<Bytes, Infallible>;

/// A body of one frame per piece and no length, which hyper sends in chunks.
struct Pieces(Vec<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(self.0.pop().map(|piece| Ok(Frame::data(piece))))
    }
}

#[tokio::test]
async fn hyper_understands_every_kind_of_answer() {
    let server = Running::start(Limits::default());
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) = http1::handshake::<_, RequestBody>(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let large = Bytes::from(vec![b'y'; 1_000_000]);
    let cases: Vec<(&str, &str, RequestBody, u16, Vec<u8>)> = vec![
        ("GET", "/", Full::default().boxed(), 200, b"root".to_vec()),
        ("HEAD", "/", Full::default().boxed(), 200, Vec::new()),
        ("GET", "/stream", Full::default().boxed(), 200, b"stream".to_vec()),
        ("HEAD", "/stream", Full::default().boxed(), 200, Vec::new()),
        ("GET", "/declared", Full::default().boxed(), 200, b"declared".to_vec()),
        ("GET", "/nothing", Full::default().boxed(), 204, Vec::new()),
        ("GET", "/unmodified", Full::default().boxed(), 304, Vec::new()),
        ("GET", "/large", Full::default().boxed(), 200, vec![b'x'; 100_000]),
        ("POST", "/echo", Full::new(large.clone()).boxed(), 200, large.to_vec()),
        (
            "POST",
            "/echo",
            Pieces(vec![large.clone(), Bytes::from_static(b"first")]).boxed(),
            200,
            [b"first", &large[..]].concat(),
        ),
        ("GET", "/none", Full::default().boxed(), 404, Vec::new()),
        ("GET", "/", Full::default().boxed(), 200, b"root".to_vec()),
    ];
    for (method, path, body, status, expected) in cases {
        let request = Request::builder().method(method).uri(path).header("host", "test").body(body).unwrap();
        sender.ready().await.unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(body == expected, "{method} {path}: {} bytes, {} expected", body.len(), expected.len());
    }
}
