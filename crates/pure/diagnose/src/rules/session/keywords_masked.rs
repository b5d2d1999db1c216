//! Keywords of an EHLO reply overwritten with X: an inspecting firewall hides what it does not want used.

use super::{About, FOUND_MAX, Observed};
use crate::{
    dialogue::offer::is_masked,
    finding::{Confidence, Finding, Party, Weight},
};

/// Keywords that servers offer, by which a masked one can be guessed from its length; the ones whose loss
/// hurts most come first.
const KEYWORDS: [&str; 27] = [
    "STARTTLS",
    "CHUNKING",
    "PIPELINING",
    "AUTH",
    "SIZE",
    "8BITMIME",
    "SMTPUTF8",
    "ENHANCEDSTATUSCODES",
    "DSN",
    "BINARYMIME",
    "DELIVERBY",
    "REQUIRETLS",
    "X-ANONYMOUSTLS",
    "X-EXPS",
    "X-LINK2STATE",
    "XEXCH50",
    "XRDST",
    "XSHADOW",
    "XSHADOWREQUEST",
    "ETRN",
    "TURN",
    "VRFY",
    "EXPN",
    "HELP",
    "NO-SOLICITING",
    "MT-PRIORITY",
    "LIMITS",
];

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    // Once more after a login or for another message: the same box.
    for (exchange, offer) in &observed.offers {
        let masked: Vec<_> =
            offer.keywords.iter().filter(|(_, keyword, _)| is_masked(keyword)).collect();
        let Some((line, ..)) = masked.first() else { continue };
        let is_hidden = |keyword: &&&str| !offer.has(keyword);
        let hidden: Vec<String> = masked
            .iter()
            .map(|(_, word, _)| {
                let candidates: Vec<&str> = KEYWORDS
                    .iter()
                    .filter(|keyword| keyword.len() == word.len())
                    .filter(is_hidden)
                    .copied()
                    .collect();
                match candidates.as_slice() {
                    [] => format!("`{word}`"),
                    candidates => format!("`{word}` (by its length {})", candidates.join(" or ")),
                }
            })
            .collect();
        let may_be_tls = masked.iter().any(|(_, word, _)| word.len() == "STARTTLS".len())
            && !offer.has("STARTTLS");
        let loss = if may_be_tls {
            " If STARTTLS is among them, mail goes over this path in clear although both servers could do better."
        } else {
            ""
        };
        if found.len() >= FOUND_MAX {
            return;
        }
        let mut finding = observed.finding("keywords-masked", Some(*line), About {
            what: format!("keywords of the EHLO reply are overwritten: {}", hidden.join(", ")),
            command: exchange.command,
            who: Party::Between,
            confidence: Confidence::Certain,
            why: format!(
                "No server offers such words. A firewall that inspects SMTP (Cisco ASA and PIX do it like this) \
                 overwrites, at the same length, the keywords that it does not want used.{loss}"
            ),
            remedy: "On the firewall: let the keywords pass (`allow-tls` in an ASA's ESMTP policy map), or switch \
                     off the inspection of SMTP."
                .to_owned(),
            weight: Weight::Fault,
            next_test: Some(
                "a capture on the server's side of the firewall: there the lines have their keywords, at the same \
                 length"
                    .to_owned(),
            ),
            ..About::default()
        });
        finding.consequences = masked.iter().skip(1).map(|(line, ..)| *line).collect();
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {

    use crate::rules::session::testing::{none, one};

    #[test]
    fn candidates_by_length() {
        let text = "S: 220 r ESMTP\nC: EHLO a\nS: 250-r\nS: 250-8BITMIME\nS: 250-XXXXXXXA\nS: 250 XXXXXXXXXB\n\
                    C: QUIT\nS: 221 bye";
        let finding = one(text, "keywords-masked");
        assert!(finding.what.contains("STARTTLS or CHUNKING or SMTPUTF8"), "{}", finding.what);
        assert!(finding.what.contains("PIPELINING or BINARYMIME"), "{}", finding.what);
        assert!(!finding.what.contains("8BITMIME"), "it stands there in clear");
        assert_eq!((finding.line, finding.consequences), (Some(4), vec![5]));
    }

    #[test]
    fn private_keywords_are_none() {
        for word in ["XCLIENT NAME", "X-EXPS LOGIN", "XX", "XEXCH50", "XVERP", "xxxxx"] {
            none(
                &format!("S: 220 r\nC: EHLO a\nS: 250-r\nS: 250 {word}\nC: QUIT\nS: 221 b"),
                "keywords-masked",
            );
        }
    }
}
