//! The names of a TLS session that a login is bound to (RFC 5929, RFC 9266).

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use rustls::{
    ClientConnection, ProtocolVersion, ServerConnection, pki_types::CertificateDer,
    sign::CertifiedKey,
};
use sasl::Bindings;
use x509_parser::prelude::{FromDer, X509Certificate};

/// RFC 9266 section 2.
const LABEL: &[u8] = b"EXPORTER-Channel-Binding";

pub(crate) fn of_client(session: &ClientConnection) -> Bindings {
    let shown = session.peer_certificates().unwrap_or_default().first();
    let exporter = || session.export_keying_material(vec![0; 32], LABEL, None).ok();
    named(session.protocol_version(), exporter, shown)
}

/// `own` is what was shown.
pub(crate) fn of_server(session: &ServerConnection, own: Option<&CertifiedKey>) -> Bindings {
    let exporter = || session.export_keying_material(vec![0; 32], LABEL, None).ok();
    named(session.protocol_version(), exporter, own.and_then(|own| own.cert.first()))
}

fn named(
    version: Option<ProtocolVersion>,
    exporter: impl FnOnce() -> Option<Vec<u8>>,
    certificate: Option<&CertificateDer<'_>>,
) -> Bindings {
    let exporter = is_latest(version).then(exporter).flatten();
    Bindings { exporter, end_point: certificate.and_then(end_point), unique: None }
}

/// What TLS 1.2 exports is unique only with an extension that can't be seen from here (RFC 9266 section 3).
fn is_latest(version: Option<ProtocolVersion>) -> bool {
    version == Some(ProtocolVersion::TLSv1_3)
}

/// RFC 5929 section 4.1: the hash of the certificate, by the hash of its signature; by SHA-256 where that
/// is MD5 or SHA-1. For signatures without a hash of their own there is no such name.
fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let hash = hash_of(&parsed.signature_algorithm.algorithm.to_id_string())?;
    Some(digest(hash, certificate).as_ref().to_vec())
}

fn hash_of(signature: &str) -> Option<&'static Algorithm> {
    Some(match signature {
        // RSA with MD5 and SHA-1, ECDSA with SHA-1.
        "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" => &SHA256,
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" => &SHA256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &SHA512,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_point_is_named_by_the_hash_of_its_signature() {
        for (algorithm, length) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(32)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Some(48)),
            (&rcgen::PKCS_ED25519, None),
        ] {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let names = vec!["mx.a.test".to_owned()];
            let parameters = rcgen::CertificateParams::new(names).unwrap();
            let certificate = parameters.self_signed(&key).unwrap();
            let name = end_point(certificate.der());
            assert_eq!(name.map(|octets| octets.len()), length);
        }
    }
}
