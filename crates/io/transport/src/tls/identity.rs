//! What we show as a TLS server: certificates and their keys.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
};
use world::World;

use super::{TlsError, facts, pem, provider};

/// A certificate chain and its key.
#[derive(Clone)]
pub struct ServerIdentity {
    certified: Arc<CertifiedKey>,
    file: String,
    /// Host names, lower case; may begin with `*.`.
    names: Vec<String>,
}

/// A certificate that was made here, in PEM, for the caller to keep.
pub struct SelfSigned {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// Days before the expiry of a certificate at which a warning begins.
const EXPIRY_WARNING_DAYS: i64 = 14;

impl ServerIdentity {
    /// Reads a certificate chain (the server's own first) and its key from PEM files; both may be the
    /// same file.
    ///
    /// # Errors
    /// A file can't be read, lacks what should be in it, or the key is not the certificate's.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let (chain, secret) = (pem::read(certificate)?, pem::read(key)?);
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        Self::from_pem(&chain, &secret, (&certificate, &key))
    }

    /// The same from text; `origins` is what errors call the two.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn from_pem(certificate: &str, key: &str, origins: (&str, &str)) -> Result<Self, TlsError> {
        let chain: Vec<_> = pem::certificates(certificate, origins.0)?
            .into_iter()
            .map(|section| section.der)
            .collect();
        let key = pem::private_key(key, origins.1)?;
        let names = chain.first().map(facts::names_of).unwrap_or_default();
        let certified = CertifiedKey::from_der(chain, key.der, &provider()).map_err(|error| {
            let why = match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!(
                        "the key in line {} is not that of the first certificate in `{}`",
                        key.line, origins.0
                    )
                }
                error => format!("the key in line {} can't be used: {error}", key.line),
            };
            TlsError::Wrong { file: origins.1.to_owned(), why }
        })?;
        let names = names.into_iter().map(|name| name.to_ascii_lowercase()).collect();
        Ok(Self { certified: Arc::new(certified), file: origins.0.to_owned(), names })
    }

    /// Makes a certificate for `names`, valid for ten years. Nobody trusts it, and it encrypts.
    ///
    /// # Errors
    /// A name that no certificate can be for.
    pub fn self_signed(world: &World, names: &[String]) -> Result<SelfSigned, TlsError> {
        let setup = |error: rcgen::Error| TlsError::Setup(error.to_string());
        let mut parameters = rcgen::CertificateParams::new(names).map_err(setup)?;
        let first = names.first().map_or("localhost", String::as_str);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, first);
        let year = year_of(world.clock.now().0);
        parameters.not_before = rcgen::date_time_ymd(year - 1, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(year + 10, 1, 1);
        let key = rcgen::KeyPair::generate().map_err(setup)?;
        let certificate = parameters.self_signed(&key).map_err(setup)?;
        Ok(SelfSigned { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// What an administrator should know: expired, not valid yet, about to expire. A sentence each.
    pub fn warnings(&self, world: &World) -> Vec<String> {
        let Some(leaf) = self.certified.cert.first() else { return Vec::new() };
        let Some((from, until)) = facts::validity_of(leaf) else {
            return vec![format!("`{}` holds no X.509 certificate", self.file)];
        };
        let now = i64::try_from(world.clock.now().0 / 1000).unwrap_or(i64::MAX);
        let days = (until - now) / 86_400;
        if now >= until {
            vec![format!(
                "the certificate in `{}` has expired{}",
                self.file,
                facts::expiry_of(leaf)
            )]
        } else if now < from {
            vec![format!("the certificate in `{}` is not valid yet", self.file)]
        } else if days < EXPIRY_WARNING_DAYS {
            vec![format!("the certificate in `{}` expires in {days} days", self.file)]
        } else {
            Vec::new()
        }
    }

    /// The host names it is for, lower case.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The configuration for [`super::accept`]: TLS 1.2 and 1.3, session tickets. By SNI the client gets
    /// the identity that is for its name, else the first.
    ///
    /// # Errors
    /// No identity was given, or rustls lacks what it needs.
    pub fn config(identities: &[Self]) -> Result<Arc<ServerConfig>, TlsError> {
        Self::config_asking(identities, None)
    }

    /// The same; clients are asked for a certificate of the issuers in a PEM file, and need not have one.
    /// One of somebody else ends the handshake.
    ///
    /// # Errors
    /// As for [`config`](Self::config), and what is wrong with the file.
    pub fn config_asking(
        identities: &[Self],
        issuers: Option<&Path>,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let setup = |error: rustls::Error| TlsError::Setup(error.to_string());
        let Some(first) = identities.first() else {
            return Err(TlsError::Setup("there is no certificate".to_owned()));
        };
        let mut by_name = BTreeMap::new();
        for identity in identities {
            for name in &identity.names {
                by_name.entry(name.clone()).or_insert_with(|| Arc::clone(&identity.certified));
            }
        }
        let resolver = Identities { by_name, first: Arc::clone(&first.certified) };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(setup)?;
        let builder = match issuers {
            Some(file) => builder.with_client_cert_verifier(client_verifier(file)?),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(setup)?;
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerIdentity")
            .field("file", &self.file)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

fn client_verifier(file: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let wrong = |why: String| TlsError::Wrong { file: file.display().to_string(), why };
    let mut roots = RootCertStore::empty();
    for section in pem::certificates(&pem::read(file)?, &file.display().to_string())? {
        roots.add(section.der).map_err(|error| wrong(format!("line {}: {error}", section.line)))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(|error| wrong(error.to_string()))
}

struct Identities {
    by_name: BTreeMap<String, Arc<CertifiedKey>>,
    first: Arc<CertifiedKey>,
}

impl Identities {
    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        self.by_name.get(&name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(&format!("*.{parent}"))
        })
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let found = hello.server_name().and_then(|name| self.find(name));
        Some(Arc::clone(found.unwrap_or(&self.first)))
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities").field("names", &self.by_name.keys()).finish_non_exhaustive()
    }
}

/// The Gregorian year of a time in milliseconds since 1970, to within a day at the turn of the year.
fn year_of(milliseconds: u64) -> i32 {
    let average = 31_556_952_000;
    1970 + i32::try_from(milliseconds / average).unwrap_or(0)
}
