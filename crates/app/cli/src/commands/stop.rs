//! `mailwright stop`.

use clap::Args;
use mta::handle::Request;

use crate::{output::Done, problem::Problem, server::Place};

/// Stop the running server; sessions may finish first
#[derive(Debug, Args)]
pub struct Stop {
    #[command(flatten)]
    place: Place,
    /// Close sessions at once (421); what was accepted is kept all the same
    #[arg(long)]
    now: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Stop {
    pub fn run(self) -> Result<(), Problem> {
        let (_, notes) = self.place.ask(&Request::Stop { now: self.now }, |_| ())?;
        Done { done: "stopping", count: 1, notes }.tell(self.json, "stopping");
        Ok(())
    }
}
