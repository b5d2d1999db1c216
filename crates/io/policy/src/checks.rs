//! The table of checks, in the order in which they are made: docs/door.md shows it, `mailwright door
//! check` runs it, and a rule's name stands in events, evidence and metrics for ever.
//!
//! What needs nobody else comes first, then all questions to the DNS at once, then what costs others
//! something. The first check that refuses decides; one that allows ends the asking.

mod client;
mod lists;
mod names;
mod visitor;

use crate::{
    Case, Outcome, Policy, Refusal, Verdict,
    facts::{Facts, Wanted},
    policy::Set,
    settings::{Action, Unanswered},
};

/// When a check is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before the greeting.
    Connect,
    /// At AUTH.
    Auth,
    /// At MAIL.
    Mail,
    /// At RCPT: only then is it known whom the mail is for, and an authenticated user is never asked.
    Rcpt,
}

/// One row.
pub struct Check {
    /// Its name, for ever.
    pub rule: &'static str,
    /// When it is made.
    pub stage: Stage,
    /// What it asks, and what it says.
    pub about: &'static str,
    /// The setting that it goes by.
    pub setting: &'static str,
    run: Run,
}

/// How a check is made.
enum Run {
    /// From what is known here.
    Here(fn(&Ground<'_>) -> Outcome),
    /// From what the DNS says.
    Dns(fn(&Ground<'_>, &Facts) -> Outcome),
    /// Like `Dns`, where a refusal quotes what the DNS says of it.
    Lists,
    /// By asking the next hop.
    NextHop,
    /// By the connection's driver; what it has to say in a dry run.
    Driver(&'static str),
}

/// What a check stands on.
pub(crate) struct Ground<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) set: &'a Set,
    pub(crate) case: &'a Case<'a>,
    /// Only asked: nothing is to be remembered.
    pub(crate) dry: bool,
}

/// The rule of [`Policy::login`].
pub const LOGIN_RATE: &str = "login-rate";
/// The rule of credentials that are not right.
pub const WRONG_LOGIN: &str = "wrong-login";
/// The rule of logins that nobody can look at now.
pub const LOGIN_UNAVAILABLE: &str = "login-unavailable";
/// The rule of clients that don't wait for the greeting.
pub const EARLY_TALKER: &str = "early-talker";

const AT_AUTH: &str = "seen only at AUTH";

use Stage::{Auth, Connect, Mail, Rcpt};

/// All of them, in order.
pub const CHECKS: &[Check] = &[
    row(
        "client-denied",
        Connect,
        "the client is on the deny list: 554",
        "deny.clients",
        Run::Here(client::denied),
    ),
    row(
        "connection-rate",
        Connect,
        "new sessions in a time: 421",
        "rate",
        Run::Here(client::connection_rate),
    ),
    row(
        EARLY_TALKER,
        Connect,
        "the client talks before the greeting: 554",
        "limits.greeting_wait, waited_keep, teaser",
        Run::Driver("seen only on a connection"),
    ),
    row(LOGIN_RATE, Auth, "failed logins in a time: 454", "logins", Run::Driver(AT_AUTH)),
    row(WRONG_LOGIN, Auth, "the credentials are not right: 535", "accounts", Run::Driver(AT_AUTH)),
    row(
        LOGIN_UNAVAILABLE,
        Auth,
        "nobody can look at the credentials now: 454",
        "accounts",
        Run::Driver(AT_AUTH),
    ),
    row(
        "message-rate",
        Mail,
        "messages, or octets of content, in a time: 452",
        "rate",
        Run::Here(client::message_rate),
    ),
    row(
        "recipient-rate",
        Rcpt,
        "recipients in a time: 452",
        "rate",
        Run::Here(client::recipient_rate),
    ),
    row(
        "recipient-denied",
        Rcpt,
        "the recipient is on the deny list: 550",
        "deny.recipients",
        Run::Here(names::recipient_denied),
    ),
    row(
        "trusted",
        Rcpt,
        "a user, a network that may relay, or a listener without checks: goes through",
        "listener.door",
        Run::Here(client::trusted),
    ),
    row(
        "allowed",
        Rcpt,
        "client, sender or recipient is on the allow list: goes through",
        "allow",
        Run::Here(names::allowed),
    ),
    row(
        "sender-denied",
        Rcpt,
        "the sender is on the deny list: 550",
        "deny.senders",
        Run::Here(names::sender_denied),
    ),
    row(
        "pipelining",
        Rcpt,
        "commands came before the reply to EHLO: 554",
        "pipelining",
        Run::Here(client::ahead),
    ),
    row(
        "helo-ours",
        Rcpt,
        "EHLO has our own name or address: 550",
        "helo_ours",
        Run::Here(client::helo_ours),
    ),
    row(
        "helo-literal",
        Rcpt,
        "EHLO has another address than the client's: 550",
        "helo_literal",
        Run::Here(client::helo_literal),
    ),
    row(
        "helo-name",
        Rcpt,
        "EHLO has a name without a dot: 550",
        "helo_name",
        Run::Here(client::helo_name),
    ),
    row(
        "helo-unknown",
        Rcpt,
        "EHLO has a name with neither address nor MX: 550, 450",
        "helo_unknown",
        Run::Dns(client::helo_unknown),
    ),
    row(
        "reverse-name",
        Rcpt,
        "the client has no name that leads back to it: 550, 450",
        "reverse_name",
        Run::Dns(client::reverse_name),
    ),
    row(
        "sender-domain",
        Rcpt,
        "the sender's domain has neither MX nor address: 550, 450",
        "sender_domain",
        Run::Dns(names::sender_domain),
    ),
    row(
        "null-mx",
        Rcpt,
        "the sender's domain has a null MX: 550",
        "sender_domain",
        Run::Dns(names::null_mx),
    ),
    row(
        "dnsbl",
        Rcpt,
        "the lists' weights come to too much: 550, 450",
        "list, reject_score, defer_score",
        Run::Lists,
    ),
    row(
        "greylist",
        Rcpt,
        "a stranger is asked to come again: 451",
        "greylist",
        Run::Dns(visitor::greylist),
    ),
    row(
        "next-hop",
        Rcpt,
        "the next hop knows no such recipient: 550, 451",
        "ask_next_hop",
        Run::NextHop,
    ),
];

const fn row(
    rule: &'static str,
    stage: Stage,
    about: &'static str,
    setting: &'static str,
    run: Run,
) -> Check {
    Check { rule, stage, about, setting, run }
}

/// The checks of a stage that need nobody else.
pub(crate) fn at_once(policy: &Policy, case: &Case<'_>, stage: Stage) -> Verdict {
    let set = policy.set();
    let ground = Ground { policy, set: &set, case, dry: false };
    let mut verdict = Verdict::default();
    for check in CHECKS.iter().filter(|check| check.stage == stage) {
        if let Run::Here(run) = check.run
            && take(&mut verdict, check.rule, run(&ground))
        {
            break;
        }
    }
    verdict
}

/// The checks at RCPT.
pub(crate) async fn recipient(policy: &Policy, case: &Case<'_>) -> Verdict {
    let set = policy.set();
    let ground = Ground { policy, set: &set, case, dry: false };
    let mut verdict = Verdict::default();
    let mut facts = None;
    for check in CHECKS.iter().filter(|check| check.stage == Rcpt) {
        let outcome = ground.run(check, &mut facts).await;
        if take(&mut verdict, check.rule, outcome) {
            break;
        }
    }
    verdict.score = facts.map_or(0, |facts| lists::score(&facts));
    verdict
}

/// All checks of all stages.
pub(crate) async fn dry_run(policy: &Policy, case: &Case<'_>) -> Verdict {
    let set = policy.set();
    let ground = Ground { policy, set: &set, case, dry: true };
    let mut verdict = Verdict::default();
    let mut facts = None;
    let mut allowed = None;
    for check in CHECKS {
        let known = match check.stage {
            Connect | Auth => true,
            Mail => case.sender.is_some(),
            Rcpt => case.recipient.is_some(),
        };
        let outcome = match (known, allowed) {
            (false, _) => Outcome::Skipped("not known what for"),
            (true, Some(())) => Outcome::Skipped("let through before"),
            (true, None) => ground.run(check, &mut facts).await,
        };
        if matches!(outcome, Outcome::Allowed(_)) && verdict.passes() {
            allowed = Some(());
        }
        take(&mut verdict, check.rule, outcome);
    }
    verdict.score = facts.map_or(0, |facts| lists::score(&facts));
    verdict
}

/// Writes an outcome down. True: it decides.
fn take(verdict: &mut Verdict, rule: &'static str, outcome: Outcome) -> bool {
    verdict.details.push(outcome.detail(rule));
    match outcome {
        Outcome::Refused(reply, why) => {
            if verdict.refusal.is_none() {
                verdict.refusal = Some(Refusal { rule, reply, why });
            }
            true
        }
        Outcome::Allowed(_) => true,
        _ => false,
    }
}

impl Ground<'_> {
    async fn run(&self, check: &Check, facts: &mut Option<Facts>) -> Outcome {
        match check.run {
            Run::Here(run) => run(self),
            Run::Dns(run) => run(self, self.facts(facts).await),
            Run::Lists => lists::dnsbl(self, self.facts(facts).await).await,
            Run::NextHop => visitor::next_hop(self).await,
            Run::Driver(why) => Outcome::Skipped(why),
        }
    }

    /// What the DNS says; asked for with the first check that wants it, all at once.
    async fn facts<'f>(&self, facts: &'f mut Option<Facts>) -> &'f Facts {
        if facts.is_none() {
            let settings = &self.set.settings;
            let is_on = |action: Action| action != Action::Off;
            let greylist = &settings.greylist;
            let wanted = Wanted {
                client: self.case.client,
                reverse: is_on(settings.reverse_name) || (greylist.on && greylist.trust_own_names),
                helo: self.case.helo,
                helo_presence: is_on(settings.helo_unknown),
                sender: self.case.sender_path(),
                sender_presence: is_on(settings.sender_domain),
                lists: &settings.list,
                patience: settings.patience,
                now: self.policy.now(),
            };
            *facts = Some(self.policy.asker.gather(&wanted).await);
        }
        facts.get_or_insert_default()
    }

    /// What a finding comes to, by its setting.
    pub(crate) fn act(
        &self,
        action: Action,
        why: String,
        reply: impl FnOnce(bool) -> smtp::Reply,
    ) -> Outcome {
        match action {
            Action::Off => Outcome::Skipped("switched off"),
            Action::Note => Outcome::Noted(why),
            Action::Defer => Outcome::Refused(reply(false), why),
            Action::Reject => Outcome::Refused(reply(true), why),
        }
    }

    /// What it comes to that nothing is known.
    pub(crate) fn unanswered(
        &self,
        action: Action,
        why: String,
        reply: impl FnOnce() -> smtp::Reply,
    ) -> Outcome {
        let careful = self.set.settings.unanswered == Unanswered::Defer;
        match action {
            Action::Defer | Action::Reject if careful => Outcome::Refused(reply(), why),
            _ => Outcome::Noted(why),
        }
    }
}
