//! What a handshake came to, for the evidence; and what a certificate says.

use rustls::{
    CommonState, ProtocolVersion, ServerConnection, SupportedCipherSuite, pki_types::CertificateDer,
};
use smtp::{Timestamp, TlsFacts, time::Rfc3339};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

pub(super) fn of_server(session: &ServerConnection) -> TlsFacts {
    let name = session.server_name().map(ToOwned::to_owned);
    let verified = match session.peer_certificates() {
        Some(_) => Ok("one of the listener's `client_ca`".to_owned()),
        None => Err("the client has shown no certificate".to_owned()),
    };
    facts(session, name, verified)
}

pub(super) fn of_client(
    session: &rustls::ClientConnection,
    server_name: &str,
    verified: Result<String, String>,
) -> TlsFacts {
    // RFC 6066 section 3: an address is never sent by SNI.
    let named = server_name.parse::<std::net::IpAddr>().is_err();
    facts(session, named.then(|| server_name.to_owned()), verified)
}

fn facts(
    session: &CommonState,
    server_name: Option<String>,
    verified: Result<String, String>,
) -> TlsFacts {
    TlsFacts {
        version: session.protocol_version().map_or_else(String::new, version),
        cipher: session.negotiated_cipher_suite().map_or_else(String::new, cipher),
        server_name,
        verified,
        certificate: describe_chain(session.peer_certificates().unwrap_or_default()),
        bindable: false,
    }
}

/// Of a handshake that broke off when the certificate was there: neither version nor cipher are known.
pub(super) fn of_broken(chain: &[CertificateDer<'_>], server_name: &str, why: &str) -> TlsFacts {
    TlsFacts {
        version: String::new(),
        cipher: String::new(),
        server_name: Some(server_name.to_owned()),
        verified: Err(why.to_owned()),
        certificate: describe_chain(chain),
        bindable: false,
    }
}

/// The server's own certificate, then who vouches for it, a line each.
fn describe_chain(chain: &[CertificateDer<'_>]) -> Vec<String> {
    const ISSUERS_MAX: usize = 5;
    let Some((leaf, issuers)) = chain.split_first() else { return Vec::new() };
    let mut lines = describe(leaf);
    for issuer in issuers.iter().take(ISSUERS_MAX) {
        lines.push(match X509Certificate::from_der(issuer) {
            Ok((_, issuer)) => {
                format!("with: {}, of {}", plain(issuer.subject()), plain(issuer.issuer()))
            }
            Err(_) => "with: what is no X.509 certificate".to_owned(),
        });
    }
    lines
}

/// A name as it is in a certificate, without what would steer a terminal.
fn plain(name: impl ToString) -> String {
    name.to_string().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// `TLSv1.3`, as everybody writes it.
fn version(version: ProtocolVersion) -> String {
    version.as_str().map_or_else(|| format!("{version:?}"), |name| name.replace('_', "."))
}

fn cipher(suite: SupportedCipherSuite) -> String {
    let suite = suite.suite();
    suite.as_str().map_or_else(|| format!("{suite:?}"), ToOwned::to_owned)
}

fn describe(der: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return vec!["it is no X.509 certificate".to_owned()];
    };
    let mut lines = vec![
        format!("subject: {}", plain(certificate.subject())),
        format!("issuer: {}", plain(certificate.issuer())),
        format!("{EXPIRES}{}", expiry(&certificate)),
    ];
    let names = names_of(der);
    if !names.is_empty() {
        lines.push(format!("names: {}", names.join(", ")));
    }
    lines
}

/// What the line of a certificate's end begins with.
const EXPIRES: &str = "expires: ";

/// The end of its validity, to be read by people and by [`expires`]; before 1970, that day.
fn expiry(certificate: &X509Certificate<'_>) -> Rfc3339 {
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
    Timestamp(seconds.saturating_mul(1_000)).to_rfc3339()
}

/// When the peer's certificate expires, by its description.
pub(crate) fn expires(facts: &TlsFacts) -> Option<Timestamp> {
    let line = facts.certificate.iter().find_map(|line| line.strip_prefix(EXPIRES))?;
    Timestamp::from_rfc3339(line)
}

/// The names that a certificate is for.
pub(super) fn names_of(der: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Vec::new() };
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(plain(name)),
        GeneralName::IPAddress(octets) => address(octets),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn address(octets: &[u8]) -> Option<String> {
    match octets.len() {
        4 => Some(std::net::Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).to_string()),
        16 => Some(std::net::Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).to_string()),
        _ => None,
    }
}

/// Who issued it, and whether that is itself.
pub(super) fn issuer_of(der: &CertificateDer<'_>) -> Option<(String, bool)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some((plain(certificate.issuer()), certificate.issuer() == certificate.subject()))
}

/// Seconds since 1970 from and until which it is valid.
pub(super) fn validity_of(der: &CertificateDer<'_>) -> Option<(i64, i64)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let validity = certificate.validity();
    Some((validity.not_before.timestamp(), validity.not_after.timestamp()))
}

/// ` (on ...)`.
pub(super) fn expiry_of(der: &CertificateDer<'_>) -> String {
    X509Certificate::from_der(der)
        .map(|(_, certificate)| format!(" (on {})", certificate.validity().not_after))
        .unwrap_or_default()
}
