//! Whether a host relays for strangers, by the tricks with addresses that open relays are found by. Only for a
//! host that is one's own: nothing is sent, but its operator sees it as an attack. Each trick is MAIL and RCPT, then
//! RSET.
//!
//! An address that is plainly elsewhere and is accepted is an open relay, as far as RCPT tells: the content may
//! still be refused, so that is *likely*. Where the foreign address hides in a local-part (`user%elsewhere@here`), a
//! host that takes any local-part accepts it without relaying. A control tells that apart: a mailbox that
//! can't exist.

use std::{collections::HashSet, net::IpAddr, sync::Arc};

use diagnose::Weight;
use serde::Serialize;
use smtp::Stage;

use super::{
    Notice, Step,
    visit::{Going, step},
};
use crate::{
    open::open,
    plan::Target,
    policy::{Demand, Policy},
    session::Session,
};

/// Reserved names (RFC 2606): nobody's mailbox.
const ELSEWHERE: &str = "example.org";
const STRANGER: &str = "relay-test@example.com";

/// What the test came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RelayTest {
    /// Each trick, in order.
    pub tricks: Vec<Trick>,
    /// Whether a mailbox that can't exist was accepted in the host's domain; none if that was not heard.
    pub takes_any_mailbox: Option<bool>,
    /// Why the test ended early.
    pub ended: Option<String>,
    #[serde(skip)]
    pub(super) notices: Vec<Notice>,
}

/// One envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trick {
    /// MAIL and RCPT, as far as they were said, with their replies.
    pub steps: Vec<Step>,
    /// Whether the recipient was accepted.
    pub accepted: bool,
    /// Whether the recipient's address is the host's own by its form, so that acceptance alone proves little.
    pub in_local_part: bool,
}

/// Envelopes, each once: reverse-path, forward-path, and whether the latter hides in a local-part. Pure.
fn tricks(domain: &str, address: IpAddr) -> Vec<(String, String, bool)> {
    let literal = match address {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    };
    let plain = format!("relay-test@{ELSEWHERE}");
    let from_outside = |to: String, hides| (STRANGER.to_owned(), to, hides);
    let mut all = vec![
        from_outside(plain.clone(), false),
        (String::new(), plain.clone(), false),
        (format!("postmaster@{domain}"), plain.clone(), false),
        (format!("postmaster@{literal}"), plain.clone(), false),
        ("postmaster@localhost".to_owned(), plain.clone(), false),
        ("postmaster".to_owned(), plain.clone(), false),
        from_outside(format!("@{domain}:{plain}"), false),
        from_outside(format!("@{literal}:{plain}"), false),
        from_outside(format!("\"{plain}\""), true),
        from_outside(format!("relay-test%{ELSEWHERE}"), true),
        from_outside(format!("relay-test%{ELSEWHERE}@{domain}"), true),
        from_outside(format!("relay-test%{ELSEWHERE}@{literal}"), true),
        from_outside(format!("\"{plain}\"@{domain}"), true),
        from_outside(format!("{plain}@{domain}"), true),
        from_outside(format!("{ELSEWHERE}!relay-test"), true),
        from_outside(format!("{ELSEWHERE}!relay-test@{domain}"), true),
    ];
    // A host that was named by its address has the literal for a domain.
    let mut seen = HashSet::new();
    all.retain(|envelope| seen.insert(envelope.clone()));
    all
}

impl Going<'_> {
    /// Tries every trick on one address. A session that the host ends is opened again, once for each trick.
    pub(super) async fn relay_test(self, target: &Target, address: IpAddr) -> RelayTest {
        let domain = self.order.subject.name();
        let domain = if domain.parse::<IpAddr>().is_ok() { "localhost" } else { domain };
        let mut test = RelayTest::default();
        let mut session = match self.session_for_relay_test(target).await {
            Ok(session) => session,
            Err(why) => {
                test.ended = Some(why);
                return judged(test);
            }
        };
        let control = format!("no-such-mailbox-{:08x}@{domain}", self.world.random.u64() >> 32);
        let heard = envelope(&mut session, STRANGER, &control).await;
        test.takes_any_mailbox = match heard.steps.len() {
            2 => Some(heard.accepted),
            _ => None,
        };
        for (from, to, in_local_part) in tricks(domain, address) {
            if !session.is_reusable() {
                session = match self.session_for_relay_test(target).await {
                    Ok(session) => session,
                    Err(why) => {
                        test.ended = Some(why);
                        break;
                    }
                };
            }
            let trick = envelope(&mut session, &from, &to).await;
            test.tricks.push(Trick { in_local_part, ..trick });
        }
        session.quit().await;
        judged(test)
    }

    async fn session_for_relay_test(self, target: &Target) -> Result<Session, String> {
        // Whether strangers are relayed for does not hang on who proves what by a certificate.
        let policy = Policy::of_route(Demand::Opportunistic, "the relay test");
        let target = target.clone().with_policy(Arc::new(policy));
        let opened = open(self.world, self.tls, &target, &self.order.plan).await;
        opened.map_err(|failure| match failure.cause.stage {
            Stage::Connect => failure.cause.trouble.to_string(),
            stage => format!("{stage}: {}", failure.cause.trouble),
        })
    }
}

/// MAIL, and RCPT if that is taken; then RSET.
async fn envelope(session: &mut Session, from: &str, to: &str) -> Trick {
    let mail = step(session, format!("MAIL FROM:<{from}>")).await;
    let mut trick = Trick { steps: Vec::new(), accepted: false, in_local_part: false };
    let is_begun = mail.accepted;
    trick.steps.push(mail);
    if is_begun {
        let rcpt = step(session, format!("RCPT TO:<{to}>")).await;
        trick.accepted = rcpt.accepted;
        trick.steps.push(rcpt);
    }
    if session.is_reusable() {
        step(session, "RSET".to_owned()).await;
    }
    trick
}

fn judged(mut test: RelayTest) -> RelayTest {
    let accepted = |hides| {
        let own =
            test.tricks.iter().filter(move |trick| trick.accepted && trick.in_local_part == hides);
        own.map(said).collect::<Vec<_>>()
    };
    let (plain, hidden) = (accepted(false), accepted(true));
    let mut notices = Vec::new();
    let remedy = "relay only for networks and users of one's own; send a message to oneself elsewhere \
        by the same way to be sure";
    if !plain.is_empty() {
        let what = format!(
            "it likely is an open relay: a stranger's recipient elsewhere is accepted ({})",
            first_of(&plain)
        );
        notices.push(Notice::new(Weight::Failure, what, remedy));
    }
    if !hidden.is_empty() {
        let shown = first_of(&hidden);
        notices.push(match test.takes_any_mailbox {
            Some(true) => Notice::new(
                Weight::Remark,
                format!(
                    "it takes any mailbox, so that it can't be told whether it would relay: {shown}"
                ),
                "send a message to oneself elsewhere in that form",
            ),
            _ => Notice::new(
                Weight::Fault,
                format!("an address that hides another is accepted; it possibly relays: {shown}"),
                "refuse `%`, `!` and quoted `@` in local-parts",
            ),
        });
    }
    if let Some(why) = &test.ended {
        let what = format!("the relay test ended after {} tricks: {why}", test.tricks.len());
        notices.push(Notice::new(Weight::Fault, what, "test again later, or allow this address"));
    }
    test.notices = notices;
    test
}

fn said(trick: &Trick) -> String {
    let commands: Vec<&str> = trick.steps.iter().map(|step| step.command.as_str()).collect();
    commands.join(", ")
}

fn first_of(said: &[String]) -> String {
    let first = said.first().map_or("", String::as_str);
    match said.len() {
        0 | 1 => first.to_owned(),
        count => format!("{first}; and {} more", count - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trick(in_local_part: bool, accepted: bool) -> Trick {
        let step = Step { command: "RCPT TO:<x>".into(), reply: "r".into(), accepted };
        Trick { steps: vec![step], accepted, in_local_part }
    }

    #[test]
    fn what_follows() {
        let worst = |tricks: Vec<Trick>, takes_any_mailbox| {
            let test = judged(RelayTest { tricks, takes_any_mailbox, ..RelayTest::default() });
            test.notices.iter().map(|notice| notice.weight).max()
        };
        assert_eq!(worst(vec![trick(false, false), trick(true, false)], Some(false)), None);
        assert_eq!(worst(vec![trick(false, true)], Some(true)), Some(Weight::Failure));
        assert_eq!(worst(vec![trick(true, true)], Some(false)), Some(Weight::Fault));
        assert_eq!(worst(vec![trick(true, true)], Some(true)), Some(Weight::Remark));
    }
}
