//! The back ends that know users, against the real things: Dovecot's auth service, slapd, saslauthd with
//! PAM, programs, and issuers of tokens. Then the whole server: who gets in, how long a no takes, and who
//! is locked.

mod back_ends;
mod dialogue;
mod guard;
mod inside_tls;
mod server;
mod tokens;

use std::{path::Path, sync::Arc};

use accounts::{Accounts, Answered, Settings, Verdict, Visit, users::Users};
use sasl::{Secret, server::Ask};
use world::{Clock, Net, Random, World, disk::real::RealDisk, dns::table::TableDns};

fn world() -> World {
    World {
        clock: Clock::Real,
        disk: Arc::new(RealDisk),
        dns: Arc::new(TableDns::default()),
        net: Net::Real,
        random: Random::real(),
    }
}

/// Back ends as a configuration has them.
fn accounts(text: &str) -> Accounts {
    #[derive(serde::Deserialize)]
    struct File {
        accounts: Vec<Settings>,
    }
    let file: File = toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let nobody = Arc::new(Users::new(Default::default()).expect("there is randomness"));
    Accounts::new(&world(), &file.accounts, &nobody).expect("the accounts can be used")
}

fn visit() -> Visit {
    Visit {
        client: "127.0.0.9:4711".parse().expect("an address"),
        local: "127.0.0.1:587".parse().expect("an address"),
        is_encrypted: true,
        certificate: None,
    }
}

async fn password(accounts: &Accounts, user: &str, password: &str) -> Answered {
    let ask = Ask::Password { user: user.to_owned(), password: Secret::new(password) };
    accounts.ask(&ask, &visit()).await
}

/// `yes: NAME`, `no: WHY` or `unavailable: WHY`, as the last back end that was asked has it.
fn word(answered: &Answered) -> String {
    match answered.told.last().map(|told| &told.verdict) {
        Some(Verdict::Yes(account)) => format!("yes: {}", account.name),
        Some(Verdict::No { why, .. }) => format!("no: {why}"),
        Some(Verdict::Unavailable(why)) => format!("unavailable: {why}"),
        None => "nobody was asked".to_owned(),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
