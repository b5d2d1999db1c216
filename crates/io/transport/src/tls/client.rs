//! What we trust as a TLS client.
//!
//! Mail between strangers is encrypted with whatever certificate there is (RFC 7435): the verifier of
//! [`Verify::Record`] takes any, and the verdict is written down afterwards. What is always checked is
//! the handshake's signature: that the peer holds the key of the certificate it showed.

use std::{fmt, path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    time_provider::TimeProvider,
};
use world::{Clock, World, net::Endpoint};

use super::{TlsError, explain, pem, provider};

/// What a server's certificate must be for a connection to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Any certificate will do; whether it verifies is recorded in [`smtp::TlsFacts::verified`].
    Record,
    /// It must verify for the server's name.
    Require,
}

/// The client's TLS configuration: made once, shared by all sessions. Cheap to clone.
#[derive(Clone)]
pub struct ClientTls {
    /// `Err` says why nothing can be verified here.
    trust: Result<Arc<dyn ServerCertVerifier>, Arc<str>>,
    /// What the verdict is against, as [`smtp::TlsFacts::verified`] shows it.
    against: Arc<str>,
    record: Arc<ClientConfig>,
    require: Arc<ClientConfig>,
    clock: Clock,
}

impl ClientTls {
    /// Trusts the issuers that the operating system trusts. Where it has none, nothing verifies, and
    /// that is what facts and errors then say.
    ///
    /// # Errors
    /// rustls lacks what it needs; no fault of any file.
    pub fn new(world: &World) -> Result<Self, TlsError> {
        let trust = rustls_platform_verifier::Verifier::new(provider())
            .map(|verifier| Arc::new(verifier) as Arc<dyn ServerCertVerifier>)
            .map_err(|error| {
                format!(
                    "this machine has no trusted issuers (Debian: install ca-certificates): {error}"
                )
                .into()
            });
        Self::with_trust(world, trust, "the issuers that this machine trusts")
    }

    /// Trusts the issuers in a PEM file only.
    ///
    /// # Errors
    /// The file can't be read, or there is something in it that is no certificate.
    pub fn with_authorities(world: &World, file: &Path) -> Result<Self, TlsError> {
        let shown = file.display().to_string();
        let text = pem::read(file)?;
        let mut roots = RootCertStore::empty();
        for section in pem::certificates(&text, &shown)? {
            let line = section.line;
            roots.add(section.der).map_err(|error| TlsError::Wrong {
                file: shown.clone(),
                why: format!("the certificate in line {line} can't be an issuer: {error}"),
            })?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| TlsError::Wrong { file: shown.clone(), why: error.to_string() })?;
        Self::with_trust(world, Ok(verifier), &format!("the issuers in `{shown}`"))
    }

    fn with_trust(
        world: &World,
        trust: Result<Arc<dyn ServerCertVerifier>, Arc<str>>,
        against: &str,
    ) -> Result<Self, TlsError> {
        let config = |verify| {
            let verifier = Verifier { trust: trust.clone(), verify, provider: provider() };
            config_with(verifier, world.clock)
        };
        let (record, require) = (config(Verify::Record)?, config(Verify::Require)?);
        Ok(Self {
            record: Arc::new(record),
            require: Arc::new(require),
            trust,
            against: against.into(),
            clock: world.clock,
        })
    }

    /// The name as rustls takes it. A host name that no certificate can bear is no obstacle where any
    /// certificate will do.
    pub(super) fn name_for(
        &self,
        name: &str,
        verify: Verify,
        peer: &Endpoint,
    ) -> Result<ServerName<'static>, String> {
        let parsed = ServerName::try_from(name.trim_end_matches('.').to_owned());
        match (parsed, peer.ip()) {
            (Ok(parsed), _) => Ok(parsed),
            (Err(_), Some(ip)) if verify == Verify::Record => Ok(ServerName::from(ip)),
            (Err(_), _) => Err(format!("`{name}` is no name that a certificate can be for")),
        }
    }

    /// The configuration for a handshake. Sessions are resumed among those of the same mode.
    pub(super) fn config(&self, verify: Verify) -> Arc<ClientConfig> {
        Arc::clone(match verify {
            Verify::Record => &self.record,
            Verify::Require => &self.require,
        })
    }

    /// Whether the certificate of a finished handshake verifies, and against what; or why not.
    pub(super) fn verdict(
        &self,
        certificates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        shown: &str,
    ) -> Result<String, String> {
        let trust = self.trust.as_ref().map_err(ToString::to_string)?;
        let Some((leaf, rest)) = certificates.split_first() else {
            return Err("it showed no certificate".to_owned());
        };
        let now = Calendar(self.clock).current_time().unwrap_or_else(UnixTime::now);
        match trust.verify_server_cert(leaf, rest, name, &[], now) {
            Ok(_) => Ok(format!("for `{shown}`, by {}", self.against)),
            Err(error) => Err(explain::error(&error, Some(shown), certificates)),
        }
    }
}

fn config_with(verifier: Verifier, clock: Clock) -> Result<ClientConfig, TlsError> {
    let config = ClientConfig::builder_with_details(provider(), Arc::new(Calendar(clock)))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// The world's clock, as rustls asks for it.
#[derive(Debug)]
struct Calendar(Clock);

impl TimeProvider for Calendar {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_millis(self.0.now().0)))
    }
}

/// Why a certificate was refused, in our words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(String);

struct Verifier {
    trust: Result<Arc<dyn ServerCertVerifier>, Arc<str>>,
    verify: Verify,
    provider: Arc<CryptoProvider>,
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
        if self.verify == Verify::Record {
            return Ok(ServerCertVerified::assertion());
        }
        let refuse = |why: String| {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(
                Refused(why),
            ))))
        };
        let trust = self.trust.as_ref().map_err(|why| refuse(why.to_string()))?;
        trust
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| {
                // Said here, where the certificate is at hand: the handshake gives nothing else back.
                let certificates: Vec<_> =
                    std::iter::once(end_entity).chain(intermediates).cloned().collect();
                refuse(explain::error(&error, Some(&server_name.to_str()), &certificates))
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("verify", &self.verify).finish_non_exhaustive()
    }
}
