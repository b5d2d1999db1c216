//! What TLS came to at a host, in the words of TLS reports (RFC 8460 section 4.3).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a session had not the security that its policy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsResult {
    /// STARTTLS was not offered, or refused.
    StarttlsNotSupported,
    /// The certificate is for other names.
    CertificateHostMismatch,
    /// The certificate has expired.
    CertificateExpired,
    /// The chain does not lead to an issuer that is trusted.
    CertificateNotTrusted,
    /// Anything else in the handshake or the certificate, a TLSA mismatch too.
    ValidationFailure,
    /// The TLSA records are of no use.
    TlsaInvalid,
    /// The resolver could not get valid records.
    DnssecInvalid,
    /// The route asks for DANE, and there is none.
    DaneRequired,
    /// The MTA-STS policy could not be fetched.
    StsPolicyFetchError,
    /// The MTA-STS policy is none, or does not name the MX.
    StsPolicyInvalid,
    /// The certificate of the policy's web server does not verify.
    StsWebpkiInvalid,
}

/// `certificate-expired`, as reports have it.
impl fmt::Display for TlsResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StarttlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::ValidationFailure => "validation-failure",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::DaneRequired => "dane-required",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
        })
    }
}
