//! One line of the table: a name, perhaps a TTL, a type and its data.

use std::{net::IpAddr, time::Duration};

use super::{Data, Failing, Record};
use crate::dns::{Failure, Mx, Tlsa};

const TTL_DEFAULT: Duration = Duration::from_secs(3600);

/// Up to the first `;` that is not in quotes.
pub(super) fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, letter) in line.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            ';' if !quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

pub(super) fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

pub(super) fn record(line: &str) -> Result<(String, Record), String> {
    let (name, rest) = word(line);
    let (first, after) = word(rest);
    let (ttl, kind, data) = match first.parse() {
        Ok(seconds) => {
            let (kind, data) = word(after);
            (Duration::from_secs(seconds), kind, data)
        }
        Err(_) => (TTL_DEFAULT, first, after),
    };
    let data = match kind.to_ascii_uppercase().as_str() {
        "MX" => mx(data)?,
        "A" => Data::Address(address(data, IpAddr::is_ipv4)?),
        "AAAA" => Data::Address(address(data, IpAddr::is_ipv6)?),
        "CNAME" => Data::Cname(canonical(one(data)?)),
        "PTR" => Data::Ptr(canonical(one(data)?)),
        "TXT" => Data::Txt(text(data)?),
        "TLSA" => Data::Tlsa(tlsa(data)?),
        "SIGNED" => Data::Signed(true),
        "UNSIGNED" => Data::Signed(false),
        "SERVFAIL" => fails(data, Some(Failure::ServFail)),
        "REFUSED" => fails(data, Some(Failure::Refused)),
        "BOGUS" => fails(data, None),
        "TIMEOUT" => {
            let seconds = data.parse().map_err(|_| format!("`{data}` is no number of seconds"))?;
            let after = Duration::from_secs(seconds);
            Data::Fails(Failing { kind: None, after, failure: Some(Failure::Timeout) })
        }
        "" => return Err("a type and data are missing".into()),
        other => return Err(format!("`{other}` is none of the types that a table can have")),
    };
    Ok((canonical(name), Record { ttl, data }))
}

/// For one type of question, or for all.
fn fails(data: &str, failure: Option<Failure>) -> Data {
    let kind = Some(data.to_ascii_uppercase()).filter(|kind| !kind.is_empty());
    Data::Fails(Failing { kind, after: Duration::ZERO, failure })
}

fn tlsa(data: &str) -> Result<Tlsa, String> {
    let wrong = || format!("`{data}` is no TLSA record: write `3 1 1 0a1b...`");
    let mut words = data.split_whitespace();
    let mut number = || words.next().and_then(|word| word.parse().ok()).ok_or_else(wrong);
    let (usage, selector, matching) = (number()?, number()?, number()?);
    // Digits may stand in groups, as in a zone file.
    let digits: Vec<u8> = words.flat_map(str::bytes).collect();
    let octet = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok().filter(|_| pair.len() == 2)?;
        u8::from_str_radix(text, 16).ok()
    };
    let data = digits.chunks(2).map(octet).collect::<Option<Vec<u8>>>();
    let data = data.filter(|data| !data.is_empty()).ok_or_else(wrong)?;
    Ok(Tlsa { usage, selector, matching, data })
}

fn word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim()))
}

fn one(data: &str) -> Result<&str, String> {
    match word(data) {
        ("", _) => Err("a name is missing".into()),
        (name, "") => Ok(name),
        (_, more) => Err(format!("`{more}` is too much")),
    }
}

fn mx(data: &str) -> Result<Data, String> {
    let (preference, exchange) = word(data);
    let preference =
        preference.parse().map_err(|_| format!("`{preference}` is no MX preference (0-65535)"))?;
    Ok(Data::Mx(Mx { preference, exchange: canonical(one(exchange)?) }))
}

fn address(data: &str, is_right: impl Fn(&IpAddr) -> bool) -> Result<IpAddr, String> {
    data.parse().ok().filter(is_right).ok_or_else(|| format!("`{data}` is no such address"))
}

/// Quoted strings, joined; or one word without quotes.
fn text(data: &str) -> Result<String, String> {
    if !data.contains('"') {
        return Ok(data.into());
    }
    let parts: Vec<_> = data.split('"').collect();
    // outside, inside, outside, ..., outside
    let is_quoted = parts.len() % 2 == 1 && parts.iter().step_by(2).all(|p| p.trim().is_empty());
    if !is_quoted {
        return Err("the quotes do not match".into());
    }
    Ok(parts.iter().skip(1).step_by(2).copied().collect())
}
