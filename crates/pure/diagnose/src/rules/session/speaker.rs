//! Who speaks: gateways and scanners that are known by their banners and words. A remark, no accusation.

use super::{About, Observed};
use crate::{
    dialogue::Exchange,
    finding::{Confidence, Finding, Party, Weight},
};

/// What a product's words look like.
#[derive(Clone, Copy)]
enum Sign {
    /// In the greeting, in lower case.
    Greeting(&'static str),
    /// A greeting that ends with 32 hexadecimal digits in brackets.
    HexGreeting,
    /// In any refusal, in lower case.
    Refusal(&'static str),
}

use Sign::{Greeting, HexGreeting, Refusal};

/// Signs, whose they are, and whether it is a proxy on somebody's own computer.
const SIGNS: [(Sign, &str, bool); 40] = [
    (Greeting("avast! smtp proxy"), "avast's mail shield", true),
    (Greeting("avg esmtp proxy"), "AVG's mail scanner", true),
    (Greeting("avksmtp server"), "G Data's mail scanner", true),
    (Greeting("bitdefender"), "Bitdefender's mail scanner", true),
    (Greeting("f-secure"), "an F-Secure gateway", false),
    (Greeting("spamkiller smtp"), "McAfee SpamKiller", true),
    (Greeting("kaspersky smtp gateway"), "a Kaspersky gateway", false),
    (Refusal("outgoingfilter command not implemented"), "Dr.Web's mail scanner", true),
    (Refusal("concurrent connection limit in avast"), "avast's mail shield", true),
    (Refusal("cannot connect to smtp server"), "a mail scanner's proxy (avast's says so)", true),
    (Greeting("checkpoint firewall-1"), "a Check Point firewall's SMTP server", false),
    (
        Refusal("permanent scan failure. email session id"),
        "a Check Point firewall's SMTP server",
        false,
    ),
    (Greeting("interscan"), "Trend Micro InterScan", false),
    (Greeting("trend micro imss"), "Trend Micro InterScan", false),
    (Greeting("esafe"), "eSafe", false),
    (Greeting("webshield"), "McAfee WebShield", false),
    (Greeting("smtp navgw"), "a Norton AntiVirus gateway", false),
    (Greeting("navieg"), "a Norton AntiVirus gateway", false),
    (Greeting("symantec messaging gateway"), "a Symantec Messaging Gateway", false),
    (Greeting("symantec brightmail"), "a Symantec Messaging Gateway", false),
    (Refusal("you are not allowed to connect"), "a Symantec Messaging Gateway", false),
    (Greeting("esmtp smtpd;"), "a FortiMail", false),
    (Greeting("sonicwall"), "a SonicWall Email Security", false),
    (Refusal("no smtpd here"), "a SonicWall Email Security", false),
    (Greeting("barracuda"), "a Barracuda gateway", false),
    (HexGreeting, "a Barracuda gateway", false),
    (Greeting("watchguard"), "a WatchGuard firewall", false),
    (
        Greeting("220 smtp service ready"),
        "a WatchGuard firewall, or another that says no more",
        false,
    ),
    (Greeting("borderware"), "a BorderWare firewall", false),
    (Greeting("sophos"), "a Sophos gateway", false),
    (Greeting("astaro"), "an Astaro (Sophos) firewall", false),
    (Greeting("genugate"), "a GeNUGate firewall", false),
    (Greeting("messagewall"), "MessageWall", false),
    (Greeting("assp"), "ASSP", false),
    (Greeting("mailmarshal"), "MailMarshal", false),
    (
        Refusal(
            "access to this mail system has been rejected due to the sending mta's poor reputation",
        ),
        "an IronPort (Cisco Secure Email)",
        false,
    ),
    (Greeting("ironport"), "an IronPort (Cisco Secure Email)", false),
    (Greeting("proofpoint"), "Proofpoint", false),
    (Greeting("mimecast"), "Mimecast", false),
    (Greeting("zorp"), "a Zorp firewall", false),
];

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    let text = |exchange: &Exchange| {
        format!("{} {}", exchange.code, dialogue.reply(exchange).text).to_lowercase()
    };
    let by_greeting = dialogue.greeting().and_then(|greeting| {
        let banner = text(greeting);
        let is_it = |sign: &Sign| match sign {
            Greeting(word) => has_word(&banner, word),
            HexGreeting => ends_with_digest(&banner),
            Refusal(_) => false,
        };
        let (_, product, is_local) = SIGNS.iter().find(|(sign, ..)| is_it(sign))?;
        Some((greeting, *product, *is_local))
    });
    let by_refusal = || {
        let refused = dialogue.exchanges.iter().filter(|exchange| exchange.is_refusal()).take(3);
        refused.into_iter().find_map(|exchange| {
            let words = text(exchange);
            let is_it = |sign: &Sign| matches!(sign, Refusal(word) if words.contains(word));
            let (_, product, is_local) = SIGNS.iter().find(|(sign, ..)| is_it(sign))?;
            Some((exchange, *product, *is_local))
        })
    };
    if let Some((exchange, product, is_local)) = by_greeting.or_else(by_refusal) {
        found.push(told(observed, exchange, product, is_local));
    }
}

/// `ESMTP (0123456789abcdef0123456789abcdef)`.
fn ends_with_digest(banner: &str) -> bool {
    let inner = banner.trim_end().strip_suffix(')').and_then(|rest| rest.rsplit_once('('));
    inner.is_some_and(|(before, digest)| {
        before.trim_end().ends_with("esmtp")
            && digest.len() == 32
            && digest.bytes().all(|octet| octet.is_ascii_hexdigit())
    })
}

/// Whether the phrase stands there as words of its own: `assp` is not in `passport`.
fn has_word(text: &str, phrase: &str) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(phrase).any(|(start, _)| {
        let end = start + phrase.len();
        !is_letter(text[..start].chars().next_back()) && !is_letter(text[end..].chars().next())
    })
}

fn told(observed: &Observed<'_>, exchange: &Exchange, product: &str, is_local: bool) -> Finding {
    let (rule, why) = if is_local {
        (
            "scanner-proxy",
            format!(
                "The words are those of {product}: a scanner on the client's own computer, or near it, that answers in the \
                 server's place and passes on what it likes. What it says is not the server's word."
            ),
        )
    } else {
        (
            "gateway",
            format!(
                "The words are those of {product}. It may be the server that one wanted, or stand in front of it; what it \
                 refuses is its own decision, and its log is the place to look."
            ),
        )
    };
    observed.finding(
        rule,
        Some(exchange.first),
        About {
            what: format!(
                "who speaks here is {product}: `{}`",
                crate::quote::quote(observed.dialogue.octets(exchange.first))
            ),
            who: Party::Unknown,
            confidence: Confidence::Likely,
            why,
            remedy: "If mail fails at it, ask who runs it, or try once past it.".to_owned(),
            weight: Weight::Remark,
            ..About::default()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{none, one};

    #[test]
    fn known_by_their_words() {
        for (text, rule) in [
            ("S: 220 pc avast! SMTP proxy ready.", "scanner-proxy"),
            ("S: 220 fw CheckPoint FireWall-1 secure ESMTP server", "gateway"),
            ("S: 220 a\nC: EHLO b\nS: 502 OutgoingFilter Command not implemented", "scanner-proxy"),
            ("S: 554 5.7.1 You are not allowed to connect.", "gateway"),
            ("S: 220 gw.b.test ESMTP (0123456789abcdef0123456789abcdef)", "gateway"),
            (
                "S: 554-gw.b.test\nS: 554 Your access to this mail system has been rejected due to the sending MTA's \
                 poor reputation.",
                "gateway",
            ),
        ] {
            assert_eq!(one(text, rule).weight, Weight::Remark);
        }
    }

    #[test]
    fn others() {
        for banner in [
            "220 passport.b.test ESMTP Postfix",
            "220 mx.b.test ESMTP ready",
            "220 philosophos.test",
        ] {
            none(&format!("S: {banner}"), "gateway");
            none(&format!("S: {banner}"), "scanner-proxy");
        }
    }
}
