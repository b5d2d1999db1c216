//! What DNS lists say of our own address.

use std::net::IpAddr;

use diagnose::{
    Weight,
    blocklists::{self, Kind},
};
use policy::dnsbl::{Found, List, Listing, look_up};
use serde::Serialize;
use world::World;

/// What was asked, and answered.
#[derive(Serialize)]
pub struct Asked {
    /// About whom; none where we don't know the address that others see.
    pub address: Option<IpAddr>,
    /// What each list says.
    pub listings: Vec<Listing>,
    /// Why nobody was asked.
    pub problem: Option<String>,
}

/// Asks, if any list is wanted. `given` is an address that was named, `own` the one that counts.
pub async fn ask(
    world: &World,
    zones: &[String],
    given: Option<IpAddr>,
    own: Option<IpAddr>,
) -> Option<Asked> {
    if zones.is_empty() && given.is_none() {
        return None;
    }
    let problem =
        |text: String| Some(Asked { address: None, listings: Vec::new(), problem: Some(text) });
    let help = "name the address that others see with `--address`";
    let Some(address) = own else {
        return problem(format!("no connection told our own address: {help}"));
    };
    if given.is_none() && is_private(address) {
        return problem(format!("we connect from {address}, which nobody else sees: {help}"));
    }
    let all = zones.is_empty() || zones.iter().any(|zone| zone == "known");
    let mut lists: Vec<List> =
        zones.iter().filter(|zone| *zone != "known").map(List::new).collect();
    if all {
        let known = List::known().into_iter();
        lists.extend(known.filter(|list| !zones.contains(&list.zone)));
    }
    let listings = look_up(world.dns.as_ref(), address, &lists).await;
    Some(Asked { address: Some(address), listings, problem: None })
}

impl Asked {
    /// A listing may keep our mail from others.
    pub fn worst(&self) -> Option<Weight> {
        let unasked = self.problem.as_ref().map(|_| Weight::Fault);
        self.listings.iter().filter_map(weight).max().max(unasked)
    }
}

/// What an answer means for our mail; nothing if we are not listed.
pub fn weight(listing: &Listing) -> Option<Weight> {
    let is_allow =
        blocklists::by_zone(&listing.zone).is_some_and(|known| known.kind == Kind::Allow);
    match listing.found {
        Found::NotListed => None,
        Found::Listed { .. } if is_allow => None,
        Found::Listed { .. } => Some(Weight::Failure),
        Found::Refused { .. } | Found::Foreign { .. } | Found::Unanswered { .. } => {
            Some(Weight::Remark)
        }
    }
}

/// An answer in words.
pub fn words(listing: &Listing) -> String {
    match &listing.found {
        Found::NotListed => "not listed".to_owned(),
        Found::Listed { answers, means, .. } => {
            let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
            format!("listed ({}): {means}", answers.join(", "))
        }
        Found::Refused { answer, why } => {
            format!("query refused ({answer}): {why}; nothing is known")
        }
        Found::Foreign { answer } => {
            format!("{answer} is no list's answer: the zone is gone, or the resolver lies")
        }
        Found::Unanswered { why } => format!("no answer: {why}"),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(own) => own.is_private() || own.is_loopback() || own.is_link_local(),
        IpAddr::V6(own) => {
            own.is_loopback() || own.is_unique_local() || own.is_unicast_link_local()
        }
    }
}
