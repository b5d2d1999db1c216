//! What we trust as a TLS client.
//!
//! Mail between strangers is encrypted with whatever certificate there is (RFC 7435): the verifier of
//! [`Verify::Record`] takes any, and the verdict is written down afterwards. What is always checked is
//! the handshake's signature: that the peer holds the key of the certificate it showed.
//!
//! Sessions are resumed only where any certificate will do: a resumed session shows none, so there would
//! be nothing to verify.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
    time_provider::TimeProvider,
};
use serde::{Deserialize, Serialize};
use world::{Clock, World, net::Endpoint};

use super::{Dane, TlsError, explain::Refusal, pem, provider};
use crate::policy::TlsResult;

pub(super) use super::verifier::Refused;
use super::verifier::{Seen, Trust, Verifier};

/// What a server's certificate must be for a connection to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Any certificate will do; whether it verifies is recorded in [`smtp::TlsFacts::verified`].
    Record,
    /// It must verify for one of these names; for the server's if there is none.
    Require {
        /// Host names.
        names: Vec<String>,
    },
    /// It must be what the TLSA records allow.
    Dane(Arc<Dane>),
}

impl Verify {
    /// The name that is asked for by SNI: that of the TLSA records, where these count (RFC 7672 section
    /// 8.1).
    pub(super) fn server_name<'a>(&'a self, host: &'a str) -> &'a str {
        match self {
            Self::Dane(dane) => &dane.base,
            _ => host,
        }
    }
}

/// The oldest TLS version that is taken. 1.0 and 1.1 are not spoken at all (RFC 8996).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum TlsVersion {
    /// RFC 5246, with AEAD ciphers and forward secrecy only.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    Tls13,
}

static BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

impl TlsVersion {
    fn and_later(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Tls12 => BOTH,
            Self::Tls13 => &BOTH[..1],
        }
    }
}

/// What differs from one route's TLS to another's.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientSettings {
    /// A PEM file of issuers to trust, and nobody else; those of the operating system without.
    pub authorities: Option<PathBuf>,
    /// A PEM file of issuers to trust besides the operating system's.
    pub besides: Option<PathBuf>,
    /// PEM files of a certificate chain and its key, to show to servers that ask for one.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The oldest version.
    pub minimum: TlsVersion,
}

/// The client's TLS configuration: made once, shared by all sessions. Cheap to clone.
#[derive(Clone)]
pub struct ClientTls {
    trust: Trust,
    /// For [`Verify::Record`]; remembers sessions.
    record: Arc<ClientConfig>,
    /// For the others; its verifier is replaced for each connection.
    strict: Arc<ClientConfig>,
    clock: Clock,
    minimum: TlsVersion,
}

impl ClientTls {
    /// Trusts the issuers that the operating system trusts. Where it has none, nothing verifies, and
    /// that is what facts and errors then say.
    ///
    /// # Errors
    /// rustls lacks what it needs; no fault of any file.
    pub fn new(world: &World) -> Result<Self, TlsError> {
        Self::with(world, &ClientSettings::default())
    }

    /// Trusts the issuers in a PEM file only.
    ///
    /// # Errors
    /// The file can't be read, or there is something in it that is no certificate.
    pub fn with_authorities(world: &World, file: &Path) -> Result<Self, TlsError> {
        let authorities = Some(file.to_owned());
        Self::with(world, &ClientSettings { authorities, ..ClientSettings::default() })
    }

    /// As the settings say.
    ///
    /// # Errors
    /// A file can't be read, or is not what it should be.
    pub fn with(world: &World, settings: &ClientSettings) -> Result<Self, TlsError> {
        let trust = match &settings.authorities {
            Some(file) => authorities(file)?,
            None => of_this_machine(settings.besides.as_deref())?,
        };
        let verifier = |verify| Verifier::new(trust.clone(), verify, Seen::default());
        let record = config(verifier(Verify::Record), world.clock, settings)?;
        let mut strict =
            config(verifier(Verify::Require { names: Vec::new() }), world.clock, settings)?;
        strict.resumption = Resumption::disabled();
        let (record, strict) = (Arc::new(record), Arc::new(strict));
        Ok(Self { trust, record, strict, clock: world.clock, minimum: settings.minimum })
    }

    /// The name as rustls takes it. A host name that no certificate can bear is no obstacle where any
    /// certificate will do.
    pub(super) fn name_for(
        &self,
        name: &str,
        verify: &Verify,
        peer: &Endpoint,
    ) -> Result<ServerName<'static>, String> {
        let parsed = ServerName::try_from(name.trim_end_matches('.').to_owned());
        let any_will_do = *verify == Verify::Record
            || matches!(verify, Verify::Require { names } if !names.is_empty());
        match (parsed, peer.ip()) {
            (Ok(parsed), _) => Ok(parsed),
            (Err(_), Some(ip)) if any_will_do => Ok(ServerName::from(ip)),
            (Err(_), None) if any_will_do => Ok(ServerName::from(std::net::Ipv4Addr::LOCALHOST)),
            (Err(_), _) => Err(format!("`{name}` is no name that a certificate can be for")),
        }
    }

    /// The configuration for a handshake, and where the verifier leaves what it saw.
    pub(super) fn config(&self, verify: &Verify) -> (Arc<ClientConfig>, Seen) {
        let seen = Seen::default();
        if *verify == Verify::Record {
            return (Arc::clone(&self.record), seen);
        }
        let mut config = self.strict.as_ref().clone();
        let verifier = Verifier::new(self.trust.clone(), verify.clone(), seen.clone());
        config.dangerous().set_certificate_verifier(Arc::new(verifier));
        (Arc::new(config), seen)
    }

    /// Whether the certificate of a finished handshake verifies, and against what; or why not.
    pub(super) fn verdict(
        &self,
        certificates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        shown: &str,
    ) -> Result<String, Refusal> {
        let Some((leaf, rest)) = certificates.split_first() else {
            let why = "it showed no certificate";
            return Err(Refusal::new(why, TlsResult::ValidationFailure));
        };
        let now = Calendar(self.clock).current_time().unwrap_or_else(UnixTime::now);
        self.trust.verdict(leaf, rest, name, shown, now)
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

fn of_this_machine(besides: Option<&Path>) -> Result<Trust, TlsError> {
    let (more, against) = match besides {
        Some(file) => {
            let more = issuers(file)?.into_iter().map(|section| section.der).collect();
            let shown = file.display();
            (more, format!("the issuers that this machine trusts, and those in `{shown}`").into())
        }
        None => (Vec::new(), "the issuers that this machine trusts".into()),
    };
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(more, provider())
        .map(|verifier| Arc::new(verifier) as Arc<dyn ServerCertVerifier>)
        .map_err(|error| {
            format!(
                "this machine has no trusted issuers (Debian: install ca-certificates): {error}"
            )
            .into()
        });
    Ok(Trust { verifier, against })
}

fn authorities(file: &Path) -> Result<Trust, TlsError> {
    let mut roots = RootCertStore::empty();
    for section in issuers(file)? {
        roots.add(section.der).map_err(|error| not_an_issuer(file, section.line, &error))?;
    }
    let shown = file.display().to_string();
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| TlsError::Wrong { file: shown.clone(), why: error.to_string() })?;
    Ok(Trust { verifier: Ok(verifier), against: format!("the issuers in `{shown}`").into() })
}

/// The certificates of a file, each of which can be an issuer.
fn issuers(file: &Path) -> Result<Vec<pem::Section<CertificateDer<'static>>>, TlsError> {
    let sections = pem::certificates(&pem::read(file)?, &file.display().to_string())?;
    for section in &sections {
        RootCertStore::empty()
            .add(section.der.clone())
            .map_err(|error| not_an_issuer(file, section.line, &error))?;
    }
    Ok(sections)
}

fn not_an_issuer(file: &Path, line: usize, error: &rustls::Error) -> TlsError {
    let why = format!("the certificate in line {line} can't be an issuer: {error}");
    TlsError::Wrong { file: file.display().to_string(), why }
}

fn config(
    verifier: Verifier,
    clock: Clock,
    settings: &ClientSettings,
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_details(provider(), Arc::new(Calendar(clock)))
        .with_protocol_versions(settings.minimum.and_later())
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let Some((certificate, key)) = &settings.identity else {
        return Ok(builder.with_no_client_auth());
    };
    let (shown, key_shown) = (certificate.display().to_string(), key.display().to_string());
    let (chain, secret) = (pem::read(certificate)?, pem::read(key)?);
    let chain = pem::certificates(&chain, &shown)?.into_iter().map(|section| section.der);
    let secret = pem::private_key(&secret, &key_shown)?;
    builder.with_client_auth_cert(chain.collect(), secret.der).map_err(|error| {
        let why = format!("the key in line {} does not go with `{shown}`: {error}", secret.line);
        TlsError::Wrong { file: key_shown, why }
    })
}

/// What we offer in a handshake, for evidence.
pub(crate) fn offer(tls: &ClientTls) -> String {
    let versions = tls.minimum.and_later();
    let suites = &tls.strict.crypto_provider().cipher_suites;
    let names: Vec<_> = suites
        .iter()
        .filter(|suite| versions.iter().any(|version| suite.version() == *version))
        .filter_map(|suite| suite.suite().as_str())
        .collect();
    let versions = match tls.minimum {
        TlsVersion::Tls12 => "TLSv1.3 and TLSv1.2",
        TlsVersion::Tls13 => "TLSv1.3",
    };
    format!("offered: {versions} with {}", names.join(", "))
}

/// The world's clock, as rustls asks for it.
#[derive(Debug)]
struct Calendar(Clock);

impl TimeProvider for Calendar {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_millis(self.0.now().0)))
    }
}
