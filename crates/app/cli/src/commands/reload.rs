//! `mailwright reload`.

use clap::Args;
use mta::handle::Request;

use crate::{problem::Problem, server::Place};

/// Let the running server read its configuration again; sessions go on
#[derive(Debug, Args)]
pub struct Reload {
    #[command(flatten)]
    place: Place,
}

impl Reload {
    pub fn run(self) -> Result<(), Problem> {
        let (_, notes) = self.place.ask(&Request::Reload, |_| ())?;
        crate::output::say!("reloaded");
        notes.iter().for_each(|note| crate::output::say!("{note}"));
        Ok(())
    }
}
