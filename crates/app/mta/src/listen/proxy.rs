//! The PROXY protocol, versions 1 and 2: a trusted proxy says in front of everything else whose
//! connection it hands on.
//!
//! Exactly the header is read, not an octet more: what follows is the client's, be it a greeting's
//! answer or a TLS handshake. The caller asks for it from configured proxies only.

use std::{io, net::SocketAddr};

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How version 2 begins; version 1 begins with `PROXY `, and has no fewer octets than this.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest header of version 1, with its CRLF.
const V1_LENGTH_MAX: usize = 107;
/// Addresses and whatever else a proxy tells in version 2; some tell much.
const V2_LENGTH_MAX: usize = 4 * 1024;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxied {
    /// The client; none where the proxy speaks for itself (a check whether we are alive).
    pub client: Option<SocketAddr>,
    /// Where the client had connected to.
    pub local: Option<SocketAddr>,
}

/// Reads the header off a connection that has just been opened.
///
/// # Errors
/// `InvalidData` if there is none; what the operating system says.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Proxied> {
    let mut header = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == SIGNATURE {
        read_rest_of_v2(stream, &mut header).await?;
    } else if header.starts_with(b"PROXY ") {
        while !header.ends_with(b"\r\n") {
            if header.len() == V1_LENGTH_MAX {
                return Err(malformed("a header of version 1 without an end"));
            }
            header.push(stream.read_u8().await?);
        }
    } else {
        return Err(malformed("no PROXY header"));
    }
    parse(&header)
}

async fn read_rest_of_v2(
    stream: &mut (impl AsyncRead + Unpin),
    header: &mut Vec<u8>,
) -> io::Result<()> {
    let mut fixed = [0; 4];
    stream.read_exact(&mut fixed).await?;
    let length = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
    if length > V2_LENGTH_MAX {
        return Err(malformed("a header of version 2 that is too long"));
    }
    header.extend_from_slice(&fixed);
    let start = header.len();
    header.resize(start + length, 0);
    stream.read_exact(&mut header[start..]).await?;
    Ok(())
}

fn parse(header: &[u8]) -> io::Result<Proxied> {
    let parsed = ProxyHeader::parse(header, ParseConfig::default());
    let (parsed, length) = parsed.map_err(|error| malformed(&format!("{error:?}")))?;
    check_sum(header)?;
    if length != header.len() {
        return Err(malformed("octets behind the header's end"));
    }
    // A port 0 is nobody's; it stands for a client without an address.
    let known = |mut address: SocketAddr| {
        address.set_port(address.port().max(1));
        address
    };
    let told = parsed.proxied_address();
    Ok(Proxied {
        client: told.map(|told| known(told.source)),
        local: told.map(|told| known(told.destination)),
    })
}

/// A checksum that a header of version 2 carries has to be right (section 2.2.3 of the specification).
fn check_sum(header: &[u8]) -> io::Result<()> {
    const CRC32C: u8 = 3;
    let Some(mut at) = start_of_values(header) else { return Ok(()) };
    while let Some(&[kind, high, low]) = header.get(at..at + 3).and_then(<[u8]>::first_chunk) {
        let (start, length) = (at + 3, usize::from(u16::from_be_bytes([high, low])));
        // Whatever a proxy tells besides is its own affair.
        let Some(value) = header.get(start..start + length) else { return Ok(()) };
        if kind == CRC32C {
            let mut blank = header.to_vec();
            blank[start..start + length].fill(0);
            if *value != crc32c::crc32c(&blank).to_be_bytes() {
                return Err(malformed("the checksum is wrong"));
            }
        }
        at = start + length;
    }
    Ok(())
}

/// Where type-length-value triples begin, behind the addresses; none where there is nobody to speak of.
fn start_of_values(header: &[u8]) -> Option<usize> {
    const FIXED: usize = SIGNATURE.len() + 4;
    let addresses = match (header.starts_with(&SIGNATURE), header.get(SIGNATURE.len() + 1)? >> 4) {
        (true, 1) => 12,
        (true, 2) => 36,
        (true, 3) => 216,
        _ => return None,
    };
    Some(FIXED + addresses)
}

fn malformed(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(octets: &[u8]) -> (io::Result<Proxied>, Vec<u8>) {
        let mut rest = octets;
        let read = read(&mut rest).await;
        (read, rest.to_vec())
    }

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = (addresses.len() as u16).to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, addresses].concat()
    }

    #[tokio::test]
    async fn exactly_the_header_is_read() {
        let client = "192.0.2.7:4711".parse().ok();
        let local = "192.0.2.25:25".parse().ok();
        let one = b"PROXY TCP4 192.0.2.7 192.0.2.25 4711 25\r\nEHLO x\r\n";
        let (read, rest) = of(one).await;
        assert_eq!(read.unwrap(), Proxied { client, local });
        assert_eq!(rest, b"EHLO x\r\n");
        let addresses = [192, 0, 2, 7, 192, 0, 2, 25, 0x12, 0x67, 0, 25];
        let mut two = v2(0x21, 0x11, &addresses);
        two.extend_from_slice(b"EHLO x\r\n");
        let (read, rest) = of(&two).await;
        assert_eq!(read.unwrap(), Proxied { client, local });
        assert_eq!(rest, b"EHLO x\r\n");
    }

    #[tokio::test]
    async fn a_checksum_has_to_be_right() {
        let addresses = [192, 0, 2, 7, 192, 0, 2, 25, 0x12, 0x67, 0, 25];
        let values = [&addresses[..], &[4, 0, 2, 0, 0], &[3, 0, 4, 0, 0, 0, 0]].concat();
        let mut header = v2(0x21, 0x11, &values);
        let end = header.len();
        assert!(of(&header).await.0.is_err(), "none is no right one");
        let sum = crc32c::crc32c(&header).to_be_bytes();
        header[end - 4..].copy_from_slice(&sum);
        assert!(of(&header).await.0.unwrap().client.is_some());
        header[20] ^= 1;
        assert!(of(&header).await.0.is_err(), "another address than was sent");
    }

    #[tokio::test]
    async fn a_proxy_may_speak_for_itself() {
        let nobody = Proxied { client: None, local: None };
        assert_eq!(of(b"PROXY UNKNOWN\r\n").await.0.unwrap(), nobody);
        assert_eq!(of(&v2(0x20, 0, &[])).await.0.unwrap(), nobody);
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let endless = [&b"PROXY TCP4 "[..], &[b'1'; 200]].concat();
        let cases: [&[u8]; 7] = [
            b"EHLO client.example.org\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.25 99999 25\r\n",
            b"PROXY TCP4 192.0.2.7\r\n",
            b"PROXY TCP9 192.0.2.7 192.0.2.25 1 2\r\n",
            b"PROX",
            b"",
            &endless,
        ];
        for octets in cases {
            assert!(of(octets).await.0.is_err(), "{}", octets.escape_ascii());
        }
        assert!(of(&v2(0x31, 0x11, &[0; 12])).await.0.is_err(), "version 3");
        assert!(of(&v2(0x21, 0x11, &[0; 3])).await.0.is_err(), "too few addresses");
    }
}
