//! `[sites]`: what differs at hosts of one name, whichever domains lead there.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use transport::TlsLevel;

use super::{Login, Route, one_or_many};

/// One `[sites."*.provider.example"]`: by the name of the best MX host, or of the next hop. What it does
/// not name is as the route says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Site {
    /// How far TLS is insisted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsLevel>,
    /// Log in there; needs `tls` of "verified" here, as whoever answers for the name would get the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Login>,
    /// The name given in EHLO.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ehlo_name: Option<String>,
    /// The addresses connections come from, one of each family at most.
    #[serde(with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub source: Vec<IpAddr>,
    /// Connections at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections_max: Option<u32>,
    /// Messages per minute; 0: as fast as it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_per_minute: Option<u32>,
    /// Messages over one connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_per_connection_max: Option<u32>,
    /// EHLO keywords that are not used there, besides the route's.
    pub avoid: Vec<String>,
    /// EHLO keywords that are used only where this says so, besides the route's.
    #[serde(rename = "use")]
    pub allow: Vec<String>,
    /// Quirks that are not heeded there, besides the route's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without_quirks: Vec<String>,
}

impl Site {
    /// The route as it is at this site.
    #[must_use]
    pub fn over(&self, route: &Route) -> Route {
        let mut own = route.clone();
        own.tls = self.tls.unwrap_or(own.tls);
        own.auth = self.auth.clone().or(own.auth);
        own.ehlo_name = self.ehlo_name.clone().or(own.ehlo_name);
        if !self.source.is_empty() {
            own.source = self.source.clone();
        }
        own.connections_max = self.connections_max.or(own.connections_max);
        own.messages_per_minute = self.messages_per_minute.unwrap_or(own.messages_per_minute);
        own.messages_per_connection_max =
            self.messages_per_connection_max.or(own.messages_per_connection_max);
        own.avoid.extend(self.avoid.iter().cloned());
        own.allow.extend(self.allow.iter().cloned());
        own.without_quirks.extend(self.without_quirks.iter().cloned());
        own
    }
}
