//! `mailwright stop`.

use clap::Args;
use mta::handle::Request;

use crate::{problem::Problem, server::Place};

/// Stop the running server; sessions may finish first
#[derive(Debug, Args)]
pub struct Stop {
    #[command(flatten)]
    place: Place,
    /// Close sessions at once (421); what was accepted is kept all the same
    #[arg(long)]
    now: bool,
}

impl Stop {
    pub fn run(self) -> Result<(), Problem> {
        let (_, notes) = self.place.ask(&Request::Stop { now: self.now }, |_| ())?;
        crate::output::say!("stopping");
        notes.iter().for_each(|note| crate::output::say!("{note}"));
        Ok(())
    }
}
