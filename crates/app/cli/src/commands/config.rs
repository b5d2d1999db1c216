//! `mailwright config`.

use std::{net::IpAddr, path::PathBuf};

use accounts::Accounts;
use clap::{Args, Subcommand};
use mta::config;

use crate::{
    output::{self, Done},
    problem::Problem,
    server::Place,
};

/// Check a configuration file, or show the values in effect
#[derive(Debug, Args)]
pub struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(Check),
    Show(Show),
}

/// Check a file: all that is wrong in it, where, and what would be right
#[derive(Debug, Args)]
struct Check {
    file: PathBuf,
    /// As JSON, if it is fine
    #[arg(long)]
    json: bool,
}

/// Show the values in effect, with which are defaults; secrets struck out
///
/// With --client or --site: what a client would be offered, or what would be used with a next hop.
#[derive(Debug, Args)]
struct Show {
    /// What EHLO says to a client at this address
    #[arg(long, value_name = "ADDRESS", conflicts_with = "site")]
    client: Option<IpAddr>,
    /// Only at this listener
    #[arg(long, value_name = "NAME", requires = "client")]
    listener: Option<String>,
    /// What is used with this domain's next hop, or this host
    #[arg(long, value_name = "DOMAIN")]
    site: Option<String>,
    /// The values as JSON
    #[arg(long, conflicts_with_all = ["client", "site"])]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Config {
    pub fn run(self) -> Result<(), Problem> {
        match self.command {
            Command::Check(check) => {
                let place = Place { config: Some(check.file.clone()), data: None };
                let config = place.load()?;
                config::load::load_users(&config)?;
                let line = format!("{} is fine", check.file.display());
                Done { done: "checked", count: 1, notes: Vec::new() }.tell(check.json, &line);
            }
            Command::Show(show) => {
                let config = show.place.load()?;
                let page = match (&show.client, &show.site) {
                    (Some(client), _) => by_client(config, *client, show.listener.as_deref())?,
                    (None, Some(site)) => config::seen::by_site(&compiled(config)?, site),
                    (None, None) => config::show::show(&config, &show.place.text()?),
                };
                if show.json {
                    let values = page.parse::<toml::Table>();
                    output::json(&values.map_err(|error| Problem::from_error(&error))?);
                    return Ok(());
                }
                output::put_text(page);
            }
        }
        Ok(())
    }
}

fn compiled(config: config::Config) -> Result<config::Compiled, Problem> {
    let users = config::load::load_users(&config)?;
    config::Compiled::new(config, users).map_err(|error| Problem::new(error.to_string()))
}

fn by_client(
    config: config::Config,
    client: IpAddr,
    listener: Option<&str>,
) -> Result<String, Problem> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    let world = crate::outside::world(&crate::outside::resolver(&config))?;
    let compiled = compiled(config)?;
    let accounts = Accounts::new(&world, &compiled.config.accounts, &compiled.users)
        .map_err(|error| Problem::from_error(&error))?;
    let door =
        policy::Set::new(&*world.disk, compiled.config.door.clone(), policy::Ourselves::default());
    let door = door.map_err(|error| Problem::from_error(&error))?;
    let now = smtp::Timestamp(now);
    let page = config::seen::by_client(&compiled, &accounts, &door, client, listener, now);
    page.ok_or_else(|| {
        let name = listener.unwrap_or_default();
        Problem::new(format!("there is no listener called `{name}`"))
    })
}
