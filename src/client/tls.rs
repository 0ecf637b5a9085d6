//! TLS to the database, with libpq's meaning of `sslmode`
//! (<https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS>).

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum TlsError {
    /// A certificate or key file cannot be used.
    #[error("cannot read {what} {path}: {reason}")]
    #[diagnostic(
        code(rwt::client::tls_file),
        help("check `{key}` of the target in profiles.yml")
    )]
    File {
        /// What the file should hold.
        what: &'static str,
        /// The profile's key.
        key: &'static str,
        /// The file.
        path: String,
        /// What went wrong.
        reason: String,
    },
    /// rustls refused the configuration.
    #[error("TLS cannot be configured: {0}")]
    #[diagnostic(code(rwt::client::tls_config))]
    Config(#[from] rustls::Error),
    /// The verifier refused its roots.
    #[error("TLS cannot be configured: {0}")]
    #[diagnostic(
        code(rwt::client::tls_roots),
        help("set `sslrootcert` of the target to a file with the server's root certificate")
    )]
    Roots(#[from] rustls::client::VerifierBuilderError),
}

/// How far the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verification {
    /// Not at all: `prefer` and `require` protect against listeners only.
    None,
    /// Its chain: `verify-ca`.
    Chain,
    /// Its chain and its name: `verify-full`.
    ChainAndName,
}

/// The files that a target may name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Files<'a> {
    pub root: Option<&'a Path>,
    pub certificate: Option<&'a Path>,
    pub key: Option<&'a Path>,
}

/// A connector for tokio-postgres.
pub(super) fn connector(
    verification: Verification,
    files: Files<'_>,
) -> Result<MakeRustlsConnect, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Verifier::new(verification, files.root, &provider)?);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match (files.certificate, files.key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("the client certificate", "sslcert", certificate)?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| file_error("the client key", "sslkey", key, error))?;
            builder.with_client_auth_cert(chain, key)?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

fn file_error(
    what: &'static str,
    key: &'static str,
    path: &Path,
    error: impl std::fmt::Display,
) -> TlsError {
    TlsError::File {
        what,
        key,
        path: path.display().to_string(),
        reason: error.to_string(),
    }
}

fn certificates(
    what: &'static str,
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| file_error(what, key, path, error))
}

/// Checks as much as `sslmode` asks for; signatures are always checked.
#[derive(Debug)]
struct Verifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    check_name: bool,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(
        verification: Verification,
        root: Option<&Path>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        // As libpq: `require` with a root certificate checks the chain.
        let wants_chain = verification != Verification::None || root.is_some();
        let chain = if wants_chain {
            let mut roots = RootCertStore::empty();
            match root {
                Some(path) => {
                    for certificate in certificates("the root certificate", "sslrootcert", path)? {
                        roots.add(certificate)?;
                    }
                }
                None => {
                    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                }
            }
            let builder =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
            Some(builder.build()?)
        } else {
            None
        };
        Ok(Self {
            chain,
            check_name: verification == Verification::ChainAndName,
            provider: provider.clone(),
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.check_name => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
