//! `mailwright send`: give one message to a server, by hand.
//!
//! The letters are those of the command-line mailer *bmail*: `-s -p -t -f -b -h -a -m -c -d`. As `-h`
//! makes header fields, help is `--help` only.

mod compose;
mod report;

pub use compose::own_name;

use std::{
    io::IsTerminal,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::{ArgAction, Args, ValueEnum};
use mta::config::Login;
use smtp::{Address, BodyType, Envelope, Notify, Recipient};
use transport::{
    ClientTls, Features, Plan, Protocol, TlsLevel,
    content::Memory,
    send::{Report, Via, send},
};
use world::dns::real::Settings;

use crate::{outside, problem::Problem, server::block_on};

/// Wrong arguments (`EX_USAGE` of sysexits.h, as are the others).
pub const EX_USAGE: u8 = 64;
/// A recipient was refused for good.
pub const EX_UNAVAILABLE: u8 = 69;
/// Nobody takes mail for a recipient's domain.
pub const EX_NOHOST: u8 = 68;
/// Not now: what was not relayed may be tried again.
pub const EX_TEMPFAIL: u8 = 75;
/// A file, a certificate or credentials are not as they should be.
pub const EX_CONFIG: u8 = 78;

/// Send one message, to a given server or to whoever takes mail for the recipient
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
#[command(after_help = "Exit status: 0 relayed to all, 75 try again later, 69 refused for good, \
    68 nobody takes mail for the domain, 64 wrong arguments, 78 a file or credentials are wrong.\n\n\
    Without -h, -a, --header and --attach the text is the whole message as it stands, header fields \
    included. Without -b and -m it is read from standard input, unless that is a terminal.")]
pub struct Send {
    /// Server to give it to: name, address, or the path of a Unix socket [default: by MX]
    #[arg(short = 's', long, value_name = "HOST")]
    server: Option<String>,
    /// Port [default: 25; 465 with --implicit-tls; 24 with --lmtp]
    #[arg(short = 'p', long, value_name = "PORT")]
    port: Option<u16>,
    /// Recipient; can be repeated, or several parted by commas
    #[arg(
        short = 't',
        long = "to",
        value_name = "ADDRESS",
        value_delimiter = ',',
        required = true
    )]
    to: Vec<String>,
    /// Reverse-path and author; `<>` is the null reverse-path [default: USER@HOST]
    #[arg(short = 'f', long = "from", value_name = "ADDRESS", allow_hyphen_values = true)]
    from: Option<String>,
    /// Text
    #[arg(short = 'b', long = "body", value_name = "TEXT", allow_hyphen_values = true)]
    body: Option<String>,
    /// Generate header fields: Date, From, To, Subject, Message-ID and MIME's
    #[arg(short = 'h', long = "headers")]
    headers: bool,
    /// Subject (implies -h)
    #[arg(short = 'a', long = "subject", value_name = "TEXT", allow_hyphen_values = true)]
    subject: Option<String>,
    /// File to send as text, behind that of -b; `-` is standard input
    #[arg(short = 'm', long = "file", value_name = "FILE")]
    file: Option<PathBuf>,
    /// An empty line before the file, to part it from the header fields
    #[arg(short = 'c', long = "crlf")]
    crlf: bool,
    /// Show the whole dialogue
    #[arg(short = 'd', long = "dialogue", visible_alias = "debug")]
    dialogue: bool,
    /// Further header field, as `Name: value` (implies -h)
    #[arg(long = "header", value_name = "FIELD")]
    fields: Vec<String>,
    /// File to attach (implies -h)
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// Sign in as USER; the password is taken from MAILWRIGHT_PASSWORD, from --password-file, or asked for
    #[arg(long, value_name = "USER")]
    auth: Option<String>,
    /// File whose first line is the password
    #[arg(long, value_name = "FILE", requires = "auth")]
    password_file: Option<PathBuf>,
    /// File whose first line is a token, for OAUTHBEARER and XOAUTH2
    #[arg(long, value_name = "FILE", requires = "auth", conflicts_with = "password_file")]
    token_file: Option<PathBuf>,
    /// Mechanism that may be used; may be repeated. With GSSAPI, USER is the principal whose Kerberos ticket there is
    /// [default: SCRAM, PLAIN and LOGIN]
    #[arg(long = "mechanism", value_name = "NAME", requires = "auth")]
    mechanisms: Vec<String>,
    /// Let the password cross a connection without TLS
    #[arg(long, requires = "auth")]
    auth_in_clear: bool,
    /// What is asked of TLS
    #[arg(long, value_enum, default_value = "opportunistic")]
    tls: Tls,
    /// TLS from the first octet on, instead of STARTTLS
    #[arg(long)]
    implicit_tls: bool,
    /// Trust the issuers in this PEM file instead of the machine's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Name to give in EHLO [default: the machine's]
    #[arg(long, value_name = "NAME")]
    ehlo: Option<String>,
    /// Address to connect from
    #[arg(long, value_name = "ADDRESS")]
    source: Option<IpAddr>,
    /// Speak LMTP
    #[arg(long)]
    lmtp: bool,
    /// Ask for DSNs (RFC 3461): any of success, failure, delay; or never
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHEN")]
    notify: Vec<When>,
    /// Extensions not to use though they are offered: PIPELINING, CHUNKING, EHLO, ...
    #[arg(long, value_delimiter = ',', value_name = "KEYWORD")]
    avoid: Vec<String>,
    /// Extensions to use that are not used unasked: those of Exchange servers, XCLIENT, XFORWARD
    #[arg(long = "use", value_delimiter = ',', value_name = "KEYWORD")]
    allow: Vec<String>,
    /// Longest wait for anything, in seconds [default: those of RFC 5321 section 4.5.3.2]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// Resolver to ask, as IP:PORT [default: those of /etc/resolv.conf]
    #[arg(long, value_name = "IP:PORT")]
    dns: Vec<SocketAddr>,
    /// For programs: outcomes and dialogue as JSON
    #[arg(long)]
    json: bool,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tls {
    /// Always in clear
    Never,
    /// If offered, with any certificate; in clear if that fails
    Opportunistic,
    /// What the domain and its hosts publish: DANE, else MTA-STS, else as opportunistic
    Published,
    /// DANE where it is published, else as opportunistic
    Dane,
    /// DANE or not at all
    DaneOnly,
    /// MTA-STS where it is published, else as opportunistic
    MtaSts,
    /// Encrypted or not at all, with any certificate
    Required,
    /// Encrypted or not at all, with a certificate for the server's name from an issuer we trust
    Verified,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    Success,
    Failure,
    Delay,
    Never,
}

impl Send {
    /// The exit status tells the outcome.
    pub fn run(self) -> Result<ExitCode, Failed> {
        let envelope = self.envelope()?;
        let world = outside::world(&Settings { servers: self.dns.clone(), ..Settings::default() })
            .map_err(config)?;
        let text = compose::message(&self, &world).map_err(config)?;
        let envelope = fitted(envelope, &text);
        let plan = self.plan()?;
        let report = block_on(async {
            let tls = match &self.ca {
                Some(file) => ClientTls::with_authorities(&world, file),
                None => ClientTls::new(&world),
            };
            let tls = tls.map_err(|error| Problem::from_error(&error))?;
            let content = Memory(text.into());
            Ok(send(&world, &tls, &self.via(), &plan, &envelope, &content).await)
        })
        .map_err(config)?;
        match self.json {
            true => crate::output::json(&report::json(&envelope, &report)),
            false => crate::output::put_text(report::text(&envelope, &report, self.dialogue)),
        }
        Ok(ExitCode::from(exit_status(&report)))
    }

    fn via(&self) -> Via {
        let port = self.port.unwrap_or(match (self.implicit_tls, self.lmtp) {
            (true, _) => 465,
            (false, true) => 24,
            (false, false) => 25,
        });
        match &self.server {
            Some(path) if path.starts_with('/') => Via::Socket(PathBuf::from(path).into()),
            Some(host) => Via::Server(host.clone(), port),
            None => Via::Mx(port),
        }
    }

    fn envelope(&self) -> Result<Envelope, Failed> {
        let reverse_path = match self.from.as_deref().map(bare_address) {
            Some("" | "<>") => None,
            Some(text) => Some(address(text, "-f")?),
            None => Some(address(&compose::own_address(), "-f")?),
        };
        let mut envelope = Envelope::new(reverse_path);
        for text in self.to.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
            let mut recipient = Recipient::new(address(bare_address(text), "-t")?);
            recipient.notify = self.notify();
            envelope.recipients.push(recipient);
        }
        if envelope.recipients.is_empty() {
            return Err(usage("`-t` names no recipient"));
        }
        Ok(envelope)
    }

    fn notify(&self) -> Notify {
        let wants = |when| self.notify.contains(&when);
        match self.notify.is_empty() {
            true => Notify::default(),
            false if wants(When::Never) => Notify::NEVER,
            false => Notify {
                given: true,
                success: wants(When::Success),
                failure: wants(When::Failure),
                delay: wants(When::Delay),
            },
        }
    }

    fn plan(&self) -> Result<Plan, Failed> {
        let name = self.ehlo.clone().unwrap_or_else(compose::own_name);
        let mut plan = Plan::new(name);
        plan.tls = match self.tls {
            Tls::Never => TlsLevel::Never,
            Tls::Opportunistic => TlsLevel::Opportunistic,
            Tls::Published => TlsLevel::Published,
            Tls::Dane => TlsLevel::Dane,
            Tls::DaneOnly => TlsLevel::DaneOnly,
            Tls::MtaSts => TlsLevel::MtaSts,
            Tls::Required => TlsLevel::Required,
            Tls::Verified => TlsLevel::Verified,
        };
        plan.protocol = if self.lmtp { Protocol::Lmtp } else { Protocol::Smtp };
        plan.implicit_tls = self.implicit_tls;
        plan.source = self.source.into_iter().collect();
        if let Some(login) = self.login()? {
            plan.tickets = login.tickets();
            plan.credentials = Some(Arc::new(login.read(self.auth_in_clear)));
        }
        plan.avoid = features("--avoid", &self.avoid)?;
        plan.allow = features("--use", &self.allow)?;
        if let Some(seconds) = self.timeout {
            let wait = Duration::from_secs(seconds);
            plan.connect_timeout = plan.connect_timeout.min(wait);
            plan.timeouts.limit(wait);
        }
        Ok(plan)
    }

    /// What to sign in with, as a route has it. A password is never an argument: every user of the machine
    /// could read it.
    fn login(&self) -> Result<Option<Login>, Failed> {
        let Some(user) = self.auth.clone() else { return Ok(None) };
        let mut login = Login {
            user,
            password_file: self.password_file.clone(),
            token_file: self.token_file.clone(),
            mechanisms: self.mechanisms.clone(),
            ..Login::default()
        };
        if login.wants_password() {
            login.password = Some(self.password(&login.user)?);
        }
        for (_, file) in login.files() {
            std::fs::read(file).map_err(|error| {
                config(Problem::new(format!("cannot read `{}`: {error}", file.display())))
            })?;
        }
        match login.fault() {
            None => Ok(Some(login)),
            Some((what, help)) => Err(config(Problem::new(what).help(help))),
        }
    }

    fn password(&self, user: &str) -> Result<String, Failed> {
        match std::env::var("MAILWRIGHT_PASSWORD") {
            Ok(password) => Ok(password),
            Err(_) if std::io::stdin().is_terminal() => {
                rpassword::prompt_password(format!("Password of {user}: ")).map_err(|error| {
                    config(Problem::new(format!("cannot read the password: {error}")))
                })
            }
            Err(_) => {
                let problem = Problem::new(format!("there is no password for `{user}`"))
                    .help("set MAILWRIGHT_PASSWORD, or name a file with `--password-file FILE`");
                Err(config(problem))
            }
        }
    }
}

/// A command that came to nothing: what to show, and the exit status.
pub struct Failed {
    pub problem: Problem,
    pub status: u8,
}

/// The extensions that an option names.
pub(super) fn features(option: &str, keywords: &[String]) -> Result<Features, Failed> {
    Features::by_names(keywords.iter().map(String::as_str))
        .map_err(|error| usage(&format!("`{option}`: {error}")))
}

fn usage(text: &str) -> Failed {
    Failed { problem: Problem::new(text), status: EX_USAGE }
}

fn config(problem: Problem) -> Failed {
    Failed { problem, status: EX_CONFIG }
}

/// `a@b.test` of `Alice <a@b.test>`.
fn bare_address(text: &str) -> &str {
    let text = text.trim();
    match (text.rfind('<'), text.ends_with('>')) {
        (Some(start), true) if start > 0 => &text[start + 1..text.len() - 1],
        (Some(0), true) if text.len() > 2 => &text[1..text.len() - 1],
        _ => text,
    }
}

fn address(text: &str, option: &str) -> Result<Address, Failed> {
    text.parse().map_err(|error| usage(&format!("`{option} {text}`: {error}")))
}

/// Declares what the content turned out to hold.
fn fitted(mut envelope: Envelope, content: &[u8]) -> Envelope {
    envelope.body = if content.is_ascii() { BodyType::SevenBit } else { BodyType::EightBitMime };
    envelope.smtputf8 = message::header::scan(content).eight_bit;
    envelope
}

fn exit_status(report: &Report) -> u8 {
    use smtp::{Outcome, Stage};
    let mut status = 0;
    for outcome in &report.outcomes {
        let own = match outcome {
            Outcome::Relayed(_) => 0,
            // Credentials that are refused, or may not go in clear: waiting mends nothing.
            Outcome::Deferred(cause) if cause.stage == Stage::Auth => EX_CONFIG,
            Outcome::Deferred(_) => EX_TEMPFAIL,
            Outcome::Failed(cause) if cause.stage == Stage::Routing => EX_NOHOST,
            Outcome::Failed(_) => EX_UNAVAILABLE,
        };
        // What cannot be mended by waiting is the worse news.
        let rank = |status: u8| match status {
            0 => 0,
            EX_TEMPFAIL => 1,
            EX_NOHOST => 2,
            _ => 3,
        };
        if rank(own) > rank(status) {
            status = own;
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::bare_address;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("a@b.test", "a@b.test"),
            (" Alice <a@b.test> ", "a@b.test"),
            ("<a@b.test>", "a@b.test"),
            ("<>", "<>"),
            ("", ""),
        ] {
            assert_eq!(bare_address(text), expected, "{text:?}");
        }
    }
}
