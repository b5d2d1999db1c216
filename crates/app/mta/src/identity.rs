//! The certificate that clients see: the configured one, or one that we made ourselves at first start.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use transport::{ServerConfig, ServerIdentity, TlsError};
use world::{
    World,
    disk::{self, Open},
};

use crate::config::{Config, ListenerTls};

/// The certificate, made ready for each listener that has TLS.
pub struct Identity {
    plain: Arc<ServerConfig>,
    /// By `client_ca`.
    asking: BTreeMap<PathBuf, Arc<ServerConfig>>,
}

impl Identity {
    /// What a listener with those issuers of clients' certificates shows.
    pub fn asking(&self, issuers: Option<&Path>) -> Arc<ServerConfig> {
        issuers.and_then(|issuers| self.asking.get(issuers)).unwrap_or(&self.plain).clone()
    }
}

/// Loads or makes it; none if no listener has TLS.
pub fn prepare(world: &World, config: &Config) -> Result<Option<Identity>, TlsError> {
    if config.listeners().iter().all(|listener| listener.tls == ListenerTls::None) {
        return Ok(None);
    }
    let (certificate, key) = config.certificate_files();
    let made_before = || read(world, &certificate).and_then(|text| Ok((text, read(world, &key)?)));
    let identity = match config.is_self_signed() {
        false => ServerIdentity::load(&certificate, &key)?,
        true => {
            let (certificate_pem, key_pem) = match made_before() {
                Ok(pair) => pair,
                Err(_) => make(world, config, &certificate, &key)?,
            };
            let origins = (&*certificate.to_string_lossy(), &*key.to_string_lossy());
            ServerIdentity::from_pem(&certificate_pem, &key_pem, origins)?
        }
    };
    for warning in identity.warnings(world) {
        tracing::warn!(warning, "certificate");
    }
    let identities = [identity];
    let mut asking = BTreeMap::new();
    for file in config.listeners().iter().filter_map(|listener| listener.client_ca.clone()) {
        let config = ServerIdentity::config_asking(&identities, Some(&file))?;
        asking.insert(file, config);
    }
    Ok(Some(Identity { plain: ServerIdentity::config(&identities)?, asking }))
}

fn make(
    world: &World,
    config: &Config,
    certificate: &Path,
    key: &Path,
) -> Result<(String, String), TlsError> {
    let mut names = vec![config.hostname.clone()];
    if config.hostname != "localhost" {
        names.push("localhost".to_owned());
    }
    let made = ServerIdentity::self_signed(world, &names)?;
    for (path, pem) in [(certificate, &made.certificate), (key, &made.key)] {
        if let Err(error) = write(world, path, pem.as_bytes()) {
            // It serves until the next start, which makes another one.
            tracing::warn!(path = %path.display(), %error, "the self-signed certificate can't be kept");
        }
    }
    Ok((made.certificate, made.key))
}

fn read(world: &World, path: &Path) -> io::Result<String> {
    let file = world.disk.open(path, Open::Read)?;
    let mut octets = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
    disk::read_exact_at(file.as_ref(), 0, &mut octets)?;
    String::from_utf8(octets).map_err(io::Error::other)
}

fn write(world: &World, path: &Path, octets: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(path);
    world.disk.create_directory(directory)?;
    let file = world.disk.open(path, Open::Any)?;
    file.set_len(0)?;
    disk::write_all_at(file.as_ref(), 0, octets)?;
    file.sync()?;
    world.disk.sync_directory(directory)
}
