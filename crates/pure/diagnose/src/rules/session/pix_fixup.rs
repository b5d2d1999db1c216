//! Cisco PIX `fixup protocol smtp` and ASA `inspect esmtp`: the banner is masked with asterisks, of the same
//! length, and unknown verbs are overwritten.

use smtp::Stage;

use super::{About, Broken, Observed};
use crate::{
    dialogue::{Dialogue, Exchange},
    finding::{Confidence, Finding, Party, Weight},
    session::Kind,
};

/// Fewer asterisks may be anybody's decoration; the box masks whole banners, and those are longer.
const MASKED_MIN: usize = 8;

const REMEDY: &str = "On the firewall: `no fixup protocol smtp 25` (PIX) or take `inspect esmtp` out of the policy \
                      (ASA). Until then a client gets on with HELO, without pipelining, and with the final dot in \
                      the same packet as the line end before it.";

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    if let Some(line) = masked_whole(dialogue) {
        return found.push(nothing_left(observed, line));
    }
    let Some(greeting) = dialogue.greeting() else { return broken_banner(observed, found) };
    if !is_masked(observed, greeting) {
        return;
    }
    let refused = dialogue
        .at(Stage::Ehlo)
        .find(|exchange| exchange.is_refusal() && matches!(exchange.code, 500 | 502));
    let died = observed.cut.filter(|cut| {
        let line = cut.after.and_then(|after| dialogue.line(after));
        cut.how == Broken::Silence
            && line.is_some_and(|line| matches!(line.kind, Kind::Content { finished: true, .. }))
    });
    let survived = dialogue.at(Stage::Ehlo).any(Exchange::is_positive);
    let (line, command, weight, more) = match (died, refused) {
        (Some(cut), _) => (
            cut.after,
            cut.after,
            Weight::Failure,
            " Old versions of it also lose the final dot when its line end comes in another packet, so that the \
             server waits for ever: that fits the silence after this content.",
        ),
        (None, Some(exchange)) => (
            Some(exchange.reply),
            exchange.command,
            if survived { Weight::Fault } else { Weight::Failure },
            " It also overwrites verbs that it does not know, EHLO among them, which is why EHLO was refused.",
        ),
        (None, None) => (Some(greeting.reply), None, Weight::Fault, ""),
    };
    found.push(observed.finding("pix-fixup", line, About {
        what: format!("the banner is masked: {}", crate::quote::quote(dialogue.octets(greeting.first))),
        command,
        who: Party::Between,
        confidence: Confidence::Likely,
        why: format!(
            "Nothing but the code, zeros, twos and blanks is left of the banner: that is what the SMTP inspection of \
             Cisco PIX and ASA firewalls does to it. Such a box also hides what the server offers.{more}"
        ),
        remedy: REMEDY.to_owned(),
        retry_helps: false,
        weight,
        next_test: Some(
            "a capture on the server's side of the firewall: there the banner has the same length and its text"
                .to_owned(),
        ),
    }));
}

/// `220 ****2****0***`: what the box leaves of a banner.
fn is_masked(observed: &Observed<'_>, greeting: &Exchange) -> bool {
    observed.dialogue.reply_lines(greeting).any(|(_, line)| {
        let text =
            line.text.strip_prefix(b"220").and_then(|rest| rest.get(1..)).unwrap_or_default();
        let stars = text.iter().filter(|octet| **octet == b'*').count();
        let is_left = |octet: &u8| matches!(octet, b'*' | b'0' | b'2' | b' ');
        text.starts_with(b"SMTP/cmap___") || stars >= MASKED_MIN && text.iter().all(is_left)
    })
}

/// The greeting's line, where not even its code is left.
fn masked_whole(dialogue: &Dialogue<'_>) -> Option<usize> {
    let line = *dialogue.malformed.first()?;
    let is_first = dialogue.has_start && dialogue.exchanges.iter().all(|one| one.first > line);
    (is_first && dialogue.unfinished.is_none() && is_stars(dialogue.octets(line))).then_some(line)
}

fn nothing_left(observed: &Observed<'_>, line: usize) -> Finding {
    observed.finding("pix-fixup", Some(line), About {
        what: "the greeting is masked, code and all".to_owned(),
        who: Party::Between,
        confidence: Confidence::Likely,
        why: "Old Cisco PIX firewalls leave nothing but asterisks of a banner. A client then does not know that it \
              was greeted: what it says, and what it is answered, comes too early or too late."
            .to_owned(),
        remedy: REMEDY.to_owned(),
        ..About::default()
    })
}

/// Whether of a line only what the box leaves is there.
fn is_stars(text: &[u8]) -> bool {
    text.len() >= MASKED_MIN
        && text.contains(&b'*')
        && text.iter().all(|octet| matches!(octet, b'*' | b'0' | b'2' | b' '))
}

/// A banner of several lines, of which the box masked the code of the later ones: the greeting never ends.
fn broken_banner(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    let Some(first) = dialogue.unfinished.filter(|_| dialogue.exchanges.is_empty()) else { return };
    let after = dialogue.session.lines.get(first + 1..).unwrap_or_default();
    let masked =
        after.iter().position(|line| matches!(line.kind, Kind::Reply(_)) && is_stars(&line.text));
    let Some(masked) = masked else { return };
    found.push(observed.finding("pix-fixup", Some(first + 1 + masked), About {
        what: "the later lines of the greeting are masked, code and all".to_owned(),
        who: Party::Between,
        confidence: Confidence::Likely,
        why: "Old Cisco PIX firewalls mask a banner of several lines together with its codes. A client then waits \
              for the greeting's last line, which never comes."
            .to_owned(),
        remedy: format!("{REMEDY} A banner of one line helps as well."),
        ..About::default()
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{none, one};

    const MASKED: &str = "S: 220 **************************0*2*\n";

    #[test]
    fn a_masked_banner() {
        let passed =
            format!("{MASKED}C: EHLO a\nS: 502 what\nC: HELO a\nS: 250 b\nC: QUIT\nS: 221 bye");
        let finding = one(&passed, "pix-fixup");
        assert_eq!(
            (finding.weight, finding.line, finding.who),
            (Weight::Fault, Some(2), Party::Between)
        );
        let stuck = format!(
            "{MASKED}C: HELO a\nS: 250 b\nC: DATA\nS: 354 go\nC: <content 400>\n-- +600s\n-- C closed"
        );
        let finding = one(&stuck, "pix-fixup");
        assert_eq!((finding.weight, finding.line), (Weight::Failure, Some(5)));
        let endless =
            "S: 220-*********************\nS: ****************************\n-- +300s\n-- C closed";
        assert_eq!(one(endless, "pix-fixup").weight, Weight::Failure);
        none(endless, "silence");
        let nothing =
            "-- connected\nS: ****************************\nC: HELO a\nS: 500 what\n-- C closed";
        assert_eq!(one(nothing, "pix-fixup").line, Some(1));
        none(nothing, "early-talker");
        none(nothing, "malformed-reply");
    }

    #[test]
    fn decoration_is_none() {
        for banner in ["220 *** mx.b.test ***", "220 ****", "220 mx.b.test ESMTP"] {
            none(&format!("S: {banner}\nC: QUIT\nS: 221 bye"), "pix-fixup");
        }
    }
}
