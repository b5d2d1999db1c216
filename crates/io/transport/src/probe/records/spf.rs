//! SPF (RFC 7208): one record, terms that are known, no more than ten look-ups.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, Ipv6Addr},
};

use diagnose::Weight;
use world::{World, dns::DnsError};

use super::{Notice, Record, texts};

/// Section 4.6.4.
const LOOKUPS_MAX: usize = 10;

/// The record at the domain, and how many look-ups it takes.
pub(super) async fn look_up(world: &World, domain: &str) -> Record {
    let mut record = Record::new("SPF", domain);
    record.texts = texts(world, &mut record, "v=spf1").await;
    let absent = "list the hosts that send the domain's mail; `v=spf1 -all` if there are none";
    let Some(text) = record.only((Weight::Fault, absent)) else { return record };
    record.notices.extend(check(&text));
    let (count, problems) = count(world, domain, &text).await;
    record.remark = format!("{count} look-ups");
    if count > LOOKUPS_MAX {
        record.remark = format!("more than {LOOKUPS_MAX} look-ups");
        let what =
            format!("it takes more than {LOOKUPS_MAX} look-ups: receivers end with permerror");
        record.tell(Weight::Failure, what, "name networks (`ip4:`, `ip6:`), drop includes");
    }
    for problem in problems {
        record.tell(Weight::Failure, problem, "mend or remove that term");
    }
    record
}

/// What a record says, term by term. Pure.
pub(super) fn check(text: &str) -> Vec<Notice> {
    let mut notices = Vec::new();
    let mut tell = |weight, what: String, remedy: &str| {
        notices.push(Notice::new(weight, what, remedy));
    };
    let (mut all, mut redirects) = (None, 0);
    for term in text.split_ascii_whitespace().skip(1) {
        if let Err(why) = term_is_known(term) {
            let what = format!("`{term}`: {why}; receivers end with permerror");
            tell(Weight::Failure, what, "mend that term (RFC 7208 section 5)");
        }
        let (sign, name, _) = parts(term);
        match name.as_str() {
            "all" => all = all.or(Some(sign)),
            "redirect" => redirects += 1,
            "ptr" => {
                let what = "`ptr` is slow, unreliable, and not to be used".to_owned();
                tell(Weight::Remark, what, "name networks instead (RFC 7208 section 5.5)");
            }
            _ if all.is_some() && !term.contains('=') => {
                let what = format!("`{term}` stands behind `all`, so it never counts");
                tell(Weight::Fault, what, "put `all` last");
            }
            _ => {}
        }
    }
    match (all, redirects) {
        (Some('+'), _) => tell(
            Weight::Fault,
            "`+all` lets everybody send as this domain".to_owned(),
            "end with `-all` or `~all`",
        ),
        (None, 0) => tell(
            Weight::Remark,
            "there is no `all` at its end: other hosts are neither allowed nor refused".to_owned(),
            "end with `-all` or `~all`",
        ),
        (_, 2..) => tell(
            Weight::Failure,
            "there is more than one `redirect`".to_owned(),
            "leave one (RFC 7208 section 6)",
        ),
        _ => {}
    }
    notices
}

/// Qualifier, name in lower case, and what follows it, with its `:`, `/` or `=`.
fn parts(term: &str) -> (char, String, &str) {
    let sign = term.chars().next().filter(|c| "+-~?".contains(*c));
    let rest = if sign.is_some() { &term[1..] } else { term };
    let end = rest.find([':', '/', '=']).unwrap_or(rest.len());
    (sign.unwrap_or('+'), rest[..end].to_ascii_lowercase(), &rest[end..])
}

fn term_is_known(term: &str) -> Result<(), String> {
    let (_, name, rest) = parts(term);
    let value = rest.strip_prefix(':');
    if let Some(domain) = rest.strip_prefix('=') {
        return match (name.as_str(), domain) {
            ("redirect" | "exp", "") => Err("there is no domain behind it".to_owned()),
            // Unknown modifiers are passed over (section 6).
            _ => Ok(()),
        };
    }
    let prefix_fits = |max: u8| {
        let prefix = |text: &str| text.parse::<u8>().is_ok_and(|bits| bits <= max);
        value.and_then(|value| value.split_once('/')).is_none_or(|(_, bits)| prefix(bits))
    };
    let address = value.map(|value| value.split('/').next().unwrap_or_default());
    match name.as_str() {
        "all" if rest.is_empty() => Ok(()),
        "all" => Err("`all` has no parameter".to_owned()),
        "a" | "mx" | "ptr" if value == Some("") => Err("there is no domain behind it".to_owned()),
        "a" | "mx" | "ptr" => Ok(()),
        "include" | "exists" => match value {
            Some(domain) if !domain.is_empty() => Ok(()),
            _ => Err("there is no domain behind it".to_owned()),
        },
        "ip4" if !prefix_fits(32) => Err("a prefix is 0 to 32".to_owned()),
        "ip4" => match address.is_some_and(|text| text.parse::<Ipv4Addr>().is_ok()) {
            true => Ok(()),
            false => Err("that is no IPv4 address".to_owned()),
        },
        "ip6" if !prefix_fits(128) => Err("a prefix is 0 to 128".to_owned()),
        "ip6" => match address.is_some_and(|text| text.parse::<Ipv6Addr>().is_ok()) {
            true => Ok(()),
            false => Err("that is no IPv6 address".to_owned()),
        },
        _ => Err("there is no such mechanism".to_owned()),
    }
}

/// Terms that cost a look-up, those of included records too (section 4.6.4); stops above the limit, so that
/// a loop of includes ends. Macros cost, and are not followed.
async fn count(world: &World, domain: &str, text: &str) -> (usize, Vec<String>) {
    let (mut count, mut problems) = (0, Vec::new());
    let mut waiting = VecDeque::from([(domain.to_owned(), text.to_owned())]);
    while let Some((_, text)) = waiting.pop_front() {
        for term in text.split_ascii_whitespace().skip(1) {
            let (_, name, rest) = parts(term);
            let costs = ["include", "a", "mx", "ptr", "exists", "redirect"];
            if !costs.contains(&name.as_str()) {
                continue;
            }
            count += 1;
            if count > LOOKUPS_MAX {
                return (count, problems);
            }
            let target = rest.get(1..).unwrap_or_default();
            if !matches!(name.as_str(), "include" | "redirect") || target.is_empty() {
                continue;
            }
            if !target.contains('%') {
                match included(world, target).await {
                    Ok(text) => waiting.push_back((target.to_owned(), text)),
                    Err(why) => problems.push(format!("`{term}`: {why}")),
                }
            }
        }
    }
    (count, problems)
}

/// The one record of another domain: without it, there is a permerror (section 5.2).
async fn included(world: &World, target: &str) -> Result<String, String> {
    let records = match world.dns.texts(target).await {
        Ok(answer) => answer.records,
        Err(DnsError::NoSuchName(_) | DnsError::NoRecords(..)) => Vec::new(),
        Err(error) => return Err(error.to_string()),
    };
    let ours: Vec<String> =
        records.into_iter().filter(|text| super::tags::has_version(text, "v=spf1")).collect();
    match <[String; 1]>::try_from(ours) {
        Ok([one]) => Ok(one),
        Err(ours) => {
            Err(format!("`{target}` has {} SPF records, where there has to be one", ours.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms() {
        for (term, is_good) in [
            ("-all", true),
            ("all:x", false),
            ("ip4:192.0.2.0/24", true),
            ("ip4:192.0.2.0/33", false),
            ("ip4:192.0.2", false),
            ("ip6:2001:db8::/32", true),
            ("ip6:192.0.2.1", false),
            ("mx", true),
            ("a/24", true),
            ("mx:b.test//64", true),
            ("include:", false),
            ("?include:b.test", true),
            ("exists:%{i}.b.test", true),
            ("redirect=b.test", true),
            ("new=thing", true), // unknown modifiers are passed over
            ("ipv4:192.0.2.1", false),
            ("-", false),
        ] {
            assert_eq!(term_is_known(term).is_ok(), is_good, "{term}");
        }
    }

    #[test]
    fn records() {
        for (text, worst) in [
            ("v=spf1 mx -all", None),
            ("v=spf1 mx", Some(Weight::Remark)),
            ("v=spf1 redirect=b.test", None),
            ("v=spf1 +all", Some(Weight::Fault)),
            ("v=spf1 all", Some(Weight::Fault)), // no sign is `+`
            ("v=spf1 -all mx", Some(Weight::Fault)),
            ("v=spf1 redirect=a.test redirect=b.test", Some(Weight::Failure)),
            ("v=spf1 ip4:192.0.2 -all", Some(Weight::Failure)),
        ] {
            let found = check(text).iter().map(|notice| notice.weight).max();
            assert_eq!(found, worst, "{text}");
        }
    }
}
