//! HTTP/1.1 and HTTP/2 under TLS on one port, with a certificate that is read again on SIGHUP:
//! `cargo run -p armature-core --features tls,http2 --example tls -- 127.0.0.1:8443 chain.pem key.pem`,
//! then `curl --cacert chain.pem https://localhost:8443/`.

use std::rc::Rc;

use armature_core::{Error, Router, Server, Tls, get, http::Version, service::ConnectionInfo};

async fn hello(version: Version, connection: Rc<ConnectionInfo>) -> String {
    format!("{version:?}, encrypted: {}", connection.is_secure())
}

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let address = argument("127.0.0.1:8443");
    let tls = Tls::from_pem_files(argument("chain.pem"), argument("key.pem"))?;
    let server = Server::bind(address)?.tls(tls.clone()).http2(true).drain_on_signals()?;
    let mut hangups =
        signal_hook::iterator::Signals::new([signal_hook::consts::SIGHUP]).expect("signals can be caught");
    std::thread::spawn(move || {
        for _ in hangups.forever() {
            match tls.reload() {
                Ok(()) => eprintln!("the certificate was exchanged"),
                Err(error) => eprintln!("the old certificate stays: {error}"),
            }
        }
    });
    println!("{}", server.local_addr());
    server.serve(|_| Router::new().route("/", get(hello)))
}
