//! Reading handshake messages (RFC 8446 section 4, RFC 5246 section 7.4) as far as they tell something.

/// The random by which a ServerHello asks for another ClientHello (RFC 8446 section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

const SERVER_NAME: u16 = 0;
const SUPPORTED_VERSIONS: u16 = 43;

/// What a ClientHello says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientHello {
    pub random: [u8; 32],
    /// The highest version that it offers.
    pub version: u16,
    pub server_name: Option<String>,
}

/// What a ServerHello says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerHello {
    pub random: [u8; 32],
    /// The version that is spoken.
    pub version: u16,
    pub suite: u16,
    /// It asks for another ClientHello.
    pub is_retry: bool,
}

/// What is left of a message.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, length: usize) -> Option<usize> {
        let octets = self.take(length)?;
        Some(octets.iter().fold(0, |number, &octet| number << 8 | usize::from(octet)))
    }

    /// A part that its length stands before.
    fn part(&mut self, length_of_length: usize) -> Option<Rest<'a>> {
        let length = self.number(length_of_length)?;
        self.take(length).map(Rest)
    }

    /// The extensions at the end of a hello.
    fn extensions(&mut self) -> Vec<(u16, Rest<'a>)> {
        let mut extensions = Vec::new();
        let Some(mut all) = self.part(2) else { return extensions };
        while let Some((kind, body)) = all.number(2).zip(all.part(2)) {
            extensions.push((kind as u16, body));
        }
        extensions
    }
}

/// Reads a ClientHello's body.
pub(super) fn client_hello(body: &[u8]) -> Option<ClientHello> {
    let mut rest = Rest(body);
    let mut version = rest.number(2)? as u16;
    let random = rest.take(32)?.try_into().ok()?;
    rest.part(1)?;
    rest.part(2)?;
    rest.part(1)?;
    let mut server_name = None;
    for (kind, mut body) in rest.extensions() {
        match kind {
            SERVER_NAME => server_name = name(&mut body),
            SUPPORTED_VERSIONS => {
                let offered = body.part(1).map_or(&[][..], |versions| versions.0);
                // RFC 8701: values that end in two equal nibbles are none.
                let versions =
                    offered.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]]));
                version = versions.filter(|version| version >> 8 == 3).max().unwrap_or(version);
            }
            _ => {}
        }
    }
    Some(ClientHello { random, version, server_name })
}

fn name(extension: &mut Rest<'_>) -> Option<String> {
    let mut names = extension.part(2)?;
    (names.number(1)? == 0).then_some(())?;
    let name = names.part(2)?.0;
    name.iter().all(u8::is_ascii_graphic).then(|| String::from_utf8_lossy(name).into_owned())
}

/// Reads a ServerHello's body.
pub(super) fn server_hello(body: &[u8]) -> Option<ServerHello> {
    let mut rest = Rest(body);
    let mut version = rest.number(2)? as u16;
    let random = rest.take(32)?.try_into().ok()?;
    rest.part(1)?;
    let suite = rest.number(2)? as u16;
    rest.number(1)?;
    for (kind, mut body) in rest.extensions() {
        if kind == SUPPORTED_VERSIONS {
            version = body.number(2)? as u16;
        }
    }
    Some(ServerHello { random, version, suite, is_retry: random == RETRY })
}

/// Subject and issuer of the certificates of a Certificate message, the sender's own first.
pub(super) fn certificates(body: &[u8], is_tls13: bool) -> Vec<(String, String)> {
    let mut rest = Rest(body);
    let mut found = Vec::new();
    if is_tls13 && rest.part(1).is_none() {
        return found;
    }
    let Some(mut list) = rest.part(3) else { return found };
    while let Some(der) = list.part(3) {
        if is_tls13 && list.part(2).is_none() {
            break;
        }
        if let Ok((_, certificate)) = x509_parser::parse_x509_certificate(der.0) {
            let (subject, issuer) = (certificate.subject(), certificate.issuer());
            found.push((subject.to_string(), issuer.to_string()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hellos_that_are_cut_off_are_none() {
        let mut hello = vec![3, 3];
        hello.extend_from_slice(&[7; 32]);
        hello.extend_from_slice(&[0, 0, 2, 0x13, 1, 1, 0]);
        let extensions = [
            &[0, 0, 0, 11, 0, 9, 0, 0, 6][..],
            b"a.test",
            &[0, 43, 0, 7, 6, 0x1a, 0x1a, 3, 4, 3, 3],
        ]
        .concat();
        hello.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
        hello.extend_from_slice(&extensions);
        let server_name = Some("a.test".to_owned());
        let expected = ClientHello { random: [7; 32], version: 0x0304, server_name };
        assert_eq!(client_hello(&hello), Some(expected));
        for length in 0..hello.len() {
            let cut = client_hello(&hello[..length]);
            assert!(cut.is_none_or(|cut| cut.server_name.is_none()), "{length}");
        }
    }
}
