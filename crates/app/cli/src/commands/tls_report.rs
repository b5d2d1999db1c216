//! `mailwright tls-report`.

use clap::Args;
use mta::handle::{Request, Response};

use crate::{output, problem::Problem, server::Place};

/// Show what TLS came to with other servers, as the reports of RFC 8460
#[derive(Debug, Args)]
pub struct TlsReport {
    #[command(flatten)]
    place: Place,
    /// Recipient domain [default: each that had mail on that day]
    domain: Option<String>,
    /// Day, in Greenwich [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<String>,
}

impl TlsReport {
    pub fn run(self) -> Result<(), Problem> {
        let request = Request::TlsReport { day: self.day, domain: self.domain };
        let mut reports = Vec::new();
        self.place.ask(&request, |response| {
            if let Response::TlsReport { report } = response {
                reports.push(report);
            }
        })?;
        output::json(&reports);
        Ok(())
    }
}
