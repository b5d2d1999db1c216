//! DNS lists: their weights, summed up; and the words that a refusal quotes.

use std::collections::BTreeSet;

use smtp::Reply;

use super::Ground;
use crate::{
    Outcome,
    dnsbl::{self, About, Found, Listing},
    facts::Facts,
    settings::Unanswered,
};

/// Lists that a reply names: a line has 512 octets.
const NAMED_MAX: usize = 3;

/// The sum. A list that has the client, its name and its sender counts once, with its greatest weight.
pub(super) fn score(facts: &Facts) -> i32 {
    let zones: BTreeSet<&str> = facts.listings.iter().map(|(_, listing)| &*listing.zone).collect();
    let weight = |zone: &str| {
        let own = facts.listings.iter().filter(|(_, listing)| listing.zone == zone);
        own.map(|(_, listing)| listing.weight()).max_by_key(|weight| weight.unsigned_abs())
    };
    zones.into_iter().filter_map(weight).fold(0, i32::saturating_add)
}

pub(super) async fn dnsbl(ground: &Ground<'_>, facts: &Facts) -> Outcome {
    let settings = &ground.set.settings;
    if settings.list.is_empty() {
        return Outcome::Skipped("no list is configured");
    }
    if !ground.dry {
        facts.listings.iter().for_each(|(_, listing)| report(listing));
    }
    let score = score(facts);
    let why = format!("score {score} of {}: {}", settings.reject_score, words(facts));
    let for_good = score >= settings.reject_score;
    if for_good || settings.defer_score.is_some_and(|limit| score >= limit) {
        return refuse(ground, facts, why, for_good).await;
    }
    let silent = facts.listings.iter().any(|(_, l)| matches!(l.found, Found::Unanswered { .. }));
    match silent && settings.unanswered == Unanswered::Defer {
        true => Outcome::Refused(Reply::not_checked(), why),
        false if score == 0 && facts.listings.iter().all(|(_, l)| l.found == Found::NotListed) => {
            Outcome::Passed(why)
        }
        false => Outcome::Noted(why),
    }
}

async fn refuse(ground: &Ground<'_>, facts: &Facts, why: String, for_good: bool) -> Outcome {
    let mut against: Vec<&(About, Listing)> =
        facts.listings.iter().filter(|(_, listing)| listing.weight() > 0).collect();
    against.sort_by_key(|(_, listing)| std::cmp::Reverse(listing.weight()));
    let Some((_, first)) = against.first() else {
        return Outcome::Noted(format!("{why}; no list is against it"));
    };
    // Lists of another subject have their own words; the heaviest one's subject is what the client hears.
    let mut zones: Vec<&str> = Vec::new();
    for (_, listing) in against.iter().filter(|(_, l)| l.subject == first.subject) {
        if !zones.contains(&shown_zone(&listing.zone)) {
            zones.push(shown_zone(&listing.zone));
        }
    }
    zones.truncate(NAMED_MAX);
    let asker = &ground.policy.asker;
    let see = dnsbl::reason(asker.dns(), first, ground.set.settings.patience).await;
    let reply =
        Reply::listed(&first.subject, &zones.join(" and "), &see.unwrap_or_default(), for_good);
    Outcome::Refused(reply, why)
}

/// A zone without a customer's key, which is nobody else's business.
fn shown_zone(zone: &str) -> &str {
    match zone.split_once('.') {
        Some((first, rest)) if first.len() >= 16 && !first.contains('-') => rest,
        _ => zone,
    }
}

/// An event for what an operator has to mend: the list was asked in vain.
fn report(listing: &Listing) {
    let list = shown_zone(&listing.zone);
    match &listing.found {
        Found::Refused { answer, why } => {
            tracing::warn!(list, %answer, why, "list refuses our queries");
        }
        Found::Foreign { answer } => {
            tracing::warn!(list, %answer, "list gives answers that no list gives");
        }
        Found::Unanswered { why } => tracing::info!(list, why, "list has no answer"),
        Found::Listed { .. } | Found::NotListed => {}
    }
}

/// `192.0.2.41 on zen.spamhaus.org (127.0.0.2, SBL: a known source of spam: 10), ...`
fn words(facts: &Facts) -> String {
    let said = facts.listings.iter().filter_map(|(_, listing)| {
        let (subject, list) = (&listing.subject, shown_zone(&listing.zone));
        Some(match &listing.found {
            Found::NotListed => return None,
            Found::Listed { answers, means, weight } => {
                let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
                format!("{subject} on {list} ({}, {means}: {weight:+})", answers.join(" "))
            }
            Found::Refused { answer, why } => {
                format!("{list} refuses to answer ({answer}, {why}): no listing")
            }
            Found::Foreign { answer } => format!("{list} answers {answer}, which is no listing"),
            Found::Unanswered { why } => format!("{list} has no answer ({why})"),
        })
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { "on no list".to_owned() } else { said.join(", ") }
}
