//! Refused because an address or a domain is on a blocklist: which list, which address, where to look.

use crate::{
    blocklists,
    class::Class,
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

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
    ]) || evidence.is_class(Class::Blocklisted);
    let list = blocklists::named_in(&evidence.words);
    if list.is_none() && !says_listed {
        return None;
    }
    let subject = match evidence.quoted_address() {
        Some(address) => format!("the sending address {address}"),
        None => "the sending address, or a domain in the message,".to_owned(),
    };
    let (name, look_up) = match list {
        Some(list) => {
            let address = evidence.quoted_address().map(|address| address.to_string());
            let page = list.page(address.as_deref());
            (format!("the blocklist {} ({})", list.name, list.about), page)
        }
        None => ("a blocklist that it does not name".to_owned(), String::new()),
    };
    let link =
        link(&reply.text).map(|link| format!(" The server points to {link}")).unwrap_or_default();
    let look_up = match look_up.as_str() {
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
