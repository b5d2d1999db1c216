//! EHLO refused, or answered by a single line, though the banner promises ESMTP: something takes the
//! extensions away.

use smtp::Stage;

use super::{About, Observed};
use crate::{
    dialogue::{Dialogue, Exchange, Verb},
    finding::{Confidence, Finding, Party, Weight},
};

/// Servers that always have something to offer at EHLO, by a word of their banners, in lower case.
const ALWAYS_OFFER: [&str; 7] =
    ["postfix", "exim", "sendmail", "microsoft esmtp", "mx.google.com", "exchange", "opensmtpd"];
/// Those of them that know EHLO though their banner does not say ESMTP. Old sendmail and Exchange do not.
const ALWAYS_KNEW: [&str; 4] = ["postfix", "exim", "mx.google.com", "opensmtpd"];

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    let Some(greeting) = dialogue.greeting().filter(|greeting| greeting.code == 220) else {
        return;
    };
    let banner = dialogue.reply(greeting).text.to_lowercase();
    if !banner.contains("esmtp") && !ALWAYS_KNEW.iter().any(|word| banner.contains(word)) {
        return;
    }
    let promises = ALWAYS_OFFER.iter().any(|word| banner.contains(word));
    for exchange in dialogue.at(Stage::Ehlo).filter(|exchange| exchange.verb == Verb::Ehlo) {
        if matches!(exchange.code, 500 | 502) {
            return found.push(refused(observed, exchange));
        } else if exchange.is_positive() && exchange.first == exchange.reply && exchange.is_sure {
            return found.push(one_line(observed, exchange, promises));
        }
    }
}

fn survived(dialogue: &Dialogue<'_>, exchange: &Exchange) -> bool {
    dialogue.at(Stage::Ehlo).any(|later| later.reply > exchange.reply && later.is_positive())
}

fn refused(observed: &Observed<'_>, exchange: &Exchange) -> Finding {
    let survived = survived(observed.dialogue, exchange);
    observed.finding("ehlo-refused", Some(exchange.reply), About {
        what: format!("{} is an ESMTP server by its banner and answered EHLO with {}", observed.peer, exchange.code),
        command: exchange.command,
        who: Party::Between,
        // Some servers are set up so, and some only pretend to be what their banner says.
        confidence: Confidence::Possible,
        why: "A server whose banner says ESMTP knows EHLO. That it does not know this one is explained by a box in \
              between that overwrote or refused the verb; or the server is set up to refuse it, or is not what its banner says."
            .to_owned(),
        remedy: "Switch off the inspection of SMTP on the firewalls in the path. Meanwhile HELO gets through, \
                 without TLS, login and the other extensions."
            .to_owned(),
        weight: if survived { Weight::Fault } else { Weight::Failure },
        next_test: Some(
            "the same EHLO from a host next to the server, or a capture on the server's side: if the server gets \
             something else than EHLO, the box changed it"
                .to_owned(),
        ),
        ..About::default()
    })
}

fn one_line(observed: &Observed<'_>, exchange: &Exchange, promises: bool) -> Finding {
    let words = observed.dialogue.reply(exchange).text;
    // A hello names the server; `250 OK` is what NOOP gets.
    let is_noop = words.trim().eq_ignore_ascii_case("ok");
    let noop = if is_noop {
        " The bare OK is the answer to NOOP, into which old PIX firewalls turn verbs that they do not know."
    } else {
        ""
    };
    observed.finding("esmtp-stripped", Some(exchange.reply), About {
        what: format!("{} answered EHLO by a single line, without any extension", observed.peer),
        command: exchange.command,
        who: if promises || is_noop { Party::Between } else { Party::Unknown },
        confidence: if promises { Confidence::Likely } else { Confidence::Possible },
        why: format!(
            "The banner says ESMTP, but no extension is offered. Either a box in between turned EHLO into HELO or \
             took the lines away, or the server really has none.{noop}"
        ),
        remedy: "If TLS, login or big messages are wanted here: look for a proxy or inspecting firewall in the path, \
                 and let this server pass it uninspected."
            .to_owned(),
        weight: if promises { Weight::Fault } else { Weight::Remark },
        next_test: Some(
            "EHLO from another network, or a capture on the server's side: if the server received HELO, or sent more \
             lines, the box changed it"
                .to_owned(),
        ),
        ..About::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{none, one};

    #[test]
    fn refused_or_bare() {
        let text = "S: 220 r ESMTP\nC: EHLO a\nS: 500 what\nC: HELO a\nS: 250 r\nC: QUIT\nS: 221 b";
        assert_eq!(one(text, "ehlo-refused").weight, Weight::Fault);
        let finding =
            one("S: 220 r ESMTP Postfix\nC: EHLO a\nS: 250 r\nC: QUIT\nS: 221 b", "esmtp-stripped");
        assert_eq!((finding.who, finding.weight), (Party::Between, Weight::Fault));
        let finding =
            one("S: 220 r ESMTP\nC: EHLO a\nS: 250 hello a\nC: QUIT\nS: 221 b", "esmtp-stripped");
        assert_eq!((finding.who, finding.weight), (Party::Unknown, Weight::Remark));
    }

    #[test]
    fn near_misses() {
        none("S: 220 r SMTP\nC: EHLO a\nS: 500 what\nC: HELO a\nS: 250 r", "ehlo-refused");
        let old = "S: 220 r Sendmail SMI-8.6/SMI-SVR4 ready";
        none(&format!("{old}\nC: EHLO a\nS: 500 what\nC: HELO a\nS: 250 r"), "ehlo-refused");
        none(
            "S: 220 r ESMTP\nC: EHLO a\nS: 550 we do not like a\nC: QUIT\nS: 221 b",
            "ehlo-refused",
        );
        none("S: 220 r ESMTP Postfix\nC: HELO a\nS: 250 r\nC: QUIT\nS: 221 b", "esmtp-stripped");
        none(
            "S: 220 r ESMTP Postfix\nC: EHLO a\nS: 250-r\nS: 250 SIZE\nC: QUIT\nS: 221 b",
            "esmtp-stripped",
        );
    }
}
