//! What may stand before the dialogue: SOCKS 4 and 5 (RFC 1928), HTTP's CONNECT (RFC 9110), and the
//! PROXY protocol, by which a load balancer tells who the client is.

/// What was found at the beginning of both sides' octets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tunnel {
    /// No tunnel.
    None,
    /// It may be one; more has to come.
    NotYet,
    /// So many octets of the client and of the server belong to it.
    Through { client: usize, server: usize, what: String },
}

const PROXY_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Looks for a tunnel.
pub(super) fn find(client: &[u8], server: &[u8]) -> Tunnel {
    let found = match client {
        [5, count, ..] if (1..=16).contains(count) => socks5(client, server),
        [4, 1, ..] => socks4(client, server),
        _ if client.starts_with(b"CONNECT ") => connect(client, server),
        _ if client.starts_with(b"PROXY ") => proxy_1(client),
        _ if client.starts_with(PROXY_2) => proxy_2(client),
        _ => return Tunnel::None,
    };
    found.unwrap_or(Tunnel::NotYet)
}

fn connect(client: &[u8], server: &[u8]) -> Option<Tunnel> {
    let asked = memchr::memmem::find(client, b"\r\n\r\n")? + 4;
    let answered = memchr::memmem::find(server, b"\r\n\r\n")? + 4;
    // `HTTP/1.1 200 ...`
    if !(server.starts_with(b"HTTP/1.") && server.get(9) == Some(&b'2')) {
        return Some(Tunnel::None);
    }
    let target = client[8..].split(|&octet| octet == b' ').next().unwrap_or_default();
    Some(Tunnel::Through {
        client: asked,
        server: answered,
        what: format!("through an HTTP tunnel to {}", shown(target)),
    })
}

fn socks5(client: &[u8], server: &[u8]) -> Option<Tunnel> {
    let &[5, method, ..] = server else {
        return if server.len() < 2 { None } else { Some(Tunnel::None) };
    };
    let mut asked = 2 + usize::from(client[1]);
    let mut answered = 2;
    if method == 2 {
        // RFC 1929: version, a name and a password with their lengths; the answer has two octets.
        let name = usize::from(*client.get(asked + 1)?);
        let password = usize::from(*client.get(asked + 2 + name)?);
        (asked, answered) = (asked + 3 + name + password, answered + 2);
    }
    let (length, target) = address(client.get(asked..)?)?;
    asked += length;
    answered += address(server.get(answered..)?)?.0;
    let done = client.len() >= asked && server.len() >= answered;
    let what = format!("through a SOCKS 5 tunnel to {target}");
    done.then_some(Tunnel::Through { client: asked, server: answered, what })
}

/// Version, command or answer, zero, kind of address, address, port: the length, and the latter two.
fn address(text: &[u8]) -> Option<(usize, String)> {
    let (length, host) = match *text.get(3)? {
        1 => {
            let octets: [u8; 4] = text.get(4..8)?.try_into().ok()?;
            (4, std::net::Ipv4Addr::from(octets).to_string())
        }
        4 => {
            let octets: [u8; 16] = text.get(4..20)?.try_into().ok()?;
            (16, format!("[{}]", std::net::Ipv6Addr::from(octets)))
        }
        _ => {
            let length = usize::from(*text.get(4)?);
            (1 + length, shown(text.get(5..5 + length)?))
        }
    };
    let port = text.get(4 + length..6 + length)?;
    Some((6 + length, format!("{host}:{}", u16::from_be_bytes([port[0], port[1]]))))
}

fn socks4(client: &[u8], server: &[u8]) -> Option<Tunnel> {
    let head = client.get(..8)?;
    let user = memchr::memchr(0, &client[8..])? + 9;
    let mut asked = user;
    let mut host = std::net::Ipv4Addr::new(head[4], head[5], head[6], head[7]).to_string();
    if head[4..7] == [0, 0, 0] && head[7] != 0 {
        let name = &client[user..];
        let end = memchr::memchr(0, name)?;
        (asked, host) = (user + end + 1, shown(&name[..end]));
    }
    match server.get(..8)? {
        [0, 90, ..] => {
            let what = format!(
                "through a SOCKS 4 tunnel to {host}:{}",
                u16::from_be_bytes([head[2], head[3]])
            );
            Some(Tunnel::Through { client: asked, server: 8, what })
        }
        _ => Some(Tunnel::None),
    }
}

fn proxy_1(client: &[u8]) -> Option<Tunnel> {
    let end = memchr::memchr(b'\n', &client[..client.len().min(108)]);
    let Some(end) = end else { return (client.len() >= 108).then_some(Tunnel::None) };
    let what = format!("a proxy says: {}", shown(client[..end].trim_ascii()));
    Some(Tunnel::Through { client: end + 1, server: 0, what })
}

fn proxy_2(client: &[u8]) -> Option<Tunnel> {
    let length = client.get(14..16)?;
    let end = 16 + usize::from(u16::from_be_bytes([length[0], length[1]]));
    let what = "a proxy says who the client is (PROXY protocol, version 2)".to_owned();
    (client.len() >= end).then_some(Tunnel::Through { client: end, server: 0, what })
}

fn shown(text: &[u8]) -> String {
    let text = &text[..text.len().min(255)];
    text.iter()
        .map(|&o| if o.is_ascii_graphic() || o == b' ' { char::from(o) } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnels_are_stripped() {
        let socks: &[u8] = b"\x05\x01\x00\x05\x01\x00\x03\x06a.test\x00\x19EHLO";
        let answer: &[u8] = b"\x05\x00\x05\x00\x00\x01\x0a\x00\x00\x01\xd1\xcd220";
        let what = "through a SOCKS 5 tunnel to a.test:25".to_owned();
        let expected = Tunnel::Through { client: socks.len() - 4, server: answer.len() - 3, what };
        assert_eq!(find(socks, answer), expected);
        for length in 0..socks.len() - 4 {
            let found = find(&socks[..length], answer);
            assert!(matches!(found, Tunnel::NotYet | Tunnel::None), "{length}: {found:?}");
        }
        let http = b"CONNECT a.test:25 HTTP/1.0\r\n\r\n";
        let what = "through an HTTP tunnel to a.test:25".to_owned();
        let expected = Tunnel::Through { client: http.len(), server: 19, what };
        assert_eq!(find(http, b"HTTP/1.0 200 OK\r\n\r\n220 x"), expected);
        assert_eq!(find(http, b"HTTP/1.0 403 no\r\n\r\n"), Tunnel::None);
        let proxy = b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 25\r\nEHLO";
        assert!(matches!(find(proxy, b""), Tunnel::Through { client: 40, server: 0, .. }));
        assert_eq!(find(b"EHLO a.test\r\n", b""), Tunnel::None);
    }
}
