//! `mailwright queue retry|hold|release|bounce|remove|reroute`.

use clap::{ArgGroup, Args, Subcommand};
use mta::handle::{Request, Selector};

use crate::{
    output::{self, Done},
    problem::Problem,
    server::Place,
};

#[derive(Debug, Subcommand)]
pub enum Order {
    /// Try now, whatever the schedule
    Retry {
        #[command(flatten)]
        which: Which,
    },
    /// Do not try until released
    Hold {
        #[command(flatten)]
        which: Which,
    },
    /// Let held ones go on, at once
    Release {
        #[command(flatten)]
        which: Which,
    },
    /// Give up now: senders get their failure reports
    Bounce {
        #[command(flatten)]
        which: Which,
        /// What the report says
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Remove without any report to anybody
    Remove {
        #[command(flatten)]
        which: Which,
    },
    /// Send one by another next hop
    Reroute {
        /// Its queue id
        id: String,
        /// Where to, as `next_hop` of a route
        #[arg(value_name = "HOST:PORT")]
        next_hop: String,
        #[command(flatten)]
        place: Place,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Which jobs are meant.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub struct Which {
    /// Queue ids
    #[arg(group = "which", value_name = "ID")]
    ids: Vec<String>,
    /// All for a recipient domain
    #[arg(long, group = "which")]
    domain: Option<String>,
    /// All there are
    #[arg(long, group = "which")]
    all: bool,
    #[command(flatten)]
    place: Place,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Which {
    fn split(self) -> (Selector, Place) {
        let selector = match (self.all, self.domain) {
            (true, _) => Selector::All,
            (false, Some(domain)) => Selector::Domain(domain),
            (false, None) => Selector::Ids(self.ids),
        };
        (selector, self.place)
    }
}

impl Order {
    pub fn run(self) -> Result<(), Problem> {
        let json = self.wants_json();
        let (request, place, done) = self.request()?;
        let (count, notes) = place.ask(&request, |_| ())?;
        Done { done, count, notes }.tell(json, &output::count(count, "job", done));
        Ok(())
    }

    fn wants_json(&self) -> bool {
        match self {
            Self::Retry { which }
            | Self::Hold { which }
            | Self::Release { which }
            | Self::Bounce { which, .. }
            | Self::Remove { which } => which.json,
            Self::Reroute { json, .. } => *json,
        }
    }

    fn request(self) -> Result<(Request, Place, &'static str), Problem> {
        let of = |which: Which, request: fn(Selector) -> Request, done| {
            let (selector, place) = which.split();
            (request(selector), place, done)
        };
        Ok(match self {
            Self::Retry { which } => of(which, |selector| Request::Retry { selector }, "due now"),
            Self::Hold { which } => of(which, |selector| Request::Hold { selector }, "held"),
            Self::Release { which } => {
                of(which, |selector| Request::Release { selector }, "released")
            }
            Self::Remove { which } => of(which, |selector| Request::Remove { selector }, "removed"),
            Self::Bounce { which, reason } => {
                let (selector, place) = which.split();
                (Request::Bounce { selector, reason }, place, "given up")
            }
            Self::Reroute { id, next_hop, place, .. } => {
                // A typing error is told here, with what would be right.
                let hop: mta::config::NextHop =
                    next_hop.parse().map_err(|error| Problem::from_error(&error))?;
                let selector = Selector::Ids(vec![id]);
                (Request::Reroute { selector, next_hop: hop.to_string() }, place, "re-routed")
            }
        })
    }
}
