//! What rustls reports, in words for an administrator: a clause each, about the peer; and in those of
//! TLS reports.

use std::{error::Error as _, io};

use rustls::{
    AlertDescription, CertificateError, Error, PeerIncompatible, pki_types::CertificateDer,
};

use super::{client::Refused, facts};
use crate::policy::TlsResult;

/// Why a peer was refused, or refused us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// In one clause, about the peer.
    pub(super) why: String,
    /// As TLS reports call it.
    pub(super) result: TlsResult,
}

impl Refusal {
    pub(super) fn new(why: impl Into<String>, result: TlsResult) -> Self {
        Self { why: why.into(), result }
    }

    /// What our own look at a chain found.
    pub(super) fn of_webpki(error: &webpki::Error, leaf: &CertificateDer<'_>) -> Self {
        match error {
            webpki::Error::CertExpired { .. } => {
                let why =
                    format!("a certificate of its chain has expired{}", facts::expiry_of(leaf));
                Self::new(why, TlsResult::CertificateExpired)
            }
            webpki::Error::InvalidSignatureForPublicKey => {
                Self::new(OTHER_KEY, TlsResult::CertificateNotTrusted)
            }
            webpki::Error::UnknownIssuer => Self::new(
                "its certificate is from another issuer",
                TlsResult::CertificateNotTrusted,
            ),
            other => Self::new(
                format!("its certificate does not verify: {other:?}"),
                TlsResult::ValidationFailure,
            ),
        }
    }
}

/// Two issuers of one name: one that changed its key, or one that only says so.
const OTHER_KEY: &str = "its certificate was not signed by the issuer that is trusted here, but by another of that name";

/// Why a handshake failed, and whether it was for the certificate.
pub(super) fn handshake(error: &io::Error) -> (Refusal, bool) {
    let broken = |why: &str| (Refusal::new(why, TlsResult::ValidationFailure), false);
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(found) => {
            (self::error(found, None, &[]), matches!(found, Error::InvalidCertificate(_)))
        }
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof => broken("it closed the connection in the handshake"),
            io::ErrorKind::ConnectionReset => broken("it reset the connection in the handshake"),
            _ => broken(&error.source().map_or_else(|| error.to_string(), ToString::to_string)),
        },
    }
}

/// The same for what rustls itself found.
pub(super) fn error(
    error: &Error,
    name: Option<&str>,
    certificates: &[CertificateDer<'_>],
) -> Refusal {
    let why = match error {
        Error::InvalidCertificate(error) => return wrong_certificate(error, name, certificates),
        Error::AlertReceived(alert) => alerted(*alert),
        Error::InvalidMessage(_) => "what it sent is no TLS".to_owned(),
        Error::PeerIncompatible(why) => incompatible(why),
        Error::General(text) => text.clone(),
        other => other.to_string(),
    };
    Refusal::new(why, TlsResult::ValidationFailure)
}

fn incompatible(why: &PeerIncompatible) -> String {
    match why {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::Tls12NotOfferedOrEnabled => {
            "it answered with a TLS version older than we take (1.2 at least, unless the route asks \
             for more)"
                .to_owned()
        }
        PeerIncompatible::NoCipherSuitesInCommon => {
            "it chose no cipher that we offer: those with forward secrecy and AEAD".to_owned()
        }
        PeerIncompatible::NoKxGroupsInCommon => {
            "it knows no key exchange group that we offer".to_owned()
        }
        PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => {
            "it knows no kind of signature that we do".to_owned()
        }
        other => format!("there is no TLS version or cipher that both know ({other:?})"),
    }
}

fn alerted(alert: AlertDescription) -> String {
    let number = u8::from(alert);
    match alert {
        AlertDescription::UnknownCA => "it does not trust the issuer of our certificate".to_owned(),
        AlertDescription::CertificateExpired => {
            "it says that our certificate has expired".to_owned()
        }
        AlertDescription::BadCertificate => "it refused our certificate".to_owned(),
        AlertDescription::CertificateRequired => {
            "it wants a client certificate, and the route has none".to_owned()
        }
        AlertDescription::ProtocolVersion => {
            "it knows neither TLS 1.2 nor 1.3 (alert protocol_version, 70)".to_owned()
        }
        AlertDescription::HandshakeFailure => {
            "it found no version, cipher or group in our offer that it would take (alert \
             handshake_failure, 40)"
                .to_owned()
        }
        AlertDescription::UnrecognisedName => {
            "it does not know the name that it was asked for by SNI (alert unrecognized_name, 112)"
                .to_owned()
        }
        other => format!("it broke the handshake off with the alert `{other:?}` ({number})"),
    }
}

fn wrong_certificate(
    error: &CertificateError,
    name: Option<&str>,
    certificates: &[CertificateDer<'_>],
) -> Refusal {
    let leaf = certificates.first();
    let (why, result) = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            format!("its certificate has expired{}", leaf.map_or(String::new(), facts::expiry_of)),
            TlsResult::CertificateExpired,
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("its certificate is not valid yet".to_owned(), TlsResult::ValidationFailure)
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = leaf.map(facts::names_of).unwrap_or_default();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            let name = name.unwrap_or("that name");
            (
                format!("its certificate is not for `{name}` but for {names}"),
                TlsResult::CertificateHostMismatch,
            )
        }
        CertificateError::UnknownIssuer => {
            let why = match leaf.and_then(facts::issuer_of) {
                Some((issuer, true)) => format!("its certificate is self-signed (`{issuer}`)"),
                Some((issuer, false)) => {
                    format!("its certificate is from an issuer not trusted here: `{issuer}`")
                }
                None => "its certificate is from an issuer not trusted here".to_owned(),
            };
            (why, TlsResult::CertificateNotTrusted)
        }
        CertificateError::BadSignature => (OTHER_KEY.to_owned(), TlsResult::CertificateNotTrusted),
        CertificateError::Revoked => {
            ("its certificate was revoked".to_owned(), TlsResult::CertificateNotTrusted)
        }
        CertificateError::Other(own) => match own.0.downcast_ref::<Refused>() {
            Some(Refused(refusal)) => return refusal.clone(),
            None => return not_verified(error, leaf),
        },
        CertificateError::BadEncoding => {
            ("its certificate is no X.509 certificate".to_owned(), TlsResult::ValidationFailure)
        }
        _ => return not_verified(error, leaf),
    };
    Refusal { why, result }
}

/// A certificate authority's own certificate on a server is how self-signed ones often look.
fn not_verified(error: &CertificateError, leaf: Option<&CertificateDer<'_>>) -> Refusal {
    match leaf.and_then(facts::issuer_of) {
        Some((issuer, true)) => {
            let why = format!("its certificate is self-signed (`{issuer}`): {}", Words(error));
            Refusal::new(why, TlsResult::CertificateNotTrusted)
        }
        _ => Refusal::new(
            format!("its certificate does not verify: {}", Words(error)),
            TlsResult::ValidationFailure,
        ),
    }
}

/// The verifier's own words, where rustls wraps them; a sentence for the one that is met every day.
struct Words<'a>(&'a CertificateError);

impl std::fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let CertificateError::Other(inner) = self.0 else { return self.0.fmt(f) };
        match inner.0.downcast_ref() {
            Some(webpki::Error::CaUsedAsEndEntity) => {
                f.write_str("it is made for an authority, not for a server")
            }
            _ => inner.0.fmt(f),
        }
    }
}
