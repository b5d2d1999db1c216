//! Certificates of the simulated world, and TLS on its connections: rustls itself over simulated octets, so
//! that whoever listens on the wire sees ciphertext or a fault.
//!
//! One seed stays one course of events: keys, serial numbers and names are fixed, and Ed25519 signatures are
//! of one length, so that what is drawn at a handshake changes no length on the wire. Configurations belong
//! to one world, for they remember sessions.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ED25519, SerialNumber};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// Every host of the world that proves its name.
const NAMES: [&str; 8] = [
    "mx.d.test",
    "mx.sealed.test",
    "mx.named.test",
    "mx.login.test",
    "mx.sts.test",
    "mx.dane.test",
    "mx.mixed.test",
    "mta-sts.sts.test",
];

/// Certificates, and where the files of them are.
pub struct Papers {
    /// `ca.pem`, `cert.pem`, `key.pem`.
    pub folder: PathBuf,
    /// The data of the TLSA record `3 1 1` for the hosts' key.
    pub tlsa: String,
    authority: CertificateDer<'static>,
    honest: Identity,
    forged: Identity,
}

struct Identity(CertificateDer<'static>, Vec<u8>);

/// What the hosts of one world have for TLS.
pub struct Tls {
    /// With a certificate of the issuer that is trusted.
    pub honest: TlsAcceptor,
    /// For the same names, by nobody.
    pub forged: TlsAcceptor,
    /// Of clients who trust the issuer.
    pub client: TlsConnector,
}

/// Made once for all worlds.
pub static PAPERS: LazyLock<Papers> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sim");
    fs::create_dir_all(&folder).expect("cargo's folder for tests can be written");
    let mut of_authority = CertificateParams::new(Vec::new()).expect("no names");
    of_authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    of_authority.distinguished_name.push(DnType::CommonName, "the issuer");
    of_authority.serial_number = Some(SerialNumber::from(1));
    let (authority_key, key) = (key(1), key(2));
    let authority = of_authority.self_signed(&authority_key).expect("a certificate");
    let issuer = Issuer::new(of_authority, authority_key);
    let honest = of_hosts().signed_by(&key, &issuer).expect("a certificate");
    let forged = of_hosts().self_signed(&self::key(3)).expect("a certificate");
    for (name, text) in
        [("ca.pem", authority.pem()), ("cert.pem", honest.pem()), ("key.pem", key.serialize_pem())]
    {
        // Test programs of two trees may run at once; each sees a whole file.
        let own = folder.join(format!("{name}.{}", std::process::id()));
        fs::write(&own, text).expect("cargo's folder for tests can be written");
        fs::rename(&own, folder.join(name)).expect("cargo's folder for tests can be written");
    }
    let public = rcgen::PublicKeyData::subject_public_key_info(&key);
    let digest = ::aws_lc_rs::digest::digest(&::aws_lc_rs::digest::SHA256, &public);
    let digits: String = digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    Papers {
        folder,
        tlsa: format!("3 1 1 {digits}"),
        authority: authority.der().clone(),
        honest: Identity(honest.der().clone(), key.serialize_der()),
        forged: Identity(forged.der().clone(), self::key(3).serialize_der()),
    }
});

fn of_hosts() -> CertificateParams {
    let names: Vec<_> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(names).expect("names of hosts");
    parameters.distinguished_name.push(DnType::CommonName, NAMES[0]);
    parameters.serial_number = Some(SerialNumber::from(2));
    parameters
}

/// The same for the same number.
fn key(number: u8) -> KeyPair {
    // RFC 8410 section 7: an Ed25519 key is any 32 octets.
    let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let der = [&head[..], &[number; 32]].concat();
    let der = PrivatePkcs8KeyDer::from(der);
    KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519).expect("an Ed25519 key")
}

impl Tls {
    pub fn new(papers: &Papers) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let server = |identity: &Identity| {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.1.clone()));
            let config = ServerConfig::builder_with_provider(provider.clone())
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_no_client_auth()
                .with_single_cert(vec![identity.0.clone()], key)
                .expect("a certificate with its key");
            TlsAcceptor::from(Arc::new(config))
        };
        let mut roots = RootCertStore::empty();
        roots.add(papers.authority.clone()).expect("an issuer");
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            honest: server(&papers.honest),
            forged: server(&papers.forged),
            client: TlsConnector::from(Arc::new(client)),
        }
    }
}
