//! `[routes]` and `default_route`: where mail goes instead of the recipient domain's MX, and how.

use std::{fmt, marker::PhantomData, net::IpAddr, path::PathBuf};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use transport::{TlsLevel, TlsVersion};

use super::{Login, NextHop, Pipe, Retry, one_or_many};

/// How mail of a domain travels. In the file a table, or for short only its `next_hop`.
///
/// `remote = "Self"` keeps the derived reader apart, for the table form only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
pub struct Route {
    /// `host`, `host:port`, `[literal]:port`, `lmtp:host:port` or `lmtp:/path`; several are tried in order.
    /// Without: the recipient domain's MX.
    #[serde(with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub next_hop: Vec<NextHop>,
    /// Look up the MX of `next_hop` instead of its address. Default: only where there is no `next_hop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mx: Option<bool>,
    /// The port where none is named. Default: 25, or 465 with implicit TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// A program on this machine that takes the messages, instead of a next hop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipe: Option<Pipe>,
    /// How far TLS is insisted on.
    pub tls: TlsLevel,
    /// Host names that a certificate may be for, instead of the next hop's own. Default: none.
    #[serde(with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub tls_names: Vec<String>,
    /// A PEM file of the issuers that are trusted there, and no others. Default: the operating system's
    /// and `tls.client_ca`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_authorities: Option<PathBuf>,
    /// A certificate chain, PEM, for next hops that ask for a client's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_certificate: Option<PathBuf>,
    /// Its private key, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// The oldest version of TLS: "1.2" or "1.3".
    pub tls_minimum: TlsVersion,
    /// TLS before the greeting (port 465) instead of STARTTLS.
    pub implicit_tls: bool,
    /// Log in there; needs `tls` of at least `required`, unless the next hop is on loopback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Login>,
    /// The name given in EHLO. Default: `hostname`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ehlo_name: Option<String>,
    /// The addresses connections come from, one of each family at most. Default: the operating system's
    /// choice.
    #[serde(with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub source: Vec<IpAddr>,
    /// Connections at once. Default: `queue.connections_per_site_max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections_max: Option<u32>,
    /// Messages per minute; 0: as fast as it goes.
    pub messages_per_minute: u32,
    /// Messages over one connection, for servers that end it after so many. Default:
    /// `queue.messages_per_connection_max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_per_connection_max: Option<u32>,
    /// EHLO keywords that are not used there though offered, for what breaks on them. `EHLO` itself:
    /// the session begins with HELO.
    pub avoid: Vec<String>,
    /// EHLO keywords that are used only where this says so: those of one organisation's servers (the
    /// Exchange family) and of trusted peers. Written `use`.
    #[serde(rename = "use")]
    pub allow: Vec<String>,
    /// Quirks that are not heeded there, by their names in docs/quirks.md, or `all`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without_quirks: Vec<String>,
    /// Values that differ from `[retry]` here. Unnamed ones are as there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

impl Serialize for Route {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // The derived one, inherent by `remote`.
        Self::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for Route {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ReadRoute)
    }
}

struct ReadRoute;

impl<'de> Visitor<'de> for ReadRoute {
    type Value = Route;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a next hop like \"mx.example.org:25\", a list of them, or a table")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Route, E> {
        let next_hop = one_or_many::OneOrMany(PhantomData).visit_str(text)?;
        Ok(Route { next_hop, ..Route::default() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Route, A::Error> {
        let next_hop = one_or_many::OneOrMany(PhantomData).visit_seq(list)?;
        Ok(Route { next_hop, ..Route::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Route, A::Error> {
        Route::deserialize(MapAccessDeserializer::new(table))
    }
}
