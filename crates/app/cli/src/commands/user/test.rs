//! `mailwright user test`: a login, tried against the configured accounts, told to an administrator.
//!
//! It asks the same back ends in the same order as a listener does, from here: what the running server has
//! locked is not looked at (`mailwright door logins` shows that).

use std::{fmt::Write as _, net::SocketAddr, path::PathBuf};

use accounts::{Account, Accounts, Answered, Told, Verdict, Visit};
use clap::Args;
use mta::config::{Compiled, Listener, Own, Senders, load};
use sasl::{Secret, server::Ask};

use super::read_password;
use crate::{output, outside, problem::Problem, server::Place};

/// Try a login: which of the accounts knows the user, and what he may do
#[derive(Debug, Args)]
pub struct Test {
    /// As it is given to AUTH, like anna@example.org
    name: String,
    /// A file whose first line is the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// As at this listener [default: all accounts]
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Test {
    pub fn run(self) -> Result<(), Problem> {
        let config = self.place.load()?;
        let world = outside::world(&outside::resolver(&config))?;
        let users = load::load_users(&config)?;
        let compiled = Compiled::new(config, users).map_err(|e| Problem::from_error(&e))?;
        let accounts = Accounts::new(&world, &compiled.config.accounts, &compiled.users)
            .map_err(|error| Problem::from_error(&error))?;
        let accounts = match &self.listener {
            Some(name) => accounts.only(&listener(&compiled, name)?.accounts),
            None => accounts,
        };
        let password = read_password(&self.name, self.password_file, false)?;
        let ask = Ask::Password { user: self.name.clone(), password: Secret::new(password) };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Problem::new(format!("no runtime: {error}")))?;
        let answered = runtime.block_on(async {
            accounts.prepare().await;
            accounts.ask(&ask, &here()).await
        });
        crate::output::put_text(page(&self.name, &answered, &compiled.config.senders, &accounts));
        match answered.account {
            Some(_) => Ok(()),
            None => Err(Problem::new(format!("`{}` can't sign in", self.name))),
        }
    }
}

fn listener<'c>(compiled: &'c Compiled, name: &str) -> Result<&'c Listener, Problem> {
    let mut listeners = compiled.listeners.iter().map(|(listener, _)| listener);
    let found = listeners.find(|listener| listener.name() == name);
    found.ok_or_else(|| Problem::new(format!("there is no listener called `{name}`")))
}

/// The login comes from this machine, as far as a back end asks.
fn here() -> Visit {
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    Visit { client: here, local: here, is_encrypted: true, certificate: None }
}

fn page(name: &str, answered: &Answered, senders: &Senders, accounts: &Accounts) -> String {
    let mut page = String::new();
    let mut line = |text: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "{}", output::clean(&text));
    };
    for Told { back_end, verdict } in &answered.told {
        line(match verdict {
            Verdict::Yes(_) => format!("{back_end}: yes, it is he"),
            Verdict::No { why, is_known: true } => {
                format!("{back_end}: no, {why}; it knows the name, so nobody else decides")
            }
            Verdict::No { why, is_known: false } => format!("{back_end}: no, {why}"),
            Verdict::Unavailable(why) => format!("{back_end}: can't tell now, {why}"),
        });
    }
    match &answered.account {
        Some(account) => {
            if account.name != name {
                line(format!("he is called {} here", account.name));
            }
            line(format!("may send as {}", may_send_as(account, senders)));
            line(format!("can use {}", accounts.possible()));
        }
        None if matches!(answered.answer, sasl::server::Answer::Unavailable) => {
            line("a client would hear 454: come again".to_owned());
        }
        None => line("a client would hear 535: not authenticated".to_owned()),
    }
    page
}

fn may_send_as(account: &Account, senders: &Senders) -> String {
    let own = match (account.reverse_paths.as_slice(), senders.own) {
        (paths @ [_, ..], _) => paths.join(", "),
        ([], Own::Any) => "anybody".to_owned(),
        ([], Own::Address) => account.name.clone(),
        ([], Own::Domain) => match account.name.rsplit_once('@') {
            Some((_, domain)) => format!("anybody at {domain}"),
            None => "nobody: his name has no domain".to_owned(),
        },
        ([], Own::Map) => "what `[senders.map]` has".to_owned(),
    };
    let is_his = |users: &mta::config::senders::Users| {
        users.0.iter().any(|user| user.eq_ignore_ascii_case(&account.name))
    };
    let shared = senders.map.iter().filter(|(_, users)| is_his(users));
    let shared = shared.fold(own, |all, (path, _)| format!("{all}, {path}"));
    if senders.null { shared + ", and with the null reverse-path" } else { shared }
}
