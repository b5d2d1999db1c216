//! Refused because an address or a domain is on a blocklist: which list, which address, where to look.

use super::Evidence;
use crate::finding::{Confidence, Finding, Party};

/// What the server's words may hold, the list's name, where to look an address up, and what the list is.
/// The page is empty where there is none any more.
const LISTS: [(&str, &str, &str, &str); 16] = [
    (
        "dbl.spamhaus",
        "Spamhaus DBL",
        "https://check.spamhaus.org/",
        "a list of domains seen in spam",
    ),
    (
        "pbl.spamhaus",
        "Spamhaus PBL",
        "https://check.spamhaus.org/",
        "a list of dial-up and end-user addresses that should send through their provider",
    ),
    (
        "xbl.spamhaus",
        "Spamhaus XBL",
        "https://check.spamhaus.org/",
        "a list of addresses with hijacked machines",
    ),
    ("sbl.spamhaus", "Spamhaus SBL", "https://check.spamhaus.org/", "a list of spam sources"),
    (
        "zen.spamhaus",
        "Spamhaus ZEN",
        "https://check.spamhaus.org/",
        "several lists in one: spam sources, hijacked machines, end-user addresses",
    ),
    ("spamhaus", "Spamhaus", "https://check.spamhaus.org/", "a family of lists"),
    (
        "spamcop",
        "SpamCop",
        "https://www.spamcop.net/bl.shtml",
        "a list fed by users' reports, from which an address drops out by itself",
    ),
    (
        "barracuda",
        "Barracuda",
        "https://www.barracudacentral.org/lookups",
        "a list of senders with a poor reputation",
    ),
    (
        "sorbs",
        "SORBS",
        "",
        "a list that was closed in 2024; the server's configuration is out of date",
    ),
    (
        "uceprotect",
        "UCEPROTECT",
        "https://www.uceprotect.net/en/rblcheck.php",
        "a list that also lists whole networks and providers",
    ),
    ("psbl", "PSBL", "https://psbl.org/", "a list of addresses that sent to spam traps"),
    (
        "mailspike",
        "Mailspike",
        "https://mailspike.io/ip_verify",
        "a list of senders with a poor reputation",
    ),
    ("surbl", "SURBL", "https://surbl.org/surbl-analysis", "a list of domains in spam"),
    ("uribl", "URIBL", "https://lookup.uribl.com/", "a list of domains in spam"),
    (
        "manitu",
        "NiX Spam",
        "",
        "a list that was closed in 2025; the server's configuration is out of date",
    ),
    ("abusix", "Abusix", "https://lookup.abusix.com/", "a list of senders with a poor reputation"),
];

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let reply = evidence.reply().filter(|reply| reply.code >= 400)?;
    let says_listed = evidence.says(&[
        "blocklist",
        "block list",
        "blacklist",
        "black list",
        "blocked using",
        "listed by",
        "listed at",
        "listed in",
        "listed on",
        "is listed",
        "dnsbl",
        "dnsrbl",
        " rbl",
        "rbl ",
    ]);
    let list = LISTS.iter().find(|(phrase, ..)| evidence.words.contains(phrase));
    if list.is_none() && !says_listed {
        return None;
    }
    let subject = match evidence.quoted_address() {
        Some(address) => format!("the sending address {address}"),
        None => "the sending address, or a domain in the message,".to_owned(),
    };
    let (name, look_up) = match list {
        Some((_, name, look_up, kind)) => (format!("the blocklist {name} ({kind})"), *look_up),
        None => ("a blocklist that it does not name".to_owned(), ""),
    };
    let link =
        link(&reply.text).map(|link| format!(" The server points to {link}")).unwrap_or_default();
    let look_up = match look_up {
        "" => String::new(),
        page => format!(" Look it up at {page} and follow what stands there."),
    };
    // A list's name alone, without the word, may come up in another sense.
    let confidence = if says_listed { Confidence::Certain } else { Confidence::Likely };
    let mut finding = evidence.finding(
        "blocklist",
        Party::Client,
        confidence,
        format!(
            "{} refuses the mail because {subject} is on {name}. The recipient's address is not \
             the reason.",
            evidence.peer()
        ),
        format!(
            "Who runs the sending server has to get the address off the list, after mending why it got \
             there (an abused account, a hijacked machine, a predecessor at a new provider).{look_up}{link}"
        ),
    );
    finding.retry_helps = reply.is_transient();
    Some(finding)
}

/// The first web address in the server's words.
fn link(text: &str) -> Option<&str> {
    let start = text.find("http://").or_else(|| text.find("https://"))?;
    let end = text[start..].find(|c: char| c.is_whitespace() || "<>\"')".contains(c));
    let link = &text[start..end.map_or(text.len(), |end| start + end)];
    Some(link.trim_end_matches(['.', ';', ',']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::found_at_rcpt;

    #[test]
    fn names_list_and_address() {
        for (reply, list, address) in [
            (
                "550 5.7.1 Email rejected because 192.0.2.41 is listed by zen.spamhaus.org. \
                 Please see http://example.org/q?192.0.2.41 for more information.",
                "Spamhaus ZEN",
                "192.0.2.41",
            ),
            (
                "554 5.7.1 Service unavailable; Client host [192.0.2.41] blocked using \
                 bl.spamcop.net; Blocked - see https://example.org/",
                "SpamCop",
                "192.0.2.41",
            ),
            (
                "550 permanently rejected: 2001:db8::1 found on b.barracudacentral.org, barracuda",
                "Barracuda",
                "2001:db8::1",
            ),
            ("550 your host is on our blacklist", "does not name", "the sending address, or"),
            ("451 4.7.1 192.0.2.41 listed at dnsbl.sorbs.net", "SORBS", "192.0.2.41"),
        ] {
            let finding = found_at_rcpt(reply);
            assert_eq!(finding.rule, "blocklist", "{reply}");
            assert!(finding.why.contains(list) && finding.why.contains(address), "{finding:?}");
            assert_eq!(finding.retry_helps, reply.starts_with('4'));
        }
    }

    #[test]
    fn links() {
        assert_eq!(link("see https://a.test/x?y=1."), Some("https://a.test/x?y=1"));
        assert_eq!(link("see (http://a.test/)"), Some("http://a.test/"));
        assert_eq!(link("nothing"), None);
    }
}
