//! `mailwright probe`: a domain's or host's mail service as it looks from here, without sending anything.

mod lists;
mod queued;
mod show;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use diagnose::Weight;
use smtp::Address;
use transport::{
    ClientSettings, ClientTls, Plan, Protocol, TlsLevel,
    probe::{Bisect, Order, Report, Subject, Trial, probe},
};
use world::{World, dns::real::Settings};

use super::send::{EX_CONFIG, EX_USAGE, Failed, features, own_name};
use crate::{
    output, outside,
    problem::Problem,
    server::{Place, block_on},
};
use lists::Asked;

/// Something keeps mail from going through.
const FAILURE: u8 = 2;
/// Mail may pass, but something is wrong.
const FAULT: u8 = 1;
const HTTPS: u16 = 443;

/// Look at a domain's mail service: hosts, names, TLS, extensions, DNS records; nothing is sent
#[derive(Debug, Args)]
#[command(
    after_help = "DOMAIN is looked up by MX; HOST:PORT, an address or an address literal is that one host.\n\n\
    Exit status: 0 nothing amiss but remarks, 1 something is wrong, 2 something keeps mail from going \
    through, 64 wrong arguments, 78 a file is wrong."
)]
pub struct Probe {
    /// Whom to look at
    #[arg(value_name = "DOMAIN|HOST[:PORT]", required_unless_present = "queued")]
    subject: Option<String>,
    /// Look as a queued message does: its domain or next hop, envelope and size, and its route's EHLO name, source
    /// address, TLS and extensions; it does not sign in
    #[arg(long, value_name = "ID", conflicts_with_all = ["subject", "from"], group = "recipients")]
    queued: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Reverse-path to try, without sending; `<>` is the null reverse-path [default: that, if --to is given]
    #[arg(short = 'f', long, value_name = "ADDRESS", allow_hyphen_values = true)]
    from: Option<String>,
    /// Recipient to try, without sending; can be repeated, or several parted by commas
    #[arg(short = 't', long, value_name = "ADDRESS", value_delimiter = ',', group = "recipients")]
    to: Vec<String>,
    /// The host is one's own: test whether it relays for strangers, by tricks with addresses
    #[arg(long)]
    mine: bool,
    /// Find what breaks on the way: the same message again and again, features switched off one by one; it is
    /// broken off before its end, so that nobody gets it
    #[arg(long, requires = "recipients")]
    bisect: bool,
    /// With --bisect: send the messages whole, so that the end of content is tested too; they arrive
    #[arg(long, requires = "bisect")]
    send: bool,
    /// Selector of a DKIM key [default: those that many use]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    selector: Vec<String>,
    /// DNS lists to ask about our own address, parted by commas; `known` for all that are known
    #[arg(long, value_name = "ZONE", value_delimiter = ',')]
    lists: Vec<String>,
    /// The address to ask DNS lists about [default: the one we connect from; implies --lists known]
    #[arg(long, value_name = "ADDRESS")]
    address: Option<IpAddr>,
    /// Name to give in EHLO [default: the machine's]
    #[arg(long, value_name = "NAME")]
    ehlo: Option<String>,
    /// Address to connect from; one of each family at most
    #[arg(long, value_name = "ADDRESS")]
    source: Vec<IpAddr>,
    /// TLS from the first octet on, instead of STARTTLS
    #[arg(long)]
    implicit_tls: bool,
    /// Trust the issuers in this PEM file instead of the machine's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The port there, of a domain's hosts too [default: 25, or 465 with --implicit-tls]
    #[arg(short = 'p', long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Extensions not to use though they are offered
    #[arg(long, value_delimiter = ',', value_name = "KEYWORD")]
    avoid: Vec<String>,
    /// Extensions to use that are not used unasked: those of Exchange servers
    #[arg(long = "use", value_delimiter = ',', value_name = "KEYWORD")]
    allow: Vec<String>,
    /// Longest wait for anything, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// Resolver to ask, as IP:PORT [default: those of /etc/resolv.conf]
    #[arg(long, value_name = "IP:PORT")]
    dns: Vec<SocketAddr>,
    /// Show the dialogues
    #[arg(short = 'd', long)]
    dialogue: bool,
    /// For programs: all of it as JSON
    #[arg(long)]
    json: bool,
}

/// All that was asked.
#[derive(serde::Serialize)]
struct Answer {
    #[serde(flatten)]
    report: Report,
    lists: Option<Asked>,
}

impl Probe {
    /// The exit status tells the worst of what was found.
    pub fn run(self) -> Result<ExitCode, Failed> {
        let config = |problem| Failed { problem, status: EX_CONFIG };
        let settings = Settings { servers: self.dns.clone(), ..Settings::default() };
        let world = outside::world(&settings).map_err(config)?;
        let (order, general) = self.order(&world)?;
        let answer = block_on(self.look(&world, &order, &general)).map_err(config)?;
        match self.json {
            true => output::json(&answer),
            false => crate::output::put_text(show::page(&answer, self.dialogue, output::width())),
        }
        Ok(match answer.worst() {
            Some(Weight::Failure) => FAILURE.into(),
            Some(Weight::Fault) => FAULT.into(),
            Some(Weight::Remark) | None => ExitCode::SUCCESS,
        })
    }

    /// `general` is what is trusted where no route has its own word: by web servers with policies, too.
    async fn look(
        &self,
        world: &World,
        order: &Order,
        general: &ClientSettings,
    ) -> Result<Answer, Problem> {
        let tls = match &self.ca {
            Some(file) => ClientTls::with_authorities(world, file),
            None => ClientTls::with(world, general),
        };
        let tls = tls.map_err(|error| Problem::from_error(&error))?;
        let report = probe(world, &tls, order).await;
        let own = self.address.or(report.local_address());
        let lists = lists::ask(world, &self.lists, self.address, own).await;
        Ok(Answer { report, lists })
    }

    /// What to look at, and whom to trust there.
    fn order(&self, world: &World) -> Result<(Order, ClientSettings), Failed> {
        if let Some(id) = &self.queued {
            let config = |problem| Failed { problem, status: EX_CONFIG };
            let context = queued::ask(&self.place, id).map_err(config)?;
            return self.order_of(world, context);
        }
        let (subject, port) = Subject::parse(self.subject.as_deref().unwrap_or_default())
            .map_err(|text| usage(&text))?;
        if let (Some(_), Some(port)) = (self.port, port) {
            return Err(usage(&format!(
                "the port is named twice: {port} with the host, and by --port"
            )));
        }
        let order = self.general_order(subject, port)?;
        Ok((Order { trial: self.trial()?, ..order }, ClientSettings::default()))
    }

    /// What was said on the command line goes before what the message's route says.
    fn order_of(
        &self,
        world: &World,
        context: queued::Context,
    ) -> Result<(Order, ClientSettings), Failed> {
        let mut order = self.general_order(context.subject, Some(context.port))?;
        let sending = context.sending;
        let plan = &mut order.plan;
        if self.ehlo.is_none() {
            plan.ehlo_name = sending.ehlo_name.into();
        }
        if self.source.is_empty() {
            plan.source = context.source;
        }
        if self.ca.is_none() && sending.tls_settings != sending.tls_general {
            let tls = ClientTls::with(world, &sending.tls_settings);
            let tls = tls.map_err(|error| Failed {
                problem: Problem::from_error(&error),
                status: EX_CONFIG,
            })?;
            plan.tls_own = Some(tls);
        }
        plan.tls = sending.tls;
        plan.tls_names = sending.tls_names;
        plan.implicit_tls |= sending.implicit_tls;
        plan.require_tls = sending.require_tls;
        if sending.lmtp {
            plan.protocol = Protocol::Lmtp;
        }
        plan.avoid = plan.avoid.with(features("avoid", &sending.avoid)?);
        plan.allow = plan.allow.with(features("use", &sending.allow)?);
        Ok((Order { trial: Some(context.trial), ..order }, sending.tls_general))
    }

    fn general_order(&self, subject: Subject, port: Option<u16>) -> Result<Order, Failed> {
        let standard = if self.implicit_tls { 465 } else { 25 };
        Ok(Order {
            subject,
            port: self.port.or(port).unwrap_or(standard),
            plan: self.plan()?,
            trial: None,
            selectors: self.selector.clone(),
            mine: self.mine,
            bisect: match (self.bisect, self.send) {
                (false, _) => None,
                (true, false) => Some(Bisect::BreakOff),
                (true, true) => Some(Bisect::Send),
            },
            https_port: HTTPS,
        })
    }

    fn plan(&self) -> Result<Plan, Failed> {
        let mut plan = Plan::new(self.ehlo.clone().unwrap_or_else(own_name));
        plan.tls = TlsLevel::Published;
        plan.avoid = features("--avoid", &self.avoid)?;
        plan.allow = features("--use", &self.allow)?;
        plan.implicit_tls = self.implicit_tls;
        plan.source.clone_from(&self.source);
        let wait = Duration::from_secs(self.timeout);
        plan.connect_timeout = plan.connect_timeout.min(wait);
        plan.timeouts.limit(wait);
        Ok(plan)
    }

    /// Without sender and recipient, nothing is tried.
    fn trial(&self) -> Result<Option<Trial>, Failed> {
        if self.from.is_none() && self.to.is_empty() {
            return Ok(None);
        }
        let reverse_path = match self.from.as_deref().map(str::trim) {
            None | Some("" | "<>") => None,
            Some(text) => Some(address(text, "--from")?),
        };
        let recipients = self.to.iter().map(|text| address(text.trim(), "--to"));
        let recipients = recipients.collect::<Result<_, _>>()?;
        Ok(Some(Trial { reverse_path, recipients, size: None }))
    }
}

impl Answer {
    fn worst(&self) -> Option<Weight> {
        self.report.worst().max(self.lists.as_ref().and_then(Asked::worst))
    }
}

fn address(text: &str, option: &str) -> Result<Address, Failed> {
    text.parse().map_err(|error| usage(&format!("`{option} {text}`: {error}")))
}

fn usage(text: &str) -> Failed {
    Failed { problem: Problem::new(text), status: EX_USAGE }
}

#[cfg(test)]
mod tests;
