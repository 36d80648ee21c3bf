//! TLS: what is agreed on, certificates that do not fit, and such as are exchanged.

use std::time::Duration;

use armature_core::{ErrorKind, Limits, Tls};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    certificate::{Files, make, trust},
    client::{ask1, ask2, connect, http2_over, run, serve},
};

#[test]
fn both_versions_are_spoken_on_one_port() {
    let made = make();
    let files = Files::new(&made.certificate, &made.key);
    let tls = Tls::from_pem_files(files.certificate(), files.key()).unwrap();
    let (_server, address) = serve(Limits::default(), |server| server.tls(tls).http2(true));
    run(async {
        for (offered, agreed) in [
            (&["h2", "http/1.1"][..], Some("h2")),
            (&["http/1.1"], Some("http/1.1")),
            (&[], None),
            (&["h2"], Some("h2")),
        ] {
            let stream = connect(address, trust(&made, offered)).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), agreed.map(str::as_bytes), "{offered:?}");
            if agreed == Some("h2") {
                let mut sender = http2_over(stream).await;
                let answer = ask2(&mut sender, "GET", "/describe", b"").await;
                assert_eq!((answer.status, answer.text()), (200, "Http2 true true localhost"));
                assert_eq!(answer.version, http::Version::HTTP_2);
            } else {
                let answer = ask1(stream, "GET", "/describe", b"").await;
                assert_eq!((answer.status, answer.text()), (200, "Http11 true true localhost"));
            }
        }
    });
}

#[test]
fn bodies_pass_both_ways() {
    let made = make();
    let files = Files::new(&made.certificate, &made.key);
    let tls = Tls::from_pem_files(files.certificate(), files.key()).unwrap();
    let (_server, address) = serve(Limits::default(), |server| server.tls(tls));
    run(async {
        for length in [0, 1, 16_384, 16_385, 1_000_000] {
            let sent = vec![7; length];
            let answer = ask1(connect(address, trust(&made, &[])).await.unwrap(), "POST", "/echo", &sent).await;
            assert!(answer.status == 200 && answer.body == sent, "{length}");
        }
        let answer = ask1(connect(address, trust(&made, &[])).await.unwrap(), "GET", "/streamed", b"").await;
        let expected: Vec<u8> = (0..100).flat_map(|piece| vec![piece; 10_000]).collect();
        assert_eq!(answer.body, expected);
    });
}

#[test]
fn a_certificate_is_exchanged_while_the_server_runs() {
    let (old, new) = (make(), make());
    let files = Files::new(&old.certificate, &old.key);
    let tls = Tls::from_pem_files(files.certificate(), files.key()).unwrap();
    let reloads = tls.clone();
    let (_server, address) = serve(Limits::default(), |server| server.tls(tls));
    run(async {
        let open = connect(address, trust(&old, &[])).await.unwrap();
        assert!(connect(address, trust(&new, &[])).await.is_err());
        // What is wrong changes nothing.
        files.write(&new.certificate, &old.key);
        assert_eq!(reloads.reload().unwrap_err().kind(), ErrorKind::Tls);
        assert!(connect(address, trust(&old, &[])).await.is_ok());
        files.write(&new.certificate, &new.key);
        reloads.reload().unwrap();
        assert!(connect(address, trust(&old, &[])).await.is_err());
        assert_eq!(ask1(connect(address, trust(&new, &[])).await.unwrap(), "GET", "/users/1", b"").await.text(), "1");
        assert_eq!(ask1(open, "GET", "/users/2", b"").await.text(), "2");
    });
}

#[test]
fn what_is_wrong_with_certificates_is_said_with_their_files() {
    let (made, other) = (make(), make());
    let cases = [
        (&*made.certificate, &*other.key, "is not that of the key in"),
        ("", &made.key, "there is no certificate in"),
        ("no PEM", &made.key, "there is no certificate in"),
        (&made.certificate, "", "cannot read a private key from"),
        (&made.certificate, &made.certificate, "cannot read a private key from"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &made.key, "cannot use the certificate"),
    ];
    for (certificate, key, expected) in cases {
        let files = Files::new(certificate, key);
        let error = Tls::from_pem_files(files.certificate(), files.key()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains(".pem"), "{text}");
    }
    let error = Tls::from_pem_files("/nowhere/chain.pem", "/nowhere/key.pem").unwrap_err();
    assert!(error.to_string().contains("/nowhere/chain.pem"), "{error}");
}

#[test]
fn who_does_not_shake_hands_is_let_go() {
    let made = make();
    let files = Files::new(&made.certificate, &made.key);
    let tls = Tls::from_pem_files(files.certificate(), files.key()).unwrap();
    let limits = Limits { head_deadline: Duration::from_millis(200), ..Limits::default() };
    let (_server, address) = serve(limits, |server| server.tls(tls));
    run(async {
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut plain = TcpStream::connect(address).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        for stream in [&mut silent, &mut plain] {
            let mut received = Vec::new();
            // Closed in order or reset: in either case nothing of HTTP came.
            let _ = stream.read_to_end(&mut received).await;
            assert!(!received.starts_with(b"HTTP"));
        }
        assert_eq!(ask1(connect(address, trust(&made, &[])).await.unwrap(), "GET", "/users/1", b"").await.text(), "1");
    });
}

#[test]
fn who_agrees_on_http2_and_does_not_speak_it_is_let_go() {
    let made = make();
    let files = Files::new(&made.certificate, &made.key);
    let tls = Tls::from_pem_files(files.certificate(), files.key()).unwrap();
    let limits = Limits {
        head_deadline: Duration::from_millis(200),
        idle_deadline: Duration::from_millis(200),
        ..Limits::default()
    };
    let (_server, address) = serve(limits, |server| server.tls(tls).http2(true));
    run(async {
        for said in [&b""[..], b"PRI * HTTP/2.0\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let mut stream = connect(address, trust(&made, &["h2"])).await.unwrap();
            stream.write_all(said).await.unwrap();
            // Closed, however that looks in TLS.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
}

#[test]
fn an_upgraded_connection_can_be_given_to_another_task() {
    let made = make();
    let files = Files::new(&made.certificate, &made.key);
    let tls = Tls::from_pem_files(files.certificate(), files.key()).unwrap();
    let (_server, address) = serve(Limits::default(), |server| server.tls(tls));
    run(async {
        let mut stream = connect(address, trust(&made, &[])).await.unwrap();
        let head = b"GET /shout HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
        for word in ["hello", "again"] {
            stream.write_all(word.as_bytes()).await.unwrap();
            let mut shouted = [0; 5];
            stream.read_exact(&mut shouted).await.unwrap();
            assert_eq!(shouted, *word.to_uppercase().as_bytes());
        }
    });
}
