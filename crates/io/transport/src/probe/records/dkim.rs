//! DKIM keys (RFC 6376 section 3.6.1, RFC 8463).

use diagnose::Weight;
use world::{World, dns::DnsError};

use super::{Notice, Record, tags};

/// The key of one selector. Where the selector was `given`, its absence is a fault.
pub(super) async fn look_up(world: &World, domain: &str, selector: &str, given: bool) -> Record {
    let mut record = Record::new("DKIM", format!("{selector}._domainkey.{domain}"));
    match world.dns.texts(&record.name).await {
        // The version may be left out, so every text counts that has a key.
        Ok(answer) => {
            let has_key =
                |text: &String| text.split(';').any(|part| part.trim_start().starts_with("p="));
            record.texts = answer.records.into_iter().filter(has_key).collect();
        }
        Err(DnsError::NoSuchName(_) | DnsError::NoRecords(..)) => {}
        Err(error) if given => record.tell(Weight::Fault, error.to_string(), "ask again later"),
        Err(_) => return record,
    }
    if !given && record.texts.is_empty() {
        return record;
    }
    let absent = "publish the key of that selector, or sign with another one";
    if let Some(text) = record.only((Weight::Failure, absent)) {
        let (remark, notices) = check(&text);
        record.remark = remark;
        record.notices.extend(notices);
    }
    record
}

/// What kind of key it is, and what is amiss with it.
pub(super) fn check(text: &str) -> (String, Vec<Notice>) {
    let mut notices = Vec::new();
    let mut tell = |weight, what: &str, remedy: &str| {
        notices.push(Notice::new(weight, what, remedy));
    };
    let tags = match tags::read(text) {
        Ok(tags) => tags,
        Err(why) => {
            tell(Weight::Failure, &why, "mend the record (RFC 6376 section 3.6.1)");
            return (String::new(), notices);
        }
    };
    if tags::value(&tags, "v").is_some_and(|version| version != "DKIM1") {
        tell(Weight::Failure, "its version is not `DKIM1`: the key does not count", "`v=DKIM1`");
    }
    if tags::value(&tags, "t").is_some_and(|flags| flags.split(':').any(|flag| flag.trim() == "y"))
    {
        tell(Weight::Remark, "`t=y`: the domain only tests DKIM", "drop the flag when it works");
    }
    let kind = tags::value(&tags, "k").unwrap_or("rsa").to_ascii_lowercase();
    let key: String =
        tags::value(&tags, "p").unwrap_or_default().split_ascii_whitespace().collect();
    if key.is_empty() {
        tell(Weight::Remark, "the key is revoked: `p` is empty", "sign with another selector");
        return (kind, notices);
    }
    let body = key.trim_end_matches('=');
    let is_base64 = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
    if !body.bytes().all(is_base64) || body.len() % 4 == 1 || key.len() - body.len() > 2 {
        tell(Weight::Failure, "`p` is no base64: the key can't be read", "publish it anew");
        return (kind, notices);
    }
    let octets = body.len() * 3 / 4;
    let remark = match kind.as_str() {
        "ed25519" => {
            if octets != 32 {
                tell(Weight::Failure, "an Ed25519 key has 32 octets", "publish it anew (RFC 8463)");
            }
            kind
        }
        "rsa" => {
            let bits = rsa_bits(octets);
            if bits < 1024 {
                tell(
                    Weight::Failure,
                    "the RSA key is shorter than 1024 bits: it does not count",
                    LONGER,
                );
            } else if bits < 2048 {
                tell(Weight::Remark, "the RSA key is shorter than 2048 bits", LONGER);
            }
            format!("rsa, about {bits} bits")
        }
        _ => {
            tell(Weight::Failure, "there is no such kind of key", "`k` is rsa or ed25519");
            kind
        }
    };
    (remark, notices)
}

const LONGER: &str = "make a key of 2048 bits under a new selector (RFC 8301)";

/// By the length of the whole: 38 octets and less are not the modulus. To the nearest multiple of 128.
fn rsa_bits(octets: usize) -> usize {
    (octets.saturating_sub(36) * 8 + 32) / 128 * 128
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        // Lengths of SubjectPublicKeyInfo: 1024 bits have 162 octets, 2048 have 294, 512 have 94.
        let key = |octets: usize| "A".repeat(octets.div_ceil(3) * 4);
        for (text, worst) in [
            (format!("v=DKIM1; k=rsa; p={}", key(294)), None),
            (format!("p={}", key(162)), Some(Weight::Remark)),
            (format!("v=DKIM1; p={}", key(94)), Some(Weight::Failure)),
            ("v=DKIM1; p=".to_owned(), Some(Weight::Remark)),
            ("v=DKIM1; p=no*base64".to_owned(), Some(Weight::Failure)),
            (format!("v=DKIM1; k=ed25519; p={}=", "A".repeat(43)), None),
            ("v=DKIM1; k=ed25519; p=AAAA".to_owned(), Some(Weight::Failure)),
            (format!("v=DKIM2; p={}", key(294)), Some(Weight::Failure)),
        ] {
            let found = check(&text).1.iter().map(|notice| notice.weight).max();
            assert_eq!(found, worst, "{text}");
        }
        assert_eq!([rsa_bits(162), rsa_bits(294), rsa_bits(550)], [1024, 2048, 4096]);
    }
}
