//! What TLS with next hops rests on: trusted issuers, our own certificates, versions, as the
//! configuration has them for all routes and for single ones.

use std::collections::BTreeMap;

use transport::{ClientSettings, ClientTls, TlsError};
use world::World;

use crate::config::{Config, Route};

/// All of it, read once at start and at each reload.
pub struct OutgoingTls {
    general: ClientTls,
    own: BTreeMap<ClientSettings, ClientTls>,
}

impl OutgoingTls {
    /// Reads the files.
    ///
    /// # Errors
    /// One of them can't be read, or is not what it should be.
    pub fn new(world: &World, config: &Config) -> Result<Self, TlsError> {
        let general = settings(config, &Route::default());
        let mut own = BTreeMap::new();
        for route in config.routes.values().chain(&config.default_route) {
            let settings = settings(config, route);
            if settings != general && !own.contains_key(&settings) {
                let tls = ClientTls::with(world, &settings)?;
                own.insert(settings, tls);
            }
        }
        Ok(Self { general: ClientTls::with(world, &general)?, own })
    }

    /// For routes that ask for nothing of their own.
    pub fn general(&self) -> &ClientTls {
        &self.general
    }

    /// What a route has of its own.
    pub fn of(&self, config: &Config, route: &Route) -> Option<&ClientTls> {
        self.own.get(&settings(config, route))
    }
}

/// The files of a route, and its oldest version.
pub fn settings(config: &Config, route: &Route) -> ClientSettings {
    ClientSettings {
        authorities: route.tls_authorities.clone(),
        besides: config.tls.client_ca.clone().filter(|_| route.tls_authorities.is_none()),
        identity: route.tls_certificate.clone().zip(route.tls_key.clone()),
        minimum: route.tls_minimum,
    }
}
