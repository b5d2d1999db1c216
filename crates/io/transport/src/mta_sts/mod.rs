//! MTA-STS (RFC 8461): a domain says over HTTPS which hosts take its mail, and that they have
//! certificates.
//!
//! | cached policy | the TXT record                | so                                              |
//! |---------------|-------------------------------|-------------------------------------------------|
//! | none, expired | is there                      | the policy is fetched                           |
//! | none, expired | is not there, or no answer    | no policy                                       |
//! | fresh         | has the same id, or no answer | the cached one                                  |
//! | fresh         | has another id                | fetched; if that fails, the cached one          |
//! | fresh         | is not there                  | the cached one, until it expires (section 3.3)  |
//!
//! A fetch that failed is not tried again for some minutes, whether an older policy is known or not. What was fetched is kept in [`Store`], on
//! disk too: an attacker who can block the fetch shall have to block it for as long as `max_age`.

mod fetch;
mod policy;
mod store;

pub use fetch::{FetchError, fetch};
pub use policy::{Mode, NotAPolicy, NotARecord, StsPolicy, record_id};
pub use store::Store;

use std::sync::Arc;

use world::World;

use crate::{policy::TlsResult, tls::ClientTls};

/// What is known of a domain's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StsFound {
    /// There is none, for this reason.
    None(String),
    /// The domain says that it has one, and it can't be had.
    Failed {
        /// Why.
        why: String,
        /// The same for TLS reports.
        result: TlsResult,
    },
    /// This.
    Policy(Arc<StsPolicy>),
}

/// A domain's policy as it is now, without any cache: what a tool wants that runs once.
pub async fn look_up(world: &World, tls: &ClientTls, domain: &str, port: u16) -> StsFound {
    match announced(world, domain).await {
        Err(reason) => StsFound::None(reason),
        Ok(_) => match fetch(world, tls, domain, port).await {
            Ok((policy, _)) => StsFound::Policy(Arc::new(policy)),
            Err(error) => StsFound::Failed { why: error.to_string(), result: error.result() },
        },
    }
}

/// The id of the policy that the DNS announces; or why it announces none.
async fn announced(world: &World, domain: &str) -> Result<String, String> {
    let answer =
        world.dns.texts(&format!("_mta-sts.{domain}")).await.map_err(|error| error.to_string())?;
    record_id(&answer.records).map_err(|error| match error {
        NotARecord::None => format!("`_mta-sts.{domain}`: {error}"),
        error => format!("the record of `_mta-sts.{domain}` does not count: {error}"),
    })
}
