//! The client: how often it comes, what it calls itself, whether its address has a name.

use std::net::IpAddr;

use smtp::Reply;

use super::Ground;
use crate::{
    Outcome,
    facts::{Facts, Presence, Reverse},
    policy::all_rates,
    rates::{Count, Reached},
    settings::Action,
};

const OFF: Outcome = Outcome::Skipped("switched off");
const NO_HELO: Outcome = Outcome::Skipped("no EHLO");

pub(super) fn denied(ground: &Ground<'_>) -> Outcome {
    let client = ground.case.client;
    match (ground.set.deny.client(client), ground.set.allow.client(client)) {
        (Some(network), Some(allowed)) => {
            Outcome::Passed(format!("denied as {network}, but allowed as {allowed}"))
        }
        (Some(network), None) => {
            Outcome::Refused(Reply::client_denied(), format!("{client} is in {network}"))
        }
        (None, _) => Outcome::Passed("not on the deny list".to_owned()),
    }
}

pub(super) fn connection_rate(ground: &Ground<'_>) -> Outcome {
    let reached = count(ground, Count::Connections);
    within(reached, |reached| Reply::connects_too_often(reached.wait))
}

pub(super) fn message_rate(ground: &Ground<'_>) -> Outcome {
    let (doer, now) = (ground.case.doer(), ground.policy.now());
    let rates = all_rates(ground.case, ground.set);
    let octets = ground.policy.rates.would(rates, Count::Octets, &doer, 0, now);
    let reached = match octets {
        Ok(()) => count(ground, Count::Messages),
        reached => reached,
    };
    within(reached, |reached| {
        let of = if reached.rate.count == Count::Octets { "octets" } else { "messages" };
        Reply::too_often(of, reached.wait)
    })
}

pub(super) fn recipient_rate(ground: &Ground<'_>) -> Outcome {
    let reached = count(ground, Count::Recipients);
    within(reached, |reached| Reply::too_often("recipients", reached.wait))
}

fn count(ground: &Ground<'_>, count: Count) -> Result<(), Reached> {
    let (doer, now) = (ground.case.doer(), ground.policy.now());
    let rates = all_rates(ground.case, ground.set);
    match ground.dry {
        true => ground.policy.rates.would(rates, count, &doer, 1, now),
        false => ground.policy.rates.charge(rates, count, &doer, 1, now),
    }
}

fn within(reached: Result<(), Reached>, reply: impl FnOnce(&Reached) -> Reply) -> Outcome {
    match reached {
        Ok(()) => Outcome::Passed("within the limits".to_owned()),
        Err(reached) => {
            let why = format!("the limit of {} is reached", reached.rate);
            Outcome::Refused(reply(&reached), why)
        }
    }
}

pub(super) fn trusted(ground: &Ground<'_>) -> Outcome {
    match ground.case.user {
        Some(user) => Outcome::Allowed(format!("logged in as {user}")),
        None if ground.case.trusted => Outcome::Allowed("it may relay".to_owned()),
        None if !ground.case.screened => {
            Outcome::Allowed("the listener makes no further checks".to_owned())
        }
        None => Outcome::Passed("a stranger".to_owned()),
    }
}

pub(super) fn ahead(ground: &Ground<'_>) -> Outcome {
    match (ground.set.settings.pipelining, ground.case.ahead) {
        (Action::Off, _) => OFF,
        (_, false) => Outcome::Passed("it waits for replies".to_owned()),
        (action, true) => {
            let why = "it sent commands before it had our reply to EHLO".to_owned();
            ground.act(action, why, |_| Reply::talked_ahead())
        }
    }
}

pub(super) fn helo_ours(ground: &Ground<'_>) -> Outcome {
    let action = ground.set.settings.helo_ours;
    let client = ground.case.client.to_canonical();
    let ourselves = &ground.set.ourselves;
    let Some(helo) = ground.case.helo else { return NO_HELO };
    let is_us = client.is_loopback() || ourselves.addresses.contains(&client);
    let claims = match literal(helo) {
        Some(address) => ourselves.addresses.contains(&address),
        None => {
            let name = helo.trim_end_matches('.').to_ascii_lowercase();
            ourselves.names.contains(&name)
        }
    };
    match (action, claims && !is_us) {
        (Action::Off, _) => OFF,
        (_, false) => Outcome::Passed(format!("{helo} is not ours")),
        (action, true) => {
            let reply = |for_good| Reply::helo_refused("is this server's own", for_good);
            ground.act(
                action,
                format!("{client} calls itself {helo}, which is our own name"),
                reply,
            )
        }
    }
}

pub(super) fn helo_literal(ground: &Ground<'_>) -> Outcome {
    let action = ground.set.settings.helo_literal;
    let client = ground.case.client.to_canonical();
    let Some(helo) = ground.case.helo else { return NO_HELO };
    match (action, literal(helo)) {
        (Action::Off, _) => OFF,
        (_, None) => Outcome::Passed(format!("{helo} is a name")),
        (_, Some(address)) if address == client => {
            Outcome::Passed(format!("{helo} is its address"))
        }
        (action, Some(_)) => {
            let reply = |for_good| Reply::helo_refused("is not your address", for_good);
            ground.act(action, format!("{client} calls itself {helo}"), reply)
        }
    }
}

pub(super) fn helo_name(ground: &Ground<'_>) -> Outcome {
    let action = ground.set.settings.helo_name;
    let Some(helo) = ground.case.helo else { return NO_HELO };
    let full = literal(helo).is_some() || helo.trim_end_matches('.').contains('.');
    match (action, full) {
        (Action::Off, _) => OFF,
        (_, true) => Outcome::Passed(format!("{helo} is complete")),
        (action, false) => {
            let reply =
                |for_good| Reply::helo_refused("is not a full name with a domain", for_good);
            ground.act(action, format!("{helo} has no dot in it"), reply)
        }
    }
}

pub(super) fn helo_unknown(ground: &Ground<'_>, facts: &Facts) -> Outcome {
    let action = ground.set.settings.helo_unknown;
    let helo = ground.case.helo.unwrap_or_default();
    match &facts.helo {
        _ if action == Action::Off => OFF,
        None if ground.case.helo.is_none() => NO_HELO,
        None => Outcome::Passed(format!("{helo} is an address")),
        Some(Presence::There | Presence::NullMx) => {
            Outcome::Passed(format!("{helo} is in the DNS"))
        }
        Some(Presence::Missing(why)) => {
            let reply = |for_good| Reply::helo_refused("has no address in the DNS", for_good);
            ground.act(action, why.clone(), reply)
        }
        Some(Presence::Unanswered(why)) => {
            let reply = || Reply::helo_refused("can't be found in the DNS now", false);
            ground.unanswered(action, why.clone(), reply)
        }
    }
}

pub(super) fn reverse_name(ground: &Ground<'_>, facts: &Facts) -> Outcome {
    let action = ground.set.settings.reverse_name;
    let client = ground.case.client.to_canonical();
    let refuse = |for_good| Reply::reverse_name_refused(&client.to_string(), for_good);
    match &facts.reverse {
        _ if action == Action::Off => OFF,
        None => Outcome::Skipped("not asked"),
        Some(Reverse::Confirmed(name)) => Outcome::Passed(format!("{client} is {name}")),
        Some(Reverse::None) => ground.act(action, format!("{client} has no PTR record"), refuse),
        Some(Reverse::Mismatch(names)) => {
            let why = format!("{client} is called {}, which has other addresses", names.join(", "));
            ground.act(action, why, refuse)
        }
        Some(Reverse::Unanswered(why)) => ground.unanswered(action, why.clone(), || refuse(false)),
    }
}

/// The address in `[192.0.2.1]` and `[IPv6:2001:db8::1]`.
fn literal(helo: &str) -> Option<IpAddr> {
    let inner = helo.strip_prefix('[')?.strip_suffix(']')?;
    let (tag, rest) = inner.split_at_checked(5).unwrap_or(("", inner));
    let text = if tag.eq_ignore_ascii_case("IPv6:") { rest } else { inner };
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}
