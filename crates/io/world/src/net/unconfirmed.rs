//! How much of what was sent over a TCP connection the other host has not acknowledged.
//!
//! The kernel tells in /proc/net/tcp and tcp6 (proc(5)): a line for each connection of the network namespace.
//! That is read only when a peer fell silent, so its length does not matter.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::{IpAddr, SocketAddr},
};

use smtp::Unconfirmed;

/// The retransmission timer runs, as the table has it: others (4 is the probe of a closed window) mean that the
/// peer's host acknowledges and only its program does not read.
const RETRANSMITTING: &str = "01";

/// Looks a connection up; `None` if all is acknowledged, or where there is no such table.
pub(super) fn of(local: SocketAddr, peer: SocketAddr) -> Option<Unconfirmed> {
    let table = if local.is_ipv4() { "/proc/self/net/tcp" } else { "/proc/self/net/tcp6" };
    let names = (name(local), name(peer));
    let lines = BufReader::new(File::open(table).ok()?).lines();
    lines.map_while(Result::ok).find_map(|line| read(&line, &names))
}

/// `sl local remote st tx_queue:rx_queue tr:when retrnsmt ...`
fn read(line: &str, names: &(String, String)) -> Option<Unconfirmed> {
    let mut words = line.split_ascii_whitespace().skip(1);
    if (words.next()?, words.next()?) != (names.0.as_str(), names.1.as_str()) {
        return None;
    }
    let (queues, timer, repeats) = (words.nth(1)?, words.next()?, words.next()?);
    let octets = u64::from_str_radix(queues.split(':').next()?, 16).ok()?;
    let repeats = u32::from_str_radix(repeats, 16).ok()?;
    let is_lost = octets > 0 && repeats > 0 && timer.starts_with(RETRANSMITTING);
    is_lost.then_some(Unconfirmed { octets, repeats })
}

/// Words of 32 bits as the machine has them, in hexadecimal digits, and the port.
fn name(address: SocketAddr) -> String {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = octets.chunks_exact(4).map(|word| {
        let word = [word[0], word[1], word[2], word[3]];
        format!("{:08X}", u32::from_ne_bytes(word))
    });
    format!("{}:{:04X}", words.collect::<String>(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_kernels_table_is_read() {
        let names =
            (name("127.0.0.1:44506".parse().unwrap()), name("10.203.2.1:2525".parse().unwrap()));
        assert_eq!(names, ("0100007F:ADDA".to_owned(), "0102CB0A:09DD".to_owned()));
        let line = |rest: &str| {
            format!("   3: 0100007F:ADDA 0102CB0A:09DD 01 {rest} 0 0 77 2 000 20 4 30")
        };
        for (rest, expected) in [
            (
                "00004988:00000000 01:00000123 00000005",
                Some(Unconfirmed { octets: 18_824, repeats: 5 }),
            ),
            ("00000000:00000000 00:00000000 00000000", None),
            // its window is closed
            ("00004988:00000000 04:00000123 00000000", None),
        ] {
            assert_eq!(read(&line(rest), &names), expected, "{rest}");
        }
        let local = name("[2001:db8::1]:25".parse().unwrap());
        assert_eq!(local, "B80D0120000000000000000001000000:0019");
    }
}
