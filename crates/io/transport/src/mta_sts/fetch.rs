//! Fetching a policy: `https://mta-sts.DOMAIN/.well-known/mta-sts.txt` (RFC 8461 section 3.3), over our
//! own TLS. Redirects are not followed, caches of HTTP not asked, and there are limits of size and time.

use std::time::Duration;

use tokio::time::timeout;
use world::World;

use super::{NotAPolicy, StsPolicy};
use crate::{
    http::{self, HttpError, Request, Response, Url},
    policy::TlsResult,
    tls::ClientTls,
};

/// Section 3.3 advises both.
const SIZE_MAX: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a policy can't be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No connection, no answer, or another answer than a policy.
    #[error("{0}")]
    Fetch(String),
    /// The web server's certificate.
    #[error("the web server `{host}`: {why}")]
    Certificate {
        /// `mta-sts.DOMAIN`.
        host: String,
        /// In one clause.
        why: String,
    },
    /// What came is no policy.
    #[error("what `{host}` serves is no policy: {source}")]
    Policy {
        /// `mta-sts.DOMAIN`.
        host: String,
        /// Why not.
        source: NotAPolicy,
    },
}

impl FetchError {
    /// As TLS reports call it.
    pub fn result(&self) -> TlsResult {
        match self {
            Self::Fetch(_) => TlsResult::StsPolicyFetchError,
            Self::Certificate { .. } => TlsResult::StsWebpkiInvalid,
            Self::Policy { .. } => TlsResult::StsPolicyInvalid,
        }
    }
}

/// Fetches the policy of a domain, in A-labels. `port` is 443 but in tests.
///
/// # Errors
/// Why there is none.
pub async fn fetch(
    world: &World,
    tls: &ClientTls,
    domain: &str,
    port: u16,
) -> Result<(StsPolicy, String), FetchError> {
    let host = format!("mta-sts.{domain}");
    let fetched = timeout(PATIENCE, get(world, tls, &host, port)).await;
    let body = fetched.unwrap_or_else(|_| {
        Err(FetchError::Fetch(format!("`{host}` did not answer in {}s", PATIENCE.as_secs())))
    })?;
    let text = String::from_utf8_lossy(&body).into_owned();
    match StsPolicy::parse(&text) {
        Ok(policy) => Ok((policy, text)),
        Err(source) => Err(FetchError::Policy { host, source }),
    }
}

async fn get(world: &World, tls: &ClientTls, host: &str, port: u16) -> Result<Vec<u8>, FetchError> {
    let url = Url::https(host, port, "/.well-known/mta-sts.txt");
    let request = Request { accept: "text/plain", size_max: SIZE_MAX, ..Request::get(&url) };
    match http::fetch(world, tls, &request).await {
        Ok(response) => judge(response, host),
        Err(HttpError { host, why, is_about_certificate: true }) => {
            Err(FetchError::Certificate { host, why })
        }
        Err(error) => Err(FetchError::Fetch(error.to_string())),
    }
}

fn judge(response: Response, host: &str) -> Result<Vec<u8>, FetchError> {
    let Response { status, content_type, body } = response;
    let why = match (status, content_type.as_str()) {
        (200, "text/plain") if body.len() <= SIZE_MAX => return Ok(body),
        (200, "text/plain") => format!("its policy is longer than {SIZE_MAX} octets"),
        (200, "") => "its answer has no Content-Type, where text/plain is asked for".to_owned(),
        (200, other) => {
            let other: String = other.chars().filter(|c| !c.is_control()).take(60).collect();
            format!("its answer is `{other}`, where text/plain is asked for")
        }
        (300..=399, _) => format!("it answers {status}, and redirects are not followed"),
        _ => format!("it answers {status}"),
    };
    Err(FetchError::Fetch(format!("`{host}`: {why}")))
}
