//! PEM files (RFC 7468), with errors that name the line.

use std::path::Path;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::TlsError;

/// A decoded section and the line where it begins.
pub(super) struct Section<T> {
    pub(super) line: usize,
    pub(super) der: T,
}

/// A whole file. Certificates are configuration, read at start and on reload: straight from the disk.
pub(super) fn read(file: &Path) -> Result<String, TlsError> {
    let octets = std::fs::read(file)
        .map_err(|source| TlsError::Unreadable { file: file.display().to_string(), source })?;
    String::from_utf8(octets).map_err(|_| TlsError::Wrong {
        file: file.display().to_string(),
        why: "is no PEM text; if it is DER, convert it: openssl x509 -inform der -in FILE"
            .to_owned(),
    })
}

/// All certificates, in their order; at least one.
pub(super) fn certificates(
    text: &str,
    file: &str,
) -> Result<Vec<Section<CertificateDer<'static>>>, TlsError> {
    let mut found = Vec::new();
    for raw in sections(text, file)?.into_iter().filter(|raw| raw.label == "CERTIFICATE") {
        let der = CertificateDer::from_pem_slice(raw.text.as_bytes()).map_err(|error| {
            wrong(file, format!("the certificate in line {}: {error}", raw.line))
        })?;
        found.push(Section { line: raw.line, der });
    }
    if found.is_empty() {
        return Err(wrong(file, "there is no `-----BEGIN CERTIFICATE-----` in it".to_owned()));
    }
    Ok(found)
}

/// The first private key.
pub(super) fn private_key(
    text: &str,
    file: &str,
) -> Result<Section<PrivateKeyDer<'static>>, TlsError> {
    for raw in sections(text, file)? {
        if raw.label == "ENCRYPTED PRIVATE KEY" || raw.text.contains("Proc-Type: 4,ENCRYPTED") {
            let why = format!(
                "the key in line {} is encrypted; take the passphrase off: openssl pkey -in FILE -out NEW",
                raw.line
            );
            return Err(wrong(file, why));
        }
        if raw.label.ends_with("PRIVATE KEY") {
            let der = PrivateKeyDer::from_pem_slice(raw.text.as_bytes())
                .map_err(|error| wrong(file, format!("the key in line {}: {error}", raw.line)))?;
            return Ok(Section { line: raw.line, der });
        }
    }
    Err(wrong(file, "there is no private key in it (`-----BEGIN PRIVATE KEY-----`)".to_owned()))
}

struct Raw<'a> {
    line: usize,
    label: &'a str,
    text: String,
}

fn sections<'a>(text: &'a str, file: &str) -> Result<Vec<Raw<'a>>, TlsError> {
    let mut found = Vec::new();
    let mut open: Option<Raw<'a>> = None;
    for (number, line) in text.lines().enumerate() {
        let begins =
            line.trim().strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----"));
        if let Some(label) = begins {
            if let Some(raw) = open {
                return Err(unended(file, &raw));
            }
            open = Some(Raw { line: number + 1, label, text: String::new() });
        }
        if let Some(raw) = &mut open {
            raw.text.push_str(line.trim());
            raw.text.push('\n');
        }
        if line.trim().starts_with("-----END ") {
            found.extend(open.take());
        }
    }
    match open {
        Some(raw) => Err(unended(file, &raw)),
        None => Ok(found),
    }
}

fn unended(file: &str, raw: &Raw<'_>) -> TlsError {
    let (line, label) = (raw.line, raw.label);
    wrong(file, format!("what begins in line {line} has no `-----END {label}-----`"))
}

fn wrong(file: &str, why: String) -> TlsError {
    TlsError::Wrong { file: file.to_owned(), why }
}
