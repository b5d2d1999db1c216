//! `mailwright user`.

mod test;

use std::{
    fs,
    io::{self, BufRead, IsTerminal},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use mta::config::{Config, load, users, users_file};

use self::test::Test;
use crate::{problem::Problem, server::Place};

/// Manage who may authenticate
#[derive(Debug, Args)]
pub struct User {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a user, or give one a new password (asked for, or read from standard input)
    Add {
        /// As it is given to AUTH, like anna@example.org
        name: String,
        /// A file whose first line is the password
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// Store the password itself as well, for CRAM-MD5, DIGEST-MD5 and NTLM
        #[arg(long)]
        legacy: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Try a login: which of the accounts knows the user, and what he may do
    Test(Test),
    /// List the users' names
    List {
        #[command(flatten)]
        place: Place,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Remove a user
    Remove {
        /// Whom
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

impl User {
    pub fn run(self) -> Result<(), Problem> {
        match self.command {
            Command::Add { name, password_file, legacy, place } => {
                add(&name, password_file, legacy, &place)
            }
            Command::Test(test) => test.run(),
            Command::List { place, json } => list(&place, json),
            Command::Remove { name, place } => remove(&name, &place),
        }
    }
}

fn add(
    name: &str,
    password_file: Option<PathBuf>,
    legacy: bool,
    place: &Place,
) -> Result<(), Problem> {
    let config = place.load()?;
    refuse_configured(&config, name)?;
    let password = read_password(name, password_file, true)?;
    if password.is_empty() {
        return Err(Problem::new("the password is empty"));
    }
    let path = config.users_file();
    let storing = users::Storing { iterations: config.scram_iterations, secret: legacy };
    let was_there = users_file::add(&path, name, &password, storing)
        .map_err(|error| Problem::from_error(&error))?;
    let done = if was_there { "has a new password" } else { "was added" };
    crate::output::say!(
        "{name} {done} in {}; `mailwright reload` tells a running server",
        path.display()
    );
    Ok(())
}

fn remove(name: &str, place: &Place) -> Result<(), Problem> {
    let config = place.load()?;
    refuse_configured(&config, name)?;
    let path = config.users_file();
    if !users_file::remove(&path, name).map_err(|error| Problem::from_error(&error))? {
        let help = "`mailwright user list` shows those there are";
        return Err(Problem::new(format!("there is no user `{name}`")).help(help));
    }
    crate::output::say!("{name} was removed; `mailwright reload` tells a running server");
    Ok(())
}

/// The configuration file is its owner's to write.
fn refuse_configured(config: &Config, name: &str) -> Result<(), Problem> {
    match config.users.contains_key(name) {
        true => Err(Problem::new(format!("`{name}` is in the configuration file"))
            .help("change or remove it there, under `[users]`")),
        false => Ok(()),
    }
}

fn list(place: &Place, json: bool) -> Result<(), Problem> {
    let config = place.load()?;
    let mut names: Vec<String> = load::load_users(&config)?.into_keys().collect();
    names.extend(config.users.into_keys());
    names.sort();
    match json {
        true => crate::output::json(&names),
        false => names.iter().for_each(|name| crate::output::say!("{name}")),
    }
    Ok(())
}

pub(super) fn read_password(
    name: &str,
    file: Option<PathBuf>,
    is_new: bool,
) -> Result<String, Problem> {
    let from_file = |error, path: &PathBuf| {
        Problem::new(format!("cannot read the password from `{}`: {error}", path.display()))
    };
    let asked = |error| Problem::new(format!("cannot read the password: {error}"));
    if let Some(path) = file {
        let text = fs::read_to_string(&path).map_err(|error: io::Error| from_file(error, &path))?;
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(asked)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let once = rpassword::prompt_password(format!("Password for {name}: ")).map_err(asked)?;
    if !is_new {
        return Ok(once);
    }
    let again = rpassword::prompt_password("Once more: ").map_err(asked)?;
    match once == again {
        true => Ok(once),
        false => Err(Problem::new("the two passwords differ")),
    }
}
