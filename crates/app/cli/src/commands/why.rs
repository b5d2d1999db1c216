//! `mailwright why`.

use clap::Args;
use mta::handle::{Request, Response};
use mta::why::Look;

use crate::{output, problem::Problem, server::Place};

/// Tell where a message is, what happened to it, and what happens next
#[derive(Debug, Args)]
pub struct Why {
    /// A queue id, an address, a domain, a Message-ID or a client's IP address
    #[arg(value_name = "QUEUE-ID|ADDRESS|DOMAIN|MESSAGE-ID|IP")]
    subject: String,
    #[command(flatten)]
    place: Place,
    /// Whole dialogues, and every attempt in full
    #[arg(long)]
    full: bool,
    /// For programs
    #[arg(long)]
    json: bool,
}

impl Why {
    pub fn run(self) -> Result<(), Problem> {
        let look = Look {
            width: output::prose_width(),
            colour: output::colour(),
            full: self.full,
            ..Look::default()
        };
        let request = Request::Why { subject: self.subject };
        let (_, notes) = self.place.ask(&request, |response| {
            let Response::Explanation { why } = response else { return };
            match self.json {
                true => output::json(&why),
                false => crate::output::put_text(why.render(&look)),
            }
        })?;
        notes.iter().for_each(|note| eprintln!("{note}"));
        Ok(())
    }
}
