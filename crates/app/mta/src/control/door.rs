//! Questions about the door: what would happen to a client, and whom the greylist knows.

use std::sync::Arc;

use policy::{Case, Detail, Ended};
use smtp::Address;

use super::{done, refused};
use crate::{
    Agent,
    handle::{DoorVerdict, Response, Visit},
    session::judge,
};

/// Every check's answer, without any trace of the question.
pub(super) async fn check(agent: &Arc<Agent>, visit: &Visit) -> Vec<Response> {
    let Some(door) = agent.door(visit.listener.as_deref()) else {
        let known: Vec<String> = agent.listening().into_iter().map(|(_, name, _)| name).collect();
        let message = match &visit.listener {
            Some(name) => format!("there is no listener `{name}`"),
            None => "there is no listener".to_owned(),
        };
        return vec![refused(message, Some(format!("the listeners are {}", known.join(", "))))];
    };
    let (sender, recipient) = match paths(visit) {
        Ok(paths) => paths,
        Err(response) => return vec![*response],
    };
    let queue = &agent.queue;
    let config = queue.context.config();
    let case = Case {
        helo: visit.helo.as_deref(),
        sender: visit.reverse_path.as_ref().map(|_| sender.as_ref()),
        recipient: recipient.as_ref(),
        user: visit.user.as_deref(),
        ..door.case(&config, visit.client)
    };
    let forward = recipient.as_ref().and_then(|path| judge::Forward::of(queue, &config, path));
    let next_hop = forward.as_ref().map(|forward| forward as &dyn policy::asked::NextHop);
    let verdict = queue.context.policy.dry_run(&Case { next_hop, ..case }).await;
    let named = recipient.as_ref().map(|path| judge::may_be_named(&config, &case, path));
    let mut verdict = DoorVerdict {
        listener: door.name.clone(),
        rule: verdict.refusal.as_ref().map(|refusal| refusal.rule.to_owned()),
        reply: verdict.refusal.as_ref().map(|refusal| refusal.reply.to_string()),
        score: verdict.score,
        checks: verdict.details,
    };
    if let Some(named) = named {
        put_before_rcpt(&mut verdict, named);
    }
    vec![Response::Verdict(Box::new(verdict)), done(1)]
}

/// What the configuration says of the recipient comes before all that policy asks at RCPT.
fn put_before_rcpt(verdict: &mut DoorVerdict, named: Result<(), policy::Refusal>) {
    let stage_of =
        |rule: &str| policy::CHECKS.iter().find(|check| check.rule == rule).map(|c| c.stage);
    let is_rcpt = |rule: &str| stage_of(rule) == Some(policy::Stage::Rcpt);
    let place = verdict.checks.iter().position(|check| is_rcpt(&check.rule));
    let detail = match &named {
        Ok(()) => Detail {
            rule: "relay, mailbox".to_owned(),
            ended: Ended::Passed,
            why: "the recipient is ours, or the client may relay".to_owned(),
        },
        Err(refusal) => Detail {
            rule: refusal.rule.to_owned(),
            ended: Ended::Rejected,
            why: refusal.why.clone(),
        },
    };
    verdict.checks.insert(place.unwrap_or(verdict.checks.len()), detail);
    let refused_before = verdict.rule.as_deref().is_some_and(|rule| !is_rcpt(rule));
    if let (Err(refusal), false) = (named, refused_before) {
        verdict.rule = Some(refusal.rule.to_owned());
        verdict.reply = Some(refusal.reply.to_string());
    }
}

type Paths = (Option<Address>, Option<Address>);

fn paths(visit: &Visit) -> Result<Paths, Box<Response>> {
    let path = |text: &Option<String>| match text.as_deref().map(bare) {
        None | Some("") => Ok(None),
        Some(text) => text.parse::<Address>().map(Some).map_err(|error| {
            let help = Some("write it like `anna@example.org`".to_owned());
            Box::new(refused(format!("`{text}` is no address: {error}"), help))
        }),
    };
    Ok((path(&visit.reverse_path)?, path(&visit.forward_path)?))
}

/// Without angle brackets.
fn bare(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text)
}

/// The entries that fit, or their end.
pub(super) fn greylist(
    agent: &Arc<Agent>,
    text: &str,
    forget: bool,
    count_max: Option<u64>,
) -> Vec<Response> {
    let Some(greylist) = agent.queue.context.policy.greylist() else {
        let help = Some("set `on = true` in `[door.greylist]`".to_owned());
        return vec![refused("greylisting is switched off".to_owned(), help)];
    };
    let text = if text.trim() == "<>" { "<>" } else { bare(text) };
    if forget {
        return vec![done(greylist.forget(text) as u64)];
    }
    let most = count_max.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let (found, count) = greylist.find(text, most);
    let mut responses: Vec<_> =
        found.into_iter().map(|entry| Response::Greylisted(Box::new(entry))).collect();
    responses.push(done(count as u64));
    responses
}

/// Whose failed logins are remembered.
pub(super) fn logins(agent: &Arc<Agent>) -> Vec<Response> {
    let shown = agent.queue.context.policy.logins();
    let count = shown.len() as u64;
    let mut responses: Vec<_> =
        shown.into_iter().map(|shown| Response::LoginsOf(Box::new(shown))).collect();
    responses.push(done(count));
    responses
}

/// As if they had never failed.
pub(super) fn unlock(agent: &Arc<Agent>, text: &str) -> Response {
    let count = agent.queue.context.policy.unlock(text.trim());
    tracing::info!(subject = text, count, "unlocked by an operator");
    done(count as u64)
}
