//! `mailwright reload`.

use clap::Args;
use mta::handle::Request;

use crate::{output::Done, problem::Problem, server::Place};

/// Let the running server read its configuration again; sessions go on
#[derive(Debug, Args)]
pub struct Reload {
    #[command(flatten)]
    place: Place,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Reload {
    pub fn run(self) -> Result<(), Problem> {
        let (_, notes) = self.place.ask(&Request::Reload, |_| ())?;
        Done { done: "reloaded", count: 1, notes }.tell(self.json, "reloaded");
        Ok(())
    }
}
