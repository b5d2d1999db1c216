//! `mailwright mx`: who takes mail for a domain, in order of use.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use clap::Args;
use transport::mx::{Exchangers, Found, Ourselves, mail_exchangers};
use world::dns::real::Settings;

use super::send::{EX_CONFIG, EX_NOHOST, EX_TEMPFAIL, Failed};
use crate::{output, outside, problem::Problem, server::block_on};

/// Show who takes mail for a domain, in order of use
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 found, 68 nobody takes mail for the domain, 75 the DNS has no \
    answer for now."
)]
pub struct Mx {
    /// Domain, or an address of which the domain counts
    domain: String,
    /// Resolver to ask, as IP:PORT [default: those of /etc/resolv.conf]
    #[arg(long, value_name = "IP:PORT")]
    dns: Vec<SocketAddr>,
    /// Show the records and each decision
    #[arg(long)]
    why: bool,
    /// For programs
    #[arg(long)]
    json: bool,
}

impl Mx {
    /// The exit status tells whether anybody was found.
    pub fn run(self) -> Result<ExitCode, Failed> {
        let failed = |problem| Failed { problem, status: EX_CONFIG };
        let world = outside::world(&Settings { servers: self.dns, ..Settings::default() })
            .map_err(failed)?;
        let domain =
            self.domain.rsplit_once('@').map_or(self.domain.as_str(), |(_, domain)| domain);
        let found = block_on(async {
            Ok(mail_exchangers(&world, domain, &Ourselves::default(), 25).await)
        });
        match found.map_err(failed)? {
            Ok(found) if self.json => output::json(&found),
            Ok(found) => crate::output::put_text(show(&found, self.why)),
            Err(cause) => {
                let status = if cause.status(true).class == 4 { EX_TEMPFAIL } else { EX_NOHOST };
                let problem = Problem::new(format!("{} ({})", cause.trouble, cause.status(true)));
                return Err(Failed { problem, status });
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show(found: &Exchangers, with_reasons: bool) -> String {
    let mut table =
        output::table(&["preference", "host", "addresses", "ttl", "answered by"], output::width());
    for exchanger in &found.hosts {
        let addresses: Vec<String> = exchanger.addresses.iter().map(ToString::to_string).collect();
        let by = exchanger.by.or(found.by).map_or_else(String::new, |by| by.to_string());
        table.add_row([
            exchanger.preference.to_string(),
            exchanger.host.clone(),
            addresses.join(" "),
            ttl(found.ttl.min(exchanger.ttl)),
            by,
        ]);
    }
    let mut page = String::new();
    match found.found {
        Found::Mx => {}
        Found::ImplicitMx => {
            page.push_str(&format!("{} has no MX record: its own addresses count\n", found.domain));
        }
        Found::AddressLiteral => page.push_str("an address literal: no records are asked for\n"),
    }
    page.push_str(&output::text(&table));
    page.push('\n');
    for skipped in &found.skipped {
        page.push_str(&format!(
            "left out: {} {}: {}\n",
            skipped.preference, skipped.host, skipped.why
        ));
    }
    if with_reasons {
        for reason in &found.why {
            page.push_str(&format!("  {reason}\n"));
        }
    }
    page
}

/// An address literal holds for ever.
fn ttl(ttl: Duration) -> String {
    if ttl == Duration::MAX { "-".to_owned() } else { output::span(ttl) }
}
