//! What rustls reports, in words for an administrator: a clause each, about the peer.

use std::{error::Error as _, io};

use rustls::{AlertDescription, CertificateError, Error, pki_types::CertificateDer};

use super::{client::Refused, facts};

/// Why a handshake failed.
pub(super) fn handshake(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(found) => self::error(found, None, &[]),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof => "it closed the connection in the handshake".to_owned(),
            io::ErrorKind::ConnectionReset => "it reset the connection in the handshake".to_owned(),
            _ => error.source().map_or_else(|| error.to_string(), ToString::to_string),
        },
    }
}

/// The same for what rustls itself found.
pub(super) fn error(
    error: &Error,
    name: Option<&str>,
    certificates: &[CertificateDer<'_>],
) -> String {
    match error {
        Error::InvalidCertificate(error) => wrong_certificate(error, name, certificates),
        Error::AlertReceived(alert) => alerted(*alert),
        Error::InvalidMessage(_) => "what it sent is no TLS".to_owned(),
        Error::PeerIncompatible(why) => {
            format!("there is no TLS version or cipher that both know ({why:?})")
        }
        Error::General(text) => text.clone(),
        other => other.to_string(),
    }
}

fn alerted(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::UnknownCA => "it does not trust the issuer of our certificate".to_owned(),
        AlertDescription::CertificateExpired => {
            "it says that our certificate has expired".to_owned()
        }
        AlertDescription::BadCertificate => "it refused our certificate".to_owned(),
        AlertDescription::ProtocolVersion => "it knows neither TLS 1.2 nor 1.3".to_owned(),
        other => format!("it broke the handshake off with the alert `{other:?}`"),
    }
}

fn wrong_certificate(
    error: &CertificateError,
    name: Option<&str>,
    certificates: &[CertificateDer<'_>],
) -> String {
    let leaf = certificates.first();
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("its certificate has expired{}", leaf.map_or(String::new(), facts::expiry_of))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = leaf.map(facts::names_of).unwrap_or_default();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            format!("its certificate is not for `{}` but for {names}", name.unwrap_or("that name"))
        }
        CertificateError::UnknownIssuer => match leaf.and_then(facts::issuer_of) {
            Some((issuer, true)) => format!("its certificate is self-signed (`{issuer}`)"),
            Some((issuer, false)) => {
                format!("its certificate is from an issuer not trusted here: `{issuer}`")
            }
            None => "its certificate is from an issuer not trusted here".to_owned(),
        },
        CertificateError::Revoked => "its certificate was revoked".to_owned(),
        CertificateError::Other(own) if own.0.is::<Refused>() => own.0.to_string(),
        CertificateError::BadEncoding => "its certificate is no X.509 certificate".to_owned(),
        // A certificate authority's own certificate on a server is how self-signed ones often look.
        other => match leaf.and_then(facts::issuer_of) {
            Some((issuer, true)) => {
                format!("its certificate is self-signed (`{issuer}`): {}", Words(other))
            }
            _ => format!("its certificate does not verify: {}", Words(other)),
        },
    }
}

/// The verifier's own words, where rustls wraps them: `CaUsedAsEndEntity` rather than `Other(..)`.
struct Words<'a>(&'a CertificateError);

impl std::fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            CertificateError::Other(inner) => inner.0.fmt(f),
            other => other.fmt(f),
        }
    }
}
