//! DMARC (RFC 7489): the record of the domain, or of the nearest domain above it.

use diagnose::Weight;
use world::World;

use super::{Notice, Record, tags, texts};

/// Looks from the domain upwards, never at a top-level domain alone.
pub(super) async fn look_up(world: &World, domain: &str) -> Record {
    let mut record = Record::new("DMARC", format!("_dmarc.{domain}"));
    let mut at = domain;
    loop {
        let mut there = Record::new("DMARC", format!("_dmarc.{at}"));
        there.texts = texts(world, &mut there, "v=DMARC1").await;
        if !there.texts.is_empty() || !there.notices.is_empty() {
            if at != domain {
                there.remark = format!("of `{at}`, as `{domain}` has none of its own");
            }
            record = there;
            break;
        }
        match at.split_once('.') {
            Some((_, above)) if above.contains('.') => at = above,
            _ => break,
        }
    }
    let absent = "publish `v=DMARC1; p=none; rua=mailto:...` to begin with";
    if let Some(text) = record.only((Weight::Fault, absent)) {
        record.notices.extend(check(&text));
        let of = record.name.trim_start_matches("_dmarc.").to_owned();
        for elsewhere in elsewhere(&text, &of) {
            record.notices.extend(consent(world, &of, &elsewhere).await);
        }
    }
    record
}

/// So many domains of others are asked whether they take the reports.
const ELSEWHERE_MAX: usize = 10;

/// The domains of others that reports are to go to. What a domain's own are, is taken by the last two labels:
/// rather one too few is asked than one accused.
fn elsewhere(text: &str, of: &str) -> Vec<String> {
    let registered = |domain: &str| {
        let labels = domain.trim_end_matches('.').to_ascii_lowercase();
        let labels: Vec<&str> = labels.rsplit('.').take(2).collect();
        labels.join(".")
    };
    let tags = tags::read(text).unwrap_or_default();
    let addresses = ["rua", "ruf"].iter().filter_map(|name| tags::value(&tags, name));
    let mut domains: Vec<String> = addresses
        .flat_map(|value| value.split(','))
        .filter_map(|address| address.trim().rsplit_once('@'))
        // `!10m` at the end bounds a report's size (RFC 7489 section 6.2).
        .map(|(_, domain)| domain.split('!').next().unwrap_or_default().to_ascii_lowercase())
        .filter(|domain| !domain.is_empty() && registered(domain) != registered(of))
        .collect();
    domains.sort();
    domains.dedup();
    domains.truncate(ELSEWHERE_MAX);
    domains
}

/// Reports go to another domain only where that has said so (RFC 7489 section 7.1).
async fn consent(world: &World, of: &str, elsewhere: &str) -> Option<Notice> {
    let mut there = Record::new("DMARC", format!("{of}._report._dmarc.{elsewhere}"));
    let is_given = !texts(world, &mut there, "v=DMARC1").await.is_empty();
    if is_given || !there.notices.is_empty() {
        return there.notices.pop();
    }
    let what = format!(
        "reports are to go to `{elsewhere}`, which has not said that it takes them: no report comes"
    );
    let remedy = format!("`{elsewhere}` has to publish `v=DMARC1` at `{}`", there.name);
    Some(Notice::new(Weight::Fault, what, remedy))
}

/// Whether a record asks for quarantine or rejection of all mail, as BIMI wants it.
pub(super) fn enforces(record: &Record) -> bool {
    let [text] = record.texts.as_slice() else { return false };
    let Ok(tags) = tags::read(text) else { return false };
    let policy = tags::value(&tags, "p").unwrap_or_default().to_ascii_lowercase();
    let all = tags::value(&tags, "pct").is_none_or(|share| share == "100");
    record.kind == "DMARC" && all && matches!(policy.as_str(), "quarantine" | "reject")
}

pub(super) fn check(text: &str) -> Vec<Notice> {
    let mut notices = Vec::new();
    let mut tell = |weight, what: String, remedy: &str| {
        notices.push(Notice::new(weight, what, remedy));
    };
    let tags = match tags::read(text) {
        Ok(tags) => tags,
        Err(why) => {
            tell(Weight::Fault, why, "mend the record (RFC 7489 section 6.3)");
            return notices;
        }
    };
    let policies = ["none", "quarantine", "reject"];
    let is_policy = |value: &str| policies.iter().any(|own| own.eq_ignore_ascii_case(value));
    match tags::value(&tags, "p") {
        None => tell(Weight::Fault, "there is no `p`".to_owned(), "add `p=none` or more"),
        Some(p) if p.eq_ignore_ascii_case("none") => tell(
            Weight::Remark,
            "`p=none` asks receivers for reports only: forged mail gets through".to_owned(),
            "change to `quarantine` or `reject` when the reports are clean",
        ),
        Some(_) => {}
    }
    for name in ["p", "sp"] {
        if let Some(value) = tags::value(&tags, name).filter(|value| !is_policy(value)) {
            let what = format!("`{name}={value}` is none of none, quarantine and reject");
            tell(Weight::Fault, what, "take one of them");
        }
    }
    for name in ["adkim", "aspf"] {
        let is_mode = |value: &&str| ["r", "s"].iter().any(|own| own.eq_ignore_ascii_case(value));
        if let Some(value) = tags::value(&tags, name).filter(|value| !is_mode(value)) {
            tell(Weight::Fault, format!("`{name}={value}` is neither r nor s"), "take one of them");
        }
    }
    let is_share = |value: &&str| value.parse::<u8>().is_ok_and(|share| share <= 100);
    if let Some(share) = tags::value(&tags, "pct").filter(|share| !is_share(share)) {
        tell(Weight::Fault, format!("`pct={share}` is no number up to 100"), "mend or drop it");
    }
    for name in ["rua", "ruf"] {
        let addresses = tags::value(&tags, name).into_iter().flat_map(|value| value.split(','));
        for address in addresses.map(str::trim) {
            let is_uri = address.split_once(':').is_some_and(|(scheme, rest)| {
                scheme.eq_ignore_ascii_case("mailto") && rest.contains('@')
            });
            if !is_uri {
                let what = format!("`{name}` has `{address}`, which is no `mailto:` address");
                tell(Weight::Fault, what, "write `mailto:` before each address");
            }
        }
    }
    if tags::value(&tags, "rua").is_none() {
        let what = "there is no `rua`: nobody gets reports".to_owned();
        tell(Weight::Remark, what, "add `rua=mailto:...`");
    }
    notices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_consent_is_asked() {
        for (text, expected) in [
            ("v=DMARC1; p=none; rua=mailto:a@b.test,mailto:a@d.b.test", &[][..]),
            (
                "v=DMARC1; p=none; rua=mailto:a@Other.example!10m; ruf=mailto:x@other.example",
                &["other.example"],
            ),
            ("v=DMARC1; p=none; rua=mailto:a@", &[]),
            ("nonsense", &[]),
        ] {
            assert_eq!(elsewhere(text, "news.b.test"), expected, "{text}");
        }
    }

    #[test]
    fn mistakes() {
        for (text, worst) in [
            ("v=DMARC1; p=reject; rua=mailto:a@b.test", None),
            ("v=DMARC1; p=none; rua=mailto:a@b.test", Some(Weight::Remark)),
            ("v=DMARC1; p=reject", Some(Weight::Remark)),
            ("v=DMARC1; rua=mailto:a@b.test", Some(Weight::Fault)),
            ("v=DMARC1; p=block; rua=mailto:a@b.test", Some(Weight::Fault)),
            ("v=DMARC1; p=reject; rua=a@b.test", Some(Weight::Fault)),
            ("v=DMARC1; p=reject; pct=101; rua=mailto:a@b.test", Some(Weight::Fault)),
            ("v=DMARC1; p=reject; aspf=x; rua=mailto:a@b.test", Some(Weight::Fault)),
            ("v=DMARC1 p=reject; reject", Some(Weight::Fault)),
        ] {
            let found = check(text).iter().map(|notice| notice.weight).max();
            assert_eq!(found, worst, "{text}");
        }
    }
}
