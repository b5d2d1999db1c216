//! STARTTLS that should be offered and is not (the *baseline rule*), or is offered and then not known.

use smtp::Stage;

use super::{About, Observed};
use crate::{
    dialogue::{Exchange, Offer},
    finding::{Confidence, Finding, Party, Weight},
    session::{Event, Kind},
};

/// Providers whose servers offer STARTTLS to everybody, by the end of the servers' names.
const ALWAYS_TLS: [&str; 15] = [
    "mail.protection.outlook.com",
    "mx.microsoft",
    "google.com",
    "googlemail.com",
    "yahoodns.net",
    "yahoo.com",
    "mail.icloud.com",
    "smtp.office365.com",
    "protonmail.ch",
    "gmx.net",
    "web.de",
    "mailbox.org",
    "messagingengine.com",
    "pphosted.com",
    "mimecast.com",
];
/// From then on (2015-01-01, in microseconds) all of them did; older evidence proves nothing.
const ALWAYS_SINCE: i64 = 1_420_070_400_000_000;

const REMEDY: &str = "Find the firewall, scanner or provider that reads SMTP in the path and let this server pass it \
                      uninspected. Port 465, and MTA-STS or DANE at the sending server, keep mail from going in clear \
                      unnoticed.";
const NEXT_TEST: &str = "EHLO to the same server from another network, or a capture on the server's side of the box: \
                         if STARTTLS is offered there, it was taken away on this path";

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    for exchange in observed.dialogue.at(Stage::StartTls) {
        if matches!(exchange.code, 500 | 502) && is_offered(observed, exchange) {
            found.push(garbled(observed, exchange));
            break;
        }
    }
    found.extend(went_on_in_clear(observed));
    let (before, tls_from) = (found.len(), tls_from(observed));
    for exchange in observed.dialogue.exchanges.iter().filter(|exchange| exchange.is_refusal()) {
        if wants_tls(observed, exchange, tls_from) && !is_offered(observed, exchange) {
            found.push(demanded(observed, exchange));
            break;
        }
    }
    if found.len() == before {
        found.extend(missing(observed));
    }
}

/// `220` to STARTTLS, and then words instead of TLS.
fn went_on_in_clear(observed: &Observed<'_>) -> Option<Finding> {
    let lines = &observed.dialogue.session.lines;
    let agreed = observed.dialogue.at(Stage::StartTls).find(|exchange| exchange.code == 220)?;
    let next = lines.iter().enumerate().skip(agreed.reply + 1);
    let said = next
        .filter(|(_, line)| !matches!(line.kind, Kind::Event(Event::Remark)))
        .take_while(|(_, line)| {
            !matches!(
                line.kind,
                Kind::Command(_) | Kind::Encrypted { .. } | Kind::Event(Event::TlsHello)
            )
        });
    let (index, line) = said
        .filter(|(_, line)| matches!(line.kind, Kind::Reply(_)))
        .find(|(_, line)| line.by == smtp::Party::Server)?;
    let survived = observed.dialogue.at(Stage::Mail).any(Exchange::is_positive);
    Some(observed.finding("tls", Some(index), About {
        what: format!(
            "{} agreed to STARTTLS and went on in clear: `{}`",
            observed.peer,
            crate::quote::quote(&line.text)
        ),
        command: agreed.command,
        who: Party::Unknown,
        confidence: Confidence::Likely,
        why: "After `220` the server's next octets have to be TLS (RFC 3207 section 4). What answered knows the word and \
              not the thing: a proxy in front of the server, or a server whose TLS is broken."
            .to_owned(),
        remedy: "Who runs that server should look for a proxy in front of it and at its certificate and key; until then \
                 mail passes only where policy allows it in clear."
            .to_owned(),
        weight: if survived { Weight::Fault } else { Weight::Failure },
        next_test: Some(NEXT_TEST.to_owned()),
        ..About::default()
    }))
}

fn is_offered(observed: &Observed<'_>, exchange: &Exchange) -> bool {
    observed.offer_before(exchange.first).is_some_and(|(_, offer)| offer.has("STARTTLS"))
}

/// Offered, and then not known.
fn garbled(observed: &Observed<'_>, exchange: &Exchange) -> Finding {
    let survived = observed.dialogue.at(Stage::Mail).any(Exchange::is_positive);
    observed.finding("starttls-garbled", Some(exchange.reply), About {
        what: format!("{} offered STARTTLS and answered it with {}", observed.peer, exchange.code),
        command: exchange.command,
        who: Party::Between,
        confidence: Confidence::Likely,
        why: "A server knows the verbs that it has just offered. That this one was not known is explained by a box in \
              between that overwrote the command; less likely the server is broken."
            .to_owned(),
        remedy: REMEDY.to_owned(),
        weight: if survived { Weight::Fault } else { Weight::Failure },
        next_test: Some(
            "a capture on the server's side of the box: if the server received something else than STARTTLS, the box \
             changed it"
                .to_owned(),
        ),
        ..About::default()
    })
}

/// `530 5.7.0 Must issue a STARTTLS command first`, and the like.
fn wants_tls(observed: &Observed<'_>, exchange: &Exchange, tls_from: usize) -> bool {
    if !matches!(exchange.stage, Stage::Mail | Stage::Rcpt | Stage::Auth)
        || exchange.reply > tls_from
    {
        return false;
    }
    let words = observed.dialogue.reply(exchange).text.to_lowercase();
    words.contains("starttls") || exchange.code == 530 && words.contains("tls")
}

/// Demanded, but never offered.
fn demanded(observed: &Observed<'_>, exchange: &Exchange) -> Finding {
    let said = observed.offer_before(exchange.first).is_some();
    let (who, confidence, why) = if said {
        (
            Party::Between,
            Confidence::Likely,
            "The server demands STARTTLS and, as it arrived here, does not offer it. A server that demands it offers \
             it: the line was taken out of its EHLO reply on the way, as firewalls and providers that want to read \
             mail do.",
        )
    } else {
        (
            observed.sender(),
            Confidence::Likely,
            "The server demands STARTTLS. There is no EHLO reply in the evidence that would offer it: the client said \
             HELO, or its EHLO was not understood.",
        )
    };
    observed.finding(
        if said { "starttls-stripped" } else { "tls-wanted" },
        Some(exchange.reply),
        About {
            what: format!(
                "{} demands STARTTLS at {} and did not offer it",
                observed.peer, exchange.stage
            ),
            command: exchange.command,
            who,
            confidence,
            why: why.to_owned(),
            remedy: REMEDY.to_owned(),
            next_test: said.then(|| NEXT_TEST.to_owned()),
            ..About::default()
        },
    )
}

/// The first line at which TLS shows; the lines from there on were under it.
fn tls_from(observed: &Observed<'_>) -> usize {
    let lines = &observed.dialogue.session.lines;
    let is_tls = |line: &crate::session::Line| {
        matches!(
            line.kind,
            Kind::Event(Event::TlsEstablished | Event::TlsHello) | Kind::Encrypted { .. }
        )
    };
    lines.iter().position(is_tls).unwrap_or(lines.len())
}

/// A provider that always offers it does not.
fn missing(observed: &Observed<'_>) -> Option<Finding> {
    let dialogue = observed.dialogue;
    let (exchange, offer) = observed.offers.first()?;
    let is_old = dialogue.session.started.is_some_and(|started| started < ALWAYS_SINCE);
    if is_old || offer.has("STARTTLS") || exchange.first > tls_from(observed) || is_masked(offer) {
        return None;
    }
    let greeting = dialogue.greeting().map(|greeting| dialogue.reply(greeting).text);
    let first_word = |text: &str| text.split_whitespace().next().unwrap_or_default().to_lowercase();
    let names = [
        dialogue.session.server.name.as_deref().map(first_word),
        greeting.as_deref().map(first_word),
        Some(first_word(&dialogue.reply(exchange).text)),
    ];
    let is_of = |name: &String| {
        ALWAYS_TLS.iter().any(|end| {
            name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    };
    let name = names.into_iter().flatten().find(is_of)?;
    Some(observed.finding("starttls-stripped", Some(exchange.reply), About {
        what: format!("{name} offers no STARTTLS here"),
        command: exchange.command,
        who: Party::Between,
        confidence: Confidence::Likely,
        why: format!(
            "All servers of that provider offer STARTTLS to everybody. That {name} does not, as seen from here, means \
             that its EHLO reply was changed on the way, or that it is not {name} that answers: a proxy stands in \
             between."
        ),
        remedy: REMEDY.to_owned(),
        weight: Weight::Fault,
        next_test: Some(NEXT_TEST.to_owned()),
        ..About::default()
    }))
}

/// A masked keyword of its length is told by a rule of its own.
fn is_masked(offer: &Offer<'_>) -> bool {
    offer.keywords.iter().any(|(_, word, _)| word.starts_with("XXXX"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{none, one};

    fn offering(name: &str, keyword: &str) -> String {
        format!("S: 220 {name} ESMTP\nC: EHLO a\nS: 250-{name}\nS: 250-{keyword}\nS: 250 SIZE\n")
    }

    #[test]
    fn taken_away_or_overwritten() {
        let text = format!(
            "{}C: MAIL FROM:<a@a>\nS: 530 5.7.0 Must issue a STARTTLS command first",
            offering("r", "DSN")
        );
        let finding = one(&text, "starttls-stripped");
        assert_eq!(
            (finding.who, finding.line, finding.weight),
            (Party::Between, Some(6), Weight::Failure)
        );
        let finding = one(&offering("mx.google.com", "DSN"), "starttls-stripped");
        assert_eq!((finding.weight, finding.confidence), (Weight::Fault, Confidence::Likely));
        one(&offering("mtaproxy413.free.mail.ir2.yahoo.com", "DSN"), "starttls-stripped");
        let text = format!(
            "{}C: STARTTLS\nS: 500 unknown\nC: MAIL FROM:<a@a>\nS: 250 ok",
            offering("r", "STARTTLS")
        );
        assert_eq!(one(&text, "starttls-garbled").weight, Weight::Fault);
    }

    #[test]
    fn near_misses() {
        none(&offering("mx.google.com", "STARTTLS"), "starttls-stripped");
        none(&offering("notgoogle.com", "DSN"), "starttls-stripped");
        none(&offering("r", "DSN"), "starttls-stripped");
        // after the handshake it is not offered once more
        let text = format!(
            "-- C tls hello\n-- tls established\n{}C: QUIT\nS: 221 bye",
            offering("mx.google.com", "DSN")
        );
        none(&text, "starttls-stripped");
        // the server's own trouble
        let text = format!("{}C: STARTTLS\nS: 454 4.7.0 not now", offering("r", "STARTTLS"));
        none(&text, "starttls-garbled");
        let text = format!(
            "{}C: MAIL FROM:<a@a>\nS: 530 5.7.0 Must issue STARTTLS first",
            offering("r", "STARTTLS")
        );
        none(&text, "starttls-stripped");
    }
}
