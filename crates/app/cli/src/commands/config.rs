//! `mailwright config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mta::config;

use crate::{problem::Problem, server::Place};

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
}

/// Show the values in effect, with which are defaults; secrets struck out
#[derive(Debug, Args)]
struct Show {
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
                println!("{} is fine", check.file.display());
            }
            Command::Show(show) => {
                let config = show.place.load()?;
                let text = show.place.text()?;
                print!("{}", config::show::show(&config, &text));
            }
        }
        Ok(())
    }
}
