//! `mailwright serve`.

use clap::Args;

use crate::{problem::Problem, server::Place};

/// Run the transfer agent
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    place: Place,
}

impl Serve {
    pub fn run(self) -> Result<(), Problem> {
        let _config = self.place.load()?;
        Err(Problem::new("this build has no server in it yet"))
    }
}
