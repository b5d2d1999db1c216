//! Session rules: what a whole dialogue proves, before anybody's words are looked at.
//!
//! Each looks at the session once, in time that grows with its lines, and adds its findings. A finding
//! of weight [`Weight::Failure`] about a refused command takes that refusal from the reply rules.

mod black_hole;
mod capture_gap;
mod command_altered;
mod command_syntax;
mod cut;
mod early_talker;
mod echo;
mod hello;
mod keywords_masked;
mod length_limit;
mod line_endings;
mod login_again;
mod malformed_reply;
mod no_command;
mod no_connection;
mod offer_refused;
mod out_of_order;
mod pipelining;
mod pix_fixup;
mod slow;
mod speaker;
mod starttls;
mod tls_seen;
mod verb_forgotten;
mod xexch50;

use std::{collections::HashMap, time::Duration};

pub(crate) use black_hole::BIG_MIN;

use smtp::{Cause, Party as By, Stage, Trouble};

use crate::{
    dialogue::{Dialogue, Exchange, How, Offer, Verb},
    evidence::peer_of,
    finding::{Confidence, Finding, Party, Weight},
    session::{Kind, Line, Source, Vantage, Wire},
};

/// A session rule: appends what it finds.
type SessionRule = fn(&Observed<'_>, &mut Vec<Finding>);

/// In the order in which they claim a refused command or the session's end.
const SESSION_RULES: [SessionRule; 25] = [
    no_connection::find,
    pix_fixup::find,
    command_altered::find,
    verb_forgotten::find,
    length_limit::find,
    command_syntax::find,
    xexch50::find,
    black_hole::find,
    line_endings::find,
    offer_refused::find,
    pipelining::find,
    starttls::find,
    keywords_masked::find,
    hello::find,
    early_talker::find,
    tls_seen::find,
    out_of_order::find,
    login_again::find,
    no_command::find,
    cut::find,
    malformed_reply::find,
    slow::find,
    speaker::find,
    echo::find,
    capture_gap::find,
];

/// What all of them find.
pub(crate) fn find(observed: &Observed<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in SESSION_RULES {
        let before = found.len();
        rule(observed, &mut found);
        keep_first(&mut found, before);
    }
    for finding in &found {
        let is_known = super::table::is_rule(&finding.rule);
        debug_assert!(is_known, "`{}` is not in the table of rules", finding.rule);
    }
    found
}

/// What a rule before it explained as at least as grave, a rule (its findings begin at `before`) does not explain
/// again. Remarks are no explanations.
fn keep_first(found: &mut Vec<Finding>, before: usize) {
    if before == 0 || found.len() == before {
        return;
    }
    let added = found.split_off(before);
    let mut gravest: HashMap<usize, Weight> = HashMap::new();
    for one in found.iter() {
        let Some(line) = one.line else { continue };
        let weight = gravest.entry(line).or_insert(one.weight);
        *weight = (*weight).max(one.weight);
    }
    let is_new = |one: &Finding| {
        let by_line = one.line.and_then(|line| gravest.get(&line));
        one.weight == Weight::Remark || by_line.is_none_or(|weight| *weight < one.weight)
    };
    found.extend(added.into_iter().filter(is_new));
}

/// So many findings one rule may add; a hostile session shall not fill the memory with sentences.
pub(crate) const FOUND_MAX: usize = 200;

/// A client that waited so long for an answer waited for good: shorter pauses before it closes may be
/// its own decision. Well above what loaded servers need, well below RFC 5321's timeouts of 2 minutes up.
pub(crate) const SILENCE_MIN: Duration = Duration::from_secs(20);

/// While packets are still watched, a server that has not answered for so long may yet do so; whoever looks
/// at it now wants to know.
pub(crate) const WATCHED_MIN: Duration = Duration::from_secs(60);

/// What session rules look at.
pub(crate) struct Observed<'a> {
    pub dialogue: &'a Dialogue<'a>,
    /// What to call the server.
    pub peer: String,
    /// The EHLO replies of 2yz, in order, each with what it offers.
    pub offers: Vec<(Exchange, Offer<'a>)>,
    /// How the dialogue was broken off, if it was.
    pub cut: Option<Cut>,
}

/// A dialogue that was broken off: it did not end with QUIT, nor with a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub how: Broken,
    /// Whose packets it was, or who fell silent.
    pub by: Option<By>,
    /// The event's line.
    pub line: Option<usize>,
    /// What the client had said last and got no answer to.
    pub after: Option<usize>,
    pub waited: Duration,
}

/// In which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Closed,
    Reset,
    Silence,
}

impl<'a> Observed<'a> {
    /// `cause` is what became of our own attempt, which knows more than its lines.
    pub fn new(dialogue: &'a Dialogue<'a>, cause: Option<&Cause>) -> Self {
        let hellos = dialogue.exchanges.iter().filter(|exchange| {
            matches!(exchange.verb, Verb::Ehlo | Verb::Lhlo) && exchange.is_positive()
        });
        let offers = hellos.map(|exchange| (*exchange, Offer::of(dialogue, exchange))).collect();
        let cut = match cause {
            Some(cause) => Cut::of_cause(dialogue, cause),
            None => Cut::of_ending(dialogue),
        };
        Self { dialogue, peer: peer_of(dialogue.session), offers, cut }
    }

    /// What was offered at the time of that line: by the last EHLO reply before it.
    pub fn offer_before(&self, line: usize) -> Option<&(Exchange, Offer<'a>)> {
        let after = self.offers.partition_point(|(exchange, _)| exchange.reply < line);
        self.offers.get(after.checked_sub(1)?)
    }

    pub fn wire(&self) -> Option<&'a Wire> {
        self.dialogue.session.wire.as_ref()
    }

    pub fn vantage(&self) -> Vantage {
        self.dialogue.session.vantage
    }

    pub fn is_ours(&self) -> bool {
        self.dialogue.session.source == Source::Own
    }

    /// Who has to act where the sending side has.
    pub fn sender(&self) -> Party {
        if self.is_ours() { Party::Us } else { Party::Client }
    }

    /// Whether anything that either side said may be missing from the evidence.
    pub fn may_lack_lines(&self) -> bool {
        self.dialogue.is_one_sided()
            || self.dialogue.has_gap(By::Client)
            || self.dialogue.has_gap(By::Server)
    }

    /// A finding about one line.
    pub fn finding(&self, rule: &str, line: Option<usize>, about: About) -> Finding {
        Finding {
            rule: rule.to_owned(),
            what: about.what,
            line,
            command: about.command,
            who: about.who,
            confidence: about.confidence,
            why: about.why,
            remedy: about.remedy,
            retry_helps: about.retry_helps,
            weight: about.weight,
            consequences: Vec::new(),
            next_test: about.next_test,
        }
    }
}

/// What a finding says, as the rule has it; the rest has a default.
pub(crate) struct About {
    pub what: String,
    pub command: Option<usize>,
    pub who: Party,
    pub confidence: Confidence,
    pub why: String,
    pub remedy: String,
    pub retry_helps: bool,
    pub weight: Weight,
    pub next_test: Option<String>,
}

impl Default for About {
    fn default() -> Self {
        Self {
            what: String::new(),
            command: None,
            who: Party::Unknown,
            confidence: Confidence::Possible,
            why: String::new(),
            remedy: String::new(),
            retry_helps: false,
            weight: Weight::Failure,
            next_test: None,
        }
    }
}

impl Cut {
    fn of_cause(dialogue: &Dialogue<'_>, cause: &Cause) -> Option<Self> {
        if cause.stage == Stage::Connect {
            return None;
        }
        let (how, waited) = match &cause.trouble {
            Trouble::Silence(wait) => (Broken::Silence, *wait),
            Trouble::Closed => (Broken::Closed, Duration::ZERO),
            Trouble::Network(text) => {
                let text = text.to_lowercase();
                let is_silent = text.contains("timed out") || text.contains("timeout");
                (if is_silent { Broken::Silence } else { Broken::Reset }, Duration::ZERO)
            }
            _ => return None,
        };
        let line = dialogue.ending.line.or(dialogue.session.lines.len().checked_sub(1));
        let after = dialogue.unanswered.last().copied();
        Some(Self { how, by: Some(By::Server), line, after, waited })
    }

    fn of_ending(dialogue: &Dialogue<'_>) -> Option<Self> {
        let ending = dialogue.ending;
        let after = dialogue.unanswered.last().copied();
        let said_so = dialogue.exchanges.last().is_some_and(|last| {
            // 421 and 521 announce that the server closes (RFC 7504), and a refused greeting ends the session.
            matches!(last.code, 421 | 521) || last.stage == Stage::Greeting && last.is_refusal()
        });
        if said_so || dialogue.is_one_sided() {
            return None;
        }
        let nothing_came = dialogue.exchanges.is_empty() && dialogue.has_start;
        if ending.how == How::Quit {
            return Self::of_parting(dialogue, nothing_came);
        }
        let how = match (ending.how, ending.by) {
            (How::Unseen, _)
                if dialogue.session.wire.is_some()
                    && (after.is_some() || nothing_came)
                    && ending.waited >= WATCHED_MIN =>
            {
                Broken::Silence
            }
            (How::Closed | How::Reset, Some(By::Client)) => {
                if (after.is_some() || nothing_came) && ending.waited >= SILENCE_MIN {
                    Broken::Silence
                } else if !ends_in_content(dialogue) {
                    // Its own decision, and nothing of the mail was under way.
                    return None;
                } else if ending.how == How::Reset {
                    Broken::Reset
                } else {
                    Broken::Closed
                }
            }
            (How::Closed, Some(By::Server)) => Broken::Closed,
            (How::Reset, Some(By::Server)) => Broken::Reset,
            _ => return None,
        };
        let by = if how == Broken::Silence { Some(By::Server) } else { ending.by };
        Some(Self { how, by, line: ending.line, after, waited: ending.waited })
    }

    /// A client that waited for good and then said QUIT, as many do before they close.
    fn of_parting(dialogue: &Dialogue<'_>, nothing_came: bool) -> Option<Self> {
        let quit = dialogue.of(Verb::Quit).last()?.line;
        let before = &dialogue.session.lines[..quit];
        let spoke = |line: &&Line| !matches!(line.kind, Kind::Event(_));
        let last = before.iter().rev().find(spoke).map_or(Duration::ZERO, |line| line.at);
        let waited = dialogue.session.lines[quit].at.saturating_sub(last);
        let after = dialogue.unanswered.iter().rev().copied().find(|line| *line < quit);
        let waited_in_vain = after.is_some() || nothing_came;
        (waited_in_vain && waited >= SILENCE_MIN).then_some(Self {
            how: Broken::Silence,
            by: Some(By::Server),
            line: Some(quit),
            after,
            waited,
        })
    }
}

/// Whether content was begun and not ended.
fn ends_in_content(dialogue: &Dialogue<'_>) -> bool {
    let unanswered = dialogue.unanswered.last().and_then(|index| dialogue.line(*index));
    unanswered.is_some_and(|line| matches!(line.kind, Kind::Content { finished: false, .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gravest explanation of a line counts, wherever it stands among the earlier ones.
    #[test]
    fn the_first_explanation_stays() {
        let of = |rule: &str, weight| Finding {
            rule: rule.to_owned(),
            line: Some(7),
            weight,
            ..crate::examine_reply(&smtp::Reply::bare(550, "no".to_owned()), None)
        };
        for (earlier, added, stays) in [
            (vec![Weight::Remark, Weight::Failure], Weight::Fault, false),
            (vec![Weight::Failure, Weight::Remark], Weight::Fault, false),
            (vec![Weight::Remark, Weight::Fault], Weight::Failure, true),
            (vec![Weight::Failure], Weight::Remark, true),
            (vec![], Weight::Fault, true),
        ] {
            let mut found: Vec<Finding> =
                earlier.iter().map(|weight| of("early", *weight)).collect();
            found.push(of("late", added));
            keep_first(&mut found, earlier.len());
            assert_eq!(found.iter().any(|one| one.rule == "late"), stays, "{earlier:?} {added:?}");
            assert!(found.len() >= earlier.len());
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! What is found in a session that is written down as lines.

    use crate::{finding::Finding, inspect, notation};

    /// Up to RCPT, with all accepted; six lines from 0.
    pub const START: &str = "S: 220 mx.b.test ESMTP\nC: EHLO a.test\nS: 250-mx.b.test\nS: 250 PIPELINING\n\
        C: MAIL FROM:<alice@a.test>\nS: 250 ok\n";

    pub fn found(text: &str) -> Vec<Finding> {
        inspect(&notation::session(text))
    }

    /// The finding of that rule; a panic with all findings if there is none.
    pub fn one(text: &str, rule: &str) -> Finding {
        let all = found(text);
        match all.iter().find(|finding| finding.rule == rule) {
            Some(finding) => finding.clone(),
            None => panic!("no `{rule}` in:\n{text}\nbut {all:#?}"),
        }
    }

    /// Panics if that rule finds something.
    pub fn none(text: &str, rule: &str) {
        let all = found(text);
        assert!(all.iter().all(|finding| finding.rule != rule), "`{rule}` in:\n{text}\n{all:#?}");
    }
}
