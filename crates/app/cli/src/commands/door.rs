//! `mailwright door`: what the door would say, and whom the greylist knows.

mod logins;

use std::net::IpAddr;

use clap::{Args, Subcommand};
use mta::handle::{DoorVerdict, Request, Response, Visit};
use policy::{CHECKS, Ended, Stage, greylist::Shown};
use smtp::Timestamp;

use self::logins::{Logins, Unlock};
use crate::{
    output::{self, clean},
    problem::Problem,
    server::Place,
};

/// Ask what the door would say to a client, and look into the greylist
#[derive(Debug, Args)]
pub struct Door {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(Check),
    Greylist(Greylist),
    Logins(Logins),
    Unlock(Unlock),
    /// Show all checks in the order in which they are made
    Rules,
}

/// Tell what would happen to a client, check by check; nothing is remembered of it
#[derive(Debug, Args)]
struct Check {
    /// Its address
    #[arg(value_name = "IP")]
    client: IpAddr,
    /// What it says in EHLO
    #[arg(long, value_name = "NAME")]
    helo: Option<String>,
    /// Its reverse-path; "<>" for the null one
    #[arg(long, value_name = "ADDRESS")]
    mail: Option<String>,
    /// The recipient
    #[arg(long, value_name = "ADDRESS")]
    rcpt: Option<String>,
    /// As whom it is logged in [default: nobody]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The listener that it comes to [default: the first one for other servers]
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    #[command(flatten)]
    place: Place,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Show whom the greylist knows, or forget some
#[derive(Debug, Args)]
struct Greylist {
    /// A client's address, a network as it is listed, an address or a domain [default: all]
    #[arg(value_name = "IP|NETWORK|ADDRESS|DOMAIN", required_if_eq("forget", "true"))]
    text: Option<String>,
    /// Forget these: they are new again
    #[arg(long)]
    forget: bool,
    /// At most so many, the newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    most: u64,
    #[command(flatten)]
    place: Place,
    /// For programs
    #[arg(long)]
    json: bool,
}

impl Door {
    pub fn run(self) -> Result<(), Problem> {
        match self.command {
            Command::Check(check) => check.run(),
            Command::Greylist(greylist) => greylist.run(),
            Command::Logins(logins) => logins.run(),
            Command::Unlock(unlock) => unlock.run(),
            Command::Rules => {
                crate::output::say!("{}", rules(output::width()));
                Ok(())
            }
        }
    }
}

impl Check {
    fn run(self) -> Result<(), Problem> {
        let visit = Visit {
            client: self.client,
            helo: self.helo,
            reverse_path: self.mail,
            forward_path: self.rcpt,
            user: self.user,
            listener: self.listener,
        };
        self.place.ask(&Request::DoorCheck { visit }, |response| {
            let Response::Verdict(verdict) = response else { return };
            match self.json {
                true => output::json(&verdict),
                false => crate::output::put_text(show(&verdict, output::width())),
            }
        })?;
        Ok(())
    }
}

impl Greylist {
    fn run(self) -> Result<(), Problem> {
        let text = self.text.unwrap_or_default();
        let request = Request::Greylist { text, forget: self.forget, count_max: Some(self.most) };
        let mut entries = Vec::new();
        let (count, notes) = self.place.ask(&request, |response| {
            if let Response::Greylisted(entry) = response {
                entries.push(*entry);
            }
        })?;
        match (self.forget, self.json) {
            (true, as_json) => output::forgotten(count, notes, as_json),
            (false, true) => entries.iter().for_each(output::json),
            (false, false) => {
                let now = world::Clock::Real.now();
                crate::output::say!("{}", show_greylist(&entries, count, now, output::width()));
            }
        }
        Ok(())
    }
}

/// The page, for people.
pub(crate) fn show(verdict: &DoorVerdict, width: Option<u16>) -> String {
    let mut page = match (&verdict.rule, &verdict.reply) {
        (Some(rule), Some(reply)) => format!("refused by {rule}: {}\n", clean(reply)),
        _ => "it goes through\n".to_owned(),
    };
    page.push_str(&format!("listener {}, score {}\n\n", verdict.listener, verdict.score));
    let mut table = output::table(&["check", "ended", "because"], width);
    for check in &verdict.checks {
        table.add_row([check.rule.as_str(), ended(check.ended), &clean(&check.why)]);
    }
    page + &output::text(&table) + "\n"
}

fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Passed => "passed",
        Ended::Skipped => "not asked",
        Ended::Noted => "noted",
        Ended::Allowed => "allowed",
        Ended::Deferred => "deferred",
        Ended::Rejected => "rejected",
    }
}

/// The list, for people.
pub(crate) fn show_greylist(
    entries: &[Shown],
    count: u64,
    now: Timestamp,
    width: Option<u16>,
) -> String {
    if entries.is_empty() {
        return "nobody that fits is known".to_owned();
    }
    let head = ["network", "sender", "recipient", "first", "last", "let through"];
    let mut table = output::table(&head, width);
    for entry in entries {
        let (sender, recipient) = match entry.sender.is_empty() {
            true => ("(the network)", ""),
            false => (entry.sender.as_str(), entry.recipient.as_str()),
        };
        table.add_row([
            entry.network.clone(),
            clean(sender),
            clean(recipient),
            output::relative(entry.first, now),
            output::relative(entry.last, now),
            entry.passed.to_string(),
        ]);
    }
    let more = count.saturating_sub(entries.len() as u64);
    let more = if more > 0 { format!("\n{more} more") } else { String::new() };
    output::text(&table) + &more
}

/// The table of all checks.
pub(crate) fn rules(width: Option<u16>) -> String {
    let mut table = output::table(&["rule", "at", "what", "setting"], width);
    for check in CHECKS {
        let at = match check.stage {
            Stage::Connect => "connect",
            Stage::Auth => "AUTH",
            Stage::Mail => "MAIL",
            Stage::Rcpt => "RCPT",
        };
        table.add_row([check.rule, at, check.about, check.setting]);
    }
    output::text(&table)
}
