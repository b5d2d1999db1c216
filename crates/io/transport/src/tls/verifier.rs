//! The look at a server's certificate while a handshake is under way, and what it leaves behind: rustls
//! gives nothing back but an error.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    CertificateError, DigitallySignedStruct, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{
    client::Verify,
    explain::{self, Refusal},
    provider,
};
use crate::policy::TlsResult;

/// Who is trusted.
#[derive(Clone)]
pub(super) struct Trust {
    /// `Err` says why nothing can be verified here.
    pub(super) verifier: Result<Arc<dyn ServerCertVerifier>, Arc<str>>,
    /// What the verdict is against, as [`smtp::TlsFacts::verified`] shows it.
    pub(super) against: Arc<str>,
}

impl Trust {
    /// Whether a chain verifies for a name, and against what; or why not.
    pub(super) fn verdict(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        shown: &str,
        now: UnixTime,
    ) -> Result<String, Refusal> {
        let untrusted = |why: &Arc<str>| Refusal::new(&**why, TlsResult::CertificateNotTrusted);
        let verifier = self.verifier.as_ref().map_err(untrusted)?;
        match verifier.verify_server_cert(leaf, rest, name, &[], now) {
            Ok(_) => Ok(format!("for `{shown}`, by {}", self.against)),
            Err(error) => {
                // Said here, where the certificate is at hand.
                let certificates: Vec<_> = std::iter::once(leaf).chain(rest).cloned().collect();
                Err(explain::error(&error, Some(shown), &certificates))
            }
        }
    }
}

/// What one handshake's verifier saw.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Option<Sight>>>);

struct Sight {
    chain: Vec<CertificateDer<'static>>,
    verdict: Result<String, Refusal>,
}

impl Seen {
    /// The peer's certificates, if they came that far.
    pub(super) fn chain(&self) -> Option<Vec<CertificateDer<'static>>> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref().map(|sight| sight.chain.clone())
    }

    pub(super) fn verdict(&self) -> Option<Result<String, Refusal>> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref().map(|sight| sight.verdict.clone())
    }
}

/// Why a certificate was refused, in our words.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.why)]
pub(super) struct Refused(pub(super) Refusal);

pub(super) struct Verifier {
    trust: Trust,
    verify: Verify,
    provider: Arc<CryptoProvider>,
    seen: Seen,
}

impl Verifier {
    pub(super) fn new(trust: Trust, verify: Verify, seen: Seen) -> Self {
        Self { trust, verify, provider: provider(), seen }
    }

    fn look(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<String, Refusal> {
        match &self.verify {
            Verify::Record => Ok(String::new()),
            Verify::Dane(dane) => dane.check(leaf, rest, now, &self.provider),
            Verify::Require { names } if names.is_empty() => {
                self.trust.verdict(leaf, rest, name, &name.to_str(), now)
            }
            Verify::Require { names } => {
                let mut first = None;
                for shown in names {
                    let Ok(name) = ServerName::try_from(shown.as_str()) else { continue };
                    match self.trust.verdict(leaf, rest, &name, shown, now) {
                        Ok(verified) => return Ok(verified),
                        Err(refusal) => first = first.or(Some(refusal)),
                    }
                }
                let none = || {
                    let why = format!("none of `{}` is a host name", names.join("`, `"));
                    Refusal::new(why, TlsResult::ValidationFailure)
                };
                Err(first.unwrap_or_else(none))
            }
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.verify == Verify::Record {
            return Ok(ServerCertVerified::assertion());
        }
        let verdict = self.look(end_entity, intermediates, server_name, now);
        let own = |der: &CertificateDer<'_>| der.clone().into_owned();
        let chain = std::iter::once(end_entity).chain(intermediates).map(own).collect();
        let sight = Sight { chain, verdict: verdict.clone() };
        *self.seen.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sight);
        match verdict {
            Ok(_) => Ok(ServerCertVerified::assertion()),
            Err(refusal) => Err(rustls::Error::InvalidCertificate(CertificateError::Other(
                OtherError(Arc::new(Refused(refusal))),
            ))),
        }
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
