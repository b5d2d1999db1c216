//! Channel binding (RFC 5056): what ties a login to the TLS session that it came in, so that nobody in
//! the middle can pass it on.

/// One way to name a TLS session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// `tls-exporter` (RFC 9266): 32 octets under the label `EXPORTER-Channel-Binding`, TLS 1.3 only, as
    /// what TLS 1.2 exports is unique only with an extension that can't be seen from here.
    Exporter,
    /// `tls-server-end-point` (RFC 5929 section 4): the hash of the server's certificate.
    EndPoint,
    /// `tls-unique` (RFC 5929 section 3): the first Finished of the handshake, up to TLS 1.2.
    Unique,
}

/// The names of one TLS session, as far as they are known; none of them in clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    /// See [`Binding::Exporter`].
    pub exporter: Option<Vec<u8>>,
    /// See [`Binding::EndPoint`].
    pub end_point: Option<Vec<u8>>,
    /// See [`Binding::Unique`].
    pub unique: Option<Vec<u8>>,
}

impl Binding {
    /// As GS2 names it (RFC 5801 section 4; IANA's Channel-Binding Types).
    pub fn name(self) -> &'static str {
        match self {
            Self::Exporter => "tls-exporter",
            Self::EndPoint => "tls-server-end-point",
            Self::Unique => "tls-unique",
        }
    }

    /// The one of that name, to the letter.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Exporter, Self::EndPoint, Self::Unique].into_iter().find(|it| it.name() == name)
    }
}

impl Bindings {
    /// What is bound to by that way.
    pub fn of(&self, binding: Binding) -> Option<&[u8]> {
        match binding {
            Binding::Exporter => self.exporter.as_deref(),
            Binding::EndPoint => self.end_point.as_deref(),
            Binding::Unique => self.unique.as_deref(),
        }
    }

    /// Whether there is nothing to bind to.
    pub fn is_empty(&self) -> bool {
        self.exporter.is_none() && self.end_point.is_none() && self.unique.is_none()
    }
}
