//! What comes last: asking a stranger to come again, and asking the next hop about a recipient.

use smtp::Reply;

use super::{Ground, lists};
use crate::{
    Outcome,
    asked::Exists,
    facts::{Facts, Reverse},
    greylist::{Answer, book::Visitor},
    settings::Unanswered,
};

pub(super) fn greylist(ground: &Ground<'_>, facts: &Facts) -> Outcome {
    let settings = &ground.set.settings.greylist;
    let (Some(sender), Some(recipient)) = (ground.case.sender, ground.case.recipient) else {
        return Outcome::Skipped("no sender or recipient");
    };
    let Some(greylist) = ground.policy.greylist().filter(|_| settings.on) else {
        return Outcome::Skipped("switched off");
    };
    if let Some(why) = exempt(ground, facts) {
        return Outcome::Passed(why);
    }
    let visitor = Visitor::new(ground.case.client, sender, recipient, settings);
    match greylist.judge(visitor, settings, ground.policy.now(), ground.dry) {
        Answer::New(wait) => Outcome::Refused(Reply::greylisted(wait), "never seen".to_owned()),
        Answer::Early(wait) => {
            Outcome::Refused(Reply::greylisted(wait), "it came again too early".to_owned())
        }
        Answer::Returned => Outcome::Passed("it has come again".to_owned()),
        Answer::Known => Outcome::Passed("it had come again before".to_owned()),
        Answer::NetworkKnown => Outcome::Passed("its network comes again".to_owned()),
    }
}

fn exempt(ground: &Ground<'_>, facts: &Facts) -> Option<String> {
    let (case, except) = (ground.case, &ground.set.except);
    let score = lists::score(facts);
    if score < 0 {
        return Some(format!("a list of honest senders has it: score {score}"));
    }
    if let Some(network) = except.client(case.client) {
        return Some(format!("{network} is never asked"));
    }
    if case.sender.is_some_and(|sender| except.sender(sender)) {
        return Some("this sender is never asked".to_owned());
    }
    if case.recipient.is_some_and(|recipient| except.recipient(recipient)) {
        return Some("for this recipient nobody is asked".to_owned());
    }
    let domain = case.sender_path()?.domain().to_lowercase();
    match &facts.reverse {
        Some(Reverse::Confirmed(name)) if ground.set.settings.greylist.trust_own_names => {
            let name = name.to_lowercase();
            let within =
                name == domain || name.strip_suffix(&domain).is_some_and(|n| n.ends_with('.'));
            within.then(|| format!("{name} is of the sender's own domain"))
        }
        _ => None,
    }
}

pub(super) async fn next_hop(ground: &Ground<'_>) -> Outcome {
    let settings = &ground.set.settings.ask_next_hop;
    if !settings.on {
        return Outcome::Skipped("switched off");
    }
    let (Some(next_hop), Some(recipient)) = (ground.case.next_hop, ground.case.recipient) else {
        return Outcome::Skipped("there is no next hop to ask");
    };
    let now = ground.policy.now();
    match ground.policy.asked.exists(recipient, next_hop, settings, now).await {
        Exists::Yes(said) => Outcome::Passed(format!("the next hop says {said}")),
        Exists::No(said) => {
            Outcome::Refused(Reply::no_such_mailbox(), format!("the next hop says {said}"))
        }
        Exists::Unknown(why) if settings.unanswered == Unanswered::Defer => {
            Outcome::Refused(Reply::recipient_not_checked(), why)
        }
        Exists::Unknown(why) => Outcome::Noted(format!("nothing is known: {why}")),
    }
}
