//! A verb that the server has just obeyed is suddenly not known to it: of many alike one was changed on the way.
//! Old PIX firewalls do it to a command that lies across two packets.

use super::{About, FOUND_MAX, Observed};
use crate::{
    dialogue::{Exchange, Verb},
    finding::{Confidence, Finding, Party},
    quote::quote,
    session::Vantage,
};

/// How servers say that they do not know a command.
const NOT_KNOWN: [&str; 8] = [
    "unrecognized",
    "unrecognised",
    "not recognized",
    "not recognised",
    "unknown command",
    "command unknown",
    "bad command",
    "not implemented",
];
/// How Exim says that something came which may not be sent together with others.
const NOT_TOGETHER: &str = "synchronization error";

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    if observed.vantage() == Vantage::Server || found.len() >= FOUND_MAX {
        return;
    }
    let refused = observed.dialogue.exchanges.iter().filter(|exchange| {
        matches!(exchange.verb, Verb::Mail | Verb::Rcpt | Verb::Data) && exchange.is_sure
    });
    let is_told = |exchange: &&Exchange| !found.iter().any(|one| one.line == Some(exchange.reply));
    let Some((exchange, how)) = refused
        .filter(is_told)
        .find_map(|exchange| Some((exchange, forgotten(observed, exchange)?)))
    else {
        return;
    };
    let Some(command) = exchange.command else { return };
    let sent = quote(observed.dialogue.octets(command));
    let place = observed.dialogue.line(command).map(|line| line.place).unwrap_or_default();
    let is_split = observed.wire().is_some() && place.first < place.last;
    let split = if is_split {
        " It lies across two packets, which is where old PIX firewalls lose the thread."
    } else {
        ""
    };
    let name = exchange.verb.name();
    found.push(observed.finding("command-altered", Some(exchange.reply), About {
        what: format!("the client sent `{sent}`, and the server read something else"),
        command: Some(command),
        who: Party::Between,
        confidence: if is_split { Confidence::Likely } else { how.confidence() },
        why: format!(
            "{} A box between the two that inspects SMTP changed this one {name} on its way.{split}",
            how.words(name)
        ),
        remedy: "Switch off the inspection of SMTP on the firewalls in the path, on either side. Until then fewer \
                 recipients in a transaction may get through."
            .to_owned(),
        retry_helps: true,
        next_test: Some(
            "a capture on the server's side of the box: it has something else in place of the command, `XXXX` mostly"
                .to_owned(),
        ),
        ..About::default()
    }));
}

#[derive(Clone, Copy)]
enum How {
    /// The verb is not known.
    Unknown,
    /// Something came together with others that may not.
    Together,
}

impl How {
    fn confidence(self) -> Confidence {
        match self {
            Self::Unknown => Confidence::Likely,
            Self::Together => Confidence::Possible,
        }
    }

    fn words(self, name: &str) -> String {
        match self {
            Self::Unknown => format!(
                "The server does not know {name} here, and obeyed the same verb elsewhere in this session: what it \
                 got was no {name}."
            ),
            Self::Together => format!(
                "The server offered PIPELINING and took other {name} commands of the same packet; it objects only to \
                 what may not be sent together, and {name} may: what it got was no {name}."
            ),
        }
    }
}

/// Whether this refusal says that what came was not what is known to have been sent.
fn forgotten(observed: &Observed<'_>, exchange: &Exchange) -> Option<How> {
    let dialogue = observed.dialogue;
    if !is_well_written(exchange.verb, dialogue.octets(exchange.command?)) {
        return None;
    }
    let text = dialogue.reply(exchange).text.to_ascii_lowercase();
    let obeyed = |other: &Exchange| {
        other.verb == exchange.verb && (other.is_positive() || other.code == 354)
    };
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match exchange.code {
        500 | 502 if says(&NOT_KNOWN) && dialogue.exchanges.iter().any(obeyed) => {
            Some(How::Unknown)
        }
        554 if says(&[NOT_TOGETHER]) => {
            let (_, offer) = observed.offer_before(exchange.first)?;
            let mut before = dialogue.exchanges.iter().take_while(|one| one.first < exchange.first);
            (offer.has("PIPELINING") && before.any(obeyed)).then_some(How::Together)
        }
        _ => None,
    }
}

/// Whether a server that knows the verb would read it.
fn is_well_written(verb: Verb, line: &[u8]) -> bool {
    let begins = |word: &[u8]| line.get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word));
    match verb {
        Verb::Mail => begins(b"MAIL FROM:"),
        Verb::Rcpt => begins(b"RCPT TO:"),
        _ => line.trim_ascii_end().eq_ignore_ascii_case(b"DATA"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{START, found, none, one};

    const TWO: &str = "C: RCPT TO:<b@b.test>\nC: RCPT TO:<c@b.test>\nS: 250 ok\n";

    #[test]
    fn one_of_many() {
        let text = format!("{START}{TWO}S: 502 5.5.2 Error: command not recognized");
        let finding = one(&text, "command-altered");
        assert_eq!((finding.command, finding.who), (Some(7), Party::Between));
        assert_eq!(finding.confidence, Confidence::Likely);
        let refusals = found(&text).iter().filter(|finding| finding.line == Some(9)).count();
        assert_eq!(refusals, 1, "told once");
        let finding =
            one(&format!("{START}{TWO}S: 554 SMTP synchronization error"), "command-altered");
        assert_eq!((finding.command, finding.confidence), (Some(7), Confidence::Possible));
    }

    #[test]
    fn near_misses() {
        // too many errors, or recipients, is no verb forgotten
        none(&format!("{START}{TWO}S: 500 5.5.1 too many recipients"), "command-altered");
        none(&format!("{START}{TWO}S: 550 unknown command"), "command-altered");
        // it never knew the verb
        none("S: 220 r\nC: MAIL FROM:<a@a>\nS: 502 unknown command", "command-altered");
        // written wrong
        none(
            &format!("{START}{}S: 500 unknown command", TWO.replace("TO:<c", "T0:<c")),
            "command-altered",
        );
        // the client may not send them together
        let start = START.replace("PIPELINING", "SIZE");
        none(&format!("{start}{TWO}S: 554 SMTP synchronization error"), "command-altered");
        none(&format!("-- vantage: server\n{START}{TWO}S: 502 unknown command"), "command-altered");
    }
}
