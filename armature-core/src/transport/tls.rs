//! Certificates: read from PEM files, checked against their key, and exchanged while the server runs; and the handshakes that
//! use them.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};

use super::{encrypted::Encrypted, in_time, serve_http1};
use crate::{
    error::{Error, ErrorKind},
    io::{TaskKey, Tcp},
    service::{ConnectionInfo, Service},
    worker::Opened,
};

/// A certificate chain with its private key, for [`Server::tls`](crate::Server::tls). Clones share it.
///
/// ```no_run
/// use armature_core::{Router, Server, Tls, get};
///
/// let tls = Tls::from_pem_files("chain.pem", "key.pem")?;
/// let server = Server::bind("127.0.0.1:8443")?.tls(tls.clone()).http2(true);
/// std::thread::spawn(move || {
///     // For example on SIGHUP, or when a renewal has put new files in place.
///     if let Err(error) = tls.reload() {
///         eprintln!("the old certificate stays: {error}");
///     }
/// });
/// server.serve(|_| Router::new().route("/", get(async || "secret")))?;
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    certificates: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
}

impl Tls {
    /// Reads a chain of certificates, the server's own first, and the private key (PKCS #8, PKCS #1 or SEC 1), both in PEM
    /// (RFC 7468).
    ///
    /// # Errors
    /// [`ErrorKind::Tls`] with the file and what is wrong: unreadable, nothing of the kind in it, a key that cannot be used,
    /// or a certificate that is not the key's.
    ///
    /// ```
    /// use armature_core::{ErrorKind, Tls};
    ///
    /// let error = Tls::from_pem_files("/no/such/chain.pem", "/no/such/key.pem").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Tls);
    /// ```
    pub fn from_pem_files(certificates: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, Error> {
        let (certificates, key) = (certificates.into(), key.into());
        let provider = Arc::new(ring::default_provider());
        let current = ArcSwap::from_pointee(load(&certificates, &key, &provider)?);
        Ok(Self(Arc::new(Inner { certificates, key, provider, current })))
    }

    /// Reads the files again. Connections that are made from now on get the new certificate; those that are open go on.
    ///
    /// # Errors
    /// As [`from_pem_files`](Self::from_pem_files); the certificate that was there stays in use then.
    ///
    /// ```
    /// use armature_core::{ErrorKind, Tls};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    /// # std::fs::write(&chain, made.cert.pem()).unwrap();
    /// # std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    ///
    /// let tls = Tls::from_pem_files(&chain, &key)?;
    /// tls.reload()?;
    /// std::fs::write(&key, "half a ke").unwrap();
    /// assert_eq!(tls.reload().unwrap_err().kind(), ErrorKind::Tls); // The old one stays in use.
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn reload(&self) -> Result<(), Error> {
        self.0.current.store(Arc::new(load(&self.0.certificates, &self.0.key, &self.0.provider)?));
        Ok(())
    }

    /// What rustls needs to serve with it, offering these protocols (ALPN, RFC 7301).
    pub(crate) fn config(&self, protocols: &[&[u8]]) -> Result<Arc<ServerConfig>, Error> {
        let builder = ServerConfig::builder_with_provider(self.0.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|source| Error::caused(ErrorKind::Tls, "no version of TLS can be spoken", source.into()))?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(Resolver(self.clone())));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("certificates", &self.0.certificates).field("key", &self.0.key).finish()
    }
}

/// Gives each handshake the certificate of the moment.
#[derive(Debug)]
struct Resolver(Tls);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.0.current.load_full())
    }
}

fn load(certificates: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
    let problem = |path: &Path, what: &str, source: Box<dyn std::error::Error + Send + Sync>| {
        Error::caused(ErrorKind::Tls, format!("{what} {}", path.display()), source)
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect)
        .map_err(|source| problem(certificates, "cannot read certificates from", source.into()))?;
    if chain.is_empty() {
        return Err(Error::new(ErrorKind::Tls, format!("there is no certificate in {}", certificates.display())));
    }
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|source| problem(key, "cannot read a private key from", source.into()))?;
    CertifiedKey::from_der(chain, secret, provider).map_err(|source| match source {
        rustls::Error::InconsistentKeys(_) => Error::new(
            ErrorKind::Tls,
            format!("the certificate in {} is not that of the key in {}", certificates.display(), key.display()),
        ),
        source => problem(certificates, "cannot use the certificate and key of", source.into()),
    })
}

/// Shakes hands, in the time that a client has for a head, and serves what was agreed on. A client with which nothing can be
/// agreed is told so in TLS and dropped.
pub(super) async fn serve<S: Service>(
    tls: &TlsAcceptor,
    stream: Tcp,
    peer: SocketAddr,
    worker: Opened<S>,
    task: TaskKey,
) {
    let Some(Ok(stream)) = in_time(&worker, tls.accept(stream)).await else { return };
    let info = ConnectionInfo::new(peer, true);
    #[cfg(feature = "http2")]
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        return super::preface::serve_http2(stream, info, worker).await;
    }
    serve_http1(Encrypted::new(stream), info, worker, task).await;
}
