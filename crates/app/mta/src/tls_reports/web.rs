//! Reports by `https:` (RFC 8460 section 5.4): a POST of the report, compressed.
//!
//! Section 3 lets a reporter overlook the web server's certificate. We don't: a report tells of our mail.

use std::time::Duration;

use transport::http::{self, Request, Url};

use super::{
    Keeper,
    report::{About, MEDIA_TYPE, packed},
};
use crate::context::Context;

const PATIENCE: Duration = Duration::from_secs(60);

/// Hands a report in.
///
/// # Errors
/// Why it was not taken, in one clause.
pub(super) async fn post(
    context: &Context,
    keeper: &Keeper,
    day: &str,
    domain: &str,
    to: &Url,
) -> Result<(), String> {
    let Some(counted) = keeper.of(day, domain) else { return Ok(()) };
    let config = context.config();
    let host = &config.config.hostname;
    let contact = config.config.tls_reports.contact(&config);
    let about = About { organization: host, contact: &contact, day, domain };
    let report = packed(&about, &counted).map_err(|error| error.to_string())?;
    let tls = context.outgoing_tls();
    let request = Request::post(to, MEDIA_TYPE, &report);
    let answer = http::fetch(&context.world, tls.general(), &request);
    match tokio::time::timeout(PATIENCE, answer).await {
        // Section 5.4: 200 or 201; RFC 9110 has others that say as much.
        Ok(Ok(response)) if (200..300).contains(&response.status) => Ok(()),
        Ok(Ok(response)) => Err(format!("it answers {}", response.status)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer in {}s", PATIENCE.as_secs())),
    }
}
