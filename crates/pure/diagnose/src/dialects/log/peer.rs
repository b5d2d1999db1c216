//! Hosts as logs name them: `mx.a.test[192.0.2.1]:25`, `H=mx.a.test (helo) [192.0.2.1]:25`,
//! `relay=mx.a.test. [192.0.2.1]`.

use std::net::{IpAddr, SocketAddr};

use crate::session::Endpoint;

/// A name and a bracketed address behind it, if the words begin with them. Gives what stands behind.
/// Postfix writes no port for clients (then it is 0), and `unknown` for a client without name.
pub(super) fn bracketed(words: &str) -> Option<(Endpoint, &str)> {
    let open = words.bytes().position(|octet| matches!(octet, b'[' | b' ' | b',' | b'('))?;
    if words.as_bytes()[open] != b'[' {
        return None;
    }
    let (inside, behind) = words[open + 1..].split_once(']')?;
    let (port, behind) = port(behind);
    let name = named(&words[..open]);
    // A Unix socket's path stands in brackets, too.
    Some((Endpoint { address: address(inside, port), name }, behind))
}

/// The first host in the words that has an address in brackets, the way Exim writes it: a name, perhaps
/// the name that it gave itself in parentheses (which may look like an address), the address, perhaps
/// a port.
pub(super) fn within(words: &str) -> Option<(Endpoint, &str)> {
    let octets = words.as_bytes();
    let (mut at, mut depth) = (0, 0u32);
    while at < octets.len() {
        match octets[at] {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'[' if depth == 0 => {
                if let Some((inside, behind)) = closed(&words[at + 1..])
                    && inside.parse::<IpAddr>().is_ok()
                {
                    let (port, behind) = port(behind);
                    let name = name_before(&words[..at]);
                    return Some((Endpoint { address: address(inside, port), name }, behind));
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// `192.0.2.1:25`, `[2001:db8::1]:25`, `192.0.2.1`.
pub(super) fn socket(words: &str) -> Option<SocketAddr> {
    words.parse().ok().or_else(|| address(words.trim_matches(['[', ']']), 0))
}

/// An address, with the prefix that sendmail and postscreen give IPv6.
pub(super) fn address(words: &str, port: u16) -> Option<SocketAddr> {
    let words = words.strip_prefix("IPv6:").unwrap_or(words);
    let words = words.split_once('%').map_or(words, |(address, _)| address);
    words.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port))
}

/// What stands before the next closing bracket, if it may be an address: a line of nothing but opening
/// ones must not be walked over for each.
fn closed(words: &str) -> Option<(&str, &str)> {
    const ADDRESS_LENGTH_MAX: usize = 64;
    let near = &words.as_bytes()[..words.len().min(ADDRESS_LENGTH_MAX)];
    let end = memchr::memchr(b']', near)?;
    Some((&words[..end], &words[end + 1..]))
}

/// `:25` in front.
fn port(words: &str) -> (u16, &str) {
    let Some(rest) = words.strip_prefix(':') else { return (0, words) };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    match rest[..digits].parse() {
        Ok(port) => (port, &rest[digits..]),
        Err(_) => (0, words),
    }
}

/// The word before the address and before what stands in parentheses.
fn name_before(words: &str) -> Option<String> {
    let words = words.trim_end();
    let words = match words.strip_suffix(')') {
        Some(inside) => inside.rsplit_once('(').map_or("", |(before, _)| before).trim_end(),
        None => words,
    };
    let word = words.rsplit(' ').next().unwrap_or_default();
    let word = word.rsplit('=').next().unwrap_or_default();
    // `SMTP call from [192.0.2.1]`: the word before is no name.
    if matches!(word, "from" | "to" | "for" | "host" | "with" | "on") { None } else { named(word) }
}

fn named(word: &str) -> Option<String> {
    (!word.is_empty() && word != "unknown").then(|| word.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(found: Option<(Endpoint, &str)>) -> String {
        let Some((endpoint, rest)) = found else { return "none".to_owned() };
        let address = endpoint.address.map_or("-".to_owned(), |address| address.to_string());
        format!("{} {address}|{rest}", endpoint.name.as_deref().unwrap_or("-"))
    }

    #[test]
    fn postfix_has_names_before_brackets() {
        for (words, expected) in [
            ("mx.a.test[192.0.2.1]:25: x", "mx.a.test 192.0.2.1:25|: x"),
            ("unknown[2001:db8::1]: x", "- [2001:db8::1]:0|: x"),
            ("[192.0.2.1]:3333 in tests", "- 192.0.2.1:3333| in tests"),
            ("a.test[/run/dovecot/lmtp], delay", "a.test -|, delay"),
            ("none, delay=1", "none"),
        ] {
            assert_eq!(shown(bracketed(words)), expected, "{words}");
        }
    }

    #[test]
    fn exim_has_helo_in_parentheses() {
        for (words, expected) in [
            (
                "H=a.test ([192.0.2.9]) [192.0.2.1]:25 I=[192.0.2.2]:25 x",
                "a.test 192.0.2.1:25| I=[192.0.2.2]:25 x",
            ),
            ("H=(helo) [192.0.2.1] x", "- 192.0.2.1:0| x"),
            ("SMTP call from [192.0.2.1] dropped", "- 192.0.2.1:0| dropped"),
            ("SMTP call from a.test [192.0.2.1]:9 dropped", "a.test 192.0.2.1:9| dropped"),
            ("[10] no address", "none"),
        ] {
            assert_eq!(shown(within(words)), expected, "{words}");
        }
    }
}
